"""The event stream: what happens in a run, as dicts."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from ways import captured_cleanly, taken

from otelbridge import (
    RunnableGenerator,
    RunnableLambda,
    current_run,
    dispatch_custom_event,
    semconv,
)


def body(x: Any) -> Any:
    dispatch_custom_event("progress", {"x": x})
    return x


def stream(runnable: Any, *args: Any, form: str, **options: Any) -> list[Any]:
    """All events, by either form."""
    if form == "sync":
        return list(runnable.stream_events(*args, **options))
    return asyncio.run(taken(runnable.astream_events(*args, **options)))


CUSTOM = "on_custom_event"
both = pytest.mark.parametrize("form", ["sync", "async"])


@both
def test_events_come_in_order(form: str) -> None:
    """Start, custom event, chunk, end, with the run's name, tags and metadata."""
    config: Any = {"tags": ["t"], "metadata": {"k": 1}}
    with captured_cleanly():
        events = stream(RunnableLambda(body), 1, config, form=form, version="v2")
    assert [(event["event"], event["name"], event["data"]) for event in events] == [
        ("on_chain_start", "body", {"input": 1}),
        ("on_custom_event", "progress", {"x": 1}),
        ("on_chain_stream", "body", {"chunk": 1}),
        ("on_chain_end", "body", {"output": 1}),
    ]
    assert all((e["tags"], e["metadata"], e["parent_ids"]) == (["t"], {"k": 1}, []) for e in events)


@both
@pytest.mark.parametrize(
    ("chosen", "kinds"),
    [
        ({"include_names": ["progress"]}, {"on_custom_event"}),
        ({"exclude_types": ["chain"]}, {"on_custom_event"}),
        ({"include_tags": ["never"]}, set()),
    ],
)
def test_events_are_filtered(form: str, chosen: Any, kinds: set[str]) -> None:
    """By name, type and tag."""
    events = stream(RunnableLambda(body), 1, form=form, version="v2", **chosen)
    assert {event["event"] for event in events} == kinds


@both
def test_failure_comes_out_of_the_stream(form: str) -> None:
    """So does another version, as upstream's error."""

    def fail(x: Any) -> Any:
        raise ValueError("no")

    with captured_cleanly():
        with pytest.raises(ValueError, match="no"):
            stream(RunnableLambda(fail), 1, form=form, version="v2")
    with pytest.raises(NotImplementedError, match="Use version='v2'"):
        stream(RunnableLambda(body), 1, form=form, version="v7")


@both
def test_slow_reader_holds_the_work_back(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is dropped, however few events may wait."""
    monkeypatch.setattr("otelbridge.stream_events.MOST_UNREAD", 2)

    def many(x: Any) -> Any:
        for index in range(20):
            dispatch_custom_event("n", index)

    events = stream(RunnableLambda(many), 1, form=form, version="v2")
    assert [e["data"] for e in events if e["name"] == "n"] == list(range(20))


# ------------------------------------------------------------------ runs within runs


def deep(word: str) -> str:
    dispatch_custom_event("deep", word)
    return word


inner = (RunnableLambda(str.upper, name="upper") | deep).with_config(run_name="inner")


def shallow(word: str) -> str:
    return inner.invoke(word)


outer = (RunnableLambda(str, name="text") | shallow).with_config(run_name="outer")


@both
def test_events_name_their_parents_from_the_root_down(form: str) -> None:
    """Every event of a run has the same parents: those of the run, of the root it has none."""
    with captured_cleanly():
        events = stream(outer, "a", form=form, version="v2")
    names = {event["run_id"]: event["name"] for event in events if event["event"] != CUSTOM}
    paths = {
        (names[event["run_id"]], tuple(names[above] for above in event["parent_ids"]))
        for event in events
    }
    assert paths == {
        ("outer", ()),
        ("text", ("outer",)),
        ("shallow", ("outer",)),
        ("inner", ("outer", "shallow")),
        ("upper", ("outer", "shallow", "inner")),
        ("deep", ("outer", "shallow", "inner")),
    }
    (custom,) = [event for event in events if event["event"] == CUSTOM]
    assert names[custom["run_id"]] == "deep"


@both
def test_events_of_a_nested_stream_have_their_place_in_it(form: str) -> None:
    """Called in a body, an event stream knows the runs from there on; the outer one knows all."""
    seen: list[list[Any]] = []

    def body(word: str) -> str:
        events = list(RunnableLambda(deep).stream_events(word, version="v2"))
        seen.append([event["name"] for event in events])
        return word

    with captured_cleanly():
        events = stream(RunnableLambda(body), "a", form=form, version="v2")
    assert seen == [["deep"] * 4]
    told = [(event["event"], len(event["parent_ids"])) for event in events]
    assert told == [
        ("on_chain_start", 0),
        ("on_chain_start", 1),
        (CUSTOM, 1),
        ("on_chain_stream", 1),
        ("on_chain_end", 1),
        ("on_chain_stream", 0),
        ("on_chain_end", 0),
    ]


# ------------------------------------------------------------------ closed early


def first_events(count: int, form: str, runnable: Any, value: Any) -> list[Any]:
    """The first events of a stream that is then closed."""
    if form == "sync":
        events: Any = runnable.stream_events(value, version="v2")
        taken = [next(events) for _ in range(count)]
        events.close()
        return taken

    async def main() -> list[Any]:
        events: Any = runnable.astream_events(value, version="v2")
        taken = [await anext(events) for _ in range(count)]
        await events.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return taken

    return asyncio.run(main())


@both
def test_stream_may_be_closed_after_any_event(form: str) -> None:
    """Its events so far are those of the whole stream; every run has ended, no thread is left."""
    whole = [(event["event"], event["name"]) for event in stream(outer, "a", form=form)]
    threads = threading.active_count()
    for count in range(len(whole) + 1):
        with captured_cleanly():
            events = first_events(count, form, outer, "a")
        assert [(event["event"], event["name"]) for event in events] == whole[:count]
        if form == "sync":  # a loop's own executor keeps its threads
            assert threading.active_count() == threads


@both
def test_closing_stops_the_work(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The body is closed where it waits for its reader, inside its run, which says so."""
    monkeypatch.setattr("otelbridge.stream_events.MOST_UNREAD", 2)
    closed: list[Any] = []

    def endless(words: Any) -> Any:
        try:
            while True:
                yield "again"
        finally:
            closed.append(getattr(current_run(), "name", None))

    async def aendless(words: Any) -> Any:
        try:
            while True:
                yield "again"
        finally:
            closed.append(getattr(current_run(), "name", None))

    runnable = RunnableGenerator(endless, aendless, name="endless")
    with captured_cleanly() as captured:
        events = first_events(5, form, runnable, "a")
    assert [event["event"] for event in events] == ["on_chain_start"] + ["on_chain_stream"] * 4
    assert closed == ["endless"]
    about = captured.find("endless").attributes or {}
    assert about[semconv.RUN_OUTCOME] == ("closed" if form == "sync" else "cancelled")


@both
def test_stream_that_is_never_read_runs_nothing(form: str) -> None:
    """Nothing begins before the first event is asked for."""
    with captured_cleanly() as captured:
        assert first_events(0, form, outer, "a") == []
    assert captured.spans == []
