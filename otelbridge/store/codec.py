"""Stored bytes as records: an OTLP ``Span`` and its producer, read by the generated classes.

Those read faster than anything that is written in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, make_dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otelbridge import semconv
from otelbridge.encoding.units import Group
from otelbridge.store.records import EventRecord, Kind, LinkRecord, SpanRecord, State, Status

KINDS: Final[tuple[Kind, ...]] = (
    "unspecified", "internal", "server", "client", "producer", "consumer",
)  # fmt: skip
"""By their number in OTLP, as are ``STATUSES``."""
STATUSES: Final[tuple[Status, ...]] = ("unset", "ok", "error")

# A frozen record sets each of its fields by a call: for 27 that is a sixth of the time of reading
# one. A draft has the same slots, so it can become a record.
_Draft: Final[Any] = make_dataclass("_Draft", [it.name for it in fields(SpanRecord)], slots=True)
_SERVICE: Final = "service.name"
_NO_ID: Final = bytes(8)


class Producer(NamedTuple):
    """Who made a span, read.

    Attributes:
        service: ``service.name`` of the resource; empty where it has none.
        resource: the resource's attributes; shared by the records of its spans.
        scope: name of the instrumentation scope.
        scope_version: its version.
    """

    service: str
    resource: dict[str, Any]
    scope: str
    scope_version: str


@lru_cache(maxsize=1_000)
def producer(group: Group) -> Producer:
    """Read who made the spans of a group.

    Raises:
        ValueError: its bytes are no resource or no scope.
    """
    try:
        resource = Resource.FromString(group.resource)
        scope = InstrumentationScope.FromString(group.scope)
    except DecodeError as error:
        raise ValueError("the resource or scope of a span is no OTLP") from error
    attributes = attributes_of(resource.attributes)
    return Producer(str(attributes.get(_SERVICE, "")), attributes, scope.name, scope.version)


def parse(span: bytes) -> Any:
    """Return the generated class's ``Span`` of these bytes.

    Raises:
        ValueError: they are none.
    """
    try:
        return Span.FromString(span)
    except DecodeError as error:
        raise ValueError("the bytes of a span are no OTLP") from error


def to_record(
    span: bytes, group: Group, *, state: State | None = None, changed: int = 0
) -> SpanRecord:
    """Read one span.

    Args:
        span: a serialized ``Span``.
        group: who made it.
        state: whether it has ended; None: as the bytes say. They say that it has, but of a span
            that was exported as it ran (``otelbridge.run.state``) that it was lost: no process
            will ever end it here.
        changed: see ``SpanRecord``.

    Raises:
        ValueError: the bytes are no span.
    """
    it = parse(span)
    made = producer(group)
    attributes = attributes_of(it.attributes)
    state = state or _state(it, attributes)
    parent = it.parent_span_id
    start = it.start_time_unix_nano
    status = it.status
    record = _Draft(
        trace_id=it.trace_id.hex(),
        span_id=it.span_id.hex(),
        parent_id=parent.hex() if parent and parent != _NO_ID else None,
        name=it.name,
        kind=_named(KINDS, it.kind),
        start_ns=start,
        end_ns=(it.end_time_unix_nano or start) if state == "ended" else None,
        state=state,
        status=_named(STATUSES, status.code),
        status_message=status.message,
        service=made.service,
        scope=made.scope,
        scope_version=made.scope_version,
        resource=made.resource,
        attributes=attributes,
        events=tuple([event_of(event) for event in events]) if (events := it.events) else (),
        links=tuple([_link(link) for link in links]) if (links := it.links) else (),
        trace_state=it.trace_state,
        flags=it.flags,
        dropped_attributes=it.dropped_attributes_count,
        dropped_events=it.dropped_events_count,
        dropped_links=it.dropped_links_count,
        outcome=_own(attributes, semconv.RUN_OUTCOME, str),
        run_id=_own(attributes, semconv.RUN_ID, str),
        run_type=_own(attributes, semconv.RUN_TYPE, str),
        page=_own(attributes, semconv.PAGE, int),
        changed=changed,
    )
    record.__class__ = SpanRecord
    return cast("SpanRecord", record)


def event_of(event: Any) -> EventRecord:
    """Return the record of a generated ``Span.Event``."""
    return EventRecord(
        event.time_unix_nano,
        event.name,
        attributes_of(event.attributes),
        event.dropped_attributes_count,
    )


def attributes_of(pairs: Iterable[Any]) -> dict[str, Any]:
    """Return generated ``KeyValue`` messages as a dict; of a key that comes twice, the last."""
    # Most values are text; to ask which kind one is takes longer than to look for a text in it.
    return {pair.key: (value := pair.value).string_value or _value(value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [entry.string_value or _value(entry) for entry in value.array_value.values]
    if kind == "kvlist_value":
        return attributes_of(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)


def _link(link: Any) -> LinkRecord:
    return LinkRecord(
        link.trace_id.hex(),
        link.span_id.hex(),
        attributes_of(link.attributes),
        link.trace_state,
        link.flags,
        link.dropped_attributes_count,
    )


def _state(span: Any, attributes: Mapping[str, Any]) -> State:
    unended = attributes.get(semconv.RUN_STATE) in ("running", "lost")
    return "lost" if unended and not span.end_time_unix_nano else "ended"


def _named(names: tuple[Any, ...], number: int) -> Any:
    """Return the name of an enum's number; of one that is not known here, the first."""
    return names[number] if 0 <= number < len(names) else names[0]


def _own(attributes: Mapping[str, Any], key: str, kind: type) -> Any:
    """Return an attribute that a run writes; None where it is not what a run writes."""
    value = attributes.get(key)
    return value if type(value) is kind else None
