"""Event streams whose consumer is slow, stops, or is stopped: bounded, and nothing is left."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from otelbridge import (
    Runnable,
    RunnableConfig,
    RunnableGenerator,
    RunnableLambda,
    adispatch_custom_event,
    dispatch_custom_event,
    stream_events,
)
from otelbridge.testing import CapturedRuns, capture_runs

MOST = 10
TOTAL = 60


@pytest.fixture(name="captured")
def _captured(monkeypatch: pytest.MonkeyPatch) -> Iterator[CapturedRuns]:
    """Capture the runs of one test, in which few events may be unread."""
    monkeypatch.setattr(stream_events, "MOST_UNREAD", MOST)
    with capture_runs() as captured:
        yield captured
        captured.assert_clean()


Made = list[int]


def by_adispatch(made: Made) -> Runnable[Any, Any]:
    """Dispatch in a coroutine."""

    async def body(value: Any) -> Any:
        for n in range(TOTAL):
            await adispatch_custom_event("e", n)
            made.append(n)
        return value

    return RunnableLambda(body)


def by_thread(made: Made) -> Runnable[Any, Any]:
    """Dispatch in a thread of the executor."""

    def body(value: Any) -> Any:
        for n in range(TOTAL):
            dispatch_custom_event("e", n)
            made.append(n)
        return value

    return RunnableLambda(body)


def by_to_thread(made: Made) -> Runnable[Any, Any]:
    """Dispatch in a thread that the user has started."""

    async def body(value: Any) -> Any:
        await asyncio.to_thread(dispatch_all)
        return value

    def dispatch_all() -> None:
        for n in range(TOTAL):
            dispatch_custom_event("e", n)
            made.append(n)

    return RunnableLambda(body)


def by_chunk(made: Made) -> Runnable[Any, Any]:
    """Give chunks."""

    async def body(value: AsyncIterator[Any]) -> AsyncIterator[int]:
        async for _ in value:
            for n in range(TOTAL):
                yield n
                made.append(n)

    return RunnableGenerator(body)


def by_chunk_and_event(made: Made) -> Runnable[Any, Any]:
    """Dispatch on the loop's own thread between chunks."""

    async def body(value: AsyncIterator[Any]) -> AsyncIterator[int]:
        async for _ in value:
            for n in range(TOTAL):
                dispatch_custom_event("e", n)
                yield n
                made.append(n)

    return RunnableGenerator(body)


WAYS = [by_adispatch, by_thread, by_to_thread, by_chunk, by_chunk_and_event]


def number_of(event: Any) -> int | None:
    """Return the number that an event was made with, for each but a run's start and end."""
    if event["event"] == "on_custom_event":
        return int(event["data"])
    if event["event"].endswith("_stream") and isinstance(event["data"]["chunk"], int):
        return int(event["data"]["chunk"])
    return None


@pytest.mark.parametrize("way", WAYS)
async def test_a_slow_consumer_holds_back_who_makes_events(
    way: Callable[[Made], Runnable[Any, Any]], captured: CapturedRuns
) -> None:
    """Never much more than the bound is unread, and every event comes, in order."""
    made: Made = []
    got: list[int] = []
    async for event in way(made).astream_events("in", version="v2"):
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(made) - len(got) <= MOST + 2
        number = number_of(event)
        if number is not None:
            got.append(number)
    assert sorted(set(got)) == list(range(TOTAL))
    assert got == sorted(got)
    assert made == list(range(TOTAL))


