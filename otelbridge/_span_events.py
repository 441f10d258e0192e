"""The span sink: custom events as events of the run's span, and of pages when that is full.

The span-event API is being superseded by log-based events (OTEP 4430); this is the one object
that knows of it.

An event may come from a signal handler or a ``__del__`` that interrupts anything, this module and
the SDK's locked sections included. So nothing here waits for a lock: an event that cannot be
written at once is kept in ``waiting`` and written by whoever comes next, at the latest by the
end of the run.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from collections.abc import Mapping
from time import monotonic, sleep, time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Span, SpanContext, set_span_in_context
from opentelemetry.trace.span import NonRecordingSpan

from otelbridge import semconv
from otelbridge._attributes import AttributeValue
from otelbridge._process import process, renew_in_child
from otelbridge._sdk_span import look_inside
from otelbridge._tracing import Tracing, guard

if TYPE_CHECKING:
    from otelbridge._run_span import RecordedRun

logger = logging.getLogger("otelbridge")

MAX_BYTES = 1 << 20
_FINISH_TIMEOUT_S = 1.0
_TURN_POLL_S = 0.0005
_SDK_PATH = os.path.join("opentelemetry", "sdk", "")

Attributes = Mapping[str, AttributeValue]
_Event = tuple[str, Attributes, int, int]

_UNLIMITED = sys.maxsize


class SpanEvents:
    """The events of one run that is recorded.

    Thread-safe, and safe to call from a signal handler. Times strictly increase.

    Args:
        run: whose events they are.
        span: the run's; it takes them until ``finish``.
        tracing: how they are cleaned, and how many a span holds.
    """

    __slots__ = (
        "_bytes",
        "_capacity",
        "_clean",
        "_closed",
        "_event",
        "_held",
        "_is_simple",
        "_last_ns",
        "_locks",
        "_page_number",
        "_process",
        "_run",
        "_span",
        "_target",
        "_turn",
        "waiting",
    )

    def __init__(self, run: RecordedRun, span: Span, tracing: Tracing) -> None:
        self._run = run
        self._span = span
        self._process = process.token
        self._clean = tracing.gate.event
        # One place of the run's own span is kept for its exception.
        limit = tracing.limits.events
        self._capacity = _UNLIMITED if limit is None else limit - 1
        self._last_ns = 0
        self._page_number = 0
        self._closed = False
        # Whoever pops the one entry may write. Popping is atomic, never waits, and costs a tenth of
        # asking a lock.
        self._turn: list[None] = [None]
        self.waiting: list[_Event] = []
        self._aim(span)

    def _aim(self, span: Span) -> None:
        """Write to ``span`` from now on."""
        self._target = span
        self._bytes = 0
        self._held, self._event, self._locks = look_inside(span)
        self._is_simple = self._event is not None

    def record(self, name: str, data: Any) -> None:
        """Record a custom event; what most events need is all in here, since all pay for it."""
        try:
            name, attributes, size = self._clean(name, data)
            at_ns = time_ns()
            if self._process is not process.token or not self._span.is_recording():
                return self._run.record_late(name, attributes, at_ns)
            written = False
            if not self.waiting:
                try:
                    self._turn.pop()
                except IndexError:
                    pass
                else:
                    try:
                        total = self._bytes + size
                        if (
                            self._is_simple
                            and at_ns > self._last_ns
                            and total <= MAX_BYTES
                            and len(self._held) < self._capacity
                        ):
                            self._held.append(self._event(name, attributes, at_ns))  # type: ignore[misc]
                            self._last_ns = at_ns
                            self._bytes = total
                            written = True
                        elif not self._closed:
                            written = self._write(name, attributes, size, at_ns)
                    finally:
                        self._turn.append(None)
            if not written:
                self.waiting.append((name, attributes, size, at_ns))
            if self.waiting:
                self._flush()
        except Exception:
            guard("record a custom event")

    def _take_turn(self) -> bool:
        try:
            self._turn.pop()
        except IndexError:
            return False
        return True

    def _flush(self) -> None:
        late: list[_Event] = []
        while self.waiting and self._take_turn():
            try:
                if self._closed:
                    # The list stays the same one: a thread may be about to append to it.
                    while self.waiting:
                        late.append(self.waiting.pop(0))
                elif not self._drain():
                    return
            finally:
                self._turn.append(None)
        for name, attributes, _, at_ns in late:
            self._run.record_late(name, attributes, at_ns)

    def _drain(self, certainly: bool = False) -> bool:
        while self.waiting:
            try:
                if not self._write(*self.waiting[0], certainly):
                    return False
            except Exception:
                guard("record a custom event")
            del self.waiting[0]
        return True

    def _write(
        self, name: str, attributes: Attributes, size: int, at_ns: int, certainly: bool = False
    ) -> bool:
        """Write one event to the span or a page; False when that would have to wait."""
        if not certainly and any(lock.locked() for lock in self._locks):
            return False
        total = self._bytes + size
        # An event that alone is too large for any page has one for itself.
        if len(self._held) >= self._capacity or (total > MAX_BYTES and self._bytes):
            if self._capacity < 0:
                _count_refused()
                return True
            if not self._turn_page(at_ns, certainly):
                return False
            total = size
        if at_ns <= self._last_ns:
            at_ns = self._last_ns + 1
        if self._event is None:
            self._target.add_event(name, attributes, at_ns)
            self._held.append(None)
        else:
            self._held.append(self._event(name, attributes, at_ns))
        self._last_ns = at_ns
        self._bytes = total
        return True

    def _turn_page(self, at_ns: int, certainly: bool) -> bool:
        # Starting and ending a span takes the locks of processors, which cannot be asked.
        if not certainly and called_from_sdk():
            return False
        self._close_page()
        self._page_number += 1
        page = self._run.start_page(self._page_number, max(at_ns, self._last_ns + 1))
        limit = self._run.event_limit
        self._capacity = _UNLIMITED if limit is None else limit
        self._aim(page)
        return True

    def _close_page(self) -> None:
        if self._page_number:
            self._target.end(self._last_ns)

    def finish(self, exception: Attributes | None = None) -> int:
        """Write what waits, close the last page, add the exception record to the run's span.

        Events that come later are late ones: call ``flush_late`` once the span has ended.

        Returns:
            The time before which the span must not end, in ns since the epoch.
        """
        mine = self._take_turn() or self._wait_for_turn()
        try:
            if self.waiting:
                self._drain(certainly=True)
            if self._page_number:
                self._close_page()
            if exception is not None and self._capacity >= 0:
                self._make_room()
                self._last_ns = max(time_ns(), self._last_ns + 1)
                self._run.span.add_event(semconv.EXCEPTION, exception, self._last_ns)
        finally:
            self._closed = True
            self._is_simple = False
            if mine:
                self._turn.append(None)
        return self._last_ns

    def _make_room(self) -> None:
        """Move the oldest event elsewhere where the application's own took the exception's place.

        Of a full span the SDK would drop it.
        """
        held, limit = look_inside(self._span)[0], self._run.event_limit
        if limit is not None and type(held) is deque and len(held) >= limit:
            oldest = held.popleft()
            self._run.record_late(oldest.name, oldest.attributes, oldest.timestamp)

    def _wait_for_turn(self) -> bool:
        """Wait for another thread's event; not forever, should a signal have stopped that one."""
        until = monotonic() + _FINISH_TIMEOUT_S
        while monotonic() < until:
            sleep(_TURN_POLL_S)
            if self._take_turn():
                return True
        return False

    def flush_late(self) -> None:
        """Record what came while the run was ending."""
        self._flush()


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
    at_ns: int,
) -> None:
    """Record an event whose run has ended, as a zero-length child span of the run's span.

    Args:
        run: the run's name and the text of its id.
        at_ns: when it was dispatched, in ns since the epoch.
    """

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
