"""Encoded spans in memory, between the thread that encodes and the thread that sends."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from otelbridge.encoding.units import Item


class Batch:
    """Spans that were encoded together.

    Attributes:
        items: the spans.
        first: the number by which the account knows them.
        size: what they weigh in memory, about.
        kept: how many of them, from the first, the reserve has.
        passed: whether someone else answers for all of them now.
    """

    __slots__ = ("first", "items", "kept", "passed", "size")

    def __init__(self, items: Sequence[Item], first: int) -> None:
        self.items = items
        self.first = first
        size = _WEIGHT * len(items)
        for _, span in items:
            size += len(span)
        self.size = size
        self.kept = 0
        self.passed = False

    def after(self, count: int) -> Batch:
        """Return the spans after the first so many."""
        return Batch(self.items[count:], self.first) if count else self


_WEIGHT = 150  # of an Item and its bytes object


class Outbox:
    """Batches in their order, up to a size. Everything here is called with the account held.

    Args:
        room: bytes that it takes; one batch is always taken.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._batches: deque[Batch] = deque()
        self._size = 0

    def __len__(self) -> int:
        return len(self._batches)

    def has_room(self, batch: Batch) -> bool:
        """Tell whether a batch fits in."""
        return not self._batches or self._size + batch.size <= self._room

    def put(self, batch: Batch, *, first: bool = False) -> None:
        """Take a batch, at the end or at the front, whether it fits or not."""
        if first:
            self._batches.appendleft(batch)
        else:
            self._batches.append(batch)
        self._size += batch.size
        batch.passed = True

    def take(self) -> Batch | None:
        """Give the oldest batch away."""
        if not self._batches:
            return None
        batch = self._batches.popleft()
        self._size -= batch.size
        batch.passed = True
        return batch

    def has(self, batch: Batch) -> bool:
        """Tell whether a batch was taken by a ``put`` that may have been interrupted."""
        self._size = sum(it.size for it in self._batches)
        batch.passed = batch.passed or batch in self._batches
        return batch.passed

    def overflow(self) -> Batch | None:
        """Give the oldest batch away if all together are too large; the last one stays."""
        return self.take() if self._size > self._room and len(self._batches) > 1 else None
