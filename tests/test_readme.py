"""The README tells the truth: its snippets run, in order, and print what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from expected_output import difference, generalise

ROOT = Path(__file__).parent.parent
RUN_SNIPPETS = Path(__file__).parent / "run_snippets.py"
A_RUN = "run 0190c1a0-0000-7000-8000-00000000000a"
ANOTHER_RUN = "run 0190c1a0-0000-7000-8000-00000000000b"


def run_snippets(document: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Execute the document's snippets in a fresh process, warnings as errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(RUN_SNIPPETS), *options, str(document)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_readme_snippets_run_and_print_what_it_says() -> None:
    """Every python block of the README runs, and a text block after it is its output."""
    ran = run_snippets(ROOT / "README.md")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_snippets_that_print_something_else_are_reported(tmp_path: Path) -> None:
    """A document whose text differs from the output fails, with its line and the difference."""
    document = tmp_path / "wrong.md"
    document.write_text("```python\nn = 2\nprint(n)\n```\ngives\n```text\n3\n```\n", "utf-8")
    ran = run_snippets(document)
    assert ran.returncode == 1
    assert "FAILED wrong.md:2" in ran.stdout
    assert "-3\n+2" in ran.stdout


def test_snippets_share_their_names_in_order(tmp_path: Path) -> None:
    """A later snippet sees what an earlier one defined, names of the runner's own included."""
    document = tmp_path / "shared.md"
    document.write_text("```python\nmain = run = 1\n```\n\n```python\nprint(main)\n```\n", "utf-8")
    assert "2 snippets as written, 0 failed" in run_snippets(document).stdout


def test_snippets_that_need_a_package_can_be_left_out(tmp_path: Path) -> None:
    """With ``--alone`` a block that names a package is not run, and all others are."""
    document = tmp_path / "needs.md"
    document.write_text("```python nothere\nimport nothere\n```\n```python\nn = 1\n```\n", "utf-8")
    assert "1 snippets as written, 1 failed" in run_snippets(document).stdout
    ran = run_snippets(document, "--alone")
    assert "needs.md:2" not in ran.stdout
    assert "1 snippets as written, 0 failed" in ran.stdout


@pytest.mark.parametrize(
    ("expected", "printed", "equal"),
    [
        ("a\nb\n", "a\nb", True),
        ("a", "b", False),
        ("took <...> ms", "took 3.1 ms", True),
        ("took <...> ms", "took 3.1\n ms", False),
        ("run <uuid>", A_RUN, True),
        ("run <uuid>", "run 1", False),
        ("run <uuid:a>\nrun <uuid:a>", f"{A_RUN}\n{A_RUN}", True),
        ("run <uuid:a>\nrun <uuid:a>", f"{A_RUN}\n{ANOTHER_RUN}", False),
        ("run <uuid:a>\nrun <uuid:b>", f"{A_RUN}\n{ANOTHER_RUN}", True),
    ],
)
def test_expected_output_allows_only_what_its_wildcards_stand_for(
    expected: str, printed: str, equal: bool
) -> None:
    """Text, UUIDs and repeated UUIDs match as written, and nothing else does."""
    assert (difference(expected, printed) == "") is equal


def test_generalised_output_expects_its_own_text() -> None:
    """The expected text made from a run's output accepts that output."""
    printed = f"{A_RUN}\n{ANOTHER_RUN}\n{A_RUN}\n"
    assert generalise(printed) == "run <uuid:run1>\nrun <uuid:run2>\nrun <uuid:run1>\n"
    assert difference(generalise(printed), printed) == ""
