"""More events than a span can hold: nothing is lost, whatever the limits are."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import opentelemetry.sdk.trace
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util.types import AttributeValue

from otelbridge import (
    Run,
    RunnableConfig,
    RunnableGenerator,
    RunnableLambda,
    _span_events,
    _tracing,
    adispatch_custom_event,
    current_run,
    dispatch_custom_event,
    semconv,
    start_run,
)
from otelbridge.testing import CapturedRuns, capture_runs

from .exported import data_by_time, events_by_time, limits, parts, told

LIMITS = [1, 2, 3, 128, None]
COUNT = 300
MIB = 1 << 20


# ------------------------------------------------------------------ every form of dispatch


def _sync(count: int) -> None:
    def run(_: object) -> None:
        for i in range(count):
            dispatch_custom_event("tick", i)

    RunnableLambda(run, name="run").invoke(None)


def _async(count: int) -> None:
    async def run(_: object) -> None:
        for i in range(count):
            await adispatch_custom_event("tick", i)

    asyncio.run(RunnableLambda(run, name="run").ainvoke(None))


def _stream(count: int) -> None:
    def run(_: Iterator[object]) -> Iterator[int]:
        for i in range(count):
            dispatch_custom_event("tick", i)
            yield i

    assert list(RunnableGenerator(run, name="run").stream(None)) == list(range(count))


def _astream(count: int) -> None:
    async def run(_: AsyncIterator[object]) -> AsyncIterator[int]:
        for i in range(count):
            await adispatch_custom_event("tick", i)
            yield i

    async def pull() -> list[int]:
        return [i async for i in RunnableGenerator(run, name="run").astream(None)]

    assert asyncio.run(pull()) == list(range(count))


def _thread(count: int) -> None:
    def dispatch(config: RunnableConfig) -> None:
        for i in range(count):
            dispatch_custom_event("tick", i, config=config)

    def run(_: object, config: RunnableConfig) -> None:
        thread = threading.Thread(target=dispatch, args=(config,))
        thread.start()
        thread.join()

    RunnableLambda(run, name="run").invoke(None)


FORMS = [_sync, _async, _stream, _astream, _thread]


def _check_pages(spans: Sequence[Any], limit: int | None, count: int) -> None:
    """Check a run of ``count`` events and its pages."""
    own, *pages = parts(spans, "run")
    events = events_by_time(spans, "run")
    assert [event.attributes[semconv.DATA] for event in events] == list(range(count))
    times = [event.timestamp for event in events]
    assert all(a < b for a, b in pairwise(times))
    if limit is None:
        assert not pages
    else:
        assert len(own.events) == min(limit - 1, count)
        assert all(len(page.events) == limit for page in pages[:-1])
    assert [page.attributes[semconv.PAGE] for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        assert page.name == "run events"
        assert page.kind is trace.SpanKind.INTERNAL
        assert page.parent == own.context
        assert page.attributes == {
            semconv.RUN_ID: own.attributes[semconv.RUN_ID],
            semconv.PAGE: page.attributes[semconv.PAGE],
        }
        assert page.start_time == page.events[0].timestamp
        assert page.end_time == page.events[-1].timestamp
        assert own.start_time <= page.start_time <= page.end_time <= own.end_time
    assert all(span.dropped_events == 0 for span in spans)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("form", FORMS)
def test_no_event_is_lost_at_any_limit(form: Callable[[int], None], limit: int | None) -> None:
    """Every event is exported in order, on the span and on pages that are numbered and timed."""
    with capture_runs(span_limits=limits(max_events=limit)) as runs:
        form(COUNT)
    _check_pages(runs.spans, limit, COUNT)
    assert [data["data"] for _, data in runs.events("run")] == list(range(COUNT))
    runs.assert_clean()


@pytest.mark.parametrize("form", FORMS)
def test_limit_of_zero_turns_span_events_off(
    form: Callable[[int], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a limit of 0 no span has events, one warning says so, and all are counted."""
    monkeypatch.setattr(_span_events._Refused, "count", 0)
    with capture_runs(span_limits=limits(max_events=0)) as runs:
        form(COUNT)
    assert [(span.name, list(span.events)) for span in runs.spans] == [("run", [])]
    assert _span_events.refused_events() == COUNT
    (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert "OTEL_SPAN_EVENT_COUNT_LIMIT" in record.getMessage()


def test_limit_of_zero_leaves_handlers_their_events() -> None:
    """Handlers get what no span takes, after the run's end too."""
    got: list[Any] = []
    with capture_runs(span_limits=limits(max_events=0)) as runs:
        with start_run("run", config={"callbacks": [lambda name, data: got.append(data)]}) as run:
            dispatch_custom_event("tick", 1)
        run.event("late", 2)
    assert got == [1, 2]
    assert not any(span.events for span in runs.spans)


@pytest.mark.parametrize("form", FORMS)
def test_ten_thousand_events_are_exported_in_order(form: Callable[[int], None]) -> None:
    """A run of 10,000 events has 10,000 in its trace, by time in the order of dispatch."""
    with capture_runs() as runs:
        form(10_000)
    _check_pages(runs.spans, 128, 10_000)


# ------------------------------------------------------------------ limits by the environment

_MANY = """
provider()
try:
    with start_run("run", metadata={f"key{i}": i for i in range(150)}, tags=["a", "b"]) as run:
        for i in range(30):
            dispatch_custom_event("tick", i)
        dispatch_custom_event("wide", {f"key{i}": i for i in range(150)})
        raise ValueError("no")
except ValueError:
    pass
from otelbridge._span_events import refused_events
say_finished(run_id=str(run.run_id), refused=refused_events())
"""


def _told_events(said: dict[str, Any]) -> list[Any]:
    return sorted((e for span in said["spans"] for e in span["events"]), key=lambda e: e[2])


@pytest.mark.parametrize("limit", ["0", "1", "2", "3", "128", ""])
def test_event_limit_of_the_environment_loses_nothing(limit: str, tmp_path: Path) -> None:
    """Whatever OTEL_SPAN_EVENT_COUNT_LIMIT says, events and exception are there and in order."""
    said = told(_MANY, tmp_path, OTEL_SPAN_EVENT_COUNT_LIMIT=limit)
    names = [name for name, _, _ in _told_events(said)]
    if limit == "0":
        assert names == []
        assert said["refused"] == 31
        assert said["stderr"].count("The span event limit is 0") == 1
        return
    assert names == ["tick"] * 30 + ["wide", "exception"]
    assert [a["data"] for name, a, _ in _told_events(said) if name == "tick"] == list(range(30))
    (own,) = [span for span in said["spans"] if span["name"] == "run"]
    assert own["events"][-1][0] == "exception"
    assert said["stderr"] == ""


@pytest.mark.parametrize("limit", ["0", "1", "2", "3", "128", ""])
def test_event_attribute_limit_of_the_environment_is_kept(limit: str, tmp_path: Path) -> None:
    """Whatever OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT says, no event is lost and what is cut is said."""
    said = told(_MANY, tmp_path, OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT=limit)
    events = _told_events(said)
    assert [name for name, _, _ in events] == ["tick"] * 30 + ["wide", "exception"]
    most = int(limit or 1_000)
    assert all(len(attributes) <= most for _, attributes, _ in events)
    if limit != "0":
        assert [a["data"] for name, a, _ in events if name == "tick"] == list(range(30))
        assert semconv.TRUNCATED in events[-2][1]
    assert said["stderr"] == ""


@pytest.mark.parametrize("limit", ["0", "1", "2", "3", "128", ""])
def test_span_attribute_limit_of_the_environment_keeps_the_run_id(
    limit: str, tmp_path: Path
) -> None:
    """Whatever OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT says, the run's span has its id, where it may."""
    said = told(
        _MANY, tmp_path, OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=limit, OTEL_SPAN_EVENT_COUNT_LIMIT="3"
    )
    assert [name for name, _, _ in _told_events(said)] == ["tick"] * 30 + ["wide", "exception"]
    most = int(limit or 1_000)
    for span in said["spans"]:
        assert len(span["attributes"]) <= most
        if limit != "0" and (most > 1 or span["name"] == "run"):
            assert span["attributes"][semconv.RUN_ID] == said["run_id"]
    if most > 2:
        (own,) = [span for span in said["spans"] if span["name"] == "run"]
        assert own["attributes"][semconv.ERROR_TYPE] == "ValueError"


# ------------------------------------------------------------------ sizes


def _bytes(span: Any) -> int:
    return sum(len(event.attributes[semconv.DATA]) for event in span.events)


@pytest.mark.parametrize("limit", [128, None])
def test_no_span_holds_more_than_a_mebibyte_of_events(limit: int | None) -> None:
    """Events of many bytes go to pages before their number asks for it."""
    count = 400
    with capture_runs(span_limits=limits(max_events=limit)) as runs, start_run("run"):
        for i in range(count):
            dispatch_custom_event("big", f"{i:08d}" * 1_000)
    all_parts = parts(runs.spans, "run")
    assert all(_bytes(span) <= MIB for span in all_parts)
    assert [int(text[:8]) for text in data_by_time(runs.spans, "run")] == list(range(count))
    if limit is None:
        # A span is left when the next event does not fit, not before.
        assert all(_bytes(span) > MIB - 16_000 for span in all_parts[:-1])
        assert len(all_parts) == 4


def test_event_too_large_for_a_page_has_one_for_itself() -> None:
    """An event of over 1 MiB, where bounds allow it, shares its span or page with none."""
    with capture_runs(max_string_bytes=3 * MIB, max_event_bytes=4 * MIB) as runs, start_run("run"):
        for size in (10, 2 * MIB, 2 * MIB, 10, 10, 2 * MIB):
            dispatch_custom_event("big", "x" * size)
    sizes = [[len(e.attributes["data"]) for e in s.events] for s in parts(runs.spans, "run")]
    assert sizes == [[10], [2 * MIB], [2 * MIB], [10, 10], [2 * MIB]]


# ------------------------------------------------------------------ the exception's place


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 127, 128, 129, 300])
def test_exception_record_has_room(limit: int | None, count: int) -> None:
    """However many events came first, the run's own span ends with the exception record."""

    def run(_: object) -> None:
        for i in range(count):
            dispatch_custom_event("tick", i)
        raise ValueError("no")

    with (
        capture_runs(span_limits=limits(max_events=limit)) as runs,
        pytest.raises(ValueError, match="no"),
    ):
        RunnableLambda(run, name="run").invoke(None)
    own = runs.find("run")
    assert own.events[-1].name == semconv.EXCEPTION
    assert events_by_time(runs.spans, "run")[-1].name == semconv.EXCEPTION
    assert data_by_time(runs.spans, "run") == list(range(count))
    assert own.status.status_code is trace.StatusCode.ERROR


