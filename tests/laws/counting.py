"""How many schedules ran, and how hard to look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import Phase, settings

CI = settings.default is not None and settings.default.max_examples >= 200
"""Whether this is a thorough run: the profile ``ci``."""


def looked_for(examples: int) -> Any:
    """Return Hypothesis settings for so many examples; a failure is shrunk and not explained."""
    return settings(
        max_examples=examples,
        phases=set(Phase) - {Phase.explain},
    )


schedules = 0


def count() -> None:
    """Count one schedule."""
    global schedules
    schedules += 1


@contextmanager
def at_least(wanted: int) -> Iterator[None]:
    """In a thorough run, the block must run so many schedules."""
    before = schedules
    yield
    assert not CI or schedules - before >= wanted
