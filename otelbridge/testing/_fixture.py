"""The same capture as a pytest fixture."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otelbridge.testing._captured import CapturedRuns, capture_runs


@pytest.fixture(name="capture_runs")
def _capture_runs_fixture() -> Iterator[CapturedRuns]:
    """Capture the runs of one test."""
    with capture_runs() as captured:
        yield captured
