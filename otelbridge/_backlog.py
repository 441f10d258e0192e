"""Coroutines of async handlers that a sync caller could not await.

They run one after another, in the order in which they came, as one task of their event loop. The
async run that they belong to awaits them before it ends.
"""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from otelbridge.context import Steps

CANCEL_GRACE_S = 5.0

_inside: ContextVar[Backlog | None] = ContextVar("otelbridge_backlog", default=None)

OnError = Callable[[BaseException], BaseException | None]


class Backlog:
    """A first-in first-out queue of coroutines on one event loop.

    ``add`` may be called from any thread; everything else belongs to the loop's own.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)  # the table below maps the loop to this
        self._waiting: deque[tuple[Awaitable[Any] | None, Any, Any]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._errors: list[BaseException] = []

    @property
    def idle(self) -> bool:
        """Whether nothing waits, runs or has failed."""
        return not self._waiting and self._task is None and not self._errors

    def add(self, awaitable: Awaitable[Any], on_error: OnError) -> None:
        """Append a coroutine; ``on_error`` gets its exception and returns one to raise, or None.

        Raises:
            RuntimeError: the loop is closed.
        """
        self._put(awaitable, on_error)

    def _put(self, awaitable: Awaitable[Any] | None, then: Any) -> None:
        item = (awaitable, then, contextvars.copy_context())
        loop = self._loop()
        if loop is None or loop.is_closed():
            raise RuntimeError("the event loop of this run is closed")
        self._waiting.append(item)
        if running_loop() is loop:
            self._wake()
        else:
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        loop = self._loop()
        if self._task is None and self._waiting and loop is not None and not loop.is_closed():
            self._task = loop.create_task(self._work())

    def belongs_to(self, loop: asyncio.AbstractEventLoop | None) -> bool:
        """Return whether ``loop`` is the loop that runs this backlog."""
        return loop is not None and self._loop() is loop

    async def _work(self) -> None:
        _inside.set(self)
        try:
            while self._waiting:
                awaitable, then, context = self._waiting.popleft()
                if awaitable is None:
                    if not then.done():
                        then.set_result(None)
                    continue
                context.run(_inside.set, self)
                try:
                    await Steps(awaitable, context)
                except asyncio.CancelledError:
                    raise
                except Exception as error:
                    raised = then(error)
                    if raised is not None:
                        self._errors.append(raised)
        finally:
            self._task = None
            # Cancelled in the middle of one: the others still have their turn.
            self._wake()

    async def settle(self) -> None:
        """Wait for all that was added before; raise the first exception that asks for it.

        When the waiting task is cancelled it goes on for at most ``CANCEL_GRACE_S`` seconds; a
        second cancel stops the work.
        """
        if _inside.get() is self:  # a handler that itself runs something: waiting would be forever
            return
        if self._waiting or self._task is not None:
            reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._put(None, reached)
            await self._reach(reached)
        if self._errors:
            errors, self._errors = self._errors, []
            raise errors[0]

    async def _reach(self, reached: asyncio.Future[None]) -> None:
        try:
            await asyncio.shield(reached)
        except asyncio.CancelledError:
            try:
                await asyncio.wait({reached}, timeout=CANCEL_GRACE_S)
            finally:
                if not reached.done() and self._task is not None:
                    self._task.cancel()
            raise


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Backlog] = WeakKeyDictionary()


def backlog_of_loop(loop: asyncio.AbstractEventLoop) -> Backlog:
    """Return the loop's own backlog, for runs that no async run is above."""
    try:
        return _of_loop[loop]
    except KeyError:
        backlog = _of_loop[loop] = Backlog(loop)
        return backlog


async def drain() -> None:
    """Wait for the async handlers that sync calls on this loop have left behind.

    Needed only where ``invoke`` runs on the loop's own thread outside of any async run.
    """
    backlog = _of_loop.get(asyncio.get_running_loop())
    if backlog is not None:
        await backlog.settle()


def run_now(awaitable: Awaitable[Any]) -> Any:
    """Run a coroutine to its end where no event loop runs."""

    async def main() -> Any:
        result = await awaitable
        # What the handler has started is part of it, as upstream has it.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)
        return result

    return asyncio.run(main())
