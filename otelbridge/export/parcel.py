"""Spans in hand, cut into requests."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from otelbridge.encoding.units import Item, batches
from otelbridge.export.batching import REQUEST_BYTES, Batching
from otelbridge.export.outbox import Batch
from otelbridge.export.spool import Lease


class Part:
    """The spans of one request.

    Attributes:
        items: the spans.
        since: how many requests had been taken when the receiver first failed over one with these
            spans; None: it has not.
    """

    __slots__ = ("items", "since")

    def __init__(self, items: list[Item], since: int | None = None) -> None:
        self.items = items
        self.since = since


class Parcel:
    """Spans that are being sent. What changes it is called with the account held.

    Attributes:
        first: the number by which the account knows them; 0 for those of a lease.
        lease: what they are of the reserve.
        todo: requests without an answer, the next one first.
        is_replay: whether they had to wait in the reserve.
    """

    __slots__ = ("_batching", "first", "is_replay", "lease", "todo")

    def __init__(
        self, items: Sequence[Item], batching: Batching, first: int, lease: Lease | None = None
    ) -> None:
        self._batching = batching
        self.first = first
        self.lease = lease
        self.is_replay = False
        self._cut(items)

    @property
    def is_suspect(self) -> bool:
        """Whether none of it can be tried in place of another part of it."""
        return all(len(part.items) == 1 and part.since is not None for part in self.todo)

    def left(self) -> Batch:
        """Return what was not answered for."""
        return Batch([item for part in self.todo for item in part.items], self.first)

    def split(self) -> None:
        """Halve the next request."""
        part = self.todo.popleft()
        half = len(part.items) // 2
        self.todo.appendleft(Part(part.items[half:], part.since))
        self.todo.appendleft(Part(part.items[:half], part.since))

    def put_off(self) -> None:
        """Try the next request after the others."""
        self.todo.rotate(-1)

    def rejoin(self) -> None:
        """Make requests as large as they may be again, in the present order."""
        self._cut(self.left().items)

    def _cut(self, items: Sequence[Item]) -> None:
        cut = batches(items, self._batching.batch, REQUEST_BYTES)
        self.todo: deque[Part] = deque(Part(it) for it in cut)
