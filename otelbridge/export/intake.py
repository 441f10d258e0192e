"""The queue of ended spans, and how they leave it encoded."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from opentelemetry.sdk.trace import ReadableSpan

from otelbridge.export._shield import Shield
from otelbridge.export.account import Account
from otelbridge.export.delivery import Delivery
from otelbridge.export.encode import Encoder
from otelbridge.export.notices import Notices
from otelbridge.export.outbox import Batch, Outbox
from otelbridge.export.reserve import Reserve


class _Taken(NamedTuple):
    spans: list[ReadableSpan]
    first: int


class Intake:
    """Takes ended spans from a queue, encodes them, and passes them on to memory or to disk.

    Any thread may do so, one at a time; as a rule it is the worker.

    Args:
        account: counts the spans in.
        outbox: gets them.
        reserve: gets them where the sender cannot keep up.
        delivery: the sender.
        notices: tells what is lost.
        batch: spans that are encoded together, at most.
        durable: whether all go to the reserve.

    Attributes:
        spans: the queue. Whoever ends a span appends it, with no lock.
    """

    def __init__(
        self,
        account: Account,
        outbox: Outbox,
        reserve: Reserve,
        delivery: Delivery,
        notices: Notices,
        *,
        batch: int,
        durable: bool,
    ) -> None:
        self.spans: deque[ReadableSpan] = deque()
        self._returned: deque[_Taken] = deque()  # whose thread was interrupted
        self._account = account
        self._outbox = outbox
        self._reserve = reserve
        self._delivery = delivery
        self._notices = notices
        self._batch = batch
        self._durable = durable
        self._encoder = Encoder()
        # Spans keep their order; and a stop does not come while a thread has some in hand.
        self._moving = Shield()

    def move_all(self) -> None:
        """Encode all that has ended by now, and have it sent; what ends meanwhile may wait."""
        self._move_present()
        self._hasten(1)

    def move_full(self) -> None:
        """Do so with whole batches alone: what is left would make a small request of its own."""
        for _ in range(len(self.spans) // self._batch):
            self.move()
        self._hasten(1)

    def move(self) -> bool:
        """Take one batch from the queue and pass it on; False where the queue is empty."""
        with self._moving:
            taken = self._take()
            if taken is not None:
                self._encode(taken)
            return taken is not None

    def write_through(self) -> None:
        """Put what has ended on disk; return when this thread's span is there, whoever did it."""
        self._move_present()
        self._hasten(self._batch)

    def _move_present(self) -> None:
        """Move as many batches as there are now: other threads may never let the queue be empty."""
        for _ in range(len(self._returned) + len(self.spans) // self._batch + 1):
            self.move()  # waits for another thread that may have some in hand

    def drop(self, reason: str) -> None:
        """Count what is in the queue as dropped: nothing sends it any more."""
        with self._account.lock:
            count = len(self.spans)
            self.spans.clear()
            if count:
                first = self._account.took(count)
                self._account.dropped(count, first, reason)
                self._account.left_memory(first)

    def _take(self) -> _Taken | None:
        if self._returned:  # moving is one thread's at a time
            return self._returned.popleft()
        with self._account.lock:
            count = min(len(self.spans), self._batch)
            if not count:
                return None
            spans = [self.spans.popleft() for _ in range(count)]
            return _Taken(spans, self._account.took(count))

    def _encode(self, taken: _Taken) -> None:
        batch = None
        try:
            batch = Batch([self._encoder.item(span) for span in taken.spans], taken.first)
            self._pass_on(batch)
        except BaseException:  # a signal handler may raise here, in the program's own thread
            if batch is None or not batch.passed:
                self._returned.append(taken)
            raise

    def _pass_on(self, batch: Batch) -> None:
        if self._durable or not self._stays(batch):
            kept = self._reserve.put(batch)
            if kept == len(batch.items):
                return  # it is sent when it is due
            self._remember(batch.after(kept))
        self._delivery.wake()

    def _stays(self, batch: Batch) -> bool:
        """Leave a batch in memory, where it has room and can be sent soon."""
        with self._account.lock:
            # While the receiver is away one batch stays here, for the next attempt.
            is_away = self._delivery.is_away and self._reserve.usable and len(self._outbox)
            if is_away or not self._outbox.has_room(batch):
                return False
            self._outbox.put(batch)
            return True

    def _hasten(self, least: int) -> None:
        """Have the reserve sent, if it holds at least so many spans more than when last asked."""
        account = self._account
        if account.spool_in - account.spool_due < least:
            return  # read without the lock: a span more or less does not matter
        with account.lock:
            account.due(least)
        self._delivery.wake()

    def _remember(self, batch: Batch) -> None:
        """Keep a batch in memory, for want of a disk, in place of the oldest ones."""
        lost = 0
        with self._account.lock:
            self._outbox.put(batch)
            while (old := self._outbox.overflow()) is not None:
                lost += len(old.items)
                self._account.dropped(len(old.items), old.first, "memory full")
                self._account.left_memory(old.first)
        self._notices.lost(lost, "found no room in memory")
