"""Where a run is while its body works: in the OTel Context, under one private key.

Whatever carries the OTel Context (tasks, ``asyncio.to_thread``, copied contexts, context-aware
executors) carries the run, and with it the run's config.

A body runs inside a ``contextvars.Context`` of its own, copied when the run begins. Nothing is
ever detached: what the body leaves behind goes away with its Context, and no token can reach
another task, thread or generator step.
"""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.context import Context

if TYPE_CHECKING:
    from otelbridge.run import Run

T = TypeVar("T")

RUN_KEY = otel.create_key("otelbridge-run")
SPAN_KEY = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))


def _variable() -> contextvars.ContextVar[Context] | None:
    """Return the ContextVar that holds the OTel Context, learnt from a public ``attach``."""
    token = cast("object", otel.attach(otel.get_current()))
    otel.detach(cast("contextvars.Token[Context]", token))
    return token.var if isinstance(token, contextvars.Token) else None


_var = _variable()
# Reading and setting the variable itself costs a third of going through the API's three layers.
get_otel: Callable[[], Context] = otel.get_current if _var is None else _var.get
set_otel: Callable[[Context], object] = otel.attach if _var is None else _var.set


def current_run(context: Context | None = None) -> Run | None:
    """Return the run whose body is executing here, or None outside of any run.

    Args:
        context: the OTel Context to look in; the current one when left out.
    """
    held = (get_otel() if context is None else context).get(RUN_KEY)
    return cast("Run | None", held)


def body_context(run: Run, span: trace.Span, base: Context) -> Context:
    """Return ``base`` with ``span`` current and ``run`` as the current run."""
    return Context({**base, SPAN_KEY: span, RUN_KEY: run})


def owned_context(context: Context) -> contextvars.Context:
    """Return a copy of the caller's ``contextvars.Context`` with ``context`` as OTel Context."""
    copied = contextvars.copy_context()
    copied.run(set_otel, context)
    return copied


class Steps(Generic[T]):
    """An awaitable that runs each step of a coroutine inside a given ``contextvars.Context``.

    The context is entered for one synchronous ``send``, ``throw`` or ``close`` and left before
    control goes back, so the awaiting task keeps its own. No task is made: cancellation,
    ``current_task()`` and timeouts are the caller's.
    """

    __slots__ = ("_coro", "_enter")

    def __init__(self, awaitable: Awaitable[T], context: contextvars.Context) -> None:
        self._enter = context.run
        self.then(awaitable)

    def then(self, awaitable: Awaitable[T]) -> None:
        """Run ``awaitable`` at the next await, in the same context."""
        steppable = hasattr(awaitable, "send") and hasattr(awaitable, "throw")
        self._coro = cast("Any", awaitable if steppable else _awaiting(awaitable))

    def __await__(self) -> Generator[Any, Any, T]:
        return cast("Generator[Any, Any, T]", self)

    def __iter__(self) -> Steps[T]:
        return self

    def __next__(self) -> object:
        return self._enter(self._coro.send, None)

    def send(self, value: object) -> object:
        """Resume the coroutine with ``value``."""
        return self._enter(self._coro.send, value)

    def throw(self, *error: Any) -> object:
        """Raise ``error`` where the coroutine waits."""
        return self._enter(self._coro.throw, *error)

    def close(self) -> None:
        """Close the coroutine where it waits."""
        self._enter(self._coro.close)


async def _awaiting(awaitable: Awaitable[T]) -> T:
    return await awaitable
