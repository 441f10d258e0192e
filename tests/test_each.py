"""RunnableEach: a runnable for each element, below one run."""

from __future__ import annotations

import asyncio
from typing import Any

import langchain_core.runnables as upstream
import pytest
from ways import Way, captured_cleanly, every_way, taken, traces

import otelbridge
from otelbridge import RunnableEach, RunnableLambda, adispatch_custom_event


def double(x: int) -> int:
    return 2 * x


@every_way
def test_map_runs_each_element_below_its_own_run(way: Way) -> None:
    """Every element is a child run, and the outputs come in the elements' order."""
    each = RunnableLambda(double).map()
    with captured_cleanly() as captured:
        assert way(each, [1, 2, 3], {"tags": ["t"]}) == [2, 4, 6]
    expected = ["RunnableEach<double> #t", *["  double #t"] * 3]
    assert traces(captured) == expected
    assert upstream.RunnableLambda(double).map().get_name() == each.get_name()


@every_way
def test_map_of_nothing_gives_nothing(way: Way) -> None:
    """An empty list gives an empty list."""
    assert way(RunnableLambda(double).map(), []) == []


@every_way
def test_one_failing_element_fails_the_whole(way: Way) -> None:
    """What an element raises ends the whole run by it; no run is left unfinished."""

    def fail(x: Any) -> Any:
        raise ValueError("no")

    with captured_cleanly() as captured:
        with pytest.raises(ValueError, match="no"):
            way(RunnableLambda(fail).map(), [1])
    assert traces(captured) == ["RunnableEach<fail> !ValueError", "  fail !ValueError"]


def test_what_is_bound_concerns_each_element() -> None:
    """bind, with_config and listeners of a mapped runnable reach the runs of the elements."""
    heard: list[Any] = []

    def scale(x: int, by: int = 1) -> int:
        return x * by

    async def hear(run: Any) -> None:
        heard.append(run.inputs)

    each: Any = RunnableLambda(scale).map().bind(by=3).with_config(tags=["each"])
    each = each.with_listeners(on_end=lambda run: heard.append(run.outputs))
    each = each.with_alisteners(on_start=hear)
    assert isinstance(each, RunnableEach)
    with captured_cleanly() as captured:
        assert asyncio.run(each.ainvoke([1])) == [3]
    assert heard == [{"input": 1}, {"output": 3}]
    assert traces(captured) == ["RunnableEach<scale>", "  scale #each"]


def test_event_stream_works() -> None:
    """Unlike upstream's, a mapped runnable has an event stream, custom events included."""

    async def work(x: int) -> int:
        await adispatch_custom_event("working", x)
        return x

    async def events() -> list[Any]:
        stream = RunnableLambda(work).map().astream_events([7], version="v2")
        return [(event["event"], event["name"]) async for event in stream]

    async def refused() -> list[Any]:
        stream = upstream.RunnableLambda(double).map().astream_events([7], version="v2")
        return await taken(stream)

    assert asyncio.run(events()) == [
        ("on_chain_start", "RunnableEach<work>"),
        ("on_chain_start", "work"),
        ("on_custom_event", "working"),
        ("on_chain_end", "work"),
        ("on_chain_end", "RunnableEach<work>"),
    ]
    with pytest.raises(NotImplementedError):
        asyncio.run(refused())


def test_max_concurrency_holds_for_the_elements() -> None:
    """No more elements are at work at once than the config allows."""
    working: list[int] = []
    most: list[int] = []

    async def work(x: int) -> int:
        working.append(x)
        most.append(len(working))
        await asyncio.sleep(0)
        working.remove(x)
        return x

    each = RunnableLambda(work).map()
    asyncio.run(each.ainvoke(list(range(8)), {"max_concurrency": 2}))
    assert max(most) == 2


def test_equality_repr_and_name() -> None:
    """Equal runnables mapped are equal; a name of one's own is kept."""
    one: Any = RunnableEach(bound=RunnableLambda(double))
    assert one == RunnableLambda(double).map()
    assert one != RunnableLambda(str).map()
    assert repr(one) == "RunnableEach(bound=RunnableLambda(double))"
    assert RunnableEach(bound=RunnableLambda(double), name="mine").get_name() == "mine"
    assert otelbridge.RunnableEach is RunnableEach
