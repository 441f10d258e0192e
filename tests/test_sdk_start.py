"""The short way to a span of the SDK makes what ``Tracer.start_span`` makes, or is not taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, Tracer, TracerProvider, _Span
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    SamplingResult,
    StaticSampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from otelbridge import RunnableLambda, semconv
from otelbridge._sdk_sampling import UNKNOWN, foresee
from otelbridge._sdk_start import _ShortWay, starter_of
from otelbridge._tracing import Recording, Tracing, use

ATTRIBUTES = {"text": "abc", "flag": True, "number": 5, "share": 0.5, "many": ("a", "b")}


class Counting(IdGenerator):
    """Gives the same ids to both ways."""

    def __init__(self) -> None:
        self.last = 0

    def generate_span_id(self) -> int:
        self.last += 1
        return self.last

    def generate_trace_id(self) -> int:
        self.last += 1
        return self.last


class Adding(Sampler):
    """Gives the span an attribute and a trace state of its own."""

    def should_sample(
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        links: Any = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        state = TraceState([("rate", "5")])
        return SamplingResult(Decision.RECORD_AND_SAMPLE, {**attributes, "rate": [5, 6]}, state)

    def get_description(self) -> str:
        return "Adding"


class RecordOnly(Adding):
    """Records without sampling."""

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        return SamplingResult(Decision.RECORD_ONLY, kwargs.get("attributes") or args[4])


class Started(SpanProcessor):
    """Keeps what a span has when it starts."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        held = dict(span.attributes or {})
        self.seen.append((span.name, held, span.parent, span.kind, parent_context))


def tracer_of(sampler: Sampler) -> tuple[Tracer, Started]:
    """Return a tracer whose ids are counted, and what its spans start with."""
    processor = Started()
    provider = TracerProvider(
        sampler=sampler, resource=Resource({"host": "a"}), id_generator=Counting()
    )
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("scope", "1", schema_url="https://example.com/schema")
    assert isinstance(tracer, Tracer)
    return tracer, processor


def below(**options: Any) -> Context:
    """Return a context with a current span that has these trace flags, or is remote."""
    flags = TraceFlags(options.get("flags", TraceFlags.SAMPLED))
    parent = SpanContext(77, 78, options.get("remote", False), flags, TraceState([("k", "v")]))
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())


def facts(span: Any) -> dict[str, Any]:
    """Return all that a span shows, but for its times."""
    context = span.get_span_context()
    found = {"context": context, "flags": int(context.trace_flags), "kind": type(span).__name__}
    if isinstance(span, Span):
        span.end()
        names = ("name", "start_time", "parent", "kind", "resource", "status", "events")
        found.update({name: getattr(span, name) for name in names})
        found.update(attributes=dict(span.attributes or {}), links=list(span.links))
        found.update(scope=span.instrumentation_scope)
        found["dropped"] = (span.dropped_attributes, span.dropped_events, span.dropped_links)
    return found


CONTEXTS = {
    "root": Context(),
    "below a span": below(),
    "below a remote span": below(remote=True),
    "below an unsampled span": below(flags=0),
    "below a span whose trace id is random": below(flags=3),
    "below an invalid span": trace.set_span_in_context(trace.INVALID_SPAN, Context()),
}
SAMPLERS = {
    "on": ALWAYS_ON,
    "off": ALWAYS_OFF,
    "parent": DEFAULT_ON,
    "ratio": ParentBasedTraceIdRatio(0.5),
    "adding": Adding(),
    "record only": RecordOnly(),
}


def is_short(tracer: Any) -> bool:
    """Return whether the short way is taken."""
    return isinstance(getattr(starter_of(tracer), "__self__", None), _ShortWay)


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
def test_span_is_that_of_the_tracer(sampler: Sampler, context: Context) -> None:
    """Ids, parent, flags, state, attributes, scope and resource are what ``start_span`` gives."""
    (mine, seen), (official, expected) = tracer_of(sampler), tracer_of(sampler)
    made = starter_of(mine)("run", context, lambda: dict(ATTRIBUTES), 5)
    other = official.start_span("run", context, attributes=ATTRIBUTES, start_time=5)
    assert facts(made) == facts(other)
    assert seen.seen == expected.seen


