"""How a program is run again and again: called, awaited, or streamed to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from benchmarks.timing import Lap


def sync(_: asyncio.AbstractEventLoop, program: Callable[[], Any]) -> Lap:
    """Call it."""

    def lap(count: int) -> None:
        for _ in range(count):
            program()

    return lap


def awaited(loop: asyncio.AbstractEventLoop, program: Callable[[], Awaitable[Any]]) -> Lap:
    """Await it."""

    async def laps(count: int) -> None:
        for _ in range(count):
            await program()

    return lambda count: loop.run_until_complete(laps(count))


def streamed(loop: asyncio.AbstractEventLoop, program: Callable[[], AsyncIterator[Any]]) -> Lap:
    """Take all that it yields."""

    async def laps(count: int) -> None:
        for _ in range(count):
            async for _chunk in program():
                pass

    return lambda count: loop.run_until_complete(laps(count))
