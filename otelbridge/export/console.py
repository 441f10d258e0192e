"""Finished traces, printed as trees while the program goes on."""

from __future__ import annotations

import sys
import threading
import weakref
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TextIO

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from otelbridge import _tracing
from otelbridge._process import renew_in_child
from otelbridge.export.terminal import showable, wants_colour, width_of
from otelbridge.export.tree import render

__all__ = ["ConsoleTree", "render"]

_Fact = tuple[int, ReadableSpan | None]  # in this trace this span has ended; None: one has begun
_EVERYTHING: _Fact = (0, None)  # print what is held; no valid trace has this id


@dataclass(slots=True)
class _Trace:
    """One trace on its way: how many of its spans are open, and those that have ended."""

    open: int = 0
    ended: list[ReadableSpan] = field(default_factory=list)


class ConsoleTree(SpanProcessor):
    """Prints each trace as a tree, as soon as none of its spans in this process is open any more.

    A span that comes after that is printed when it ends, under the id of its trace. Past
    ``max_spans`` held spans or ``max_traces`` open traces, the oldest trace is printed as far as
    it has come. Only sampled spans are shown. ``force_flush`` leaves open traces alone, so that
    they stay whole; ``shutdown`` prints them.

    Any thread, and a signal handler that interrupts this class, may start and end spans: facts go
    through a queue, whoever is free draws what is in it, and nobody waits.

    Args:
        stream: where to print; None is ``sys.stderr`` as it is at that moment.
        max_spans: most ended spans that are held.
        max_traces: most unfinished traces that are followed.
    """

    def __init__(
        self, stream: TextIO | None = None, *, max_spans: int = 10_000, max_traces: int = 1_000
    ) -> None:
        self._stream = stream
        self._max_spans = max_spans
        self._max_traces = max_traces
        self._begin()
        _consoles.add(self)

    def _begin(self) -> None:
        # In a forked child too: what was held is the parent's to print, and a lock may be taken.
        self._facts: SimpleQueue[_Fact] = SimpleQueue()
        self._drawing = threading.Lock()
        self._traces: dict[int, _Trace] = {}
        self._held = 0
        self._complained = False

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Count one more open span in its trace."""
        context = span.get_span_context()
        if context is not None and context.trace_flags.sampled:
            self._tell((context.trace_id, None))

    def on_end(self, span: ReadableSpan) -> None:
        """Take the span, and print its trace if it was the last one open."""
        if span.context is not None and span.context.trace_flags.sampled:
            self._tell((span.context.trace_id, span))

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return True: what is complete has been printed already."""
        return True

    def shutdown(self) -> None:
        """Print what is held of unfinished traces."""
        self._tell(_EVERYTHING)

    def _tell(self, fact: _Fact) -> None:
        # Only a stream that blocks lets the queue grow; then facts go rather than memory.
        if self._facts.qsize() <= 2 * self._max_spans:
            self._facts.put(fact)
        # Whoever gets the lock works for all. It is asked again after its release, because
        # another thread's fact may have come between the last look and the release.
        while not self._facts.empty() and self._drawing.acquire(blocking=False):
            try:
                while not self._facts.empty():
                    self._take(self._facts.get())
            except Exception:
                self._complain()
            finally:
                self._drawing.release()

    def _take(self, fact: _Fact) -> None:
        trace_id, span = fact
        if fact is _EVERYTHING:
            while self._traces:
                self._forget(next(iter(self._traces)))
        elif span is None:
            self._traces.setdefault(trace_id, _Trace()).open += 1
            if len(self._traces) > self._max_traces:
                self._forget(next(iter(self._traces)))
        else:
            self._take_ended(trace_id, span)

    def _take_ended(self, trace_id: int, span: ReadableSpan) -> None:
        trace = self._traces.setdefault(trace_id, _Trace())
        trace.open -= 1
        trace.ended.append(span)
        self._held += 1
        if trace.open <= 0:
            self._forget(trace_id)
        elif self._held > self._max_spans:
            self._print(next(trace for trace in self._traces.values() if trace.ended))

    def _forget(self, trace_id: int) -> None:
        self._print(self._traces.pop(trace_id))

    def _print(self, trace: _Trace) -> None:
        spans, trace.ended = trace.ended, []
        self._held -= len(spans)
        stream = self._stream or sys.stderr
        if not spans or stream is None:  # no stderr: a windowed program
            return
        text = render(spans, colour=wants_colour(stream), width=width_of(stream))
        # One write, so that the output of other threads does not come between the lines.
        stream.write(showable(text, stream) + "\n")
        stream.flush()

    def _complain(self) -> None:
        if not self._complained:
            self._complained = True
            _tracing.guard("print a trace")


_consoles: weakref.WeakSet[ConsoleTree] = weakref.WeakSet()


def _renew() -> None:
    for console in list(_consoles):
        console._begin()


renew_in_child(_renew)
