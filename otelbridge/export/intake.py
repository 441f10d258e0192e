"""The queue of ended spans, and how they leave it encoded."""

from __future__ import annotations

from collections import deque
from itertools import islice

from opentelemetry.sdk.trace import ReadableSpan

from otelbridge.encoding.encode import Encoder
from otelbridge.export._shield import Shield
from otelbridge.export.account import Account
from otelbridge.export.delivery import Delivery
from otelbridge.export.notices import Notices
from otelbridge.export.outbox import Batch, Outbox
from otelbridge.export.reserve import Reserve


class _Hand:
    """Spans that are out of the queue and not yet passed on.

    Attributes:
        spans: the spans.
        first: their first one's number, once they have numbers.
        batch: the spans encoded, once they are.
    """

    __slots__ = ("batch", "first", "spans")

    def __init__(self) -> None:
        self.spans: deque[ReadableSpan] = deque()
        self.first: int | None = None
        self.batch: Batch | None = None


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
        self._hand = _Hand()  # empty but for a thread that moves, or was interrupted
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

    @property
    def queued(self) -> int:
        """Ended spans that are not counted in yet. With the account held."""
        hand = self._hand
        is_counted = hand.first is not None and hand.first < self._account.next
        return len(self.spans) + (0 if is_counted else len(hand.spans))

    def move(self) -> bool:
        """Take one batch from the queue and pass it on; False where the queue is empty.

        What a signal handler raises may end it at any point: the next call goes on from there.
        """
        with self._moving:
            hand = self._hand
            self._take(hand)
            if not hand.spans:
                return False
            if hand.batch is None:
                items = [self._encoder.item(span) for span in hand.spans]
                hand.batch = Batch(items, hand.first or 0)
            elif self._is_passed(hand.batch):  # before the interruption
                self._hand = _Hand()
                return True
            if hand.batch.kept:
                hand.batch = hand.batch.after(hand.batch.kept)
            self._pass_on(hand, hand.batch)
            self._hand = _Hand()
            return True

    def write_through(self) -> None:
        """Put what has ended on disk; return when this thread's span is there, whoever did it."""
        self._move_present()
        self._hasten(self._batch)

    def _move_present(self) -> None:
        """Move as many batches as there are now: other threads may never let the queue be empty."""
        for _ in range(bool(self._hand.spans) + len(self.spans) // self._batch + 1):
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

    def _take(self, hand: _Hand) -> None:
        with self._account.lock:
            if not hand.spans:
                count = min(len(self.spans), self._batch)
                # One step, which nothing interrupts; a drop may come in between.
                try:  # noqa: SIM105 - for each span where they are durable
                    hand.spans.extend(islice(iter(self.spans.popleft, None), count))
                except IndexError:
                    pass
            if hand.spans and hand.batch is None:
                if hand.first is None:
                    hand.first = self._account.next
                self._account.took(len(hand.spans), hand.first)

    def _is_passed(self, batch: Batch) -> bool:
        with self._account.lock:
            return self._outbox.has(batch)

    def _pass_on(self, hand: _Hand, batch: Batch) -> None:
        if self._durable or not self._stays(batch):
            if self._reserve.put(batch) == len(batch.items):
                return  # it is sent when it is due
            hand.batch = batch.after(batch.kept)
            self._remember(hand.batch)
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
