"""Flat finished spans put back into the trees that they came from.

Pages (child spans that took the events for which their run's span had no room) are folded back
into their run, so a reader never meets them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from opentelemetry.sdk.trace import Event, ReadableSpan

from otelbridge import semconv


@dataclass(eq=False, slots=True)
class Node:
    """One span with what belongs under it.

    Attributes:
        span: the finished span.
        events: its events in order, those of its pages included.
        children: the spans below it, by start time.
    """

    span: ReadableSpan
    events: list[Event]
    children: list[Node] = field(default_factory=list)


Key = tuple[int, int]


def forest(spans: Iterable[ReadableSpan]) -> list[Node]:
    """Return the roots among ``spans``, by start time, each with its tree below it.

    A span whose parent is not among ``spans`` (remote, unfinished, lost) is a root. Spans that
    name each other as parents come out too: the circle is cut at its earliest span.
    """
    ordered = sorted(spans, key=start_of)
    nodes = {_key(span): Node(span, list(span.events)) for span in ordered}
    roots = []
    for node in nodes.values():
        parent = nodes.get(_parent_key(node.span))
        if parent is None or parent is node:
            roots.append(node)
        elif is_page(node.span):
            parent.events = sorted(parent.events + node.events, key=lambda event: event.timestamp)
        else:
            parent.children.append(node)
    return roots + _circles(nodes, roots)


def walk(roots: Sequence[Node]) -> list[Node]:
    """Return every node of the trees under ``roots``, parents before children."""
    found: list[Node] = []
    todo = list(reversed(roots))
    while todo:
        node = todo.pop()
        found.append(node)
        todo.extend(reversed(node.children))
    return found


def is_page(span: ReadableSpan) -> bool:
    """Tell whether ``span`` only carries events of the run above it."""
    return semconv.PAGE in (span.attributes or ())


def start_of(span: ReadableSpan) -> int:
    """Return the start of ``span`` in ns, 0 for one that was never started."""
    return span.start_time or 0


def _circles(nodes: dict[Key, Node], roots: list[Node]) -> list[Node]:
    seen = {id(node) for node in walk(roots)}
    cut: list[Node] = []
    for node in nodes.values():
        parent = nodes.get(_parent_key(node.span))
        if id(node) in seen or parent is None or is_page(node.span):
            continue
        parent.children.remove(node)
        cut.append(node)
        seen.update(id(below) for below in walk([node]))
    return cut


def _key(span: ReadableSpan) -> Key:
    # A span made by hand may have no context; its identity stands in.
    return (span.context.trace_id, span.context.span_id) if span.context else (0, id(span))


def _parent_key(span: ReadableSpan) -> Key:
    return (span.parent.trace_id, span.parent.span_id) if span.parent else (0, 0)
