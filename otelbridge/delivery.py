"""Calling handlers: in list order, each failure kept to its handler.

A sync hook runs inline, in async code too. What an async hook returns is awaited where the caller
can await; where it cannot, it goes to the backlog of the run's event loop, and where no loop
runs, it is run to its end at once.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from functools import partial
from types import CoroutineType
from typing import Any, Protocol

from otelbridge._backlog import Backlog, backlog_of_loop, run_now, running_loop
from otelbridge.handlers import Hook, raises, report_failure


class Host(Protocol):
    """An async run: whose backlog takes what sync code below it cannot await."""

    @property
    def backlog(self) -> Backlog | None:
        """The queue, until the run has ended."""


def deliver(
    hooks: tuple[Hook, ...],
    name: str,
    host: Host | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> None:
    """Call ``hooks`` from sync code.

    Args:
        hooks: what ``hooks_of`` gave for ``name``.
        name: the hook, without ``on_``.
        host: the nearest async run, if there is one.
        args: passed by position, by reference.
        kwargs: passed by name.

    Raises:
        Exception: of a handler whose ``raise_error`` is true.
    """
    for hook in hooks:
        left = _called(hook, name, args, kwargs)
        if left is not None:
            hand_over(hook[0], name, host, left)


def _called(
    hook: Hook, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Awaitable[Any] | None:
    """Call a hook; return what it has returned where that is to be awaited."""
    handler, call, ignored = hook
    if ignored is not None and getattr(handler, ignored, False):
        return None
    try:
        result = call(*args, **kwargs)
    except Exception:
        report_failure(handler, name)
        if raises(handler):
            raise
        return None
    return result if result is not None and is_awaitable(result) else None


async def adeliver(
    hooks: tuple[Hook, ...],
    name: str,
    host: Host | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    begun: tuple[Any, Awaitable[Any]] | None = None,
) -> None:
    """Call ``hooks`` from async code; otherwise as ``deliver``.

    What sync code has left to async handlers is awaited first, and each hook before the next; so
    is ``begun``, a handler and what its hook has returned. Cancelled on the way, the others are
    still called.
    """
    rest = iter(hooks)
    try:
        backlog = None if host is None else host.backlog
        if begun is not None:
            await awaited(begun[0], name, begun[1])
        elif backlog is not None and backlog.busy:
            await backlog.wait()
        for hook in rest:
            left = _called(hook, name, args, kwargs)
            if left is not None:
                await awaited(hook[0], name, left)
    except (asyncio.CancelledError, GeneratorExit):
        for hook in rest:
            with suppress(Exception):  # it has been reported
                deliver((hook,), name, host, args, kwargs)
        raise


async def awaited(handler: Any, name: str, awaitable: Awaitable[Any]) -> None:
    """Await what a hook has returned.

    Raises:
        Exception: of a handler whose ``raise_error`` is true.
    """
    try:
        await awaitable
    except Exception:
        report_failure(handler, name)
        if raises(handler):
            raise


async def adeliver_last(
    hooks: tuple[Hook, ...],
    name: str,
    host: Host | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> None:
    """Call the hooks of a run's end, so that a cancel does not reach into them.

    From the first hook that has to be awaited on, they are left to the backlog, in order; the
    caller settles it.
    """
    backlog = None if host is None else host.backlog
    if backlog is None:
        return await adeliver(hooks, name, None, args, kwargs)
    for index, hook in enumerate(hooks):
        if not backlog.idle or inspect.iscoroutinefunction(hook[1]):
            rest = adeliver(hooks[index:], name, host, args, kwargs)
            return backlog.add(rest, _unchanged)
        deliver((hook,), name, host, args, kwargs)


def is_awaitable(result: object) -> bool:
    """Return whether a hook has returned something to be awaited."""
    return type(result) is CoroutineType or inspect.isawaitable(result)


def _unchanged(error: BaseException) -> BaseException:
    return error


def hand_over(handler: Any, name: str, host: Host | None, awaitable: Awaitable[Any]) -> None:
    """Leave what a hook has returned to whoever can await it; where no loop runs, run it now.

    Raises:
        Exception: it was run now, and the ``raise_error`` of its handler is true.
    """
    backlog = None if host is None else host.backlog
    loop = running_loop()
    if backlog is None and loop is not None:
        backlog = backlog_of_loop(loop)
    try:
        if backlog is not None:
            try:
                return backlog.add(awaitable, partial(_failed, handler, name))
            except RuntimeError:  # its loop has closed: nobody is left to run this but us
                if loop is not None:
                    return backlog_of_loop(loop).add(awaitable, partial(_failed, handler, name))
        run_now(awaitable)
    except Exception:
        report_failure(handler, name)
        if raises(handler):
            raise


def _failed(handler: Any, name: str, error: BaseException) -> BaseException | None:
    try:
        raise error
    except Exception:
        report_failure(handler, name)
    return error if raises(handler) else None
