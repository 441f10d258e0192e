"""The written programs: each runs on both libraries, and the outcomes are the same."""

from __future__ import annotations

import pytest

from .cases import (
    CASES,
    batches,
    composition,
    configs,
    custom_events,
    descriptions,
    ends,
    event_streams,
    hooks,
    lambdas,
    listeners,
    misuse,
    own_runnables,
    tools,
    wrapping,
)
from .libraries import OURS, UPSTREAM
from .running import Case, outcome, skip_where_upstream_cannot

MODULES = (
    batches,
    composition,
    configs,
    custom_events,
    descriptions,
    ends,
    event_streams,
    hooks,
    lambdas,
    listeners,
    misuse,
    own_runnables,
    tools,
    wrapping,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_program_gives_what_upstream_gives(case: Case) -> None:
    """The outcome on otelbridge is upstream's, but for a departure that the case names."""
    skip_where_upstream_cannot(case.program)
    expected = outcome(case.program, UPSTREAM)
    if case.departure is not None:
        expected = case.departure(expected)
    assert outcome(case.program, OURS) == expected


def test_every_program_has_its_own_name() -> None:
    """No two programs share a name, so each failure names one program."""
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert {case.program.__module__ for case in CASES} == {module.__name__ for module in MODULES}
