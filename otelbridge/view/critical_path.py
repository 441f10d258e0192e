"""The critical path of a trace, by Jaeger's definition.

From the end of a root backwards: the child that finished last is on the path, from its end back to
its start by the same rule; then, of the children that finished before that start, again the last
one; between children the parent itself is. A child counts only as far as it lies within its parent,
and a consumer below a producer does not count, for nobody waits for it.

The source is the trace page of Jaeger's user interface (CriticalPath, version 2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from otelbridge.store.records import SpanRecord, Trace
from otelbridge.view.tree import Forest, forest


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the path: nothing but this span kept its root from ending sooner."""

    span_id: str
    start_ns: int
    end_ns: int


def critical_path(trace: Trace, now_ns: int | None = None) -> list[Section]:
    """Find the critical path of each root of a trace, latest section first.

    Args:
        trace: pages on it are passed over.
        now_ns: where spans that have not ended are taken to end; None: at the latest time in it.
    """
    tree = forest(trace)
    open_end_ns = _latest(trace) if now_ns is None else max(now_ns, _latest(trace))
    path: list[Section] = []
    for root in tree.roots:
        path.extend(_path(root, tree, open_end_ns))
    return path


def _latest(trace: Trace) -> int:
    times = [0]
    for span in trace.spans:
        times.append(span.start_ns if span.end_ns is None else span.end_ns)
        times.extend(event.time_ns for event in span.events[-1:])
    return max(times)


class _Waited:
    """A span that its parent waited for, cut to the time of its parent."""

    __slots__ = ("span_id", "start_ns", "end_ns", "parent", "children")

    def __init__(self, span_id: str, start_ns: int, end_ns: int, parent: _Waited | None) -> None:
        self.span_id = span_id
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.parent = parent
        self.children: list[_Waited] = []  # the last is the one that finished last

    def last_child(self, before_ns: int | None) -> _Waited | None:
        """Take away the child that finished last, of those that finished before a time."""
        while self.children:
            child = self.children.pop()
            if before_ns is None or child.end_ns < before_ns:
                return child
        return None


def _path(root: SpanRecord, tree: Forest, open_end_ns: int) -> Iterator[Section]:
    span: _Waited | None = _waited(root, tree, open_end_ns)
    before_ns: int | None = None  # the start of the child that we come back from
    while span is not None:
        child = span.last_child(before_ns)
        start_ns = span.start_ns if child is None else child.end_ns
        end_ns = span.end_ns if before_ns is None else before_ns
        if start_ns != end_ns:
            yield Section(span.span_id, start_ns, end_ns)
        if child is not None:
            span, before_ns = child, None
        else:
            before_ns = span.start_ns
            span = span.parent


def _waited(root: SpanRecord, tree: Forest, open_end_ns: int) -> _Waited:
    """Cut every span below a root to the time of its parent; leave out those outside it."""
    top = _Waited(root.span_id, root.start_ns, _end(root, open_end_ns), None)
    waiting = [(root, top)]
    while waiting:
        parent, cut = waiting.pop()
        for child in tree.below.get(parent.span_id, ()):
            start_ns, end_ns = child.start_ns, _end(child, open_end_ns)
            outside = start_ns >= cut.end_ns or start_ns < cut.start_ns >= end_ns
            if outside or (parent.kind, child.kind) == ("producer", "consumer"):
                continue
            kept = _Waited(child.span_id, max(start_ns, cut.start_ns), min(end_ns, cut.end_ns), cut)
            cut.children.append(kept)
            waiting.append((child, kept))
        # Of two that finished together the earlier one is chosen, so it goes last.
        cut.children.reverse()
        cut.children.sort(key=lambda it: it.end_ns)
    return top


def _end(span: SpanRecord, open_end_ns: int) -> int:
    # A span whose clock went back has no length.
    return max(span.start_ns, open_end_ns if span.end_ns is None else span.end_ns)
