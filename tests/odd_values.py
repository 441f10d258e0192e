"""Values that a user may dispatch, from the plain to the hostile, and a span that takes them."""

from __future__ import annotations

import array
import collections
import contextlib
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import io
import logging
import pathlib
import threading
import types
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pydantic
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otelbridge._limits import Limits


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: Any


@dataclasses.dataclass
class Order:
    """A dataclass with a field that its class hides."""

    id: Any
    items: Any = ()
    secret: str = dataclasses.field(default="hush", repr=False)


class Model(pydantic.BaseModel):
    """A pydantic model that keeps what it was given beside its fields."""

    model_config = pydantic.ConfigDict(extra="allow", arbitrary_types_allowed=True)
    name: Any
    hidden: str = pydantic.Field(default="hush", exclude=True)


class Colour(enum.Enum):
    """An enum without a value that a trace could take."""

    RED = 1


class Level(str, enum.Enum):
    """An enum of strings."""

    HIGH = "high"


class Size(enum.IntEnum):
    """An enum of integers."""

    BIG = 3


class Text(str):
    """A string whose methods lie."""

    def __str__(self) -> str:
        return "a lie"

    def __len__(self) -> int:
        return 3

    def isascii(self) -> bool:
        return True

    def encode(self, *_: Any, **__: Any) -> bytes:
        raise ValueError


class Number(int):
    """An integer whose methods lie."""

    def __str__(self) -> str:
        raise ValueError

    def __int__(self) -> int:
        return 0

    def bit_length(self) -> int:
        raise ValueError


class Real(float):
    """A float whose methods lie."""

    def __float__(self) -> float:
        raise ValueError

    def __repr__(self) -> str:
        raise ValueError


class Dict(dict[Any, Any]):
    """A dict whose methods fail."""

    def items(self) -> Any:
        raise ValueError

    def keys(self) -> Any:
        raise ValueError

    def __iter__(self) -> Any:
        raise ValueError

    def __len__(self) -> int:
        raise ValueError


class Table(Mapping[str, Any]):
    """A mapping of the user's, one of its values cannot be read."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken

    def __getitem__(self, key: str) -> Any:
        if key == "bad":
            raise KeyError(key)
        return key.upper()

    def __iter__(self) -> Iterator[str]:
        if self.broken:
            raise ValueError("iter")
        return iter(("good", "bad"))

    def __len__(self) -> int:
        return 2


class Row(Sequence[Any]):
    """A sequence of the user's, which may break after some items."""

    def __init__(self, items: Sequence[Any] = (1, 2), breaks_at: int | None = None) -> None:
        self.held = items
        self.breaks_at = breaks_at

    def __getitem__(self, place: Any) -> Any:
        if place == self.breaks_at:
            raise ValueError("item")
        return self.held[place]

    def __len__(self) -> int:
        if self.breaks_at == 0:
            raise ValueError("len")
        return len(self.held)


class Endless(Sequence[Any]):
    """A sequence of sequences without an end, in both directions."""

    def __getitem__(self, place: Any) -> Any:
        return Endless()

    def __len__(self) -> int:
        return 10**9


class Plain:
    """An object with no form of its own."""


class OddText:
    """An object whose ``str()`` is no string."""

    def __str__(self) -> str:
        return 5  # type: ignore[return-value]


class Liar:
    """An object that claims to be a dict."""

    @property
    def __class__(self) -> Any:
        return dict

    def __str__(self) -> str:
        return "liar"


def hostile(error: type[BaseException] = ValueError) -> Any:
    """Return an object each of whose methods raises."""

    def fail(*_: object, **__: object) -> Any:
        raise error("hostile")

    names = (
        "__str__ __repr__ __iter__ __len__ __eq__ __hash__ __bool__ __getitem__ __getattr__ "
        "__format__ __int__ __float__ __index__ __contains__ __lt__ __dir__ __sizeof__ keys items"
    ).split()
    members: dict[str, Any] = dict.fromkeys(names, fail)
    members["__class__"] = property(fail)
    return type("Hostile", (), members)()


class HostileType(type):
    """A metaclass whose classes cannot be compared, hashed or named."""

    def __eq__(cls, other: object) -> bool:
        raise ValueError

    def __hash__(cls) -> int:
        raise ValueError

    def __getattribute__(cls, name: str) -> Any:
        raise ValueError(name)


class OfHostileType(metaclass=HostileType):
    """An object of a class that cannot even be named."""


