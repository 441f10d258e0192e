"""The pipeline: ended spans are encoded by one thread and sent by another.

::

    on_end ─► queue of spans ─► worker encodes ─► outbox ─► sender ─► channel
                                       │             ▲          │ away, blocked
                                       └─► reserve ──┴──────────┘
                                           (spool)   replay

With ``durable`` a span is in the spool before its ``on_end`` returns, and goes from there.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple
from weakref import WeakSet

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from otelbridge import _tracing
from otelbridge._process import renew_in_child
from otelbridge.export._shield import Shield, inside
from otelbridge.export.account import Account, Stats
from otelbridge.export.batching import Batching
from otelbridge.export.channel import Channel
from otelbridge.export.dead_letters import DeadLetters
from otelbridge.export.delivery import Delivery
from otelbridge.export.encode import Encoder
from otelbridge.export.notices import Notices
from otelbridge.export.outbox import Batch, Outbox
from otelbridge.export.reserve import OpenSpool, Reserve
from otelbridge.export.units import Item

STOP_S = 5.0
_LATE_S = 1.0


@dataclass(frozen=True)
class Route:
    """Where a pipeline takes spans, and what it keeps them in.

    Attributes:
        channel: the connection to the receiver.
        open_spool: opens the spool; None: there is none.
        dead_letters: takes what the receiver refuses for good; None: it is counted only.
        durable: whether a span is on disk before its end returns.
    """

    channel: Channel
    open_spool: OpenSpool | None = None
    dead_letters: DeadLetters | None = None
    durable: bool = False

    def set_aside(self, item: Item, reason: str) -> str:
        """Keep a span that was refused for good, and say where."""
        if self.dead_letters is None:
            return ""
        self.dead_letters.write(item, reason, self.channel.where)
        return f", set aside in {self.dead_letters.path}"


class Pipeline(SpanProcessor):
    """Takes ended spans to one OTLP receiver, and knows what became of each.

    Safe to use from any thread, from a signal handler, and in a forked child, which starts with
    an account of its own and sends nothing of its parent's.

    Args:
        route: where the spans go.
        batching: when, and how many at once.
    """

    def __init__(self, route: Route, batching: Batching) -> None:
        self._route = route
        self.batching = batching
        self._begin()
        self._start()
        _pipelines.add(self)

    @property
    def where(self) -> str:
        """The receiver, in words."""
        return self._route.channel.where

    def _begin(self) -> None:
        """Make everything that a process does not share with its parent."""
        self._spans: deque[ReadableSpan] = deque()
        self._returned: deque[_Taken] = deque()  # whose thread was interrupted
        self._account = Account()
        self._notices = Notices()
        self._encoder = Encoder()
        self._outbox = Outbox(self.batching.memory)
        self._reserve = Reserve(self._route.open_spool, self._account, self._notices)
        self._delivery = Delivery(
            self._route.channel,
            self._account,
            self._outbox,
            self._reserve,
            self._route.set_aside,
            self._notices,
            self.batching,
        )
        self._writing = Shield()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._unstarted = threading.Lock()
        self._worker: threading.Thread | None = None
        self._sender: threading.Thread | None = None
        self._deadline: float | None = None
        self._finished = False
        self._alarm = 0  # at so many spans in the queue, the thread that ends one looks at it

    def _start(self) -> None:
        """Start the threads, once; while Python lets none start, calls do their work."""
        if not self._unstarted.acquire(blocking=False):
            return
        self._alarm = 1 if self._route.durable else self.batching.batch
        try:
            self._sender = _started(self._delivery.run, "otelbridge-sender")
            self._worker = _started(self._work, "otelbridge-encoder")
        except RuntimeError:
            self._unstarted.release()

    def on_end(self, span: ReadableSpan) -> None:
        """Take an ended span. It is encoded later, unless the queue is full or it is durable."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        spans = self._spans
        spans.append(span)
        if len(spans) >= self._alarm:
            self._look()

    def stats(self) -> Stats:
        """Return what became of the spans so far."""
        with self._account.changed:
            return self._account.stats(len(self._spans))

    @property
    def in_flight(self) -> int:
        """Spans of the request that is on its way."""
        return self._delivery.in_flight

    @property
    def queued(self) -> int:
        """Ended spans that are not yet encoded."""
        return len(self._spans)

    @property
    def is_open(self) -> bool:
        """Whether it has not stopped."""
        return not self._finished

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what has ended, and wait; True when all of it is acknowledged."""
        deadline = monotonic() + timeout_millis / 1000
        account = self._account
        with account.changed:
            mark = account.mark(len(self._spans))
        if not self._finished:
            self._encode()
            self._delivery.urge()
            self._await(lambda: account.acknowledged(mark) is not None, deadline)
        with account.changed:
            return account.acknowledged(mark) is True

    def shutdown(self) -> None:
        """Send what has ended for at most ``STOP_S`` seconds, keep the rest, and stop."""
        self.begin_stop(STOP_S)
        self.await_stop(STOP_S + 2 * _LATE_S)

    def begin_stop(self, grace_s: float) -> None:
        """Have the worker send what has ended within so many seconds, keep the rest, and stop."""
        if self._deadline is None:
            self._deadline = monotonic() + grace_s
            if self._worker is None:
                self._finish()
        self._wake.put(None)

    def await_stop(self, timeout_s: float) -> None:
        """Wait for the end of what ``begin_stop`` began."""
        with self._account.changed:
            self._account.changed.wait_for(lambda: self._finished, timeout_s)

    def in_child(self) -> None:
        """Begin anew in a forked child. Threads start with its first span."""
        if not self._finished:
            self._reserve.in_child()
            self._begin()

    def _look(self) -> None:
        if inside():  # a signal handler, or a finaliser, has ended a span inside a lock of ours
            self._wake.put(None)
            return
        self._start()
        if self._finished:
            self._drop_late()
        elif self._route.durable:
            self._write_through()
        elif len(self._spans) >= self.batching.queue:
            self._move()
        elif len(self._spans) >= self.batching.batch:
            self._alarm = self.batching.queue
            self._wake.put(None)

    def _write_through(self) -> None:
        """Put what has ended on disk; return when this thread's span is there, whoever did it."""
        while self._spans:
            with self._writing:
                self._move()
            with self._account.changed:
                is_batch = self._account.due(self.batching.batch)
            if is_batch:
                self._delivery.wake()

    def _work(self) -> None:
        """Encode, from time to time and when woken, until stopped."""
        self._guarded(self._reserve.adopt)
        self._delivery.wake()
        while not self._finished:
            with suppress(queue.Empty):
                self._wake.get(timeout=self.batching.delay_s)
            self._guarded(self._encode)
            if self._deadline is not None:
                self._guarded(self._finish)

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            _tracing.guard("export spans")

    def _encode(self) -> None:
        """Encode all that has ended, and have it sent."""
        while self._move():
            pass
        with self._account.changed:
            self._account.due(1)
        if self._worker is not None:
            self._alarm = 1 if self._route.durable else self.batching.batch
        self._delivery.wake()
        self._notices.tell_losses()

    def _move(self) -> bool:
        """Take one batch from the queue and pass it on; False where the queue is empty."""
        taken = self._take()
        if taken is None:
            return False
        batch = None
        try:
            batch = Batch([self._encoder.item(span) for span in taken.spans], taken.first)
            self._pass_on(batch)
        except BaseException:  # a signal handler may raise here, in the program's own thread
            if batch is None or not batch.passed:
                self._returned.append(taken)
            raise
        return True

    def _take(self) -> _Taken | None:
        with suppress(IndexError):
            return self._returned.popleft()
        with self._account.changed:
            count = min(len(self._spans), self.batching.batch)
            if not count:
                return None
            spans = [self._spans.popleft() for _ in range(count)]
            return _Taken(spans, self._account.took(count))

    def _pass_on(self, batch: Batch) -> None:
        """Give a batch to the sender, or to the reserve where the sender cannot keep up."""
        with self._account.changed:
            may_wait = not (self._delivery.is_away and self._reserve.usable and len(self._outbox))
            if not self._route.durable and may_wait and self._outbox.has_room(batch):
                self._outbox.put(batch)
                return
        kept = self._reserve.put(batch, due=not self._route.durable)
        if kept < len(batch.items):
            self._remember(batch.after(kept))

    def _remember(self, batch: Batch) -> None:
        """Keep a batch in memory, for want of a disk, in place of the oldest ones."""
        lost = 0
        with self._account.changed:
            self._outbox.put(batch)
            while (old := self._outbox.overflow()) is not None:
                lost += len(old.items)
                self._account.dropped(len(old.items), old.first, "memory full")
                self._account.left_memory(old.first)
        self._notices.lost(lost, f"did not fit into memory while {self.where} took none")

    def _await(self, reached: Callable[[], bool], deadline: float) -> None:
        """Let the sender work until then; where it has no thread, send here."""
        changed = self._account.changed
        if self._sender is None:
            while not reached() and monotonic() < deadline and self._delivery.step():
                if self._delivery.is_away:
                    break
        else:
            with changed:
                changed.wait_for(lambda: self._finished or reached(), deadline - monotonic())

    def _finish(self) -> None:
        """Send until the deadline; what is left goes to the reserve, or is lost and told."""
        deadline = self._deadline or monotonic()
        account, delivery = self._account, self._delivery
        try:
            self._encode()
            delivery.urge(deadline)
            self._await(
                lambda: not account.waiting or (delivery.is_away and self._reserve.usable),
                deadline,
            )
            delivery.abandon()
            if self._sender is not None:
                self._sender.join(_LATE_S)
            self._encode()
            self._retire(delivery.collect())
            self._reserve.close()
        finally:
            with account.changed:
                self._finished, self._alarm = True, 0
                account.changed.notify_all()
            self._notices.tell_losses(at_once=True)

    def _retire(self, batches: list[Batch]) -> None:
        lost = 0
        for batch in batches:
            left = len(batch.items) - self._reserve.put(batch)
            lost += left
            with self._account.changed:
                self._account.dropped(left, batch.first, "not sent at the end")
                self._account.left_memory(batch.first)
        self._notices.lost(lost, f"could not be sent to {self.where} before the end")
        if waiting := self.stats().waiting:
            self._notices.say(
                "end",
                logging.WARNING,
                "otelbridge has not sent %d spans to %s; they wait on disk for the next process of "
                "this service",
                waiting,
                self.where,
            )

    def _drop_late(self) -> None:
        with self._account.changed:
            count = len(self._spans)
            self._spans.clear()
            if count:
                first = self._account.took(count)
                self._account.dropped(count, first, "ended after shutdown")
                self._account.left_memory(first)


class _Taken(NamedTuple):
    spans: list[ReadableSpan]
    first: int


def _started(work: Callable[[], None], name: str) -> threading.Thread:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


_pipelines: WeakSet[Pipeline] = WeakSet()


def open_pipelines() -> list[Pipeline]:
    """Return the pipelines of this process that have not stopped."""
    return [pipeline for pipeline in list(_pipelines) if pipeline.is_open]


def _renew() -> None:
    for pipeline in list(_pipelines):
        pipeline.in_child()


renew_in_child(_renew)