@pytest.mark.parametrize(
    "ids", [(1, 2), (0, 2), (1, 0), (2**128 - 1, 2**64 - 1), (2**128, 2), (1, 2**64), (-1, -1)]
)
def test_ids_are_valid_as_the_tracer_has_them(ids: tuple[int, int]) -> None:
    """Whatever a generator of the application's own gives."""
    (mine, _), (official, _) = tracer_of(ALWAYS_ON), tracer_of(ALWAYS_ON)
    for tracer in (mine, official):
        given = tracer.id_generator
        given.generate_trace_id, given.generate_span_id = (lambda: ids[0]), (lambda: ids[1])
    made = starter_of(mine)("run", Context(), dict, 5).get_span_context()
    other = official.start_span("run", Context()).get_span_context()
    assert (type(made), made, made.is_valid) == (type(other), other, other.is_valid)


class Keeping(Sampler):
    """Keeps the attributes that it is shown."""

    def __init__(self) -> None:
        self.shown: list[Any] = []

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        self.shown.append(kwargs.get("attributes") or args[4])
        return SamplingResult(Decision.RECORD_AND_SAMPLE, self.shown[-1])

    def get_description(self) -> str:
        return "Keeping"


def test_attributes_of_the_span_are_its_own() -> None:
    """What the span gets later does not reach back to what a sampler was shown."""
    sampler = Keeping()
    tracer, _ = tracer_of(sampler)
    span = starter_of(tracer)("run", Context(), lambda: dict(ATTRIBUTES), 5)
    span.set_attribute("later", 1)
    assert sampler.shown == [ATTRIBUTES]
    assert facts(span)["attributes"] == {**ATTRIBUTES, "later": 1}


FOLLOWED = [Decision.RECORD_AND_SAMPLE, Decision.DROP] * 2  # the parent, remote and local
FORESEEN: dict[str, tuple[Any, list[Any]]] = {
    "on": (ALWAYS_ON, [Decision.RECORD_AND_SAMPLE] * 5),
    "off": (ALWAYS_OFF, [Decision.DROP] * 5),
    "parent": (DEFAULT_ON, [Decision.RECORD_AND_SAMPLE, *FOLLOWED]),
    "parent, else off": (DEFAULT_OFF, [Decision.DROP, *FOLLOWED]),
    "ratio": (TraceIdRatioBased(0.5), [None] * 5),
    "parent, else ratio": (ParentBasedTraceIdRatio(0.5), [None, *FOLLOWED]),
    "parent, else its own": (ParentBased(Adding(), Adding()), [None, None, *FOLLOWED[1:]]),
    "its own": (Adding(), [None] * 5),
    "not even a sampler": (object(), [None] * 5),
}


@pytest.mark.parametrize("case", FORESEEN)
def test_samplers_of_the_sdk_are_foreseen(case: str) -> None:
    """Those whose answer depends on the parent alone; every other one is asked."""
    sampler, decisions = FORESEEN[case]
    assert list(foresee(sampler)) == decisions


def test_patched_sampler_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler whose method is replaced, on itself or on its class, is not foreseen."""
    with monkeypatch.context() as patch:
        patch.setattr(ALWAYS_ON, "should_sample", Adding().should_sample, raising=False)
        assert foresee(ALWAYS_ON) == UNKNOWN
    with monkeypatch.context() as patch:
        patch.setattr(StaticSampler, "should_sample", Adding.should_sample)
        assert foresee(ALWAYS_ON) == UNKNOWN


def test_dropped_span_is_not_described() -> None:
    """No attributes are made where the sampler looks at none and drops the span."""
    tracer, _ = tracer_of(DEFAULT_ON)
    if not is_short(tracer):
        pytest.skip("opentelemetry-sdk from 1.40 on, whose tracer is known")
    described: list[int] = []

    def describe() -> dict[str, Any]:
        described.append(1)
        return {}

    assert not starter_of(tracer)("run", below(flags=0), describe, 5).is_recording()
    assert described == []


def test_sampler_that_is_replaced_is_followed() -> None:
    """The tracer's sampler decides as it is when a span starts."""
    tracer, _ = tracer_of(ALWAYS_ON)
    start = starter_of(tracer)
    assert start("run", Context(), dict, 5).is_recording()
    tracer.sampler = ALWAYS_OFF
    assert not start("run", Context(), dict, 5).is_recording()


