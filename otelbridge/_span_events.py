"""The span sink: custom events as events of the run's span, and of pages when that is full.

The span-event API is being superseded by log-based events (OTEP 4430); this is the one object
that knows of it.

An event may come from a signal handler or a ``__del__`` that interrupts anything, this module and
the SDK's locked sections included. So nothing here waits for a lock: an event that cannot be
written at once is kept in ``_waiting`` and written by whoever comes next, at the latest by the
end of the run.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping
from time import time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Span, SpanContext, set_span_in_context
from opentelemetry.trace.span import NonRecordingSpan

from otelbridge import semconv
from otelbridge._attributes import AttributeValue
from otelbridge._process import renew_in_child
from otelbridge._tracing import Tracing, guard

if TYPE_CHECKING:
    from opentelemetry.context import Context

logger = logging.getLogger("otelbridge")

MAX_BYTES = 1 << 20
_FINISH_TIMEOUT_S = 1.0
_SDK_PATH = os.path.join("opentelemetry", "sdk", "")

Attributes = Mapping[str, AttributeValue]


class SpanEvents:
    """The events of one run that is recorded.

    Thread-safe, and safe to call from a signal handler. Times strictly increase.

    Args:
        span: the run's.
        tracing: makes the pages; its limits say how many events a span takes.
        run_name: the pages' names begin with it.
        run_id: the text of the run's id.
        context: holds ``span`` as the current span; pages are its children.
    """

    __slots__ = (
        "_bytes",
        "_capacity",
        "_context",
        "_last_ns",
        "_lock",
        "_locks",
        "_page_number",
        "_run_id",
        "_run_name",
        "_span",
        "_target",
        "_tracing",
        "_waiting",
        "_written",
    )

    def __init__(
        self, span: Span, tracing: Tracing, run_name: str, run_id: str, context: Context
    ) -> None:
        self._span = self._target = span
        self._tracing = tracing
        self._run_name = run_name
        self._run_id = run_id
        self._context = context
        limit = tracing.limits.events
        # One place of the run's own span is kept for its exception.
        self._capacity = sys.maxsize if limit is None else limit - 1
        self._bytes = 0
        self._written = 0
        self._last_ns = 0
        self._page_number = 0
        self._lock = threading.Lock()
        self._locks = _locks_of(span)
        self._waiting: list[tuple[str, Attributes, int, int]] = []

    def add(self, name: str, attributes: Attributes, size: int) -> None:
        """Record an event; ``size`` is about its bytes."""
        if self._capacity < 0:
            return _count_refused()
        item = (name, attributes, size, time_ns())
        if self._waiting or not self._lock.acquire(False):
            self._waiting.append(item)
        else:
            try:
                if not self._write(*item):
                    self._waiting.append(item)
                    return
            finally:
                self._lock.release()
        if self._waiting:
            self._flush()

    def _flush(self) -> None:
        while self._waiting and self._lock.acquire(False):
            try:
                if not self._drain():
                    return
            finally:
                self._lock.release()

    def _drain(self, certainly: bool = False) -> bool:
        while self._waiting:
            if not self._write(*self._waiting[0], certainly=certainly):
                return False
            del self._waiting[0]
        return True

    def _write(
        self, name: str, attributes: Attributes, size: int, at_ns: int, certainly: bool = False
    ) -> bool:
        """Write one event to the span or a page; False when that would have to wait."""
        for lock in self._locks:
            if not lock.acquire(False):
                if certainly:
                    break
                return False
            lock.release()
        if self._is_full(size) and not self._turn_page(at_ns, certainly):
            return False
        last = self._last_ns
        at_ns = at_ns if at_ns > last else last + 1
        self._target.add_event(name, attributes, at_ns)
        self._last_ns = at_ns
        self._bytes += size
        self._written += 1
        return True

    def _is_full(self, size: int) -> bool:
        if self._bytes and self._bytes + size > MAX_BYTES:
            return True
        # The application's own add_event takes places too.
        held = getattr(self._target, "_events", None)
        return (self._written if held is None else len(held)) >= self._capacity

    def _turn_page(self, at_ns: int, certainly: bool) -> bool:
        # Starting and ending a span takes the locks of processors, which cannot be asked.
        if not certainly and called_from_sdk():
            return False
        self._close_page()
        self._page_number += 1
        page = self._tracing.tracer().start_span(
            self._tracing.gate.name(semconv.PAGE_NAME.format(run=self._run_name)),
            self._context,
            attributes={semconv.RUN_ID: self._run_id, semconv.PAGE: self._page_number},
            start_time=max(at_ns, self._last_ns + 1),
        )
        self._target = page
        self._locks = _locks_of(page)
        limit = self._tracing.limits.events
        self._capacity = sys.maxsize if limit is None else limit
        self._bytes = self._written = 0
        return True

    def _close_page(self) -> None:
        if self._target is not self._span:
            self._target.end(self._last_ns)

    def finish(self, *, exception: Attributes | None = None) -> int:
        """Write what waits, close the last page, add the exception record to the run's span.

        Returns:
            The time before which the span must not end, in ns since the epoch.
        """
        held = self._lock.acquire(timeout=_FINISH_TIMEOUT_S)
        try:
            self._drain(certainly=True)
            self._close_page()
            if exception is not None and self._capacity >= 0:
                self._last_ns = max(time_ns(), self._last_ns + 1)
                self._span.add_event(semconv.EXCEPTION, exception, self._last_ns)
        finally:
            if held:
                self._lock.release()
        return self._last_ns


def _locks_of(span: Span) -> tuple[Any, ...]:
    """Return the SDK's own locks on the way of ``add_event``, to ask whether they are free.

    Relies on ``Span._lock`` and ``BoundedList._lock`` of opentelemetry-sdk 1.x; where they are
    gone, events are written without asking.
    """
    locks = (getattr(span, "_lock", None), getattr(getattr(span, "_events", None), "_lock", None))
    return tuple(lock for lock in locks if hasattr(lock, "acquire"))


def called_from_sdk() -> bool:
    """Return whether a function of the SDK is on the stack, whose locks may therefore be held."""
    frame = sys._getframe(1)
    while frame is not None:
        if _SDK_PATH in frame.f_code.co_filename:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


class _Refused:
    count = 0


def _count_refused() -> None:
    _Refused.count += 1
    if _Refused.count == 1:
        logger.warning(
            "The span event limit is 0, so custom events reach handlers and event streams but no "
            "trace. Raise OTEL_SPAN_EVENT_COUNT_LIMIT (or the provider's SpanLimits) to record "
            "them."
        )


def refused_events() -> int:
    """Return how many custom events no span took because the limit is 0."""
    return _Refused.count


def _renew() -> None:
    _Refused.count = 0


renew_in_child(_renew)


def late_event(
    tracing: Tracing,
    parent: SpanContext,
    name: str,
    attributes: Attributes,
    run: tuple[str, str],
) -> None:
    """Record an event whose run has ended, as a zero-length child span of the run's span.

    Args:
        run: the run's name and the text of its id.
    """
    at_ns = time_ns()

    def write() -> None:
        try:
            _write_late(tracing, parent, name, attributes, run, at_ns)
        except Exception:
            guard("record an event after its run")

    if called_from_sdk():
        try:
            _start_thread(write)
            return
        except RuntimeError:  # the interpreter is going away: then nobody holds the lock for long
            pass
    write()


def _start_thread(work: Any) -> None:
    # Not threading.Thread: its start() takes a lock that the interrupted code may hold.
    import _thread

    _thread.start_new_thread(work, ())


def _write_late(
    tracing: Tracing,
    parent: SpanContext,
    name: str,
    attributes: Attributes,
    run: tuple[str, str],
    at_ns: int,
) -> None:
    run_name, run_id = run
    if parent.is_valid and not parent.trace_flags.sampled:
        return
    span = tracing.tracer().start_span(
        tracing.gate.name(semconv.LATE_NAME.format(run=run_name)),
        set_span_in_context(NonRecordingSpan(parent)),
        attributes={semconv.RUN_ID: run_id},
        start_time=at_ns,
    )
    if tracing.limits.events == 0:
        _count_refused()
    else:
        span.add_event(name, attributes, at_ns)
    span.end(at_ns)
