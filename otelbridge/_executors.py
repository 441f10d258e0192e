"""Async code that hands work to threads with its context, and waits for much at once."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from typing import Any, ParamSpec, TypeVar

from otelbridge.errors import ConfigurationError

P = ParamSpec("P")
T = TypeVar("T")


async def run_in_executor(
    executor_or_config: Executor | Mapping[str, Any] | None,
    func: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run ``func`` in a thread, in a copy of the current context, and await its result.

    Args:
        executor_or_config: the executor to use; None or a config means the loop's default one.
        func: called as ``func(*args, **kwargs)``.

    Raises:
        RuntimeError: ``func`` raised StopIteration, which a future cannot carry.
    """

    def call() -> T:
        try:
            return func(*args, **kwargs)
        except StopIteration as stop:
            raise RuntimeError("StopIteration cannot cross a thread") from stop

    executor = executor_or_config if isinstance(executor_or_config, Executor) else None
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(executor, contextvars.copy_context().run, call)


async def gather_with_concurrency(limit: int | None, *coros: Coroutine[Any, Any, T]) -> list[T]:
    """Await ``coros`` together, at most ``limit`` at once (None: all), results in their order."""
    if limit is None:
        return list(await asyncio.gather(*coros))
    if limit < 1:
        for coro in coros:
            coro.close()
        raise ConfigurationError(f"max_concurrency is {limit}; it must be at least 1, or None.")
    gate = asyncio.Semaphore(limit)

    async def gated(coro: Coroutine[Any, Any, T]) -> T:
        async with gate:
            return await coro

    return list(await asyncio.gather(*map(gated, coros)))
