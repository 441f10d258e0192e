"""The account of a pipeline: every span that was ended is sent, waiting, rejected or dropped."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

from otelbridge.export._shield import Shield


@dataclass(frozen=True)
class Stats:
    """What became of the spans; ended + adopted = sent + waiting + rejected + dropped.

    Attributes:
        ended: spans that ended in this process.
        adopted: spans found in the spool that a dead process of the same service has left.
        sent: spans that the receiver has acknowledged.
        waiting: spans in memory, on their way, or in the spool.
        replayed: those of the sent ones that had to wait in the spool: a receiver was away or slow,
            or an earlier process has left them. What ``durable`` writes there, and sends at the
            first attempt, is not among them.
        rejected: spans that the receiver will never take.
        dropped: spans given up here, by reason.
    """

    ended: int = 0
    adopted: int = 0
    sent: int = 0
    waiting: int = 0
    replayed: int = 0
    rejected: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def total(cls, parts: Iterable[Stats]) -> Stats:
        """Add the accounts of several pipelines; each counts every span."""
        counts = dict.fromkeys(("ended", "adopted", "sent", "waiting", "replayed", "rejected"), 0)
        dropped: dict[str, int] = {}
        for part in parts:
            for name in counts:
                counts[name] += getattr(part, name)
            for reason, count in part.dropped.items():
                dropped[reason] = dropped.get(reason, 0) + count
        return cls(**counts, dropped=MappingProxyType(dropped))


@dataclass
class Mark:
    """A moment in the account, for ``flush``: the spans ended until then, and where they went.

    Attributes:
        ended: the number of the last span that had ended.
        spooled: what the spool had taken in when the last of them had left memory.
    """

    ended: int
    spooled: int | None = None


class Account:
    """Counts spans. Every method is called with ``lock`` held, and so is every field read.

    Spans are numbered as they end. A batch is known by the number of its first span, ``first``,
    as long as it is in memory; 0 stands for what is in the spool, whose spans have no numbers.

    Attributes:
        lock: the one lock of the account.
        changed: the same as a condition, for those who wait for a change.
        spool_in: spans that have ever gone from memory to the spool.
        spool_out: spans that have ever left it, less those adopted.
        spool_due: how far into the spool sending is due.
        adopted_in: spans in the spool that were adopted.
    """

    def __init__(self) -> None:
        self.lock = Shield()
        # A condition takes any lock; its signature names two.
        self.changed = threading.Condition(cast("Any", self.lock))
        self.spool_in = self.spool_out = self.spool_due = self.adopted_in = 0
        self._ended = self._adopted = self._sent = self._replayed = self._rejected = 0
        self._dropped: dict[str, int] = {}
        self._open: set[int] = set()
        self._first_lost: int | None = None

    @property
    def waiting(self) -> int:
        """Spans that were counted in and are not yet out."""
        out = self._sent + self._rejected + sum(self._dropped.values())
        return self._ended + self._adopted - out

    @property
    def next(self) -> int:
        """The number of the span that is counted in next."""
        return self._ended + 1

    def took(self, count: int, first: int | None = None) -> int:
        """Count ended spans in; they are one batch from now on. Return its ``first``.

        Args:
            count: how many.
            first: ``next``, for a caller that may be interrupted and call again.
        """
        first = self.next if first is None else first
        self._open.add(first)
        self._ended = max(self._ended, first + count - 1)
        return first

    def adopted(self, count: int) -> None:
        """Count spans of a dead process in. They are in the spool, before all others."""
        self._adopted += count
        self.adopted_in += count
        self.spool_out -= count

    def spooled(self, count: int, before: int | None = None) -> None:
        """Count spans that have gone from memory to the spool.

        Args:
            count: how many.
            before: ``spool_in`` without them, for a caller that may be interrupted and call again.
        """
        self.spool_in = (self.spool_in if before is None else before) + count

    def due(self, least: int) -> bool:
        """Make it due to send what is in the spool, if it is at least so many spans."""
        is_due = self.spool_in - self.spool_due >= least
        if is_due:
            self.spool_due = self.spool_in
        return is_due

    def unspooled(self, count: int, adopted: int) -> None:
        """Count spans that have left the spool; at most so many of them were adopted."""
        self.spool_out += count
        self.adopted_in -= min(adopted, self.adopted_in)
        self.changed.notify_all()

    @property
    def own_out(self) -> int:
        """Spans of this process that have ever left the spool."""
        return self.spool_out + self.adopted_in

    def sent(self, count: int, *, replayed: bool) -> None:
        """Count spans out that the receiver has acknowledged."""
        self._sent += count
        self._replayed += count if replayed else 0
        self.changed.notify_all()

    def rejected(self, count: int, first: int | None) -> None:
        """Count spans out that the receiver will never take; None: adopted ones."""
        self._rejected += count
        self._lost(count, first)

    def dropped(self, count: int, first: int | None, reason: str) -> None:
        """Count spans out that are given up; None: adopted ones."""
        if count:
            self._dropped[reason] = self._dropped.get(reason, 0) + count
        self._lost(count, first)

    def left_memory(self, first: int) -> None:
        """A batch is in memory no more: all of it is out, or in the spool."""
        self._open.discard(first)
        self.changed.notify_all()

    def _lost(self, count: int, first: int | None) -> None:
        if count:
            if first is not None and (self._first_lost is None or first < self._first_lost):
                self._first_lost = first
            self.changed.notify_all()

    def mark(self, queued: int) -> Mark:
        """Mark this moment, at which so many ended spans are not yet counted in."""
        return Mark(self._ended + queued)

    def acknowledged(self, mark: Mark) -> bool | None:
        """Tell whether all spans up to a mark have arrived; None while some are waiting.

        Adopted ones do not count: they did not end in this process.
        """
        if self._ended < mark.ended or any(first <= mark.ended for first in self._open):
            return None
        if mark.spooled is None:
            mark.spooled = self.spool_in
        if self.own_out < mark.spooled:
            return None
        return self._first_lost is None or self._first_lost > mark.ended

    def stats(self, queued: int) -> Stats:
        """Return the account, with ended spans that are not yet counted in."""
        return Stats(
            ended=self._ended + queued,
            adopted=self._adopted,
            sent=self._sent,
            waiting=self.waiting + queued,
            replayed=self._replayed,
            rejected=self._rejected,
            dropped=MappingProxyType(dict(self._dropped)),
        )
