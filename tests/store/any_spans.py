"""Spans of every shape, for laws: as the encoder writes them, and as other programs may."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceState

from otelbridge.encoding.encode import Encoder
from otelbridge.encoding.units import Group, Item

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
longs = st.integers(-(2**63), 2**63 - 1)
# Of all that are no number there is one: the others' bits mean nothing.
reals = st.floats().map(lambda number: math.nan if math.isnan(number) else number)
scalars = texts | st.booleans() | longs | reals | st.binary(max_size=8) | st.none()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
attributes = st.dictionaries(texts, values, max_size=5)
times = st.integers(0, 2**63 - 1)
trace_ids, span_ids = st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1)
contexts = st.builds(
    SpanContext,
    trace_ids,
    span_ids,
    st.booleans(),
    trace_state=st.sampled_from([None, TraceState([("a", "1"), ("vendor@b", "x:y/z")])]),
)
scopes = st.sampled_from(
    [
        None,
        InstrumentationScope("scope", "1.0", "https://schema/scope", {"a": 1}),
        InstrumentationScope("other"),
    ]
)
resources = st.sampled_from(
    [
        Resource({"service.name": "shop", "list": ("a", "b")}, "https://schema/resource"),
        Resource({}),
    ]
)


def with_dropped(parts: list[Any], dropped: int) -> BoundedList:
    made = BoundedList.from_seq(None, parts)
    made.dropped = dropped
    return made


def lists(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    dropped = st.sampled_from([0, 0, 1, 2**32 - 1])
    return st.builds(with_dropped, st.lists(parts, max_size=3), dropped)


readable = st.builds(
    ReadableSpan,
    texts,
    context=contexts,
    parent=st.none() | contexts,
    resource=resources,
    instrumentation_scope=scopes,
    kind=st.sampled_from(SpanKind),
    start_time=st.none() | times,
    end_time=times,
    attributes=attributes,
    events=lists(st.builds(Event, texts, attributes, times)),
    links=lists(st.builds(Link, contexts, attributes)),
    status=st.just(Status(StatusCode.OK))
    | st.just(Status(StatusCode.UNSET))
    | st.builds(Status, st.just(StatusCode.ERROR), st.none() | texts),
)
items = readable.map(lambda span: Encoder().item(span))
"""What the sink and the pipeline hold."""


def any_value(value: Any) -> AnyValue:
    made = AnyValue()
    if isinstance(value, bool):
        made.bool_value = value
    elif isinstance(value, str):
        made.string_value = value
    elif isinstance(value, int):
        made.int_value = value
    elif isinstance(value, float):
        made.double_value = value
    elif isinstance(value, bytes):
        made.bytes_value = value
    elif isinstance(value, list):
        made.array_value.SetInParent()
        made.array_value.values.extend([any_value(entry) for entry in value])
    elif isinstance(value, dict):
        made.kvlist_value.SetInParent()
        made.kvlist_value.values.extend(pairs(value))
    return made


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


counts = st.sampled_from([0, 1, 2**32 - 1])
flags = st.sampled_from([0, 1, 0x101, 0x300, 2**32 - 1])
states = st.sampled_from(["", "a=1"])
foreign_events = st.builds(
    Span.Event, time_unix_nano=times, name=texts, attributes=attributes.map(pairs),
    dropped_attributes_count=counts,
)  # fmt: skip
foreign_links = st.builds(
    Span.Link, trace_id=st.binary(max_size=20), span_id=st.binary(max_size=10),
    trace_state=states, attributes=attributes.map(pairs), dropped_attributes_count=counts,
    flags=flags,
)  # fmt: skip
foreign_spans = st.builds(
    Span,
    trace_id=trace_ids.map(lambda number: number.to_bytes(16, "big")),
    span_id=span_ids.map(lambda number: number.to_bytes(8, "big")),
    parent_span_id=st.sampled_from([b"", b"\x01" * 8, bytes(8)]),
    name=texts, kind=st.integers(0, 9), trace_state=states, flags=flags,
    start_time_unix_nano=times, end_time_unix_nano=times, attributes=attributes.map(pairs),
    events=st.lists(foreign_events, max_size=2), links=st.lists(foreign_links, max_size=2),
    dropped_attributes_count=counts, dropped_events_count=counts, dropped_links_count=counts,
    status=st.none() | st.builds(dict, code=st.integers(0, 5), message=texts),
)  # fmt: skip
foreign = st.builds(
    Item,
    st.just(Group(b"", "", b"", "")),
    foreign_spans.map(lambda span: span.SerializeToString()),
)
"""What other programs' exporters send: protobuf's own order, and what Python's SDK never makes."""
