"""Stored bytes read back: every field of a span, and what is drawn of it."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from otelbridge import semconv
from otelbridge.encoding.encode import Encoder
from otelbridge.encoding.units import Group
from otelbridge.export.tree import render
from otelbridge.store.codec import producer, to_record
from otelbridge.store.readable import to_readable
from otelbridge.store.records import EventRecord, LinkRecord, SpanRecord

TRACE_ID, SPAN_ID = bytes(range(1, 17)), bytes(range(0xF1, 0xF9))
VALUES: dict[str, tuple[AnyValue, Any]] = {
    "text": (AnyValue(string_value="é"), "é"),
    "no text": (AnyValue(string_value=""), ""),
    "flag": (AnyValue(bool_value=False), False),
    "whole": (AnyValue(int_value=-(2**63)), -(2**63)),
    "zero": (AnyValue(int_value=0), 0),
    "real": (AnyValue(double_value=math.inf), math.inf),
    "bytes": (AnyValue(bytes_value=b"\x00\xff"), b"\x00\xff"),
    "list": (
        AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue()])),
        [1, None],
    ),
    "mapping": (
        AnyValue(
            kvlist_value=KeyValueList(
                values=[KeyValue(key="k", value=AnyValue(array_value=ArrayValue()))]
            )
        ),
        {"k": []},
    ),
    "nothing": (AnyValue(), None),
}


def pairs(**values: str) -> list[KeyValue]:
    return [
        KeyValue(key=key.replace("__", "."), value=AnyValue(string_value=value))
        for key, value in values.items()
    ]


GROUP = Group(
    Resource(attributes=pairs(service__name="shop", host="h")).SerializeToString(),
    "",
    InstrumentationScope(name="scope", version="1.2").SerializeToString(),
    "",
)
NOBODY = Group(b"", "", b"", "")


def full() -> Span:
    span = Span(
        trace_id=TRACE_ID, span_id=SPAN_ID, parent_span_id=b"\x01" * 8, name="näme", kind=3,
        start_time_unix_nano=10, end_time_unix_nano=20, trace_state="a=1,b=2", flags=0x101,
        dropped_attributes_count=1, dropped_events_count=2, dropped_links_count=3,
        attributes=[KeyValue(key=key, value=value) for key, (value, _) in VALUES.items()],
        status=Status(code=2, message="failed"),
    )  # fmt: skip
    span.events.add(time_unix_nano=12, name="e", attributes=pairs(data="x"))
    span.events[0].dropped_attributes_count = 4
    span.links.add(
        trace_id=SPAN_ID + SPAN_ID, span_id=TRACE_ID[:8], trace_state="c=3", flags=1,
        attributes=pairs(why="because"), dropped_attributes_count=5,
    )  # fmt: skip
    return span


def record(span: Span, group: Group = GROUP, **how: Any) -> SpanRecord:
    return to_record(span.SerializeToString(), group, **how)


def test_record_holds_every_field_of_its_span() -> None:
    """Each field of OTLP's Span, resource and scope is in the record, values in Python's types."""
    assert record(full(), changed=7) == SpanRecord(
        trace_id="0102030405060708090a0b0c0d0e0f10", span_id="f1f2f3f4f5f6f7f8",
        parent_id="01" * 8, name="näme", kind="client", start_ns=10, end_ns=20, state="ended",
        status="error", status_message="failed", service="shop", scope="scope",
        scope_version="1.2", resource={"service.name": "shop", "host": "h"},
        attributes={key: value for key, (_, value) in VALUES.items()},
        events=(EventRecord(12, "e", {"data": "x"}, 4),),
        links=(
            LinkRecord(
                "f1f2f3f4f5f6f7f8f1f2f3f4f5f6f7f8", "0102030405060708", {"why": "because"}, "c=3",
                1, 5,
            ),
        ),
        trace_state="a=1,b=2", flags=0x101, dropped_attributes=1, dropped_events=2,
        dropped_links=3, outcome=None, run_id=None, run_type=None, page=None, changed=7,
    )  # fmt: skip


def test_record_of_a_span_with_nothing_in_it_is_empty() -> None:
    """What is not written is empty, zero, a root, and ended where it began."""
    assert to_record(b"", NOBODY) == SpanRecord(
        trace_id="", span_id="", parent_id=None, name="", kind="unspecified", start_ns=0, end_ns=0,
        state="ended", status="unset", status_message="", service="", scope="", scope_version="",
        resource={}, attributes={}, events=(), links=(), trace_state="", flags=0,
        dropped_attributes=0, dropped_events=0, dropped_links=0, outcome=None, run_id=None,
        run_type=None, page=None, changed=0,
    )  # fmt: skip


def test_record_of_a_run_tells_of_the_run() -> None:
    """Run id, type, outcome and page are read from the attributes that a run writes."""
    span = Span(
        attributes=pairs(
            otelbridge__run__id="r",
            otelbridge__run__type="chain",
            otelbridge__run__outcome="closed",
        )
    )
    span.attributes.add(key=semconv.PAGE, value=AnyValue(int_value=2))
    read = record(span)
    assert (read.run_id, read.run_type, read.outcome, read.page) == ("r", "chain", "closed", 2)


def test_record_takes_a_run_s_keys_of_other_types_for_somebody_else_s() -> None:
    """A number for a run id, a flag for a page: left among the attributes alone."""
    span = Span()
    span.attributes.add(key=semconv.RUN_ID, value=AnyValue(int_value=2))
    span.attributes.add(key=semconv.PAGE, value=AnyValue(bool_value=True))
    read = record(span)
    assert (read.run_id, read.page) == (None, None)
    assert read.attributes == {semconv.RUN_ID: 2, semconv.PAGE: True}


def test_record_takes_numbers_of_a_later_otlp_for_unspecified() -> None:
    """A kind and a status that nobody knows yet are no error."""
    read = record(Span(kind=99, status=Status(code=7)))  # type: ignore[arg-type]
    assert (read.kind, read.status) == ("unspecified", "unset")


def test_parent_of_zeros_is_none() -> None:
    """Some encoders write a root's parent as eight zero bytes."""
    assert record(Span(parent_span_id=bytes(8))).parent_id is None


