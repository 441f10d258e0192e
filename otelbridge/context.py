"""Where a run is while its body works: in the OTel Context, under one private key.

Whatever carries the OTel Context (tasks, ``asyncio.to_thread``, copied contexts, context-aware
executors) carries the run, and with it the run's config.

A body runs inside a ``contextvars.Context`` of its own, copied when the run begins. Nothing is
ever detached: what the body leaves behind goes away with its Context, and no token can reach
another task, thread or generator step.
"""

from __future__ import annotations

import contextvars
import sys
import types
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.context import Context

if TYPE_CHECKING:
    from otelbridge._run_state import RunState
    from otelbridge.run import Run

T = TypeVar("T")
S = TypeVar("S")

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
    otel = get_otel() if context is None else context
    return otel.get(RUN_KEY)  # type: ignore[return-value]


def body_context(run: RunState, span: trace.Span, base: Context) -> Context:
    """Return ``base`` with ``span`` current and ``run`` as the current run."""
    held = base.copy()  # a plain dict: only a Context cannot be changed
    held[SPAN_KEY] = span
    held[RUN_KEY] = run
    return Context(held)


class Border:
    """Where another library's code begins, in the body of a run.

    Attributes:
        enter: called with each run inside its own ``contextvars.Context``, to set there what that
            library looks for; None while there is no such library.
    """

    __slots__ = ("enter",)

    def __init__(self) -> None:
        self.enter: Callable[[Run], object] | None = None


border = Border()


