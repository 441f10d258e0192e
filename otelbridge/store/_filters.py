"""A filter as a condition on rows of ``traces``."""

from __future__ import annotations

from time import time_ns
from typing import Any, Final

from otelbridge.store.codec import STATUSES
from otelbridge.store.records import Filter

_STATES: Final = {
    "running": "running > 0",
    "ended": "running = 0 AND lost = 0",
    "lost": "running = 0 AND lost > 0",
}
_MOST: Final = (1 << 63) - 1


class Condition:
    """Terms that must all hold, and the values in them."""

    def __init__(self) -> None:
        self._terms: list[str] = []
        self.values: list[Any] = []

    def add(self, term: str, *values: Any) -> None:
        """Add a term with as many question marks as values."""
        self._terms.append(f"({term})")
        self.values.extend(values)

    @property
    def where(self) -> str:
        """The clause; nothing where everything is wanted."""
        return "WHERE " + " AND ".join(self._terms) if self._terms else ""


def _storable(number: int) -> int:
    """Return the nearest number that SQLite's integers hold."""
    return max(-_MOST, min(number, _MOST))


def plain_condition(filter: Filter) -> Condition:
    """Return the part of a filter that the columns of ``traces`` answer."""
    found = Condition()
    if filter.service is not None:
        # As names are stored: what is no text is written out.
        service = filter.service.encode("utf-8", "backslashreplace").decode()
        found.add("service = ?", service)
    if filter.status is not None:
        found.add("status = ?", STATUSES.index(filter.status))
    if filter.state is not None:
        found.add(_STATES[filter.state])
    if filter.since_ns is not None:
        found.add("start_ns >= ?", _storable(filter.since_ns))
    if filter.until_ns is not None:
        found.add("start_ns < ?", _storable(filter.until_ns))
    if filter.min_duration_ns is not None:
        end = "CASE WHEN running > 0 THEN ? ELSE end_ns END"
        found.add(f"{end} - start_ns >= ?", time_ns(), _storable(filter.min_duration_ns))
    return found