@pytest.mark.parametrize("state", ["running", "lost"])
def test_record_of_a_span_that_has_not_ended_has_no_end(state: Any) -> None:
    """Whatever the bytes say of an end, a span that runs or was lost has none."""
    read = record(full(), state=state)
    assert (read.state, read.end_ns) == (state, None)


def test_span_exported_as_it_ran_is_lost() -> None:
    """No process here will end what the mark is on; one with an end has ended all the same."""
    marked = Span(start_time_unix_nano=1, attributes=pairs(otelbridge__run__state="running"))
    assert (record(marked).state, record(marked).end_ns) == ("lost", None)
    marked.end_time_unix_nano = 5
    assert (record(marked).state, record(marked).end_ns) == ("ended", 5)


def test_producer_is_read_once_for_all_of_its_spans() -> None:
    """Ten thousand spans of one program share its resource."""
    assert record(full()).resource is record(Span()).resource
    assert producer(GROUP) is producer(Group(*GROUP))


@pytest.mark.parametrize(
    ("span", "group"), [(b"\x0a\x10short", GROUP), (b"", Group(b"\x0a", "", b"", ""))]
)
def test_bytes_that_are_no_otlp_are_refused(span: bytes, group: Group) -> None:
    """One kind of error, whichever part is damaged."""
    with pytest.raises(ValueError, match="no OTLP"):
        to_record(span, group)


def test_readable_span_holds_what_the_sdk_has_a_place_for() -> None:
    """Encoded again, it is the span it was but for values that the SDK does not know."""
    made = to_readable(record(full()))
    again = Encoder().item(made)
    read = to_record(again.span, again.group)
    assert made.resource.attributes == {"service.name": "shop", "host": "h"}
    assert made.attributes == {
        "text": "é", "no text": "", "flag": False, "whole": -(2**63), "zero": 0,
        "real": math.inf, "bytes": made.attributes["bytes"], "list": "[1,null]",
        "mapping": '{"k":[]}', "nothing": "null",
    }  # fmt: skip
    same = {"trace_id", "span_id", "parent_id", "name", "kind", "start_ns", "end_ns", "status",
            "status_message", "service", "scope", "scope_version", "trace_state"}  # fmt: skip
    for name in same:
        assert getattr(read, name) == getattr(record(full()), name)
    assert [(it.time_ns, it.name, it.attributes) for it in read.events] == [
        (12, "e", {"data": "x"})
    ]
    assert [(it.trace_id, it.span_id, it.attributes) for it in read.links] == [
        ("f1f2f3f4f5f6f7f8f1f2f3f4f5f6f7f8", "0102030405060708", {"why": "because"})
    ]


def test_readable_span_of_odd_parts_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What the SDK would log a line for is left out or written as it can be."""
    span = Span(
        trace_state="bad,=,A=1,ok=1,ok=2", status=Status(code=1, message="fine"),
        attributes=[KeyValue(key="", value=AnyValue(int_value=1))],
    )  # fmt: skip
    odd = Group(Resource(attributes=span.attributes).SerializeToString(), "", b"", "")
    with caplog.at_level(logging.DEBUG):
        made = to_readable(record(span, odd))
    assert caplog.records == []
    assert dict(made.context.trace_state.items()) == {"ok": "2"}
    assert (made.status.status_code, made.status.description) == (StatusCode.OK, None)
    assert (made.kind, made.parent, dict(made.attributes)) == (SpanKind.INTERNAL, None, {})


def test_stored_spans_are_drawn_running_ones_too() -> None:
    """The tree that draws finished spans draws stored ones; one that runs has no duration."""
    second = 1_000_000_000
    root = Span(trace_id=TRACE_ID, span_id=SPAN_ID, name="root", start_time_unix_nano=second)
    step = Span(
        trace_id=TRACE_ID, span_id=b"\x01" * 8, parent_span_id=SPAN_ID, name="step",
        start_time_unix_nano=2 * second, end_time_unix_nano=3 * second,
        status=Status(code=2, message="ValueError: no"),
    )  # fmt: skip
    root.events.add(time_unix_nano=4 * second, name="progress", attributes=pairs(data__file="f"))
    drawn: list[ReadableSpan] = [
        to_readable(record(root, state="running")),
        to_readable(record(step)),
    ]
    assert [line.rstrip() for line in render(drawn).splitlines()] == [
        "trace 0102030405060708090a0b0c0d0e0f10  2 spans, 1 event, 1 error",
        "     0 µs    no end  root",
        "   1.00 s    1.00 s  └─ step  ✗ ValueError: no",
        "   3.00 s              · progress  file='f'",
    ]
