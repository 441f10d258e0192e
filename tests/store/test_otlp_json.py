"""OTLP JSON: what the Collector writes is read, what is written is what the Collector writes."""

from __future__ import annotations

import json
import math
from typing import Any

import any_spans
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otelbridge.encoding._protobuf import field
from otelbridge.encoding.units import Group, Item, request
from otelbridge.store._otlp_fields import ENUMS, MESSAGES
from otelbridge.store._to_otlp_json import to_otlp_json
from otelbridge.store.codec import to_record
from otelbridge.store.otlp_json import otlp_json_to_request
from otelbridge.store.requests import split_request

TRACE_ID = "0102030405060708090a0b0c0d0e0f10"

# One request as the Collector's file exporter (0.140) writes it.
LINE = (
    '{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":'
    '"shop"}}]},"scopeSpans":[{"scope":{"name":"scope","version":"1.2"},"spans":[{"traceId":'
    '"0102030405060708090a0b0c0d0e0f10","spanId":"f1f2f3f4f5f6f7f8","traceState":"a=1",'
    '"parentSpanId":"0101010101010101","flags":257,"name":"n","kind":3,"startTimeUnixNano":'
    '"1700000000000000001","endTimeUnixNano":"1700000000000000002","attributes":['
    '{"key":"text","value":{"stringValue":""}},{"key":"flag","value":{"boolValue":false}},'
    '{"key":"whole","value":{"intValue":"-9223372036854775808"}},'
    '{"key":"real","value":{"doubleValue":0.5}},{"key":"nan","value":{"doubleValue":"NaN"}},'
    '{"key":"low","value":{"doubleValue":"-Infinity"}},'
    '{"key":"bytes","value":{"bytesValue":"AP8="}},'
    '{"key":"list","value":{"arrayValue":{"values":[{"intValue":"1"},{}]}}},'
    '{"key":"map","value":{"kvlistValue":{"values":[{"key":"k","value":{"arrayValue":{}}}]}}}],'
    '"droppedAttributesCount":1,"events":[{"timeUnixNano":"1700000000000000003","name":"e",'
    '"attributes":[{"key":"data","value":{"stringValue":"x"}}],"droppedAttributesCount":4}],'
    '"droppedEventsCount":2,"links":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":'
    '"0202020202020202","traceState":"b=2","attributes":[{"key":"why","value":{"stringValue":'
    '"w"}}],"droppedAttributesCount":5,"flags":1}],"droppedLinksCount":3,"status":{"message":'
    '"failed","code":2}}],"schemaUrl":"https://schema/s"}],"schemaUrl":"https://schema/r"}]}'
)  # fmt: skip


def back(items: list[Item]) -> list[Item]:
    """To JSON and back."""
    made = split_request(otlp_json_to_request(json.loads(to_otlp_json(items))))
    assert (made.rejected, made.message) == (0, "")
    return made.items


def read(**span: Any) -> Span:
    """Return what one span of JSON is in protobuf."""
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    made = ExportTraceServiceRequest.FromString(otlp_json_to_request(document))
    return made.resource_spans[0].scope_spans[0].spans[0]


def test_line_of_the_collector_is_the_same_line_again() -> None:
    """Every field, name, order and form is the Collector's."""
    made = split_request(otlp_json_to_request(json.loads(LINE)))
    assert to_otlp_json(made.items) == LINE


@given(any_spans.items)
def test_span_of_the_encoder_is_the_same_bytes_again(item: Item) -> None:
    """Through JSON and back, span and producer are what they were, to the byte."""
    assert back([item]) == [item]


@given(any_spans.foreign)
def test_span_of_another_exporter_is_the_same_span_again(item: Item) -> None:
    """Its fields may stand in another order; none differs, and the next time no byte does."""
    (once,) = back([item])
    before, after = Span.FromString(item.span), Span.FromString(once.span)
    assert after.SerializeToString(deterministic=True) == before.SerializeToString(
        deterministic=True
    )
    assert repr(to_record(*reversed(once))) == repr(to_record(*reversed(item)))
    assert back([once]) == [once]


@given(st.lists(any_spans.items, max_size=5))
def test_request_of_many_spans_is_the_same_again(items: list[Item]) -> None:
    """Grouped by who made them, as in protobuf, and all there."""
    assert request(back(items)) == request(items)
    assert sorted(back(items)) == sorted(items)


