"""Spans as bytes: what the official encoder makes of them, and no loss where it makes nothing."""

from __future__ import annotations

import gc
import logging
import time
import types
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import odd_values
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common._internal import _encode_value
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Encoded
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceState

from otelbridge._attributes import Gate
from otelbridge.encoding import _ended, _fit, _span, _values, encode
from otelbridge.encoding.encode import Encoder
from otelbridge.encoding.units import ids_of, request

TRACE_ID, SPAN_ID = 0x0102030405060708090A0B0C0D0E0F10, 0xF1F2F3F4F5F6F7F8
CONTEXT = SpanContext(TRACE_ID, SPAN_ID, is_remote=False)
RESOURCE = Resource({"service.name": "test", "list": ["a", "b"]}, "https://schema/resource")
SCOPE = InstrumentationScope("scope", "1.0", "https://schema/scope")

# What the official encoder of 1.28 leaves out, and that of 1.45 and ours write: None, a value that
# is not set, the attributes of a scope, and the schema URL of a scope.


def knows_none() -> bool:
    try:
        return _encode_value(None) == AnyValue()
    except Exception:  # as 1.28 has it; it drops the attribute
        return False


def span(name: Any = "span", **parts: Any) -> ReadableSpan:
    """Make an ended span of any parts, as nobody but the SDK should."""
    given = {"context": CONTEXT, "resource": RESOURCE, "instrumentation_scope": SCOPE, **parts}
    return ReadableSpan(name, **given)


def ours(*spans: ReadableSpan) -> ExportTraceServiceRequest:
    encoder = Encoder()
    return ExportTraceServiceRequest.FromString(request([encoder.item(each) for each in spans]))


def official(*spans: ReadableSpan) -> ExportTraceServiceRequest:
    """Encode officially, and fill in what an old version leaves out."""
    made = encode_spans(spans)
    urls = {scope.name: scope.schema_url for scope in map(scope_of, spans) if scope is not None}
    for resource in [] if knows_none() else made.resource_spans:
        for scope in resource.scope_spans:
            scope.schema_url = urls.get(scope.scope.name) or ""
    return made


def scope_of(each: ReadableSpan) -> InstrumentationScope | None:
    return each.instrumentation_scope


def pair(entry: tuple[str, Any]) -> KeyValue:
    return KeyValue(key=entry[0], value=AnyValue(string_value=entry[1]))


def in_bytes(message: Any) -> bytes:
    """Return a message's one form: NaN, too, equals itself there."""
    return message.SerializeToString(deterministic=True)


def only(made: ExportTraceServiceRequest) -> Encoded:
    return made.resource_spans[0].scope_spans[0].spans[0]


def encoded(name: Any = "span", **parts: Any) -> Encoded:
    return only(ours(span(name, **parts)))


def value_of(value: Any) -> AnyValue:
    (found,) = encoded(attributes={"key": value}).attributes
    assert found.key == "key"
    return found.value


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Any:
    """Nothing is logged for a value: ten thousand of them would be ten thousand lines."""
    yield
    ours_logged = [record for record in caplog.records if record.name.startswith("otelbridge")]
    assert ours_logged == []


# The law: what the official encoder makes.

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
longs = st.integers(-(2**63), 2**63 - 1)
scalars = texts | st.booleans() | longs | st.floats() | st.binary(max_size=8)
if knows_none():
    scalars = scalars | st.none()
values = st.recursive(
    scalars | st.lists(texts, max_size=5) | st.lists(longs, max_size=200).map(tuple),
    lambda inner: (
        st.lists(inner, max_size=4).map(tuple) | st.dictionaries(texts, inner, max_size=4)
    ),
    max_leaves=8,
)
attributes = st.dictionaries(texts, values, max_size=6)
times = st.none() | st.integers(0, 2**64 - 1)
states = st.sampled_from([None, TraceState(), TraceState([("a", "1"), ("vendor@b", "x:y/z")])])
contexts = st.builds(
    SpanContext,
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**64 - 1),
    st.booleans(),
    trace_state=states,
)


def bounded(attributes: Any, dropped: int) -> BoundedAttributes:
    """Return attributes as the SDK holds them, with anything in them."""
    made = BoundedAttributes()
    made._dict = attributes
    made.dropped = dropped
    return made


