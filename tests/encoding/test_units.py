"""Requests made of encoded spans: grouped, measured, cut into batches, and read back."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otelbridge.encoding._protobuf import VARINTS, field, fields
from otelbridge.encoding.units import Group, Item, batches, ids_of, request, request_size

TRACE_ID = bytes(range(16))


def group(
    resource: int = 0, scope: str = "scope", schema: str = "", scope_schema: str = ""
) -> Group:
    return Group(
        Resource(dropped_attributes_count=resource).SerializeToString(),
        schema,
        InstrumentationScope(name=scope).SerializeToString(),
        scope_schema,
    )


def item(name: str = "span", where: Group | None = None) -> Item:
    span = Span(trace_id=TRACE_ID, span_id=b"spanspan", name=name)
    return Item(where or group(), span.SerializeToString())


def groups() -> st.SearchStrategy[Group]:
    return st.builds(
        group,
        st.integers(0, 2),
        st.sampled_from(["", "a", "b", "é" * 200]),
        st.sampled_from(["", "https://schema/1", "\udc80"]),
        st.sampled_from(["", "https://schema/2"]),
    )


def items(max_size: int = 20) -> st.SearchStrategy[list[Item]]:
    names = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
    return st.lists(st.builds(item, names, groups()), max_size=max_size)


def names(spans: list[Item]) -> list[str]:
    return [ids_of(one.span)[2] for one in spans]


@given(items())
def test_request_holds_every_span_once_under_its_resource_and_scope(spans: list[Item]) -> None:
    """What comes out, read by protobuf, is what went in; each group and resource stands once."""
    read = ExportTraceServiceRequest.FromString(request(spans))
    found: dict[Group, list[bytes]] = {}
    for resource in read.resource_spans:
        for scope in resource.scope_spans:
            key = Group(
                resource.resource.SerializeToString(), resource.schema_url,
                scope.scope.SerializeToString(), scope.schema_url,
            )  # fmt: skip
            assert key not in found
            found[key] = [span.SerializeToString() for span in scope.spans]
    expected: dict[Group, list[bytes]] = {}
    for one in spans:
        schema = one.group.resource_schema.replace("\udc80", "\\udc80")
        key = one.group._replace(resource_schema=schema)
        expected.setdefault(key, []).append(one.span)
    assert found == expected
    resources = {(one.group.resource, one.group.resource_schema) for one in spans}
    assert len(read.resource_spans) == len(resources)


@given(items())
def test_request_size_is_never_less_than_the_request(spans: list[Item]) -> None:
    """The size that batches are cut by is an upper bound."""
    made = len(request(spans))
    assert made <= request_size(spans) <= made + 6 * len(spans) + 1500 * len(spans)


def test_request_of_no_spans_is_empty() -> None:
    """Nothing in, nothing out."""
    assert (request([]), request_size([]), list(batches([], 10, 10))) == (b"", 0, [])


@given(items(), st.integers(1, 8), st.integers(1, 3000))
def test_batches_keep_order_and_limits(spans: list[Item], most: int, size: int) -> None:
    """Batches, put together, are what was given; only a single span may be over the size."""
    cut = list(batches(spans, most, size))
    assert list(chain.from_iterable(cut)) == spans
    for batch in cut:
        assert 1 <= len(batch) <= most
        assert len(batch) == 1 or len(request(batch)) <= size


@given(items(), st.integers(1, 8), st.integers(1, 3000))
def test_batches_are_as_large_as_they_may_be(spans: list[Item], most: int, size: int) -> None:
    """A batch ends only where the next span has no room."""
    cut = list(batches(spans, most, size))
    for batch, following in zip(cut, cut[1:]):
        assert len(batch) == most or request_size([*batch, following[0]]) > size


def test_span_larger_than_a_batch_stands_alone() -> None:
    """A span of 4 MiB goes by itself, and those around it share no batch with it."""
    small = [item(f"small {number}") for number in range(4)]
    large = item("x" * (4 << 20))
    cut = list(batches([*small[:2], large, *small[2:]], 512, 3 << 20))
    assert [len(batch) for batch in cut] == [2, 1, 2]
    assert cut[1] == [large]


def test_producer_counts_in_every_batch_anew() -> None:
    """A batch begins with nothing: who produced its spans is told again in it."""
    large = [
        Group(Resource(attributes=[{"key": key * 1000}]).SerializeToString(), "", b"", "")
        for key in "ab"
    ]
    cut = list(batches([item("span", large[number % 2]) for number in range(4)], 512, 1500))
    assert [len(batch) for batch in cut] == [1, 1, 1, 1]


def test_batches_take_their_items_one_by_one() -> None:
    """Batches of an iterator need no list of everything."""
    given_out = 0

    def source():
        nonlocal given_out
        for number in range(100):
            given_out = number
            yield item(str(number))

    assert names(next(batches(source(), 10, 1 << 20))) == [str(number) for number in range(10)]
    assert given_out == 10


def test_ids_of_reads_what_names_a_span() -> None:
    """Ids in hex and the name, out of a span with everything else in it."""
    span = Span(trace_id=TRACE_ID, span_id=b"\xff" * 8, name="näme", flags=0x100, kind=2)
    span.start_time_unix_nano = 1 << 60
    span.events.add(name="event", time_unix_nano=5)
    ids = ids_of(span.SerializeToString())
    assert ids == ("000102030405060708090a0b0c0d0e0f", "ffffffffffffffff", "näme")


def test_ids_of_a_span_with_nothing_in_it_are_empty() -> None:
    """No bytes are a span too."""
    assert ids_of(b"") == ("", "", "")


@given(st.binary(max_size=200))
def test_ids_of_never_raises(rubbish: bytes) -> None:
    """Whatever was read from a damaged file has ids, if only empty ones."""
    assert all(isinstance(part, str) for part in ids_of(rubbish))


@pytest.mark.parametrize("rubbish", [b"\x0a\x10short", b"\x0b", b"\xff" * 20, b"\x09\x01"])
def test_ids_of_what_is_no_span_are_empty(rubbish: bytes) -> None:
    """A field cut short, a wire type of old, a number without end."""
    assert ids_of(rubbish) == ("", "", "")


@given(st.integers(0, 2**64 - 1), st.binary(max_size=300))
def test_fields_reads_what_was_written(number: int, body: bytes) -> None:
    """Numbers and lengths of every size come back."""
    message = b"\x08" + VARINTS[number] + field(b"\x12", body)
    assert list(fields(message)) == [(1, number), (2, body)]


def test_negative_number_is_refused() -> None:
    """There is no varint of it."""
    with pytest.raises(ValueError):
        VARINTS[-1]
