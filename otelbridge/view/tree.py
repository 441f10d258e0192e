"""A trace as a forest: who is above whom, whatever the spans say of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from otelbridge.store.records import SpanRecord, Trace


@dataclass(frozen=True, slots=True)
class Forest:
    """The spans of one trace; its pages are left out.

    Attributes:
        roots: those with no parent, or with one that is not in the trace, by start time.
        below: by the id of a span, those right below it, by start time.
    """

    roots: tuple[SpanRecord, ...]
    below: dict[str, list[SpanRecord]]

    def under(self, root: SpanRecord) -> Iterator[SpanRecord]:
        """Yield a span and everything below it, each before what is below it."""
        waiting = [root]
        while waiting:
            span = waiting.pop()
            yield span
            waiting.extend(reversed(self.below.get(span.span_id, ())))


def forest(trace: Trace) -> Forest:
    """Find the roots of a trace, and what is below each span.

    Spans that are above each other in a circle have no root: the earliest of them becomes one.
    """
    spans = {span.span_id: span for span in trace.spans if span.page is None}
    ordered = sorted(spans.values(), key=lambda it: (it.start_ns, it.span_id))
    roots = [span for span in ordered if span.parent_id not in spans]
    below: dict[str, list[SpanRecord]] = {}
    for span in ordered:
        if span.parent_id is not None and span.parent_id in spans:
            below.setdefault(span.parent_id, []).append(span)
    found = Forest((), below)
    reached = {span.span_id for root in roots for span in found.under(root)}
    for span in ordered:
        if span.span_id not in reached:
            below[str(span.parent_id)].remove(span)
            roots.append(span)
            reached.update(each.span_id for each in found.under(span))
    roots.sort(key=lambda it: (it.start_ns, it.span_id))
    return Forest(tuple(roots), below)