def bounded_list(parts: list[Any], dropped: int) -> BoundedList:
    made = BoundedList.from_seq(None, parts)
    made.dropped = dropped
    return made


def held(attributes: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Make attributes in every form that a span may hold them in."""
    dropped = st.integers(0, 2**32 - 1)
    wrapped = st.builds(bounded, attributes, dropped)
    return st.none() | attributes | attributes.map(types.MappingProxyType) | wrapped


def listed(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(parts, max_size=3)
    return lists.map(tuple) | lists | st.builds(bounded_list, lists, st.integers(0, 2**32 - 1))


spans = st.builds(
    span,
    texts,
    context=contexts,
    parent=st.none() | contexts,
    kind=st.sampled_from(SpanKind),
    start_time=times,
    end_time=times,
    attributes=held(attributes),
    events=listed(st.builds(Event, texts, held(attributes), st.integers(0, 2**64 - 1))),
    links=listed(st.builds(Link, contexts, held(attributes))),
    status=st.none()
    | st.just(Status(StatusCode.OK))
    | st.just(Status(StatusCode.UNSET))
    | st.builds(Status, st.just(StatusCode.ERROR), st.none() | texts),
)


@given(spans)
def test_span_is_what_the_official_encoder_makes(each: ReadableSpan) -> None:
    """Every field of every span that the official encoder takes is the same."""
    assert in_bytes(ours(each)) == in_bytes(official(each))


class Known(ReadableSpan):
    """A span of a class that is not the SDK's own: only its properties may be read."""


@given(spans)
def test_span_of_another_class_is_read_by_its_properties(each: ReadableSpan) -> None:
    """What cannot be read from inside is read from outside, and is the same."""
    other = Known("")
    vars(other).update(vars(each))
    other_item, item = Encoder().item(other), Encoder().item(each)
    assert in_bytes(Encoded.FromString(other_item.span)) == in_bytes(Encoded.FromString(item.span))


resources = st.sampled_from([
    RESOURCE, Resource(RESOURCE.attributes, RESOURCE.schema_url),
    Resource({"service.name": "other"}), Resource({}),
])  # fmt: skip
scopes = st.sampled_from([
    None, SCOPE, InstrumentationScope("scope", "1.0", SCOPE.schema_url),
    InstrumentationScope("bare"),
])  # fmt: skip


def test_spans_of_the_sdk_are_read_from_inside() -> None:
    """The fields that are relied on are there, in the oldest version and in the newest."""
    (made,) = ended(lambda it: it.add_event("event"))
    assert _ended.Bounded is BoundedAttributes
    assert _ended._inside(made) == _ended.facts_of(made)


def test_sdk_with_other_fields_is_read_by_its_properties(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should its fields change, spans cost more and are the same."""
    attributes, events = bounded({"a": 1}, 2), bounded_list([Event("e", bounded({}, 3), 4)], 5)
    each = span(attributes=attributes, events=events)
    before = ours(each)
    for module in (_ended, _span):
        monkeypatch.setattr(module, "Bounded", None)
    assert ours(each) == before
    monkeypatch.setattr(_ended, "_inside", lambda it: it.gone)
    assert ours(each) == before == official(each)


def test_span_whose_properties_fail_is_a_valid_message() -> None:
    """A class of the application's may be half made."""
    broken = Known.__new__(Known)
    vars(broken).update(_name="name", _context=CONTEXT)
    item = Encoder().item(broken)
    assert ids_of(item.span) == (f"{TRACE_ID:032x}", f"{SPAN_ID:016x}", "name")
    assert (
        ours(broken).resource_spans[0].resource == type(official().resource_spans.add().resource)()
    )


@given(st.lists(st.tuples(texts, resources, scopes), max_size=8))
def test_spans_are_grouped_as_the_official_encoder_does(each: list[Any]) -> None:
    """Equal resources and scopes share their place, also where they are not the same object."""
    made = [
        span(name, resource=resource, instrumentation_scope=scope) for name, resource, scope in each
    ]
    assert in_bytes(ours(*made)) == in_bytes(official(*made))


def ended(*fill: Any, **options: Any) -> list[ReadableSpan]:
    """Return what a provider of the SDK exports of spans that are filled by the functions."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False, resource=RESOURCE, **options)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for each in fill:
        with provider.get_tracer("scope", "1.0", schema_url=SCOPE.schema_url).start_span(
            "span"
        ) as it:
            each(it)
    return list(exporter.get_finished_spans())


@given(st.text(st.characters(), max_size=10), odd_values.data())
def test_what_the_gate_lets_through_is_what_the_official_encoder_makes(
    name: str, data: Any
) -> None:
    """An event of the user's, cleaned by the gate, on a span of the SDK's."""
    gate = Gate()
    name, found, _ = gate.event(name, data)

    def fill(it: Any) -> None:
        it.update_name(name)
        it.set_attributes(gate.start({"otelbridge.run.id": "7"}, ("tag", name), {"key": data}))
        it.add_event(name, found, 5)
        it.set_status(Status(StatusCode.ERROR, gate.text("status", data)))

    made = ended(fill)
    assert in_bytes(ours(*made)) == in_bytes(official(*made))


def test_spans_of_the_sdk_with_everything_in_them() -> None:
    """Limits that cut, an exception, links, a child, a status: as they come from a provider."""

    def full(it: Any) -> None:
        for number in range(5):
            it.set_attribute(f"key {number}", [number, number])
            it.add_event(f"event {number}", {"a": 1, "b": 2, "c": 3})
        it.add_link(CONTEXT, {"a": 1, "b": 2})
        it.add_link(SpanContext(1, 2, is_remote=True))
        it.record_exception(ValueError("bad"))
        it.set_status(StatusCode.ERROR, "why")

    limits = SpanLimits(
        max_span_attributes=2, max_events=3, max_links=1,
        max_event_attributes=2, max_link_attributes=1,
    )  # fmt: skip
    logging.disable(logging.WARNING)  # the SDK warns of each key that it drops
    try:
        made = ended(full, lambda it: None, span_limits=limits)
    finally:
        logging.disable(logging.NOTSET)
    first, second = made
    assert (first.dropped_attributes, first.dropped_events, first.dropped_links) == (3, 3, 1)
    assert in_bytes(ours(first, second)) == in_bytes(official(first, second))


def test_attributes_of_a_scope_are_encoded() -> None:
    """The official encoder of 1.45 writes them, that of 1.28 does not."""
    scope = InstrumentationScope("scope", attributes={"a": "b"})
    made = ours(span(instrumentation_scope=scope)).resource_spans[0].scope_spans[0]
    assert (made.scope.name, list(made.scope.attributes)) == ("scope", [pair(("a", "b"))])


@pytest.mark.parametrize(("is_remote", "flags"), [(False, 0x100), (True, 0x300)])
def test_flags_say_whether_parent_and_link_are_remote(is_remote: bool, flags: int) -> None:
    """Bit 8 says that it is known, bit 9 that it is so; a root's parent is not remote.

    The specification has the trace flags in bits 0 to 7 as well. The official encoders, 1.28 to
    1.45, leave them out, and so does ours: backends show the field as it is.
    """
    other = SpanContext(1, 2, is_remote=is_remote)
    made = encoded(parent=other, links=(Link(other),))
    assert (made.flags, made.links[0].flags, encoded().flags) == (flags, flags, 0x100)


# What the official encoder refuses.


class Broken:
    """An object whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Shout(str):
    """A string with an opinion on what its bytes are."""

    def encode(self, *_: Any) -> bytes:
        raise RuntimeError("never")


SURROGATE, WRITTEN = "a\ud800\udc80b", "a\\ud800\\udc80b"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SURROGATE, AnyValue(string_value=WRITTEN)),
        (Shout("x"), AnyValue(string_value="x")),
        (2**63, AnyValue(string_value=str(2**63))),
        (-(2**63) - 1, AnyValue(string_value=str(-(2**63) - 1))),
        (10**5000, AnyValue(string_value="<int of 16610 bits>")),
        (HTTPStatus.OK, AnyValue(int_value=200)),
        (None, AnyValue()),
        (b"\xff\x00", AnyValue(bytes_value=b"\xff\x00")),
        (float("inf"), AnyValue(double_value=float("inf"))),
        (Decimal("1.10"), AnyValue(string_value="1.10")),
        (1 + 2j, AnyValue(string_value="(1+2j)")),
        ({3, 1, 2}, AnyValue(string_value="[1,2,3]")),
        (Broken(), AnyValue(string_value="<test_encode.Broken>")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_becomes_what_otlp_can_hold(value: Any, expected: AnyValue) -> None:
    """As it is where OTLP has a form for it, else as text."""
    assert value_of(value) == expected


def test_entries_of_a_list_are_cleaned_one_by_one() -> None:
    """One bad entry takes no other with it, and the list stays a list."""
    found = value_of([1, None, SURROGATE, 2**64, Decimal(2), ["x", Broken()], {"k": SURROGATE}])
    assert [entry.WhichOneof("value") for entry in found.array_value.values] == [
        "int_value", None, "string_value", "string_value", "string_value",
        "array_value", "kvlist_value",
    ]  # fmt: skip
    assert found.array_value.values[2].string_value == WRITTEN
    assert found.array_value.values[6].kvlist_value.values[0].value.string_value == WRITTEN


def test_keys_are_cleaned_and_stay_apart() -> None:
    """Keys that are no string become text; two that become one text are told apart."""
    made = encoded(
        attributes={"\udc80": 1, "\\udc80": 2, 3: 4, None: 5, Broken(): 6, "nest": {1: 2}}
    )
    assert [each.key for each in made.attributes] == [
        "\\udc80", "\\udc80#2", "3", "None", "<test_encode.Broken>", "nest",
    ]  # fmt: skip
    assert made.attributes[5].value.kvlist_value.values[0].key == "1"


@pytest.mark.parametrize(
    ("name", "expected"),
    [(SURROGATE, WRITTEN), (5, "5"), (None, ""), (b"bytes", "bytes"), (["a", 1], '["a",1]'),
     (Shout("x"), "x"), (Broken(), "<test_encode.Broken>")],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_names_and_messages_become_text(name: Any, expected: str) -> None:
    """The names of spans and events, and the message of a status."""
    status = types.SimpleNamespace(status_code=StatusCode.ERROR, description=name)
    made = encoded(name, status=status, events=[Event(name, None, 5)])
    assert [made.name, made.events[0].name, made.status.message] == [expected] * 3
    assert (made.status.code, made.events[0].time_unix_nano) == (2, 5)


def test_one_bad_part_leaves_the_others_as_they_are() -> None:
    """A span with one bad value is, but for that value, what the official encoder makes of it."""
    good = {
        "attributes": bounded({"a": [1, 2], "b": {"c": b"d"}}, 7),
        "events": bounded_list([Event("event", {"x": 1.5}, 9)], 8),
        "links": bounded_list([Link(SpanContext(3, 4, is_remote=True), {"y": True})], 9),
        "parent": SpanContext(TRACE_ID, 5, is_remote=True),
        "status": Status(StatusCode.ERROR, "why"),
        "start_time": 1 << 60,
        "end_time": (1 << 60) + 1,
        "kind": SpanKind.SERVER,
    }
    expected = only(official(span("\\udc80", **good)))
    assert encoded("\udc80", **good) == expected


def test_what_is_no_number_of_its_size_is_unknown() -> None:
    """Ids, times and counts that cannot be are 0; there is no telling what they were to be."""
    context = types.SimpleNamespace(trace_id=1 << 128, span_id="x", is_remote="yes", trace_state=5)
    event = types.SimpleNamespace(name="e", timestamp=-1, attributes=7, dropped_attributes=1 << 32)
    link = types.SimpleNamespace(context=None, attributes=None, dropped_attributes=None)
    made = encoded(
        context=context, parent=context, kind="kind", start_time=-5, end_time=1 << 64,
        events=(event,), links=(link,), status="status", attributes=[1],
    )  # fmt: skip
    zeros = Encoded(
        trace_id=bytes(16), span_id=bytes(8), parent_span_id=bytes(8), name="span", flags=0x100,
        kind=Encoded.SPAN_KIND_INTERNAL,
        events=[Encoded.Event(name="e")],
        links=[Encoded.Link(trace_id=bytes(16), span_id=bytes(8), flags=0x100)],
        status={},
    )  # fmt: skip
    assert made == zeros


def test_bad_entry_of_a_trace_state_loses_no_other() -> None:
    """A trace state is text from another service."""
    state = {"a": "1", "b": SURROGATE}
    context = types.SimpleNamespace(trace_id=1, span_id=2, is_remote=False, trace_state=state)
    assert encoded(context=context).trace_state == f"a=1,b={WRITTEN}"


def test_span_that_was_never_started_is_a_valid_message() -> None:
    """No context, no times, no attributes, no resource, no scope: an official batch is lost."""
    made = ours(ReadableSpan("nothing", resource=Resource({})))
    assert only(made).name == "nothing"
    assert only(made).trace_id == bytes(16)


def test_producer_with_a_bad_value_is_cleaned() -> None:
    """A resource or scope that cannot be encoded would lose every batch there is."""
    resource = types.SimpleNamespace(attributes={"k": SURROGATE, "n": 2**70}, schema_url="\udc80")
    scope = types.SimpleNamespace(name=SURROGATE, version=7, schema_url=None, attributes=None)
    made = ours(span(resource=resource, instrumentation_scope=scope)).resource_spans[0]
    assert [each.value.string_value for each in made.resource.attributes] == [WRITTEN, str(2**70)]
    assert made.schema_url == "\\udc80"
    assert (made.scope_spans[0].scope.name, made.scope_spans[0].scope.version) == (WRITTEN, "7")


@given(odd_values.data(), odd_values.keys(), odd_values.data())
def test_nothing_that_a_span_may_hold_is_refused(data: Any, key: Any, name: Any) -> None:
    """Any value anywhere: a valid message comes out, and what was good in it is there."""
    attributes = {"good": 1, "bad": data, "last": "x"}
    with odd_values.silent():
        made = encoded(
            name,
            attributes=attributes,
            events=(Event("good", {"good": 1}, 5), Event(name, attributes, 6), Event("e", data, 7)),
            links=(Link(CONTEXT, attributes),),
            status=types.SimpleNamespace(status_code=StatusCode.ERROR, description=name),
        )
        encoded(attributes={key: data} if not isinstance(key, dict) else data)
        Encoder().item(span(name, context=data, parent=data, kind=data, start_time=data,
                            end_time=data, attributes=data, status=data, resource=data,
                            instrumentation_scope=data))  # fmt: skip
    assert made.trace_id == TRACE_ID.to_bytes(16, "big")
    assert [each.key for each in made.attributes] == ["good", "bad", "last"]
    assert [event.time_unix_nano for event in made.events] == [5, 6, 7]
    assert made.events[0].attributes[0].value.int_value == 1
    assert [each.key for each in made.links[0].attributes] == ["good", "bad", "last"]


# Size.


def nested(levels: int, kind: type) -> Any:
    value: Any = "core"
    for _ in range(levels):
        value = [value] if kind is list else {"k": value}
    return value


@pytest.mark.parametrize("kind", [list, dict])
def test_nesting_stays_as_deep_as_readers_can_follow(kind: type) -> None:
    """At 24 levels it is what the official encoder makes; below that, JSON."""
    deepest = span(attributes={"key": nested(_values.DEPTH, kind)}, events=())
    assert in_bytes(ours(deepest)) == in_bytes(official(deepest))
    found = value_of(nested(_values.DEPTH + 3, kind))
    for _ in range(_values.DEPTH):
        found = found.array_value.values[0] if kind is list else found.kvlist_value.values[0].value
    assert found.string_value == ('[[["core"]]]' if kind is list else '{"k":{"k":{"k":"core"}}}')


@pytest.mark.parametrize(
    "value",
    [odd_values.deep(5000), odd_values.cycle(), odd_values.laughs(), odd_values.Endless(),
     range(10**30), ["x" * 100_000] * 1_000],
    ids=["deep", "cycle", "laughs", "endless", "range", "large"],
)  # fmt: skip
def test_value_without_end_costs_little(value: Any) -> None:
    """What a few objects make out to be gigabytes becomes 4 MiB at most, and soon."""
    began = time.process_time()
    assert value_of(value).ByteSize() <= 4 << 20
    assert time.process_time() - began < 10


def test_lists_beside_one_another_are_not_in_one_another() -> None:
    """How deep a value is, is not how many lists it holds."""
    many = span(attributes={"key": [[number] for number in range(100)] + [{"k": 1}] * 100})
    assert in_bytes(ours(many)) == in_bytes(official(many))


def test_large_plain_list_stays_a_list() -> None:
    """An embedding, or a long list of ids, is no reason to change its form."""
    many = span(attributes={"floats": [0.5] * 20_000, "texts": ("word",) * 20_000})
    assert in_bytes(ours(many)) == in_bytes(official(many))


def test_span_of_ten_thousand_events_is_encoded_whole() -> None:
    """An application may have lifted the SDK's limits."""
    events = [
        Event("progress", {"data.text": "x" * 400, "n": number}, number) for number in range(10_000)
    ]
    item = Encoder().item(span(events=events))
    assert len(item.span) > 4 << 20
    assert [event.time_unix_nano for event in Encoded.FromString(item.span).events] == list(
        range(10_000)
    )
    assert ids_of(item.span)[2] == "span"


def test_keys_that_are_remembered_are_bounded() -> None:
    """A program that makes its keys up as it goes costs no memory for good."""
    for number in range(3 * _values._KEPT_KEYS):
        encoded_length = len(Encoder().item(span(attributes={f"key {number}": number})).span)
        assert encoded_length > 0
    assert len(_values._keys) <= _values._KEPT_KEYS
    before = len(_values._keys)
    encoded(attributes={"x" * 1_000: 1})
    assert len(_values._keys) == before


# Groups.


def test_equal_producers_share_one_group() -> None:
    """So that a group is known by its identity, whichever object it came from."""
    encoder = Encoder()
    first = encoder.item(span())
    again = encoder.item(span("other"))
    equal = encoder.item(span(resource=Resource(RESOURCE.attributes, RESOURCE.schema_url)))
    other = encoder.item(span(instrumentation_scope=InstrumentationScope("other")))
    assert first.group is again.group is equal.group
    assert first.group != other.group


def test_tracer_for_every_span_costs_no_memory_for_good() -> None:
    """Producers are forgotten at some point, and known again after it."""
    encoder = Encoder()
    groups = {
        encoder.item(span(instrumentation_scope=InstrumentationScope("scope", str(number)))).group
        for number in range(2 * encode._KNOWN + 10)
    }
    assert len(groups) == 2 * encode._KNOWN + 10
    gc.collect()
    assert len(encoder._known) <= encode._KNOWN
    assert encoder.item(span()).group == Encoder().item(span()).group


# The last resort.


def test_count_beyond_its_size_is_unknown() -> None:
    """The SDK counts what it dropped without end; OTLP has 32 bits for it."""
    most = 2**32 - 1
    assert encoded(attributes=bounded({}, most)).dropped_attributes_count == most
    assert encoded(attributes=bounded({}, most + 1)).dropped_attributes_count == 0


def test_value_for_which_there_is_no_room_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the gate's own last words fail, the other values still leave."""

    def no_room(*_: Any) -> Any:
        raise RecursionError

    for name in ("read", "to_json", "text_of"):
        monkeypatch.setattr(_fit, name, no_room)
    made = encoded(5, attributes={"good": 1, "bad": Decimal(1), 7: 2})
    texts = [made.name, made.attributes[1].value.string_value, made.attributes[2].key]
    assert texts == ["[unreadable]"] * 3
    assert made.attributes[0].value.int_value == 1


def test_span_without_room_for_its_parts_still_names_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When even repairing fails, ids and name leave, so that the span can be told."""

    def no_memory(facts: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(encode, "repaired", no_memory)
    made = encoded("name", attributes={"bad": 2**70}, start_time=5)
    assert (made.name, made.start_time_unix_nano) == ("name", 5)
    assert made.trace_id == TRACE_ID.to_bytes(16, "big")
    monkeypatch.setattr(encode, "bare", no_memory)
    assert Encoder().item(span(attributes={"bad": 2**70})).span == b""