class Grown(_Span):
    """A span with an attribute that was not known."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._grown = 5


def test_unknown_span_is_made_by_its_constructor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a span has more than was known, nothing of it is missing."""
    tracer, _ = tracer_of(ALWAYS_ON)
    monkeypatch.setitem(Tracer.start_span.__globals__, "_Span", Grown)
    span: Any = starter_of(tracer)("run", Context(), lambda: dict(ATTRIBUTES), 5)
    assert (type(span), span._grown) == (Grown, 5)
    assert facts(span)["attributes"] == ATTRIBUTES


def test_short_way_is_taken_where_the_tracer_is_known() -> None:
    """The SDK that this was written for has the lines that are relied on."""
    known = {"_tracer_metrics", "is_trace_id_random"} <= set(Tracer.start_span.__code__.co_names)
    assert is_short(tracer_of(ALWAYS_ON)[0]) is known


def changed_function(self: Tracer, name: str, *args: Any, **kwargs: Any) -> Any:
    return trace.INVALID_SPAN


class Own(Tracer):
    """A tracer that starts spans in its own way."""

    def start_span(self, *args: Any, **kwargs: Any) -> Any:
        return trace.INVALID_SPAN


@contextmanager
def instance_patched(tracer: Tracer) -> Iterator[Any]:
    tracer.start_span = lambda *args, **kwargs: trace.INVALID_SPAN  # type: ignore[method-assign]
    yield tracer


@contextmanager
def class_patched(tracer: Tracer) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tracer, "start_span", changed_function)
        yield tracer


@contextmanager
def subclassed(tracer: Tracer) -> Iterator[Any]:
    own = object.__new__(Own)
    own.__dict__.update(vars(tracer))
    yield own


@contextmanager
def foreign(tracer: Tracer) -> Iterator[Any]:
    yield trace.NoOpTracer()


@pytest.mark.parametrize("changed", [instance_patched, class_patched, subclassed, foreign])
def test_any_other_tracer_starts_its_spans_itself(changed: Any) -> None:
    """Where ``start_span`` is not the one that is known, it is called."""
    with changed(tracer_of(ALWAYS_ON)[0]) as tracer:
        assert not is_short(tracer)
        span = starter_of(tracer)("run", Context(), lambda: dict(ATTRIBUTES), 5)
    assert span is trace.INVALID_SPAN


def test_disabled_tracer_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracer that its provider has switched off later gives spans that do not record."""
    tracer, processor = tracer_of(ALWAYS_ON)
    start = starter_of(tracer)
    if not is_short(tracer):
        pytest.skip("opentelemetry-sdk from 1.40 on, whose tracers can be switched off")
    monkeypatch.setattr(tracer, "_is_enabled", lambda: False)
    assert not start("run", below(), lambda: dict(ATTRIBUTES), 5).is_recording()
    assert processor.seen == []


def test_processors_see_a_runs_attributes_at_its_start() -> None:
    """A span processor finds id, type, tags and metadata on the span when it starts."""
    processor = Started()
    provider = TracerProvider()
    provider.add_span_processor(processor)
    with use(Tracing(provider, Recording())):
        config: Any = {"tags": ["a"], "metadata": {"user": "u1"}}
        RunnableLambda(lambda value: value, name="echo").invoke(1, config)
    ((name, held, parent, *_),) = processor.seen
    assert (name, parent) == ("echo", None)
    assert held.pop(semconv.RUN_ID)
    assert held == {
        semconv.RUN_TYPE: "chain",
        semconv.RUN_TAGS: ("a",),
        semconv.RUN_METADATA + "user": "u1",
    }
