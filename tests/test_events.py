"""Custom events: which run they belong to, who gets them, and when."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from uuid import uuid4

import pytest
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from ways import CALLS, Way, captured_cleanly, every_way, traces

from otelbridge import (
    CallbackManager,
    NoActiveRunError,
    RunnableConfig,
    RunnableLambda,
    adispatch_custom_event,
    current_run,
    dispatch_custom_event,
    start_run,
)


@every_way
def test_event_is_on_the_span_of_its_run(way: Way) -> None:
    """With its data as attributes, whole and in order."""

    def body(x: Any) -> Any:
        dispatch_custom_event("progress", {"done": 1, "of": {"all": 2}})
        dispatch_custom_event("bare", x)
        run = current_run()
        assert run is not None
        run.event("by run", [1, 2])
        return x

    with captured_cleanly() as captured:
        way(RunnableLambda(body), 5)
    assert captured.events("body") == [
        ("progress", {"data.done": 1, "data.of.all": 2}),
        ("bare", {"data": 5}),
        ("by run", {"data": (1, 2)}),
    ]


async def test_async_dispatch_awaits_async_handlers() -> None:
    """By adispatch_custom_event and run.aevent; those that sync dispatches left come first."""
    seen: list[Any] = []

    async def note(name: str) -> None:
        await asyncio.sleep(0)
        seen.append(name)

    async def body(x: Any) -> Any:
        await adispatch_custom_event("one", x)
        assert seen == ["one"]
        dispatch_custom_event("two", x)
        assert seen == ["one"]
        run = current_run()
        assert run is not None
        await run.aevent("three", x)
        assert seen == ["one", "two", "three"]

    with captured_cleanly() as captured:
        await RunnableLambda(body).ainvoke(1, {"callbacks": [note]})
    assert traces(captured) == ["body *one *two *three"]


async def test_run_without_handlers_takes_async_events() -> None:
    """And one that is not recorded gives them to handlers alone."""
    seen: list[Any] = []
    with captured_cleanly(sampler=ALWAYS_OFF) as captured:
        async with start_run("job", config={"callbacks": [lambda name: seen.append(name)]}) as run:
            await run.aevent("a", 1)
            run.event("b", 1)
            await adispatch_custom_event("c", 1)
    assert (seen, captured.spans) == (["a", "b", "c"], [])
    with captured_cleanly() as captured:
        async with start_run("job") as run:
            await run.aevent("a", 1)
    assert traces(captured) == ["job *a"]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("config", [None, {}, {"tags": ["t"]}, {"callbacks": []}])
async def test_dispatch_outside_of_any_run_says_the_cure(is_async: bool, config: Any) -> None:
    """Unless it is not required; then it does nothing."""

    async def dispatch(**options: Any) -> None:
        if is_async:
            await adispatch_custom_event("lost", 1, config=config, **options)
        else:
            dispatch_custom_event("lost", 1, config=config, **options)

    message = "'lost' was dispatched outside of any run.*config=config.*required=False"
    with captured_cleanly() as captured:
        with pytest.raises(NoActiveRunError, match=message):
            await dispatch()
        with pytest.raises(RuntimeError):
            await dispatch(required=True)
        await dispatch(required=False)
    assert captured.spans == []


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_config_says_whose_event_it_is(is_async: bool) -> None:
    """In a thread without the context, and against the run that is current."""
    seen: list[Any] = []

    async def anote(name: str, tags: Any, metadata: Any, run_id: Any) -> None:
        seen.append((name, tags, metadata, run_id))

    def dispatch(config: RunnableConfig) -> None:
        if is_async:
            asyncio.run(adispatch_custom_event("e", 1, config=config))
        else:
            dispatch_custom_event("e", 1, config=config)

    about: Any = {"callbacks": [anote], "tags": ["t"], "metadata": {"k": 1}}
    with captured_cleanly() as captured:
        with start_run("first", config=about) as first:
            config = first.child_config()
            thread = threading.Thread(target=dispatch, args=(config,))
            thread.start()
            thread.join()
            with start_run("second"):
                dispatch(config)
    assert seen == [("e", ["t"], {"k": 1}, first.run_id)] * 2
    assert traces(captured) == ["first #t *e *e", "  second #t"]


def test_handlers_of_a_config_hear_of_the_event() -> None:
    """Beside those of the current run, with the tags and metadata of both."""
    seen: list[Any] = []
    own: Any = {
        "callbacks": [lambda name, tags, metadata: seen.append(("own", tags, metadata))],
        "tags": ["u"],
        "metadata": {"l": 2},
    }
    runs: Any = {"callbacks": [lambda name: seen.append("run's")], "tags": ["t"]}
    with captured_cleanly() as captured:
        with start_run("job", config=runs):
            dispatch_custom_event("e", 1, config=own)
    assert seen == ["run's", ("own", ["t", "u"], {"l": 2})]
    assert traces(captured) == ["job #t *e"]


LATE = ["job", "  job late event"]


@pytest.mark.parametrize("kind", ["run", "config", "thread"])
def test_late_event_is_a_span_of_its_own(kind: str) -> None:
    """After the end of its run it is a child of the run's span; handlers get it as ever."""
    seen: list[Any] = []
    with captured_cleanly() as captured:
        with start_run("job", config={"callbacks": [lambda name: seen.append(name)]}) as run:
            config = run.child_config()
        if kind == "run":
            run.event("late", {"x": 1})
        elif kind == "config":
            dispatch_custom_event("late", {"x": 1}, config=config)
        else:
            thread = threading.Thread(target=run.event, args=("late", {"x": 1}))
            thread.start()
            thread.join()
    assert seen == ["late"]
    assert captured.names == ["job", "job late event"]
    late = captured.find("job late event")
    assert captured.events("job late event") == [("late", {"data.x": 1})]
    assert late.start_time == late.end_time
    assert dict(late.attributes or {}) == {"otelbridge.run.id": str(run.run_id)}
    assert late.parent == run.span.get_span_context()