@pytest.mark.parametrize("first", [0, 50, 126, 127])
def test_events_of_the_application_count(first: int) -> None:
    """What the application adds to the span itself takes room that events then find elsewhere."""
    with capture_runs() as runs, suppress(ValueError), start_run("run") as run:
        for i in range(first):
            run.span.add_event("own", {"i": i})
        for i in range(COUNT):
            dispatch_custom_event("tick", i)
        raise ValueError("no")
    own = runs.find("run")
    assert own.dropped_events == 0
    assert [event.name for event in own.events] == (
        ["own"] * first + ["tick"] * (127 - first) + [semconv.EXCEPTION]
    )
    ticks = [e for e in events_by_time(runs.spans, "run") if e.name == "tick"]
    assert [event.attributes["data"] for event in ticks] == list(range(COUNT))


def test_events_of_the_application_between_dispatches_count() -> None:
    """Own and dispatched events take turns; none is lost while the application's have room."""
    with capture_runs(span_limits=limits(max_events=10)) as runs, start_run("run") as run:
        for i in range(8):
            dispatch_custom_event("tick", i)
            if i < 4:
                run.span.add_event("own")
    own, page = parts(runs.spans, "run")
    assert [e.name for e in own.events] == ["tick", "own"] * 4 + ["tick"]
    assert [e.attributes["data"] for e in page.events] == [5, 6, 7]


