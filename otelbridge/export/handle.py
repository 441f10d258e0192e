"""What ``configure`` returns: flush, shut down, undo."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from opentelemetry.sdk.trace import SpanProcessor

from otelbridge.export._shield import elsewhere, inside
from otelbridge.export.account import Stats
from otelbridge.export.pipeline import Pipeline
from otelbridge.store.sink import StoreSink

_LONGEST_S = 86_400.0


class Handle:
    """One set-up in force.

    Safe to use from any thread. As a context manager it shuts down at the end of the block.

    Attributes:
        outputs: where finished spans go, in words; empty where they go nowhere.
    """

    def __init__(
        self,
        processor: SpanProcessor,
        outputs: tuple[str, ...],
        undo: Callable[[], None],
        accounted: tuple[Pipeline | StoreSink, ...] = (),
    ) -> None:
        self.outputs = outputs
        self._accounted = accounted
        self._processor = processor
        self._undo = undo
        self._lock = threading.RLock()  # a signal handler may come in the midst of it
        self._open = True

    @property
    def is_open(self) -> bool:
        """Whether this set-up is still in force."""
        return self._open

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Send what has ended, and wait until receivers have acknowledged it.

        The store acknowledges what it has committed.

        Args:
            timeout_s: give up waiting after this many seconds; sending goes on.

        Returns:
            True when everything that has ended before the call is acknowledged; False when any
            of it is waiting, in memory or in the spool, or was rejected or dropped.
        """
        if self._open:
            return self._processor.force_flush(int(1000 * min(timeout_s, _LONGEST_S)))
        return all(output.force_flush(0) for output in self._accounted)

    def stats(self) -> Stats:
        """Return what became of the spans that this process has ended, or adopted in the spool.

        It covers spans that go out by OTLP or into the store, where those count as sent that are
        committed. With several such outputs each counts every span.
        """
        return Stats.total(_stats(output) for output in self._accounted)

    def shutdown(self) -> None:
        """Send what has ended, within a few seconds, and undo what ``configure`` did.

        Our outputs leave the tracer provider, and what is recorded is as it was before. A second
        call waits for the first. It is called at exit too.
        """
        if inside():  # a signal handler cannot wait for what its own thread has in hand
            elsewhere(self.shutdown)
            return
        with self._lock:
            was_open, self._open = self._open, False
            if was_open:
                self._undo()

    def __enter__(self) -> Handle:
        """Return the handle itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Shut down."""
        self.shutdown()

    def __repr__(self) -> str:
        state = ", ".join(self.outputs or ("no output",)) if self._open else "shut down"
        return f"<otelbridge.Handle: {state}>"


def _stats(output: Pipeline | StoreSink) -> Stats:
    found = output.stats()
    if isinstance(found, Stats):
        return found
    return Stats(
        ended=found.ended, sent=found.written, waiting=found.waiting, dropped=found.dropped
    )
