"""The SDK's batch processor, made to keep the time limits that it is given.

Relied on in opentelemetry-sdk: ``BatchSpanProcessor.force_flush`` and ``.shutdown`` return only
when everything is sent or given up, whatever their time limit, and exporters stop trying again
once they are shut down.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from otelbridge import _tracing

logger = logging.getLogger("otelbridge")

STOP_S = 5.0


class Sender(BatchSpanProcessor):
    """Sends ended spans in batches from a thread of its own, as the OTEL_BSP_* variables say.

    Args:
        exporter: what sends a batch; it is shut down with the sender.
        where: names the receiver in log lines.
    """

    def __init__(self, exporter: SpanExporter, where: str) -> None:
        self._where = where
        self._once = _StoppedOnce(exporter)
        super().__init__(self._once)
        self._helper = _Helper()
        self._stopped = False

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Send what is waiting; False where that fails or takes longer than the limit."""
        if self._stopped:
            return False
        timeout_s = 30.0 if timeout_millis is None else timeout_millis / 1000
        self._once.failed = False
        flushed = self._helper.run(super().force_flush, timeout_s)
        return flushed is True and not self._once.failed

    def shutdown(self) -> None:
        """Send what is waiting, for at most ``STOP_S`` seconds, and stop."""
        if self._stopped:
            return
        self._stopped = True
        self._once.failed = False
        late = self._helper.run(super().shutdown, STOP_S) is _LATE
        if late:
            self._wake()
        if late or self._once.failed:
            logger.warning(
                "otelbridge could not send the last spans to %s within %g s; they are lost",
                self._where,
                STOP_S,
            )
        self._helper.stop()

    def _wake(self) -> None:
        """Shut the exporter down, which ends its waiting for another attempt."""
        # From another thread: an exporter may itself wait here for the attempt that is going on.
        with suppress(RuntimeError):  # at exit no thread can start, and none need be woken
            threading.Thread(target=self._once.shutdown, daemon=True).start()


class _StoppedOnce(SpanExporter):
    """An exporter that may be shut down from two sides, and remembers a failure."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._lock = threading.Lock()
        self._stopped = False
        self.failed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self.failed = self.failed or result is not SpanExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        with self._lock:
            stopped, self._stopped = self._stopped, True
        if not stopped:
            self._exporter.shutdown()


_LATE = object()


class _Helper:
    """Runs calls in a thread that is kept ready: at exit, Python lets no new one start."""

    def __init__(self) -> None:
        self._start()

    def run(self, call: Callable[[], object], timeout_s: float) -> object:
        """Return what ``call`` returns, or ``_LATE`` when that takes longer than the limit."""
        if self._pid != os.getpid():  # a fork leaves the thread behind
            self._start()
        answer = _Answer(call)
        if self._ready:
            self._tasks.put(answer)
            answer.done.wait(timeout_s)
        else:
            answer.work()
        return answer.value

    def stop(self) -> None:
        """Let the thread end after what it was given to do."""
        self._tasks.put(None)

    def _start(self) -> None:
        self._pid = os.getpid()
        self._tasks: queue.SimpleQueue[_Answer | None] = queue.SimpleQueue()
        thread = threading.Thread(
            target=_serve, args=(self._tasks,), name="otelbridge-sender", daemon=True
        )
        try:
            thread.start()
            self._ready = True
        except RuntimeError:  # a forked child that is exiting: its calls have no time limit
            self._ready = False


class _Answer:
    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self.done = threading.Event()
        self.value: object = _LATE

    def work(self) -> None:
        try:
            self.value = self._call()
        except Exception:
            self.value = False
            _tracing.guard("send spans")
        finally:
            self.done.set()


def _serve(tasks: queue.SimpleQueue[_Answer | None]) -> None:
    while (answer := tasks.get()) is not None:
        answer.work()
