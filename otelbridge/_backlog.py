"""Coroutines of async handlers that a sync caller could not await.

They run one after another, in the order in which they came, as one task of their event loop. The
async run that they belong to awaits them before it ends.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from otelbridge.context import Steps

logger = logging.getLogger("otelbridge")

CANCEL_GRACE_S = 5.0

_inside: ContextVar[Backlog | None] = ContextVar("otelbridge_backlog", default=None)

OnError = Callable[[BaseException], BaseException | None]


class Backlog:
    """A first-in first-out queue of coroutines on one event loop.

    ``add`` may be called from any thread; everything else belongs to the loop's own.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Not weakly: a collector clears weak references in a cycle before it finalizes the cycle.
        self._loop: Callable[[], asyncio.AbstractEventLoop | None] = lambda: loop
        self._waiting: deque[tuple[Awaitable[Any] | None, Any, Any]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._errors: list[BaseException] = []

    @property
    def busy(self) -> bool:
        """Whether something waits or runs."""
        return self._task is not None or bool(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits, runs or has failed."""
        return not self._errors and not self.busy

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
            self._task.add_done_callback(self._rest)

    def _rest(self, task: asyncio.Task[None]) -> None:
        # Not in ``_work``: a task that is cancelled before its first step never gets there.
        if self._task is task:
            self._task = None
        if self._is_awaited():
            self._wake()  # cancelled in the middle of one: the others still have their turn

    def _is_awaited(self) -> bool:
        return True

    def belongs_to(self, loop: asyncio.AbstractEventLoop | None) -> bool:
        """Return whether ``loop`` is the loop that runs this backlog."""
        return loop is not None and self._loop() is loop

    async def _work(self) -> None:
        _inside.set(self)
        while self._waiting:
            awaitable, then, context = self._waiting.popleft()
            if awaitable is None:
                _resolve(then)
                continue
            context.run(_inside.set, self)
            try:
                await Steps(awaitable, context)
            except asyncio.CancelledError:
                if _is_cancelled(self._task):
                    raise
            except Exception as error:
                raised = then(error)
                if raised is not None:
                    self._errors.append(raised)
        self._task = None

    async def wait(self, *, cancelled: bool = False) -> None:
        """Wait for all that was added before.

        From when the waiting task is cancelled it goes on for at most ``CANCEL_GRACE_S`` seconds;
        a second cancel stops the work. ``cancelled`` says that the first has been.
        """
        if _inside.get() is self:  # a handler that itself runs something: waiting would be forever
            return
        if self.busy:
            reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._put(None, reached)
            await (self._reach_soon(reached) if cancelled else self._reach(reached))

    async def settle(self) -> None:
        """As ``wait``; then raise the first exception that asks for it."""
        await self.wait()
        if self._errors and _inside.get() is not self:
            errors, self._errors = self._errors, []
            raise errors[0]

    async def _reach(self, reached: asyncio.Future[None]) -> None:
        try:
            await asyncio.shield(reached)
        except asyncio.CancelledError:
            await self._reach_soon(reached)
            raise

    async def _reach_soon(self, reached: asyncio.Future[None]) -> None:
        try:
            await asyncio.wait({reached}, timeout=CANCEL_GRACE_S)
        finally:
            if not reached.done():
                self._stop(reached)

    def _stop(self, reached: asyncio.Future[None]) -> None:
        """Cancel what runs and drop what waits before ``reached``."""
        if self._task is not None:
            self._task.cancel()
        while self._waiting and not reached.done():
            awaitable, then, _ = self._waiting.popleft()
            if awaitable is None:
                _resolve(then)
            else:
                _drop(awaitable)


def _resolve(reached: asyncio.Future[None]) -> None:
    if not reached.done():
        reached.set_result(None)


def _drop(awaitable: Awaitable[Any]) -> None:
    if (close := getattr(awaitable, "close", None)) is not None:
        close()


def _is_cancelled(task: asyncio.Task[None] | None) -> bool:
    """Return whether the task itself is being cancelled, and not what it awaits (Python 3.11)."""
    cancelling = getattr(task, "cancelling", None)
    return cancelling is None or cancelling() > 0


class LoopBacklog(Backlog):
    """The backlog of an event loop, for runs that no async run is above."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._loop = weakref.ref(loop)  # the table below maps the loop to this

    def _is_awaited(self) -> bool:
        # Else the loop is ending, and a task begun now would only be destroyed with it.
        return any(awaitable is None for awaitable, _, _ in self._waiting)

    def __del__(self) -> None:
        if self._waiting:
            logger.warning(
                "An event loop ended before %d calls of async handlers were awaited. Add `await "
                "otelbridge.drain()` to the end of the coroutine that calls invoke on the loop.",
                len(self._waiting),
            )
            for awaitable, _, _ in self._waiting:
                if awaitable is not None:
                    _drop(awaitable)


# Documented in its docstring as low-level; the public form raises, which costs ten times as much.
running_loop: Callable[[], asyncio.AbstractEventLoop | None] = asyncio._get_running_loop
"""Return the event loop that runs in this thread, or None."""


_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Backlog] = WeakKeyDictionary()


def backlog_of_loop(loop: asyncio.AbstractEventLoop) -> Backlog:
    """Return the loop's own backlog, for runs that no async run is above."""
    try:
        return _of_loop[loop]
    except KeyError:
        backlog = _of_loop[loop] = LoopBacklog(loop)
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