def test_line_is_ascii() -> None:
    """It can be written to any stream, and nothing in it ends a line anywhere."""
    line = to_otlp_json([Item(Group(b"", "", b"", ""), Span(name="é\u2028\n").SerializeToString())])
    assert '"name":"\\u00e9\\u2028\\n"' in line
    assert line.isascii()


def test_what_a_later_otlp_put_there_has_no_name_in_json() -> None:
    """The span goes without it."""
    span = Span(name="n").SerializeToString()
    unknown = field(b"\xfa\x0f", b"later")
    assert to_otlp_json([Item(Group(b"", "", b"", ""), span + unknown)]) == (
        '{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[{"name":"n"}]}]}]}'
    )


def test_bytes_that_are_no_span_are_refused() -> None:
    """As everywhere, by ValueError."""
    with pytest.raises(ValueError, match="no OTLP"):
        to_otlp_json([Item(Group(b"", "", b"", ""), b"\x0a\x10short")])


def test_names_may_be_in_snake_case() -> None:
    """As protobuf's JSON has it for every reader."""
    made = otlp_json_to_request(
        {"resource_spans": [{"scope_spans": [{"spans": [{"trace_id": "0A", "name": "n"}]}]}]}
    )
    span = ExportTraceServiceRequest.FromString(made).resource_spans[0].scope_spans[0].spans[0]
    assert (span.trace_id, span.name) == (b"\x0a", "n")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"kind": 3}, {"kind": 3}),
        ({"kind": "3"}, {"kind": 3}),
        ({"kind": "SPAN_KIND_SERVER"}, {"kind": 2}),
        ({"kind": 77}, {"kind": 77}),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, {"status": {"code": 2}}),
        ({"startTimeUnixNano": 7}, {"start_time_unix_nano": 7}),
        ({"startTimeUnixNano": 7.0}, {"start_time_unix_nano": 7}),
        ({"startTimeUnixNano": str(2**64 - 1)}, {"start_time_unix_nano": 2**64 - 1}),
        ({"flags": "257"}, {"flags": 257}),
        ({"name": None, "attributes": None, "status": None}, {}),
        ({"later": {"deep": [1]}, "name": "n"}, {"name": "n"}),
        ({"name": "\udc80"}, {"name": "\\udc80"}),
        ({"traceId": "AbCd"}, {"trace_id": b"\xab\xcd"}),
        ({"traceId": ""}, {}),
    ],
)
def test_every_form_of_a_field_is_read(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Numbers as text and text as numbers, enums by name, null, and what is not known."""
    assert read(**given) == Span(**expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"intValue": "-5"}, -5),
        ({"intValue": 5}, 5),
        ({"doubleValue": 1}, 1.0),
        ({"doubleValue": "1e3"}, 1000.0),
        ({"doubleValue": "Infinity"}, math.inf),
        ({"bytesValue": "_-8"}, b"\xff\xef"),
        ({"bytesValue": "/+8="}, b"\xff\xef"),
        ({"boolValue": True}, True),
        ({"kvlistValue": {"values": [{"key": "k"}]}}, {"k": None}),
        ({"string_value": "s"}, "s"),
        ({}, None),
    ],
)
def test_every_form_of_a_value_is_read(given: dict[str, Any], expected: Any) -> None:
    """The values that attributes have, in each of their forms."""
    span = read(attributes=[{"key": "key", "value": given}]).SerializeToString()
    (value,) = to_record(span, Group(b"", "", b"", "")).attributes.values()
    assert (value, type(value)) == (expected, type(expected))


SPAN = "resourceSpans[0].scopeSpans[0].spans[0]"
VALUE = f"{SPAN}.attributes[0].value"


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ({"traceId": 5}, f"{SPAN}.traceId is 5: it must be an id in hex"),
        (
            {"spanId": "8fL0+fX29/g="},
            f"{SPAN}.spanId is '8fL0+fX29/g=': it must be an id in hex, which OTLP JSON has in "
            "place of base64",
        ),
        ({"name": ["n"]}, f"{SPAN}.name is ['n']: it must be a string"),
        ({"events": {}}, f"{SPAN}.events is {{}}: it must be an array"),
        ({"events": [3]}, f"{SPAN}.events[0] is 3: it must be an object"),
        ({"status": "bad"}, f"{SPAN}.status is 'bad': it must be an object"),
        (
            {"kind": "SERVER"},
            f"{SPAN}.kind is 'SERVER': it must be an integer or one of SPAN_KIND_UNSPECIFIED, "
            "SPAN_KIND_INTERNAL, SPAN_KIND_SERVER, SPAN_KIND_CLIENT, SPAN_KIND_PRODUCER, "
            "SPAN_KIND_CONSUMER",
        ),
        ({"flags": -1}, f"{SPAN}.flags is -1: it must be an integer from 0 to {2**32 - 1}"),
        (
            {"startTimeUnixNano": "soon"},
            f"{SPAN}.startTimeUnixNano is 'soon': it must be an integer from 0 to {2**64 - 1}",
        ),
        (
            {"endTimeUnixNano": 1.5},
            f"{SPAN}.endTimeUnixNano is 1.5: it must be an integer from 0 to {2**64 - 1}",
        ),
        (
            {"attributes": [{"key": "k", "value": {"intValue": True}}]},
            f"{VALUE}.intValue is True: it must be an integer from {-(2**63)} to {2**63 - 1}",
        ),
        (
            {"attributes": [{"key": "k", "value": {"boolValue": "yes"}}]},
            f"{VALUE}.boolValue is 'yes': it must be true or false",
        ),
        (
            {"attributes": [{"key": "k", "value": {"doubleValue": "many"}}]},
            f"{VALUE}.doubleValue is 'many': it must be a number, 'NaN', 'Infinity' or '-Infinity'",
        ),
        (
            {"attributes": [{"key": "k", "value": {"doubleValue": []}}]},
            f"{VALUE}.doubleValue is []: it must be a number",
        ),
        (
            {"attributes": [{"key": "k", "value": {"bytesValue": "*"}}]},
            f"{VALUE}.bytesValue is '*': it must be bytes in base64",
        ),
        (
            {"attributes": [{"key": "k", "value": {"bytesValue": 1}}]},
            f"{VALUE}.bytesValue is 1: it must be bytes in base64",
        ),
        (
            {"attributes": [{"key": "k", "value": {"intValue": 1, "stringValue": ""}}]},
            f"{VALUE} has 2 values: give it one",
        ),
        ({"name": 10**50}, f"{SPAN}.name is {10**50}"[:120]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(span: dict[str, Any], message: str) -> None:
    """The path in the document, the value, and what it must be."""
    with pytest.raises(ValueError) as caught:
        read(**span)
    assert str(caught.value).startswith(message)


def test_document_that_is_no_object_is_refused() -> None:
    """A list of spans is no request."""
    with pytest.raises(ValueError, match=r"^the document is \[\]: it must be an object$"):
        otlp_json_to_request([])


def test_values_nested_too_deep_are_refused() -> None:
    """No receiver reads more than 100 messages in one another, and no stack is used up."""
    value: dict[str, Any] = {"stringValue": "deep"}
    for _ in range(300):
        value = {"arrayValue": {"values": [value]}}
    with pytest.raises(ValueError, match="is nested deeper than 90 messages"):
        read(attributes=[{"key": "k", "value": value}])


def test_fields_are_those_of_the_installed_protobuf() -> None:
    """Number, name, kind and message of each field; none but the profiles' own is missing."""
    kinds = {
        1: "double", 3: "int64", 5: "int32", 6: "fixed64", 7: "fixed32", 8: "bool", 9: "text",
        11: "message", 12: "bytes", 13: "uint32", 14: "enum",
    }  # fmt: skip
    ours = {"InstrumentationScope": "Scope", "ExportTraceServiceRequest": "Request"}
    todo, seen = [ExportTraceServiceRequest.DESCRIPTOR], set()
    while todo:
        it = todo.pop()
        name = ours.get(it.name, it.name)
        if name in seen:
            continue
        seen.add(name)
        table = {field.number: field for field in MESSAGES[name]}
        for theirs in it.fields:
            if theirs.name.endswith("_strindex"):
                continue
            mine = table.pop(theirs.number)
            kind = "bytes" if mine.kind == "id" else mine.kind
            assert (mine.name, mine.snake, kind) == (
                theirs.json_name, theirs.name, kinds[theirs.type],
            )  # fmt: skip
            if theirs.enum_type is not None:
                names = [f"{mine.of}_{each}" for each in ENUMS[mine.of]]
                assert names == [each.name for each in theirs.enum_type.values]
            if theirs.message_type is not None:
                todo.append(theirs.message_type)
        assert not table or not hasattr(Resource(), "entity_refs")
    assert seen >= {"Span", "Status", "Link", "Event", "AnyValue", "KeyValueList", "Resource"}
