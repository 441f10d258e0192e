"""Stopping async work at any await: by hand, without a loop, or on a real loop by cancel.

The awaits are counted, so every one of them can be chosen; no test here waits for a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")

MANY = 10_000


class Stopped:
    """How a coroutine that was driven by hand came to its end.

    Attributes:
        result: what it returned.
        error: what it raised.
        steps: at how many awaits it gave way.
    """

    def __init__(self) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self.steps = 0


def by_hand(
    coro: Coroutine[Any, Any, Any], at: int = MANY, stop: BaseException | None = None
) -> Stopped:
    """Step a coroutine to its end; at its ``at``-th await throw ``stop``, or close it if None."""
    stopped = Stopped()
    step: Callable[[], Any] = lambda: coro.send(None)  # noqa: E731
    try:
        while True:
            step()
            stopped.steps += 1
            if stopped.steps == at:
                if stop is None:
                    stopped.error = _raised_by(coro.close)
                    return stopped
                step = lambda: coro.throw(stop)  # noqa: E731
            else:
                step = lambda: coro.send(None)  # noqa: E731
    except StopIteration as ended:
        stopped.result = ended.value
    except BaseException as error:
        stopped.error = error
    return stopped


def _raised_by(function: Callable[[], Any]) -> BaseException | None:
    try:
        function()
    except BaseException as error:
        return error
    return None


class Cancelling:
    """Counts the awaits of all tasks of a loop, and cancels at one of them.

    Args:
        at: the number of the await.
        whom: ``main``, ``main twice`` (again at the next await), ``inner`` (the task that awaits)
            or ``all`` tasks.
    """

    def __init__(self, at: int = MANY, whom: str = "main") -> None:
        self.at, self.whom = at, whom
        self.steps = 0
        self.main: asyncio.Task[Any] | None = None

    @property
    def reached(self) -> bool:
        """Whether there was such an await."""
        return self.steps >= self.at

    def suspended(self) -> None:
        """Note that a task gives way."""
        if self.main is None:
            return
        self.steps += 1
        if self.steps == self.at or (self.steps == self.at + 1 and self.whom == "main twice"):
            for task in self._victims():
                task.cancel()

    def _victims(self) -> list[asyncio.Task[Any]]:
        main = self.main
        here = asyncio.current_task()
        if main is None or here is None:
            return []
        if self.whom == "inner":
            return [here]
        if self.whom == "all":
            return [task for task in asyncio.all_tasks() if _is_watched(task)]
        return [main]

    def factory(self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Any:
        """Make tasks whose awaits are counted."""
        return asyncio.Task(Watched(coro, self), loop=loop, **options)

    async def run(self, make: Callable[[], Awaitable[T]]) -> T:
        """Await ``make()`` as the main task, whatever comes of it."""
        asyncio.get_running_loop().set_task_factory(self.factory)

        async def main() -> T:
            return await make()

        task = asyncio.ensure_future(main())
        self.main = task
        try:
            return await task
        finally:
            self.main = None


def _is_watched(task: asyncio.Task[Any]) -> bool:
    return isinstance(task.get_coro(), Watched)


class Watched(Coroutine[Any, Any, Any]):
    """A coroutine that tells when it gives way."""

    def __init__(self, coro: Coroutine[Any, Any, Any], counter: Cancelling) -> None:
        self._coro, self._counter = coro, counter

    def send(self, value: Any) -> Any:
        given = self._coro.send(value)
        self._counter.suspended()
        return given

    def throw(self, *error: Any) -> Any:
        given = self._coro.throw(*error)
        self._counter.suspended()
        return given

    def close(self) -> None:
        self._coro.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        raise NotImplementedError("a task steps it")
