"""Runnables side by side."""

from __future__ import annotations

import asyncio
from typing import Any

from ways import captured_cleanly, every_way, traces

from otelbridge import RunnableLambda, RunnableParallel


@every_way
def test_branches_get_the_same_input(way: Any) -> None:
    """Each is a run below, with its key as a tag."""
    with captured_cleanly() as captured:
        assert way(RunnableParallel(a=str, b=repr), 1) == {"a": "1", "b": "1"}
    lines = traces(captured)
    assert lines[0] == "RunnableParallel<a,b>"
    assert sorted(lines[1:]) == ["  repr #map:key:b", "  str #map:key:a"]


def test_parallels_compare_and_show() -> None:
    """By name and branches."""
    assert RunnableParallel(a=str) == RunnableParallel({"a": str})
    assert RunnableParallel(a=str) != RunnableParallel(a=repr)
    assert RunnableParallel(a=str) != RunnableLambda(str)
    assert repr(RunnableParallel(a=str)).startswith("{\n  a: RunnableLambda")


async def test_closed_coroutine_cancels_its_branches() -> None:
    """A coroutine that is thrown away leaves no task behind."""
    stopped: list[Any] = []

    async def wait(x: Any) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.append(x)
            raise

    with captured_cleanly() as captured:
        coroutine = RunnableParallel(a=wait).ainvoke(1)
        coroutine.send(None)
        await asyncio.sleep(0.01)
        coroutine.close()
        await asyncio.sleep(0.01)
    assert stopped == [1]
    assert captured.find("wait").attributes["otelbridge.run.outcome"] == "cancelled"  # type: ignore[index]