@pytest.mark.parametrize("then", ["adispatch", "chunk"])
async def test_a_sync_dispatch_on_the_loop_is_queued_and_the_next_await_waits(
    then: str, captured: CapturedRuns
) -> None:
    """The dispatches return at once; what the run awaits next waits for room."""
    made: Made = []
    went_on: list[str] = []

    def dispatch_all() -> None:
        for n in range(TOTAL):
            dispatch_custom_event("e", n)
            made.append(n)

    async def body(value: Any) -> Any:
        dispatch_all()
        await adispatch_custom_event("last", TOTAL)
        went_on.append("after")
        return value

    async def parts(value: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for item in value:
            dispatch_all()
            yield item
            went_on.append("after")

    runnable: Runnable[Any, Any] = (
        RunnableLambda(body) if then == "adispatch" else RunnableGenerator(parts)
    )
    read = 0
    async for event in runnable.astream_events("in", version="v2"):
        for _ in range(20):
            await asyncio.sleep(0)
        if event["event"] == "on_custom_event" and event["name"] == "e":
            assert made == list(range(TOTAL))
            assert event["data"] == read
            read += 1
            assert not went_on or TOTAL - read <= MOST
    assert read == TOTAL
    assert went_on == ["after"]


@pytest.mark.parametrize("take", [1, 5])
@pytest.mark.parametrize("way", WAYS)
async def test_closing_wakes_all_and_leaves_nothing(
    way: Callable[[Made], Runnable[Any, Any]], take: int, captured: CapturedRuns
) -> None:
    """Closed while who makes events waits: no task is left, and threads come to their end."""
    made: Made = []
    stream: Any = way(made).astream_events("in", version="v2")
    for _ in range(take):
        await anext(stream)
    for _ in range(20):
        await asyncio.sleep(0)
    await stream.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    if way in (by_thread, by_to_thread):
        while len(made) < TOTAL:  # a thread cannot be stopped, but nothing holds it
            await asyncio.sleep(0)
    captured.assert_clean()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


@pytest.mark.parametrize("way", WAYS)
async def test_a_consumer_that_is_cancelled_stops_the_work(
    way: Callable[[Made], Runnable[Any, Any]], captured: CapturedRuns
) -> None:
    """A cancel of the reading task ends the runs, and comes out of it."""
    made: Made = []
    begun = asyncio.Event()

    async def read() -> None:
        stream = way(made).astream_events("in", version="v2")
        try:
            async for _ in stream:
                begun.set()
                await asyncio.Event().wait()
        finally:
            await stream.aclose()  # type: ignore[attr-defined]

    task = asyncio.ensure_future(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}
    if way in (by_thread, by_to_thread):
        while len(made) < TOTAL:
            await asyncio.sleep(0)


@pytest.mark.parametrize("how", ["cancel", "timeout"])
async def test_a_cancel_while_closing_comes_through(how: str, captured: CapturedRuns) -> None:
    """A body that takes its time to clean up does not swallow the consumer's cancel."""
    cleaning, may_end = asyncio.Event(), asyncio.Event()

    async def body(value: Any) -> None:
        await adispatch_custom_event("e", 1)
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            await may_end.wait()

    stream: Any = RunnableLambda(body).astream_events("in", version="v2")
    while (await anext(stream))["event"] != "on_custom_event":
        pass
    closing = asyncio.ensure_future(stream.aclose())
    await cleaning.wait()
    if how == "cancel":
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
    else:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(closing, 0.01)
    may_end.set()
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0)


