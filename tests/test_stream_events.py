"""The event stream: what happens in a run, as dicts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ways import captured_cleanly, taken

from otelbridge import RunnableLambda, dispatch_custom_event


def body(x: Any) -> Any:
    dispatch_custom_event("progress", {"x": x})
    return x


def stream(runnable: Any, *args: Any, form: str, **options: Any) -> list[Any]:
    """All events, by either form."""
    if form == "sync":
        return list(runnable.stream_events(*args, **options))
    return asyncio.run(taken(runnable.astream_events(*args, **options)))


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
