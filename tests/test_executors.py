"""Threads that carry the context, and limits on how much runs at once."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ways import captured_cleanly, traces

from otelbridge import ConfigurationError, RunnableLambda, current_run, run_in_executor, start_run
from otelbridge._executors import gather_with_concurrency
from otelbridge._thread_pool import ContextThreadPoolExecutor


def test_pool_carries_the_run_of_whoever_submits() -> None:
    """Each job has its own copy of the context."""
    with captured_cleanly() as captured, ContextThreadPoolExecutor(2) as pool:
        with start_run("job") as run:
            assert pool.submit(current_run).result() is run
            assert list(pool.map(RunnableLambda(str).invoke, [1, 2])) == ["1", "2"]
        assert pool.submit(current_run).result() is None
    assert traces(captured) == ["job", "  str", "  str"]


@pytest.mark.parametrize("kind", ["default", "config", "own"])
async def test_function_runs_in_a_thread(kind: str) -> None:
    """With its arguments and the current run; in the loop's executor or one's own."""

    def add(a: int, *, b: int) -> Any:
        return a + b, current_run()

    with captured_cleanly(), ThreadPoolExecutor(1) as pool:
        where: Any = {"default": None, "config": {"tags": ["t"]}, "own": pool}[kind]
        with start_run("job") as run:
            assert await run_in_executor(where, add, 1, b=2) == (3, run)


async def test_stop_iteration_becomes_a_runtime_error() -> None:
    """A future cannot carry it; any other exception comes as it is."""
    with pytest.raises(RuntimeError, match="StopIteration cannot cross a thread") as raised:
        await run_in_executor(None, next, iter(()))
    assert isinstance(raised.value.__cause__, StopIteration)
    with pytest.raises(ZeroDivisionError):
        await run_in_executor(None, lambda: 1 / 0)


@pytest.mark.parametrize("limit", [None, 1, 2, 10])
async def test_gather_keeps_order_and_limit(limit: int | None) -> None:
    """No more at once than was said; results in the order of the coroutines."""
    running, most = 0, 0

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001 * (5 - number))
        running -= 1
        return number

    assert await gather_with_concurrency(limit, *map(work, range(5))) == list(range(5))
    assert most == min(limit or 5, 5)


@pytest.mark.parametrize("limit", [0, -1])
async def test_limit_below_one_is_refused(limit: int) -> None:
    """With its cure, and no coroutine is left without an await."""
    with pytest.raises(ConfigurationError, match=f"max_concurrency is {limit}; it must be"):
        await gather_with_concurrency(limit, asyncio.sleep(0), asyncio.sleep(0))
    with pytest.raises(ValueError, match=r"max_(concurrency|workers)"):
        RunnableLambda(str).batch([1, 2], {"max_concurrency": limit})
    with pytest.raises(ConfigurationError, match="max_concurrency is"):
        await RunnableLambda(str).abatch([1, 2], {"max_concurrency": limit})
