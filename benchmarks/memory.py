"""What many runs leave behind in memory; each case runs in a process of its own.

``python -m benchmarks.memory cancelled 20000`` runs one case and prints JSON. Before the first
reading come enough runs to fill every table that is bounded on purpose.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from opentelemetry import trace

from benchmarks import by_hand, with_runnables
from benchmarks.environment import set_up
from benchmarks.listeners import AsyncListener, Listener
from benchmarks.workloads import LABELLED

BUDGET_MIB: Final = 1.0
WARM_UP: Final = 10_200
"""More runs than any bounded table holds entries (10,000 ended runs)."""


class Case:
    """The ways a run can go, each as a function that does ``count`` of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._library = with_runnables.otelbridge()
        self._config = with_runnables.config_of(LABELLED, Listener())

    def invoke(self, count: int) -> None:
        """Sync runs that end well."""
        runnable = self._library.lambda_(with_runnables.reflect_with(self._library))
        for number in range(count):
            runnable.invoke(str(number), self._config)

    def ainvoke(self, count: int) -> None:
        """Async runs that end well, a task each."""
        runnable = self._library.lambda_(with_runnables.areflect_with(self._library))

        async def one(number: int) -> None:
            await asyncio.create_task(runnable.ainvoke(str(number), self._config))

        self._in_loop(one, count)

    def failed(self, count: int) -> None:
        """Sync runs that raise."""

        def fail(value: str) -> str:
            self._library.dispatch("before", value)
            raise ValueError(value)

        runnable = self._library.lambda_(fail)
        for number in range(count):
            with suppress(ValueError):
                runnable.invoke(str(number), self._config)

    def cancelled(self, count: int) -> None:
        """Async runs that are cancelled while they wait."""

        async def wait(value: str) -> str:
            await self._library.adispatch("before", value)
            await asyncio.Event().wait()
            return value

        runnable = self._library.lambda_(wait)

        async def one(number: int) -> None:
            task = asyncio.create_task(runnable.ainvoke(str(number), self._config))
            await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        self._in_loop(one, count)

    def closed(self, count: int) -> None:
        """Async streams that are closed after the first chunk."""
        runnable = self._library.generator(self._aforever)

        async def one(number: int) -> None:
            stream = runnable.astream(str(number), self._config)
            await stream.__anext__()
            await stream.aclose()

        self._in_loop(one, count)

    def abandoned(self, count: int) -> None:
        """Async and sync streams that are dropped after the first chunk and never closed."""
        asynchronous = self._library.generator(self._aforever)
        synchronous = self._library.generator(self._forever)

        async def one(number: int) -> None:
            stream = asynchronous.astream(str(number), self._config)
            await stream.__anext__()
            del stream
            await asyncio.sleep(0)

        self._in_loop(one, count // 2)
        for number in range(count // 2):
            next(synchronous.stream(str(number), self._config))

    def by_hand(self, count: int) -> None:
        """The control: hand-made spans, which leave what the SDK and the interpreter leave."""
        hand = by_hand.programs(
            trace.get_tracer("benchmarks"), LABELLED, Listener(), AsyncListener()
        )
        for _ in range(count):
            hand.invoke()

    async def _aforever(self, values: AsyncIterator[str]) -> AsyncIterator[str]:
        async for value in values:
            while True:
                await self._library.adispatch("before", value)
                yield value

    def _forever(self, values: Iterator[str]) -> Iterator[str]:
        for value in values:
            while True:
                self._library.dispatch("before", value)
                yield value

    def _in_loop(self, one: Callable[[int], Awaitable[None]], count: int) -> None:
        async def all_of_them() -> None:
            for number in range(count):
                await one(number)

        self._loop.run_until_complete(all_of_them())


CASES: Final = ("invoke", "ainvoke", "failed", "cancelled", "closed", "abandoned", "by_hand")


def _resident_mib() -> float | None:
    """Resident memory, or None where the system does not tell it in /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _reading() -> dict[str, Any]:
    # Twice, because finalizers of the first collection make new garbage.
    gc.collect()
    gc.collect()
    return {
        "rss_mib": _resident_mib(),
        "blocks": sys.getallocatedblocks(),
        "objects": len(gc.get_objects()),
    }


def main(arguments: list[str]) -> None:
    """Run the case named by the first argument and print what it left behind as JSON."""
    name, runs = arguments[0], int(arguments[1])
    set_up("recording")
    loop = asyncio.new_event_loop()
    case: Callable[[int], None] = getattr(Case(loop), name)
    case(WARM_UP)
    before = _reading()
    case(runs)
    after = _reading()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    grown = {key: after[key] - before[key] for key in before if before[key] is not None}
    json.dump({"name": name, "runs": runs, "budget_mib": BUDGET_MIB, **grown}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