def test_late_event_of_an_unsampled_run_is_for_handlers_alone() -> None:
    """No span is made for it."""
    seen: list[Any] = []
    with captured_cleanly(sampler=ALWAYS_OFF) as captured:
        with start_run("job", config={"callbacks": [lambda name: seen.append(name)]}) as run:
            config = run.child_config()
        dispatch_custom_event("late", 1, config=config)
        run.event("later", 1)
    assert (seen, captured.spans) == (["late", "later"], [])


def test_late_event_without_room_is_counted() -> None:
    """Where spans take no events its span is made all the same."""
    with captured_cleanly(span_limits=SpanLimits(max_events=0)) as captured:
        with start_run("job") as run:
            run.run_id  # noqa: B018  its id is known
        run.event("late", 1)
    assert captured.names == ["job", "job late event"]
    assert captured.events("job late event") == []


def test_event_of_a_run_that_is_not_ours_becomes_a_span() -> None:
    """A manager of another library names a run that nobody here knows."""
    seen: list[Any] = []
    unknown = uuid4()
    manager = CallbackManager([lambda name, run_id: seen.append((name, run_id))], (), unknown)
    with captured_cleanly() as captured:
        with captured.tracer.start_as_current_span("mine"):
            dispatch_custom_event("e", 1, config={"callbacks": manager})
    assert seen == [("e", unknown)]
    assert captured.tree() == "mine\n└─ run late event\n     · e  1"


@pytest.mark.parametrize("way", CALLS, ids=lambda way: way.__name__)
def test_more_events_than_a_span_holds_go_to_pages(way: Way) -> None:
    """In order, each once, with room for the exception."""

    def body(x: Any) -> Any:
        for index in range(20):
            dispatch_custom_event("n", index)
        raise ValueError("no")

    with captured_cleanly(span_limits=SpanLimits(max_events=4)) as captured:
        with pytest.raises(ValueError, match="no"):
            way(RunnableLambda(body), 1)
    events = [data["data"] for name, data in captured.events("body") if name == "n"]
    assert events == list(range(20))
    assert "exception" in [event.name for event in captured.find("body").events]