def cycle() -> list[Any]:
    """Return a list that holds itself, and a dict that does."""
    ring: list[Any] = []
    knot: dict[str, Any] = {"ring": ring}
    knot["self"] = knot
    ring += [ring, knot]
    return ring


def deep(levels: int, kind: type = list) -> Any:
    """Return lists in lists or dicts in dicts."""
    value: Any = "bottom"
    for _ in range(levels):
        value = [value] if kind is list else {"down": value}
    return value


def laughs(levels: int = 30) -> Any:
    """Return a value of a few objects that has 10 ** levels leaves."""
    value: Any = ["ha"]
    for _ in range(levels):
        value = [value] * 10
    return value


async def coroutine_function() -> None:
    """A coroutine function."""


def generator() -> Iterator[int]:
    """A generator that must not be run."""
    raise AssertionError("consumed")
    yield


def odd_scalars() -> list[Any]:
    """Return leaves of every kind."""
    return [
        None, True, 0, -1, 2**63 - 1, -(2**63), 2**63, 2**64, -(2**70), 10**700, 10**5000,
        0.0, -0.0, 1.5, 1e300, float("nan"), float("inf"), float("-inf"), "", "text", "é€😀",
        "\udc80", "a\ud800\udfffb", "\x00\x1f\"\\", "x" * 20_000, "é" * 20_000, "\udc80" * 9_000,
        b"bytes", b"\xff\xfe\x00", bytearray(b"array"), memoryview(b"view"), "\n" * 20_000,
        datetime.datetime(2024, 2, 29, 1, 2, 3), datetime.date(2024, 2, 29), datetime.time(1, 2),
        datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc), datetime.timedelta(days=3),
        decimal.Decimal("1.10"), decimal.Decimal("sNaN"), fractions.Fraction(1, 3),
        fractions.Fraction(10**5000, 7), 1 + 2j, uuid.UUID(int=7), pathlib.Path("/tmp/x"),
        Colour.RED, Level.HIGH, Size.BIG, Text("tex\udc80t"), Number(2**65), Number(7), Real(1.5),
        Real("nan"), np.int64(5), np.uint64(2**64 - 1), np.float32(0.5), np.float64("nan"),
        np.longdouble(1), np.bool_(True), np.str_("np"), np.bytes_(b"np"),
        np.datetime64("2024-01-01"),
        np.datetime64(1, "ns"), np.timedelta64(1, "D"), np.complex64(1), np.array(5),
        ValueError("bad"), ValueError(), KeyError("k"), ZeroDivisionError("\udc80"),
        int, Plain, len, print, Ellipsis, NotImplemented, types, io.StringIO("file"),
        collections.UserString("user string"), types.SimpleNamespace(a=1),
    ]  # fmt: skip


def odd_containers() -> list[Any]:
    """Return containers of every kind."""
    structured = np.zeros(2, dtype=[("a", "i4"), ("b", "f8")])
    return [
        [], (), {}, set(), frozenset(), [[]], {"a": {}}, cycle(), deep(50), deep(50, dict),
        deep(5000), deep(5000, dict), laughs(), Point(1, [2]), Order(1, [Order(2)]),
        Model(name="m", more=[1]), Table(), Table(broken=True), Row(), Row((1, 2, 3), 2),
        Row((), 0), Row(("a", 2), 0), Endless(), Dict(a=1), collections.OrderedDict(a=1),
        collections.Counter("aab"), collections.ChainMap({"a": 1}, {"b": 2}),
        types.MappingProxyType({"a": 1}), collections.deque([1, 2]), range(5), range(10**30),
        array.array("d", [1, 2]), np.arange(3), np.eye(2), np.array([1, None, "x"], dtype=object),
        np.array(["a", "b"]), np.array([1.0, np.nan]), np.arange(10**6), structured, structured[0],
        np.array(["2024-01-01"], dtype="M8[D]"), np.zeros((0, 3)),
        np.ma.masked_array([1, 2], [0, 1]),
        {1, 2, 3}, {"b", "a"}, {1, "a", None}, frozenset({(1, 2)}), {"a": 1}.keys(),
        {"a": 1}.values(), {"a": 1}.items(), [1, True], [1, 2.0], [True, False], [None], [1, None],
        ["a", None], [2**70, 1], [1.0, float("inf")], list(range(100_000)), ["word"] * 50_000,
        {1: "int", "1": "str"}, {None: 1, True: 2, 1.5: 3, (1, "a"): 4, b"k": 5, frozenset(): 6},
        {"": 1, " ": 2, "\udc80": 3, "a.b": 4, "a": {"b": 5}, "x" * 5000: 6, "x" * 5001: 7},
        {str(number): number for number in range(10_000)},
        {"big": "x" * 10**6, "bigger": ["y" * 10**6] * 3, "small": 1},
    ]  # fmt: skip