@pytest.mark.parametrize("ticks", [5, 9, 20])
def test_an_event_of_the_application_in_the_exceptions_place(ticks: int) -> None:
    """The span is full then; the oldest event is a span of its own, and none is lost."""
    with (
        capture_runs(span_limits=limits(max_events=10)) as runs,
        suppress(ValueError),
        start_run("run") as run,
    ):
        for i in range(ticks):
            dispatch_custom_event("tick", i)
        for i in range(10 - min(ticks, 9)):
            run.span.add_event("own", {"i": i})
        raise ValueError("no")
    own = next(span for span in runs.spans if span.name == "run")
    assert own.dropped_events == 0
    assert own.events[-1].name == semconv.EXCEPTION
    names = [event.name for event in own.events]
    assert names.count("own") == 10 - min(ticks, 9)
    told = [e.attributes["data"] for span in runs.spans for e in span.events if e.name == "tick"]
    assert sorted(told) == list(range(ticks))


# ------------------------------------------------------------------ the run's own attributes


@pytest.mark.parametrize("limit", [4, 16, 128])
@pytest.mark.parametrize(
    ("stop", "key", "value"),
    [
        (asyncio.CancelledError, semconv.RUN_OUTCOME, "cancelled"),
        (GeneratorExit, semconv.RUN_OUTCOME, "closed"),
        (ValueError, semconv.ERROR_TYPE, "ValueError"),
    ],
)
def test_attributes_of_the_application_never_evict_the_runs(
    limit: int, stop: type[BaseException], key: str, value: str
) -> None:
    """After 200 attributes of the application's own, run id and outcome are still there."""
    with (
        capture_runs(span_limits=limits(max_span_attributes=limit)) as runs,
        suppress(stop),
        start_run("run", metadata={f"key{i}": i for i in range(150)}) as run,
    ):
        for i in range(200):
            run.span.set_attribute(f"own{i}", i)
        raise stop
    attributes = runs.find("run").attributes
    assert attributes[semconv.RUN_ID] == str(run.run_id)
    assert attributes[key] == value
    assert len(attributes) == limit


# ------------------------------------------------------------------ spans of other makes


