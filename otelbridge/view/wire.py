"""Records as the JSON that the page reads.

Times are decimal strings of ns, for JavaScript's numbers lose them, in fields that end in ``_ns``.
What JSON or JavaScript cannot hold is an object with one key: ``{"bytes": base64}``,
``{"float": "NaN"}``, ``{"int": "9007199254740993"}``.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from otelbridge.store.records import EventRecord, Hit, LinkRecord, SpanRecord, Trace, TraceSummary
from otelbridge.view.critical_path import Section

MOST_EVENTS: Final = 1000
"""So many events of a span come with it; the rest is asked for."""
_LARGEST_INT: Final = 2**53 - 1


def encoded(data: Any) -> bytes:
    """Write JSON as UTF-8."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
        "utf-8", "replace"
    )


def value(it: Any) -> Any:
    """Return an attribute's value as JSON has it."""
    if it is None or type(it) is str or isinstance(it, bool):
        return it
    if isinstance(it, int):
        return it if -_LARGEST_INT <= it <= _LARGEST_INT else {"int": str(it)}
    if isinstance(it, float):
        if math.isfinite(it):
            return it
        return {"float": "NaN" if math.isnan(it) else "Infinity" if it > 0 else "-Infinity"}
    if isinstance(it, bytes):
        return {"bytes": b64encode(it).decode()}
    if isinstance(it, Mapping):
        return attributes(it)
    return [value(each) for each in it]


def attributes(it: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as JSON has them."""
    return {key: value(each) for key, each in it.items()}


def event(it: EventRecord) -> dict[str, Any]:
    """Return one event."""
    return {
        "time_ns": str(it.time_ns),
        "name": it.name,
        "attributes": attributes(it.attributes),
        "dropped_attributes": it.dropped_attributes,
    }


def link(it: LinkRecord) -> dict[str, Any]:
    """Return one link."""
    return {
        "trace_id": it.trace_id,
        "span_id": it.span_id,
        "attributes": attributes(it.attributes),
        "trace_state": it.trace_state,
        "flags": it.flags,
        "dropped_attributes": it.dropped_attributes,
    }


def span(it: SpanRecord, resource: int | None = None) -> dict[str, Any]:
    """Return one span with its first events.

    Args:
        it: the span.
        resource: the place of its resource in the list that comes with it; None: not sent.
    """
    return {
        "trace_id": it.trace_id,
        "span_id": it.span_id,
        "parent_id": it.parent_id,
        "name": it.name,
        "kind": it.kind,
        "start_ns": str(it.start_ns),
        "end_ns": _time(it.end_ns),
        "duration_ns": _duration(it.start_ns, it.end_ns),
        "state": it.state,
        "status": it.status,
        "status_message": it.status_message,
        "service": it.service,
        "scope": it.scope,
        "scope_version": it.scope_version,
        "resource": resource,
        "attributes": attributes(it.attributes),
        "events": [event(each) for each in it.events[:MOST_EVENTS]],
        "events_total": len(it.events),
        "links": [link(each) for each in it.links],
        "trace_state": it.trace_state,
        "flags": it.flags,
        "dropped_attributes": it.dropped_attributes,
        "dropped_events": it.dropped_events,
        "dropped_links": it.dropped_links,
        "outcome": it.outcome,
        "run_id": it.run_id,
        "run_type": it.run_type,
        "page": it.page,
        "changed": it.changed,
    }


def summary(it: TraceSummary) -> dict[str, Any]:
    """Return what a list shows of a trace."""
    return {
        "trace_id": it.trace_id,
        "name": it.name,
        "service": it.service,
        "start_ns": str(it.start_ns),
        "end_ns": _time(it.end_ns),
        "duration_ns": _duration(it.start_ns, it.end_ns),
        "state": it.state,
        "status": it.status,
        "outcome": it.outcome,
        "run_id": it.run_id,
        "spans": it.spans,
        "events": it.events,
        "errors": it.errors,
        "input_tokens": it.input_tokens,
        "output_tokens": it.output_tokens,
        "changed": it.changed,
    }


def trace(it: Trace, path: Sequence[Section]) -> dict[str, Any]:
    """Return a trace whole; its pages are folded already, see ``folded``."""
    places: dict[int, int] = {}  # of a resource by its identity: most spans share theirs
    resources: dict[bytes, int] = {}
    spans = []
    for each in it.spans:
        place = places.get(id(each.resource))
        if place is None:
            known = encoded(attributes(each.resource))
            place = places[id(each.resource)] = resources.setdefault(known, len(resources))
        spans.append(span(each, place))
    return {
        "summary": summary(it.summary),
        "spans": spans,
        "resources": [json.loads(known) for known in resources],
        "critical_path": [section(each) for each in path],
    }


def section(it: Section) -> dict[str, Any]:
    """Return a part of the critical path."""
    return {"span_id": it.span_id, "start_ns": str(it.start_ns), "end_ns": str(it.end_ns)}


def hit(it: Hit) -> dict[str, Any]:
    """Return what a search found."""
    return {
        "trace": summary(it.trace),
        "span_id": it.span_id,
        "name": it.name,
        "where": it.where,
        "excerpt": it.excerpt,
    }


def folded(it: Trace) -> Trace:
    """Return the trace without its pages: their events are those of the run above them.

    A page whose run is not here stays a span of its own.
    """
    pages: dict[str, list[SpanRecord]] = {}
    ids = {each.span_id for each in it.spans if each.page is None}
    for each in it.spans:
        if each.page is not None and each.parent_id in ids:
            pages.setdefault(str(each.parent_id), []).append(each)
    if not pages:
        return it
    gone = {page.span_id for found in pages.values() for page in found}
    spans = tuple(
        _with_events(each, pages.get(each.span_id, ()))
        for each in it.spans
        if each.span_id not in gone
    )
    return replace(it, spans=spans)


def _with_events(run: SpanRecord, pages: Iterable[SpanRecord]) -> SpanRecord:
    events = list(run.events)
    for page in pages:
        events.extend(page.events)
    if len(events) == len(run.events):
        return run
    return replace(run, events=tuple(sorted(events, key=lambda it: it.time_ns)))


def _time(time_ns: int | None) -> str | None:
    return None if time_ns is None else str(time_ns)


def _duration(start_ns: int, end_ns: int | None) -> str | None:
    return None if end_ns is None else str(max(0, end_ns - start_ns))
