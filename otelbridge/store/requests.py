"""What of a request can be stored: its good spans, byte for byte as they came.

The request is cut at its wire format and not re-written, so what a later OTLP puts into a span, a
resource or a scope stays in it. The field numbers are those of opentelemetry-proto,
``collector/trace/v1/trace_service.proto`` and ``trace/v1/trace.proto``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from otelbridge.encoding._protobuf import fields
from otelbridge.encoding.units import Group, Item
from otelbridge.store.codec import parse, producer

_RESOURCE_SPANS = _HEAD = 1  # the resource or the scope
_BODIES, _SCHEMA_URL = 2, 3  # scope spans or spans

MAX_TIME_NS: Final = (1 << 63) - 1
"""The latest time that SQLite's integers hold: in the year 2262."""


class Split(NamedTuple):
    """A request, cut.

    Attributes:
        items: what can be stored, in its order.
        rejected: how many spans cannot.
        message: why, and what to do; empty where all can.
    """

    items: list[Item]
    rejected: int
    message: str


def split_request(request: bytes) -> Split:
    """Cut an ``ExportTraceServiceRequest`` into the spans that can be stored and the others.

    A span is rejected whose trace id, span id or parent id has another length than OTLP's or is
    zero (a parent's may be), whose times are past the year 2262, or whose bytes, or its producer's,
    cannot be read.

    Raises:
        ValueError: the bytes are no such request.
    """
    try:
        spans = list(_spans(request))
    except ValueError as error:
        raise ValueError(f"no ExportTraceServiceRequest in protobuf: {error}") from error
    items: list[Item] = []
    faults: Counter[str] = Counter()
    for item in spans:
        fault = _fault(item)
        if fault:
            faults[fault] += 1
        else:
            items.append(item)
    return Split(items, sum(faults.values()), _message(faults))


def _spans(request: bytes) -> Iterator[Item]:
    for number, resource_spans in fields(request):
        if number == _RESOURCE_SPANS and isinstance(resource_spans, bytes):
            resource, schema, bodies = _parts(resource_spans)
            for scope_spans in bodies:
                scope, scope_schema, spans = _parts(scope_spans)
                group = Group(resource, schema, scope, scope_schema)
                yield from [Item(group, span) for span in spans]


def _parts(message: bytes) -> tuple[bytes, str, list[bytes]]:
    """Return what a ``ResourceSpans`` or ``ScopeSpans`` holds: whose they are, schema URL, bodies.

    A resource or scope that comes in two parts is one, as protobuf merges them.
    """
    head, schema, bodies = b"", "", []
    for number, value in fields(message):
        if isinstance(value, bytes):  # of another wire type it is unknown, as protobuf has it
            if number == _HEAD:
                head += value
            elif number == _BODIES:
                bodies.append(value)
            elif number == _SCHEMA_URL:
                schema = value.decode()
    return head, schema, bodies


def _fault(item: Item) -> str:
    """Say why a span cannot be stored; nothing where it can."""
    try:
        span = parse(item.span)
        producer(item.group)
    except ValueError as error:
        return str(error)
    trace_id, span_id, parent_id = span.trace_id, span.span_id, span.parent_span_id
    if len(trace_id) != 16 or not any(trace_id):
        return f"trace id {_shown(trace_id)} is not 16 bytes with one that is not zero"
    if len(span_id) != 8 or not any(span_id):
        return f"span id {_shown(span_id)} is not 8 bytes with one that is not zero"
    if len(parent_id) not in (0, 8):
        return f"parent id {_shown(parent_id)} is not 8 bytes, or none for a root"
    times = [event.time_unix_nano for event in span.events]
    if max(span.start_time_unix_nano, span.end_time_unix_nano, *times, 0) > MAX_TIME_NS:
        return "a time is past the year 2262: OTLP's times are ns since 1970"
    return ""


def _shown(identity: bytes) -> str:
    return f"'{identity[:16].hex()}{'...' * (len(identity) > 16)}'"


def _message(faults: Counter[str]) -> str:
    if not faults:
        return ""
    count = sum(faults.values())
    reasons = [
        f"{fault} ({times} times)" if times > 1 else fault for fault, times in faults.items()
    ]
    more = f"; and {len(reasons) - 3} other reasons" if len(reasons) > 3 else ""
    return f"{count} span{'s' * (count > 1)} rejected: {'; '.join(reasons[:3])}{more}"
