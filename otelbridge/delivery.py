"""Calling handlers: in list order, each failure kept to its handler.

A sync hook runs inline, in async code too. What an async hook returns is awaited where the caller
can await; where it cannot, it goes to the backlog of the run's event loop, and where no loop
runs, it is run to its end at once.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Coroutine, Mapping
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
    for handler, call, ignored in hooks:
        if ignored is not None and getattr(handler, ignored, False):
            continue
        try:
            result = call(*args, **kwargs)
            if result is not None and _is_awaitable(result):
                _hand_over(handler, name, None if host is None else host.backlog, result)
        except Exception:
            report_failure(handler, name)
            if raises(handler):
                raise


def deliver_at_once(
    hooks: tuple[Hook, ...],
    name: str,
    host: Host | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Coroutine[Any, Any, None] | None:
    """Call ``hooks`` from async code as far as nothing has to be awaited.

    Returns:
        What is left, as a coroutine to await; None when all is done, which mostly it is.
    """
    done = 0
    for handler, call, ignored in hooks:
        done += 1
        if ignored is not None and getattr(handler, ignored, False):
            continue
        try:
            result = call(*args, **kwargs)
        except Exception:
            report_failure(handler, name)
            if raises(handler):
                raise
            continue
        if result is not None and _is_awaitable(result):
            if done == len(hooks):
                return _awaited(handler, result, name)
            return adeliver(hooks[done:], name, host, args, kwargs, (handler, result))
    return None


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
            await _awaited(*begun, name)
        elif backlog is not None and backlog.busy:
            await backlog.wait()
        for hook in rest:
            left = deliver_at_once((hook,), name, host, args, kwargs)
            if left is not None:
                await left
    except (asyncio.CancelledError, GeneratorExit):
        for hook in rest:
            with suppress(Exception):  # it has been reported
                deliver((hook,), name, host, args, kwargs)
        raise


async def _awaited(handler: Any, awaitable: Awaitable[Any], name: str) -> None:
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
        if not backlog.idle or inspect.iscoroutinefunction(hook.call):
            rest = adeliver(hooks[index:], name, host, args, kwargs)
            return backlog.add(rest, _unchanged)
        deliver((hook,), name, host, args, kwargs)


def _is_awaitable(result: object) -> bool:
    return type(result) is CoroutineType or inspect.isawaitable(result)


def _unchanged(error: BaseException) -> BaseException:
    return error


def _hand_over(handler: Any, name: str, backlog: Backlog | None, awaitable: Awaitable[Any]) -> None:
    loop = running_loop()
    if backlog is None and loop is not None:
        backlog = backlog_of_loop(loop)
    if backlog is not None:
        try:
            return backlog.add(awaitable, partial(_failed, handler, name))
        except RuntimeError:  # its loop has closed: nobody is left to run this but us
            if loop is not None:
                return backlog_of_loop(loop).add(awaitable, partial(_failed, handler, name))
    run_now(awaitable)


def _failed(handler: Any, name: str, error: BaseException) -> BaseException | None:
    try:
        raise error
    except Exception:
        report_failure(handler, name)
    return error if raises(handler) else None
