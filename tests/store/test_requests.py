"""Requests cut into what can be stored and what cannot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otelbridge.encoding._protobuf import VARINTS, field
from otelbridge.encoding.units import Group, Item, request
from otelbridge.store.requests import Split, split_request

TRACE_ID, SPAN_ID = b"t" * 16, b"s" * 8
GROUP = Group(b"", "", b"", "")


def item(group: Group = GROUP, **parts: object) -> Item:
    fields = {"trace_id": TRACE_ID, "span_id": SPAN_ID, "name": "span", **parts}
    return Item(group, Span(**fields).SerializeToString())  # type: ignore[arg-type]


def test_good_spans_are_kept_byte_for_byte() -> None:
    """What a later OTLP put into span, resource and scope is still there, and so is each schema."""
    unknown = field(b"\xfa\x0f", b"later")  # field 255
    group = Group(unknown, "https://schema/r", unknown, "https://schema/s")
    span = item(group).span
    # A parent of zeros, a field that comes twice, and one of another wire type.
    span += field(b"\x22", bytes(8)) + field(b"\x2a", b"again") + b"\x28" + VARINTS[300] + unknown
    items = [Item(group, span), item(), item(group)]
    assert split_request(request(items)) == Split([items[0], items[2], items[1]], 0, "")


def test_request_of_nothing_is_nothing() -> None:
    """An exporter may ask with nothing, and ``doctor`` does."""
    assert split_request(b"") == Split([], 0, "")


def test_resource_in_two_parts_is_one() -> None:
    """Protobuf merges a message field that comes twice."""
    spans = field(b"\x12", field(b"\x12", item().span))
    made = split_request(
        field(b"\x0a", field(b"\x0a", b"\x10\x01") + spans + field(b"\x0a", b"\x10\x02"))
    )
    assert made.items == [item(Group(b"\x10\x01\x10\x02", "", b"", ""))]


BAD = {
    "trace id '74' is not 16 bytes with one that is not zero": {"trace_id": b"t"},
    "trace id '' is not 16 bytes with one that is not zero": {"trace_id": b""},
    f"trace id '{'00' * 16}' is not 16 bytes with one that is not zero": {"trace_id": bytes(16)},
    f"trace id '{'01' * 16}...' is not 16 bytes with one that is not zero": {
        "trace_id": b"\1" * 17
    },
    "span id '' is not 8 bytes with one that is not zero": {"span_id": b""},
    "span id '0000000000000000' is not 8 bytes with one that is not zero": {"span_id": bytes(8)},
    "parent id '70' is not 8 bytes, or none for a root": {"parent_span_id": b"p"},
    "a time is past the year 2262: OTLP's times are ns since 1970": {
        "start_time_unix_nano": 1 << 63
    },
}


@pytest.mark.parametrize("message", BAD)
def test_bad_span_is_rejected_and_counted_alone(message: str) -> None:
    """The others are stored, and the sender is told what was wrong with which."""
    good, other, bad = item(name="good"), item(name="other"), item(**BAD[message])
    expected = Split([good, other], 1, f"1 span rejected: {message}")
    assert split_request(request([good, bad, other])) == expected


def test_time_of_an_event_counts_too() -> None:
    """It has a place in the store of its own."""
    late = item(events=[Span.Event(time_unix_nano=1 << 63)])
    assert split_request(request([late])).rejected == 1


def test_unreadable_span_or_producer_loses_no_other() -> None:
    """Bytes within a request that are no span, or no resource, cost what they hold."""
    good = item()
    broken = Item(GROUP, b"\x0a\x10short")
    orphan = item(Group(b"\x0a\x05short", "", b"", "")).span
    made = split_request(
        request([good, broken]) + request([Item(Group(b"\x0f", "", b"", ""), orphan)])
    )
    assert made == Split(
        [good],
        2,
        "2 spans rejected: the bytes of a span are no OTLP; "
        "the resource or scope of a span is no OTLP",
    )


def test_message_stays_short() -> None:
    """Thousands of bad spans make one line: the same fault is counted, many are summed up."""
    spans = [item(span_id=b""), item(span_id=b""), *(item(trace_id=b"%d" % n) for n in range(5))]
    made = split_request(request(spans))
    assert made.rejected == 7
    assert made.message == (
        "7 spans rejected: span id '' is not 8 bytes with one that is not zero (2 times); "
        "trace id '30' is not 16 bytes with one that is not zero; "
        "trace id '31' is not 16 bytes with one that is not zero; and 3 other reasons"
    )


@pytest.mark.parametrize(
    "rubbish", [b"<html>", b"\x0a\x10short", field(b"\x0a", b"\x12\x01\x0b"), b"\x0f"]
)
def test_what_is_no_request_is_refused(rubbish: bytes) -> None:
    """There is nothing in it to keep, and the sender is told."""
    with pytest.raises(ValueError, match="no ExportTraceServiceRequest in protobuf: "):
        split_request(rubbish)


def test_field_of_another_wire_type_is_unknown() -> None:
    """As protobuf has it: a number where a message should be is somebody else's."""
    number = b"\x08\x01"
    assert ExportTraceServiceRequest.FromString(number) is not None
    assert split_request(number + field(b"\x0a", number)) == Split([], 0, "")


@given(st.binary(max_size=200))
def test_rubbish_is_split_or_refused(rubbish: bytes) -> None:
    """Nothing but ValueError comes of any bytes, wherever they stand."""
    for request_bytes in (rubbish, field(b"\x0a", field(b"\x12", field(b"\x12", rubbish)))):
        try:
            made = split_request(request_bytes)
        except ValueError:
            continue
        assert (made.message == "") == (made.rejected == 0)