async def test_an_error_while_closing_is_the_consumers(captured: CapturedRuns) -> None:
    """What the body raises when it is stopped comes out of the close."""
    error = LookupError("in the cleaning up")

    async def body(value: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise error

    stream: Any = RunnableLambda(body).astream_events("in", version="v2")
    await anext(stream)
    await asyncio.sleep(0)
    with pytest.raises(LookupError) as raised:
        await stream.aclose()
    assert raised.value is error


async def test_an_abandoned_event_stream_is_ended_with_its_loop() -> None:
    """An event stream that nobody closes leaves no unfinished span when the loop shuts down."""

    def main() -> None:
        async def abandon() -> None:
            stream: Any = by_adispatch([]).astream_events("in", version="v2")
            await anext(stream)
            kept.append(stream)

        asyncio.run(abandon())

    kept: list[Any] = []
    with capture_runs() as captured:
        await asyncio.to_thread(main)
        captured.assert_clean()


def by_sync_chunk(made: Made) -> Runnable[Any, Any]:
    """Give chunks from a sync generator."""

    def body(value: Iterator[Any]) -> Iterator[int]:
        for _ in value:
            for n in range(TOTAL):
                yield n
                made.append(n)

    return RunnableGenerator(body)


@pytest.mark.parametrize("way", [by_thread, by_sync_chunk])
def test_the_sync_stream_holds_back_too(
    way: Callable[[Made], Runnable[Any, Any]], captured: CapturedRuns
) -> None:
    """Its worker waits while the bound is unread; every event comes, in order."""
    made: Made = []
    got: list[int] = []
    for event in way(made).stream_events("in", version="v2"):
        assert len(made) - len(got) <= MOST + 2
        number = number_of(event)
        if number is not None:
            got.append(number)
    assert got == sorted(got)
    assert sorted(set(got)) == list(range(TOTAL))


@pytest.mark.parametrize("take", [0, 1, 5])
@pytest.mark.parametrize("way", [by_thread, by_sync_chunk])
def test_closing_the_sync_stream_leaves_no_thread(
    way: Callable[[Made], Runnable[Any, Any]], take: int, captured: CapturedRuns
) -> None:
    """Closed early, its thread has ended when close returns."""
    before = set(threading.enumerate())
    stream: Any = way([]).stream_events("in", version="v2")
    for _ in range(take):
        next(stream)
    stream.close()
    assert set(threading.enumerate()) == before
    captured.assert_clean()


def dispatches(value: Any) -> Any:
    """Dispatch the data that is given, from sync code."""
    dispatch_custom_event("e", value)
    return value


async def both(runnable: Runnable[Any, Any], value: Any, config: Any, **options: Any) -> Any:
    """Return the async event stream and the sync one."""
    found = [
        event async for event in runnable.astream_events(value, config, version="v2", **options)
    ]
    also = await asyncio.to_thread(
        lambda: list(runnable.stream_events(value, config, version="v2", **options))
    )
    return found, also


async def test_the_users_data_stay_as_they_are(captured: CapturedRuns) -> None:
    """Inputs, config and data are given by reference, and nothing is written into them."""
    value = {"a": {"b": [1]}}
    config: RunnableConfig = {"tags": ["t"], "metadata": {"m": {"n": 1}}, "configurable": {"c": 1}}
    before = copy.deepcopy((value, config))
    for events in await both(RunnableLambda(dispatches), value, config):
        custom = [event for event in events if event["event"] == "on_custom_event"]
        assert [event["data"] is value for event in custom] == [True]
        assert custom[0]["tags"] == ["t"]
        assert events[0]["data"]["input"] is value
        assert custom[0]["parent_ids"] == []
    assert (value, config) == before


async def test_first_of_all_a_custom_event_gets_no_input_written_into_it(
    captured: CapturedRuns,
) -> None:
    """Also where the filter leaves the custom event as the stream's first."""
    value = {"a": 1}
    for events in await both(RunnableLambda(dispatches), value, None, include_names=["e"]):
        assert [event["data"] for event in events] == [{"a": 1}]
    assert value == {"a": 1}


@pytest.mark.parametrize("version", ["v1", "v3", "", "2"])
async def test_another_version_is_refused(version: str, captured: CapturedRuns) -> None:
    """It says which one works, at the first step; nothing has run by then."""
    runnable = RunnableLambda(dispatches)
    with pytest.raises(NotImplementedError, match="v2"):
        async for _ in runnable.astream_events(1, version=version):
            pass
    with pytest.raises(NotImplementedError, match="v2"):
        list(runnable.stream_events(1, version=version))
    assert captured.spans == []


def two_steps() -> Runnable[Any, Any]:
    """Return a sequence whose second step is tagged and dispatches."""
    first = RunnableLambda(str).with_config(run_name="first")
    return first | RunnableLambda(dispatches).with_config(run_name="second", tags=["mine"])


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"include_names": ["first"]}, {"first"}),
        ({"include_names": ["e"]}, {"e"}),
        ({"include_tags": ["mine"]}, {"second", "e"}),
        ({"include_names": ["first"], "include_tags": ["mine"]}, {"first", "second", "e"}),
        ({"include_types": ["chain"]}, {"RunnableSequence", "first", "second"}),
        ({"exclude_types": ["chain"]}, {"e"}),
        ({"exclude_names": ["second", "RunnableSequence"]}, {"first", "e"}),
        ({"exclude_tags": ["mine"]}, {"RunnableSequence", "first"}),
        ({"include_tags": ["mine"], "exclude_names": ["e"]}, {"second"}),
        ({"include_names": []}, set()),
    ],
)
async def test_filters_choose(
    options: dict[str, Any], names: set[str], captured: CapturedRuns
) -> None:
    """Names, tags and types include and exclude, in both streams alike."""
    for events in await both(two_steps(), 1, None, **options):
        assert {event["name"] for event in events} == names


class Plain(Runnable[Any, Any]):
    """A subclass that knows only how to invoke."""

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self._call_with_config(dispatches, input, config)


@pytest.mark.parametrize(
    ("runnable", "value", "count"),
    [
        (RunnableLambda(dispatches).map(), [1, 2, 3], 3),
        (Plain(), 1, 1),
        (Plain() | Plain(), 1, 2),
        (Plain().map(), [1, 2], 2),
    ],
    ids=["each", "plain", "sequence", "each plain"],
)
async def test_every_runnable_has_event_streams(
    runnable: Runnable[Any, Any], value: Any, count: int, captured: CapturedRuns
) -> None:
    """Each run starts and ends in the stream, and every custom event is there."""
    for events in await both(runnable, value, None):
        kinds = [event["event"] for event in events]
        assert kinds.count("on_custom_event") == count
        assert kinds.count("on_chain_start") == kinds.count("on_chain_end") >= 1
        assert kinds[0] == "on_chain_start"
        assert kinds[-1] == "on_chain_end"