class _Plain(trace.Span):
    """A span of which nothing can be seen but what the API says."""

    def __init__(self, made: trace.Span) -> None:
        self.__made = made

    def end(self, end_time: int | None = None) -> None:
        self.__made.end(end_time)

    def get_span_context(self) -> trace.SpanContext:
        return self.__made.get_span_context()

    def set_attributes(self, attributes: Any) -> None:
        self.__made.set_attributes(attributes)

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        self.__made.set_attribute(key, value)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self.__made.add_event(name, attributes, timestamp)

    def update_name(self, name: str) -> None:
        self.__made.update_name(name)

    def is_recording(self) -> bool:
        return self.__made.is_recording()

    def set_status(self, status: Any, description: str | None = None) -> None:
        self.__made.set_status(status, description)

    def record_exception(self, *args: Any, **kwargs: Any) -> None:
        self.__made.record_exception(*args, **kwargs)


class _PlainTracer(trace.Tracer):
    def __init__(self, made: trace.Tracer) -> None:
        self._made = made

    def start_span(self, *args: Any, **kwargs: Any) -> trace.Span:
        return _Plain(self._made.start_span(*args, **kwargs))

    start_as_current_span = None  # type: ignore[assignment]  # nobody calls it


class _PlainProvider(trace.TracerProvider):
    """A provider whose spans are ``_Plain`` ones, and that tells no limits."""

    def __init__(self) -> None:
        self.finished = InMemorySpanExporter()
        self._made = TracerProvider(span_limits=limits(), shutdown_on_exit=False)
        self._made.add_span_processor(SimpleSpanProcessor(self.finished))

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        return _PlainTracer(self._made.get_tracer(*args, **kwargs))


@pytest.mark.parametrize("form", FORMS)
def test_span_that_shows_nothing_gets_its_events_by_the_api(form: Callable[[int], None]) -> None:
    """A span without the SDK's internals is written to by ``add_event``, and pages are turned."""
    provider = _PlainProvider()
    with _tracing.use(_tracing.Tracing(provider)):
        form(COUNT)
    _check_pages(provider.finished.get_finished_spans(), 128, COUNT)


def test_add_event_of_a_derived_span_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a class derived from the SDK's span changes ``add_event``, events go through it."""
    seen: list[str] = []

    class Derived(opentelemetry.sdk.trace._Span):
        def add_event(self, name: str, *args: Any, **kwargs: Any) -> None:
            seen.append(name)
            super().add_event(name, *args, **kwargs)

    monkeypatch.setattr(opentelemetry.sdk.trace, "_Span", Derived)
    with capture_runs() as runs:
        _sync(COUNT)
    assert seen == ["tick"] * COUNT
    _check_pages(runs.spans, 128, COUNT)


# ------------------------------------------------------------------ after the end


def _check_late(runs: CapturedRuns, run: Run, count: int) -> None:
    late = runs.find_all("run late event")
    assert [span.events[0].attributes["data"] for span in late] == list(range(count))
    for span in late:
        assert span.parent == runs.find("run").context
        assert span.attributes == {semconv.RUN_ID: str(run.run_id)}
        assert span.start_time == span.end_time == span.events[0].timestamp


@pytest.mark.parametrize("before", [0, 500])
def test_events_after_the_end_become_spans_of_no_length(before: int) -> None:
    """An event after its run's end, with pages or without, is a zero-length child span."""
    with capture_runs() as runs:
        with start_run("run") as run:
            for i in range(before):
                dispatch_custom_event("tick", i)
        for i in range(3):
            run.event("late", i)
    assert data_by_time(runs.spans, "run") == list(range(before))
    _check_late(runs, run, 3)


def test_events_after_the_application_has_ended_the_span_are_late() -> None:
    """A body that ends the run's span itself loses no event, before or after."""
    with capture_runs() as runs:
        with start_run("run") as run:
            for i in range(200):
                dispatch_custom_event("tick", i)
            trace.get_current_span().end()
            for i in range(3):
                dispatch_custom_event("late", i)
            assert current_run() is run
        assert len(runs.find_all("run")) == 1
    assert data_by_time(runs.spans, "run") == list(range(200))
    _check_late(runs, run, 3)


@pytest.mark.parametrize("limit", [1, 2, 128])
def test_exception_after_the_application_has_ended_the_span_passes(limit: int) -> None:
    """A failing body that has ended the span itself fails with its own exception, once ended."""
    error = ValueError("no")

    def run(_: object) -> None:
        trace.get_current_span().end()
        raise error

    with (
        capture_runs(span_limits=limits(max_events=limit)) as runs,
        pytest.raises(ValueError, match="no") as raised,
    ):
        RunnableLambda(run, name="run").invoke(None)
    assert raised.value is error
    assert runs.names == ["run"]
    runs.assert_clean()
