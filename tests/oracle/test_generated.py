"""Programs that nobody wrote: drawn as data, built on both libraries, run, compared."""

from __future__ import annotations

from hypothesis import given, settings

from .building import runner
from .libraries import OURS, UPSTREAM
from .programs import Program
from .running import outcome
from .strategies import programs

EXAMPLES = settings.default.max_examples * 5 // 2
"""500 with the profile `ci`: two libraries and many forms want more than one law does."""


@settings(max_examples=EXAMPLES)
@given(programs())
def test_drawn_program_gives_what_upstream_gives(program: Program) -> None:
    """Result or exception, handler calls and event stream are the same on both libraries."""
    run = runner(program)
    assert outcome(run, OURS) == outcome(run, UPSTREAM)