class Inside:
    """The caller's own ``contextvars.Context``, with another OTel Context while a call lasts.

    For code that must see and set the caller's context variables as if it were not traced. What
    the code itself has attached is there again in the next call.
    """

    __slots__ = ("_otel",)

    def __init__(self, otel: Context) -> None:
        self._otel = otel

    def run(self, func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call ``func`` with the OTel Context of this object as the current one."""
        before = get_otel()
        set_otel(self._otel)
        try:
            return func(*args, **kwargs)
        finally:
            self._otel = get_otel()
            set_otel(before)


class Step(Generic[T]):
    """An awaitable for one step of an async generator, which is closed with it.

    Until Python 3.13 a step that is closed leaves its generator suspended, and unclosable.
    """

    __slots__ = ("_coro",)

    def __init__(self, step: Awaitable[T]) -> None:
        self._coro = cast("Any", step)

    def __await__(self) -> Generator[Any, Any, T]:
        return cast("Generator[Any, Any, T]", self)

    def __iter__(self: S) -> S:
        return self

    def __next__(self) -> object:
        return self._coro.send(None)

    def send(self, value: object) -> object:
        """Resume the coroutine with ``value``."""
        return self._coro.send(value)

    def throw(self, *error: Any) -> object:
        """Raise ``error`` where the coroutine waits."""
        return self._coro.throw(*error)

    def close(self) -> None:
        """Close the coroutine where it waits."""
        _close(self._coro)


# What the methods of an async generator return: types that have no public name.
_GENERATOR_STEPS = frozenset({"async_generator_asend", "async_generator_athrow"})


def closable(step: Awaitable[T]) -> Awaitable[T]:
    """Return ``step`` so that an async generator whose step it is can be closed with it."""
    if sys.version_info >= (3, 13) or type(step).__name__ not in _GENERATOR_STEPS:
        return step
    return Step(step)


def _close(coro: Any) -> None:
    if type(coro).__name__ not in _GENERATOR_STEPS:
        coro.close()
        return
    with suppress(GeneratorExit, StopIteration, StopAsyncIteration):
        coro.throw(GeneratorExit())
        raise RuntimeError("async generator ignored GeneratorExit")


class Steps(Step[T]):
    """An awaitable that runs each step of a coroutine inside a given ``contextvars.Context``.

    The context is entered for one synchronous ``send``, ``throw`` or ``close`` and left before
    control goes back, so the awaiting task keeps its own. No task is made: cancellation,
    ``current_task()`` and timeouts are the caller's.
    """

    __slots__ = ("_enter",)

    def __init__(self, awaitable: Awaitable[T], context: contextvars.Context | Inside) -> None:
        self._enter = context.run
        self.then(awaitable)

    def then(self, awaitable: Awaitable[T]) -> None:
        """Run ``awaitable`` at the next await, in the same context."""
        self._coro = steppable(awaitable)

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
        self._enter(_close, self._coro)


class Rest(Steps[T]):
    """What is left of a coroutine whose first step, taken inside ``context``, has to wait.

    Most steps of most coroutines need no waiting, and no object like this::

        try:
            waiting = context.run(coro.send, None)
        except StopIteration as done:
            result = done.value
        else:
            result = await Rest(coro, context, waiting)
    """

    __slots__ = ("_waiting",)

    def __init__(self, coro: Awaitable[T], context: contextvars.Context, waiting: object) -> None:
        super().__init__(coro, context)
        self._waiting = [waiting]

    def __next__(self) -> object:
        return self._waiting.pop() if self._waiting else self._enter(self._coro.send, None)


class Pump(Generic[T]):
    """Pulls the chunks of an async iterator, each step inside a ``contextvars.Context``.

    A chunk that is there at once, as most are, comes without an awaitable and without an
    exception::

        waiting = enter(pump.send, None)
        if waiting is not pump.box:
            await pump.rest(waiting)
        chunk = pump.box[0]

    Attributes:
        box: holds the chunk; what ``send`` gives when there is one.
        send: takes one step; gives the box, or what the event loop is to wait for.
    """

    __slots__ = ("_enter", "_generator", "box", "send")

    def __init__(
        self,
        first: Awaitable[T],
        pull: Callable[[], Awaitable[T]],
        enter: Callable[..., Any],
    ) -> None:
        self.box: list[Any] = [None]
        self._enter = enter
        self._generator: Any = _pumping(first, pull, self.box)
        self.send = self._generator.send

    def rest(self, waiting: object) -> _PumpRest:
        """Return an awaitable for the rest of a step that waits for ``waiting``."""
        return _PumpRest(self._enter, self._generator, self.box, waiting)


@types.coroutine
def _pumping(step: Any, pull: Callable[[], Any], box: list[Any]) -> Generator[Any, Any, None]:
    box[0] = yield from _iterable(step)
    yield box
    if type(getattr(pull, "__self__", None)) is types.AsyncGeneratorType:
        # What asking each step costs is a quarter of what a chunk costs.
        while True:
            box[0] = yield from pull()
            yield box
    while True:
        box[0] = yield from _iterable(pull())
        yield box


def _iterable(step: Any) -> Any:
    return step if hasattr(step, "send") else step.__await__()


class _PumpRest(Step[None]):
    """What is left of one step of a pump, as an awaitable."""

    __slots__ = ("_box", "_enter", "_waiting")

    def __init__(
        self, enter: Callable[..., Any], generator: Any, box: list[Any], waiting: object
    ) -> None:
        self._coro = generator
        self._enter = enter
        self._box = box
        self._waiting = [waiting]

    def __next__(self) -> object:
        return self._waiting.pop() if self._waiting else self.send(None)

    def send(self, value: object) -> object:
        """Resume the step with ``value``."""
        return self._or_done(self._enter(self._coro.send, value))

    def throw(self, *error: Any) -> object:
        """Raise ``error`` where the step waits."""
        return self._or_done(self._enter(self._coro.throw, *error))

    def close(self) -> None:
        """Close the step where it waits."""
        # Not by the generator's close(): see ``Step``.
        if (step := self._coro.gi_yieldfrom) is not None:
            self._enter(_close, step)
        self._enter(self._coro.close)

    def _or_done(self, given: object) -> object:
        if given is self._box:
            raise StopIteration
        return given


def steppable(awaitable: Awaitable[T]) -> Any:
    """Return ``awaitable`` as something with ``send`` and ``throw``."""
    if hasattr(awaitable, "send") and hasattr(awaitable, "throw"):
        return awaitable
    return _awaiting(awaitable)


async def _awaiting(awaitable: Awaitable[T]) -> T:
    return await awaitable
