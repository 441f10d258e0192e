"""Traces made by hand: a tree of spans, written down with milliseconds, as OTLP."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1 import trace_pb2

from otelbridge.store import Trace, TraceSummary
from otelbridge.store.codec import to_record
from otelbridge.store.requests import split_request

MS = 1_000_000
_LINKED = 0x100 | 1


@dataclass
class Event:
    """One event, so many milliseconds after the trace's start."""

    at: float
    name: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Span:
    """One span from one time to another, in milliseconds after the trace's start."""

    name: str
    at: float
    until: float | None  # None: it runs
    below: Sequence[Span] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[Event] = ()
    kind: str = "internal"
    status: str = "unset"
    message: str = ""
    service: str = ""
    links: Sequence[tuple[str, str]] = ()
    span_id: str = ""
    parent_id: str = ""  # where it is not the one that it is below


def trace_id(name: str) -> str:
    """The id that a trace of this name gets."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def request(name: str, start_ns: int, *roots: Span, service: str = "service") -> bytes:
    """Write a trace as an ExportTraceServiceRequest; its ids are made of its name."""
    message = ExportTraceServiceRequest()
    scopes: dict[str, Any] = {}
    for number, (span, parent) in enumerate(_flat(roots)):
        span.span_id = span.span_id or hashlib.sha256(f"{name} {number}".encode()).hexdigest()[:16]
        of = span.service or service
        if of not in scopes:
            resource = message.resource_spans.add()
            resource.resource.attributes.append(pair("service.name", of))
            resource.resource.attributes.append(pair("host.name", "workbench"))
            scopes[of] = resource.scope_spans.add()
            scopes[of].scope.name = "otelbridge"
            scopes[of].scope.version = "1.0"
        _write(scopes[of].spans.add(), trace_id(name), span, parent, start_ns)
    return message.SerializeToString()


def trace(name: str, *roots: Span) -> Trace:
    """A trace as the store gives it, from time 0 on; its ids are ``span_id``s where given."""
    spans = [
        to_record(it.span, it.group, state=None if _has_ended(it.span) else "running")
        for it in split_request(request(name, 0, *roots)).items
    ]
    spans.sort(key=lambda it: it.start_ns)
    ends = [it.end_ns for it in spans]
    summary = TraceSummary(
        trace_id=trace_id(name),
        name=roots[0].name,
        service="service",
        start_ns=spans[0].start_ns,
        end_ns=None if None in ends else max(it for it in ends if it is not None),
        state="running" if None in ends else "ended",
        status=spans[0].status,
        outcome=spans[0].outcome,
        run_id=spans[0].run_id,
        spans=len(spans),
        events=sum(len(it.events) for it in spans),
        errors=sum(it.status == "error" for it in spans),
        input_tokens=None,
        output_tokens=None,
        changed=1,
    )
    return Trace(summary, tuple(spans))


def _has_ended(span: bytes) -> bool:
    return bool(trace_pb2.Span.FromString(span).end_time_unix_nano)


def _flat(roots: Sequence[Span]) -> Iterator[tuple[Span, Span | None]]:
    waiting: list[tuple[Span, Span | None]] = [(it, None) for it in reversed(roots)]
    while waiting:
        span, parent = waiting.pop()
        yield span, parent
        waiting.extend((it, span) for it in reversed(span.below))


def _write(to: Any, trace: str, span: Span, parent: Span | None, start_ns: int) -> None:
    to.trace_id = bytes.fromhex(trace)
    to.span_id = bytes.fromhex(span.span_id)
    if parent is not None or span.parent_id:
        to.parent_span_id = bytes.fromhex(span.parent_id or parent.span_id)  # type: ignore[union-attr]
    to.flags = _LINKED
    to.name = span.name
    to.kind = trace_pb2.Span.SpanKind.Value(f"SPAN_KIND_{span.kind.upper()}")
    to.start_time_unix_nano = start_ns + round(span.at * MS)
    if span.until is not None:
        to.end_time_unix_nano = start_ns + round(span.until * MS)
    to.attributes.extend(pair(key, it) for key, it in span.attributes.items())
    to.status.code = trace_pb2.Status.StatusCode.Value(f"STATUS_CODE_{span.status.upper()}")
    to.status.message = span.message
    for event in span.events:
        written = to.events.add()
        written.time_unix_nano = start_ns + round(event.at * MS)
        written.name = event.name
        written.attributes.extend(pair(key, it) for key, it in event.attributes.items())
    for linked, at in span.links:
        link = to.links.add()
        link.trace_id, link.span_id = bytes.fromhex(linked), bytes.fromhex(at)
        link.attributes.append(pair("otelbridge.link.type", "resumes"))


def pair(key: str, it: Any) -> KeyValue:
    """An attribute."""
    return KeyValue(key=key, value=value(it))


def value(it: Any) -> AnyValue:
    """A value of any kind."""
    if it is None:
        return AnyValue()
    if isinstance(it, bool):
        return AnyValue(bool_value=it)
    if isinstance(it, int):
        return AnyValue(int_value=it)
    if isinstance(it, float):
        return AnyValue(double_value=it)
    if isinstance(it, bytes):
        return AnyValue(bytes_value=it)
    if isinstance(it, str):
        return AnyValue(string_value=it)
    if isinstance(it, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=[pair(*each) for each in it.items()]))
    return AnyValue(array_value=ArrayValue(values=[value(each) for each in it]))
