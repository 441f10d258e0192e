"""A test of one's own code: what its runs did, without a backend and without globals.

With pytest, put `pytest_plugins = ["otelbridge.testing"]` into conftest.py, and a test may take
the fixture `capture_runs` in place of the `with` block.
"""

from __future__ import annotations

from otelbridge import RunnableLambda, dispatch_custom_event
from otelbridge.testing import capture_runs


def import_rows(rows: list[str]) -> int:
    """The code under test."""
    good = 0
    for row in rows:
        if row.isdigit():
            good += 1
        else:
            dispatch_custom_event("row_skipped", {"row": row})
    return good


def test_bad_rows_are_reported() -> None:
    """Every row that is no number gets an event."""
    with capture_runs() as runs:
        assert RunnableLambda(import_rows).invoke(["1", "x", "3", "y"]) == 2
    assert runs.events("import_rows") == [
        ("row_skipped", {"data.row": "x"}),
        ("row_skipped", {"data.row": "y"}),
    ]
    runs.assert_clean()


if __name__ == "__main__":
    test_bad_rows_are_reported()
    print("passed")