def odd_objects() -> list[Any]:
    """Return objects that fight back."""
    errors = (ValueError, RecursionError, MemoryError, AttributeError, StopIteration, TypeError)
    return [
        Plain(), OddText(), Liar(), *(hostile(error) for error in errors),
    ]  # fmt: skip


@functools.cache
def odd_values() -> list[Any]:
    """Return all of them, and those that Hypothesis itself cannot hold."""
    unbearable = [OfHostileType(), OfHostileType, HostileType]
    return [*odd_scalars(), *odd_containers(), *odd_objects(), *unbearable]


def keys() -> st.SearchStrategy[Any]:
    """Make keys of mappings, many of which meet when flattened."""
    return st.one_of(
        st.sampled_from(
            ["a", "b", "a.b", "", "b.a", "1", "#2", "a#2", "null", "\udc80", "x" * 300]
        ),
        st.text(st.characters(), max_size=8),
        st.integers(),
        st.none() | st.booleans() | st.floats() | st.binary(max_size=4),
        st.tuples(st.integers(), st.text(max_size=3)),
    )


def one_of(make: Callable[[], list[Any]]) -> st.SearchStrategy[Any]:
    """Choose one of some values by its place, since Hypothesis cannot look at all of them."""
    values = make()
    return st.integers(0, len(values) - 1).map(lambda place: values[place])


def leaves() -> st.SearchStrategy[Any]:
    """Make leaves, strings with lone surrogates among them."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=-(2**80), max_value=2**80),
        st.floats(),
        st.text(st.characters(), max_size=20),
        st.text(st.characters(categories=["Cs", "Cc", "So"]), max_size=100),
        st.binary(max_size=20),
        one_of(odd_scalars),
        one_of(odd_objects),
    )


def data(max_leaves: int = 30) -> st.SearchStrategy[Any]:
    """Make nested data of every shape."""
    return st.recursive(
        leaves() | one_of(odd_containers),
        lambda inner: st.one_of(
            st.lists(inner, max_size=6),
            st.lists(inner, max_size=4).map(tuple),
            st.dictionaries(keys(), inner, max_size=6),
            st.builds(Order, inner, inner),
            st.builds(Point, st.integers(), inner),
            st.builds(lambda value: Model(name=value, more=value), inner),
            st.lists(inner, max_size=4).map(Row),
            st.lists(inner, max_size=4).map(collections.deque),
            st.sets(st.text(max_size=3) | st.integers(), max_size=4),
        ),
        max_leaves=max_leaves,
    )


def encoded(
    name: str,
    attributes: Mapping[str, Any],
    limits: Limits | None = None,
    start: Mapping[str, Any] | None = None,
) -> ExportTraceServiceRequest:
    """Put an event on a real span, encode it for OTLP, and return what a backend would read.

    Fails where the SDK or the encoder has a word to say, which they do for each value they refuse.
    """
    with silent():
        limits = limits or Limits()
        exporter = InMemorySpanExporter()
        provider = TracerProvider(span_limits=sdk_limits(limits), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        span = provider.get_tracer("test").start_span(name, attributes=dict(start or {}))
        span.add_event(name, dict(attributes))
        span.end()
        spans = exporter.get_finished_spans()
        assert spans[0].dropped_attributes == 0
        assert all(event.dropped_attributes == 0 for event in spans[0].events)
        return ExportTraceServiceRequest.FromString(encode_spans(spans).SerializeToString())


def sdk_limits(limits: Limits) -> SpanLimits:
    """Return the SDK's own form of the limits."""

    def given(value: int | None) -> int:
        return SpanLimits.UNSET if value is None else value

    return SpanLimits(
        max_span_attributes=given(limits.span_attributes),
        max_event_attributes=given(limits.event_attributes),
        max_events=given(limits.events),
        max_attribute_length=given(limits.event_value_length),
        max_span_attribute_length=given(limits.span_value_length),
    )


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Fail when this thread logs anything at warning level or above."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = records.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
    # Exporters of earlier tests may still be trying to send, in threads of their own.
    mine = [record for record in records if record.thread == threading.get_ident()]
    assert [record.getMessage() for record in mine] == []
