"""The pipeline: ended spans are encoded by one thread and sent by another.

::

    on_end ─► intake: queue, encoder ─► outbox ─► delivery ─► channel
                          │                ▲         │ away, blocked
                          └───► reserve ───┴─────────┘
                                (spool)  replay

With ``durable`` a span is in the spool before its ``on_end`` returns, and goes from there.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from time import monotonic
from weakref import WeakSet

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from otelbridge import _tracing
from otelbridge._process import renew_in_child
from otelbridge.export._export_metrics import Names, observe
from otelbridge.export._shield import elsewhere, inside
from otelbridge.export.account import Account, Stats
from otelbridge.export.batching import Batching
from otelbridge.export.delivery import Delivery
from otelbridge.export.intake import Intake
from otelbridge.export.notices import Notices
from otelbridge.export.outbox import Batch, Outbox
from otelbridge.export.reserve import Reserve
from otelbridge.export.route import Route

STOP_S = 5.0
_LATE_S = 1.0


class Pipeline(SpanProcessor):
    """Takes ended spans to one OTLP receiver, and knows what became of each.

    Safe to use from any thread, from a signal handler, and in a forked child, which starts with
    an account of its own and sends nothing of its parent's.

    Args:
        route: where the spans go.
        batching: when, and how many at once.

    Attributes:
        names: what metrics call it.
    """

    def __init__(self, route: Route, batching: Batching) -> None:
        self._route = route
        self._batching = batching
        self.names = Names(route.exporter)
        self._begin()
        self._start()
        _watch(self)

    def _begin(self) -> None:
        """Make everything that a process does not share with its parent."""
        route, batching = self._route, self._batching
        self._account = account = Account()
        self._notices = notices = Notices()
        outbox = Outbox(batching.memory)
        self._reserve = reserve = Reserve(route.open_spool, account, notices)
        self._delivery = Delivery(route, account, outbox, reserve, notices, batching)
        self._intake = Intake(
            account,
            outbox,
            reserve,
            self._delivery,
            notices,
            batch=batching.batch,
            durable=route.durable,
        )
        self._spans = self._intake.spans
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
        self._rest()
        try:
            if self._sender is None:
                self._sender = _started(self._delivery.run, "otelbridge-sender")
            self._worker = _started(self._work, "otelbridge-encoder")
        except RuntimeError:
            self._unstarted.release()

    def _rest(self) -> None:
        self._alarm = 1 if self._route.durable else self._batching.batch

    def on_end(self, span: ReadableSpan) -> None:
        """Take an ended span. It is encoded later, unless the queue is full or it is durable."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        spans = self._spans
        spans.append(span)
        if len(spans) >= self._alarm:
            self._look()

    def _look(self) -> None:
        if inside():  # a signal handler, or a finaliser, has ended a span inside a lock of ours
            self._wake.put(None)
            return
        if self._finished:
            self._intake.drop("ended after shutdown")
            return
        if self._worker is None:
            self._start()
        if self._route.durable:
            self._intake.write_through()
        elif len(self._spans) >= self._batching.queue:
            self._intake.move()
        elif len(self._spans) >= self._batching.batch:
            self._alarm = self._batching.queue
            self._wake.put(None)

    def stats(self) -> Stats:
        """Return what became of the spans so far."""
        # The thread of a signal handler may hold the lock itself.
        held = self._account.lock.acquire(timeout=0.1 if inside() else -1)
        try:
            return self._account.stats(self._intake.queued)
        finally:
            if held:
                self._account.lock.release()

    @property
    def in_flight(self) -> int:
        """Spans of the request that is on its way."""
        return self._delivery.in_flight

    @property
    def queued(self) -> int:
        """Ended spans that are not yet encoded."""
        return len(self._spans)

    @property
    def capacity(self) -> int:
        """How many spans its queue is meant for."""
        return self._batching.queue

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what has ended, and wait; True when all of it is acknowledged."""
        if inside():  # a signal handler waits for nothing that its own thread has in hand
            self._wake.put(None)
            return False
        deadline = monotonic() + timeout_millis / 1000
        account = self._account
        with account.lock:
            mark = account.mark(self._intake.queued)
        if not self._finished:
            self._intake.move_all()
            self._delivery.urge()
            self._await(lambda: account.acknowledged(mark) is not None, deadline)
        with account.lock:
            return account.acknowledged(mark) is True

    def shutdown(self) -> None:
        """Send what has ended for at most ``STOP_S`` seconds, keep the rest, and stop."""
        if inside():  # a signal handler cannot wait for what its own thread has in hand
            elsewhere(self.shutdown)
            return
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
        with self._account.lock:
            self._account.changed.wait_for(lambda: self._finished, max(timeout_s, 0))

    def in_child(self) -> None:
        """Begin anew in a forked child. Threads start with its first span."""
        if not self._finished:
            self._reserve.in_child()
            self._begin()

    def _work(self) -> None:
        """Encode, from time to time and when woken, until stopped."""
        _guarded(self._reserve.adopt)
        self._delivery.wake()
        while not self._finished:
            _guarded(self._intake.move_full if self._batch_is_due() else self._intake.move_all)
            self._rest()
            self._notices.tell_losses()
            if self._deadline is not None:
                _guarded(self._finish)

    def _batch_is_due(self) -> bool:
        """Wait; True where a full batch has ended that before the delay was over."""
        try:
            self._wake.get(timeout=self._batching.delay_s)
        except queue.Empty:
            return False
        return not self._route.durable

    def _await(self, reached: Callable[[], bool], deadline: float) -> None:
        """Let the sender work until then; where it has no thread, send here."""
        account = self._account
        if self._sender is not None:
            with account.changed:
                account.changed.wait_for(
                    lambda: self._finished or reached(), max(deadline - monotonic(), 0)
                )
            return
        self._delivery.urge(deadline)
        while monotonic() < deadline and not self._delivery.is_away and self._delivery.step():
            with account.changed:
                if reached():
                    break
        self._delivery.urge()

    def _finish(self) -> None:
        """Send until the deadline; what is left goes to the reserve, or is lost and told."""
        deadline = self._deadline or monotonic()
        account, delivery = self._account, self._delivery
        try:
            self._intake.move_all()
            delivery.urge(deadline)
            self._await(
                lambda: not account.waiting or (delivery.is_away and self._reserve.usable),
                deadline,
            )
            delivery.abandon()
            if self._sender is not None:
                self._sender.join(_LATE_S)
            self._intake.move_all()
            self._retire(delivery.collect())
            self._reserve.close()
        finally:
            with account.changed:
                self._finished, self._alarm = True, 0
                account.changed.notify_all()
            self._intake.drop("ended after shutdown")  # while the last ones were kept
            self._notices.tell_losses(at_once=True)

    def _retire(self, batches: list[Batch]) -> None:
        lost = 0
        for batch in batches:
            left = len(batch.items) - self._reserve.put(batch)
            lost += left
            with self._account.lock:
                self._account.dropped(left, batch.first, "not sent at the end")
                self._account.left_memory(batch.first)
        where = self._route.where
        self._notices.lost(lost, f"could not be sent to {where} before the end")
        if waiting := self.stats().waiting:
            what, they = (
                (f"{waiting} spans", "they wait") if waiting > 1 else ("1 span", "it waits")
            )
            line = (
                "otelbridge has not sent %s to %s; %s on disk for the next process of this service"
            )
            self._notices.say("end", logging.WARNING, line, what, where, they)


def _guarded(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception:
        _tracing.guard("export spans")


def _started(work: Callable[[], None], name: str) -> threading.Thread:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


_pipelines: WeakSet[Pipeline] = WeakSet()
_observed: list[bool] = []


def _watch(pipeline: Pipeline) -> None:
    if not _observed:
        _observed.append(True)
        observe(lambda: list(_pipelines))
    _pipelines.add(pipeline)


def _renew() -> None:
    for pipeline in list(_pipelines):
        pipeline.in_child()


renew_in_child(_renew)
