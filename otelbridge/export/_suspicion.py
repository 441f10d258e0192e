"""Whether it is a span that a failing receiver refuses, or the receiver that fails as a whole.

A receiver may answer HTTP 500, or gRPC's INTERNAL or UNKNOWN, for one span that it cannot bear, and
for all of them while something behind it is broken. The specification has neither sent again. But
a span is given up only for itself: when it was refused, another one taken, and it refused again.
"""

from __future__ import annotations

from otelbridge.encoding.units import ids_of
from otelbridge.export.parcel import Part

_REMEMBERED = 256  # suspects
_IN_A_ROW = 3  # suspects one after another: then the receiver may take nothing at all
_ALONE = 20  # times that a span is refused with no other to try; some five minutes


class Suspicion:
    """What a receiver's failures say about spans. Of the thread that sends."""

    def __init__(self) -> None:
        self._taken = 0  # requests
        self._refused: dict[tuple[str, str], int] = {}  # what had been taken when these were
        self._in_a_row = 0
        self._alone = 0
        self._last: tuple[str, str] | None = None

    @property
    def is_of_all(self) -> bool:
        """Whether so many suspects came one after another that nothing else may be taken either."""
        return self._in_a_row >= _IN_A_ROW

    def took(self) -> None:
        """The receiver has taken a request."""
        self._taken += 1
        self._in_a_row = 0
        self._last = None

    def refused(self, part: Part) -> None:
        """The receiver fails over a request of several spans: each may be the one."""
        self._last = None
        if part.since is None:
            part.since = self._taken

    def convicts(self, part: Part) -> bool:
        """Tell whether a span over which the receiver fails is at fault, or may wait."""
        ids = ids_of(part.items[0].span)[:2]
        since = self._refused.pop(ids, self._taken)
        part.since = since if part.since is None else min(since, part.since)
        self._alone = self._alone + 1 if ids == self._last else 1
        if part.since < self._taken or self._alone >= _ALONE:
            self._last = None
            return True
        self._in_a_row += 1
        self._last = ids
        self._refused[ids] = part.since
        if len(self._refused) > _REMEMBERED:
            del self._refused[next(iter(self._refused))]
        return False

    def covers(self, part: Part) -> bool:
        """Tell whether this is a suspect that would only be refused again."""
        return len(part.items) == 1 and part.since == self._taken
