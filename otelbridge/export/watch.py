"""The spans of this process as they are now, for somebody who looks from time to time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

_MOST_FACTS = 200_000
_MOST_ENDED = 2_000


@dataclass(eq=False, slots=True)
class Watched:
    """One trace, as far as it has come.

    Attributes:
        running: its open spans by id, as they are in the program's hands.
        ended: its ended spans; of a long trace the newest.
        left_out: ended spans that are not kept.
    """

    trace_id: int
    running: dict[int, ReadableSpan] = field(default_factory=dict)
    ended: deque[ReadableSpan] = field(default_factory=lambda: deque(maxlen=_MOST_ENDED))
    left_out: int = 0

    @property
    def spans(self) -> list[ReadableSpan]:
        """Return those that ended and those that run."""
        return [*self.ended, *self.running.values()]


class Watch(SpanProcessor):
    """Remembers what begins and ends, at the price of one append; ``look`` sorts it.

    Any thread and a signal handler may start and end spans; one thread looks. Where nobody looks
    for long, the oldest facts go.
    """

    def __init__(self) -> None:
        self._facts: deque[ReadableSpan] = deque(maxlen=_MOST_FACTS)
        self._traces: dict[int, Watched] = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Remember the span, which changes while it runs."""
        self._facts.append(span)

    def on_end(self, span: ReadableSpan) -> None:
        """Remember the ended span."""
        self._facts.append(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return True: nothing is on its way anywhere."""
        return True

    def look(self) -> tuple[list[Watched], list[Watched]]:
        """Return the traces with an open span, and those that have come to their end since."""
        over: dict[int, Watched] = {}
        while self._facts:
            span = self._facts.popleft()
            if span.context is None or not span.context.trace_flags.sampled:
                continue
            trace_id = span.context.trace_id
            trace = over.pop(trace_id, None) or self._traces.setdefault(trace_id, Watched(trace_id))
            self._traces[trace_id] = trace
            _take(trace, span, span.context.span_id)
            if not trace.running:
                over[trace_id] = self._traces.pop(trace_id)
        return list(self._traces.values()), list(over.values())


def _take(trace: Watched, span: ReadableSpan, span_id: int) -> None:
    if isinstance(span, Span):
        trace.running[span_id] = span
        return
    trace.running.pop(span_id, None)
    trace.left_out += len(trace.ended) == trace.ended.maxlen
    trace.ended.append(span)
