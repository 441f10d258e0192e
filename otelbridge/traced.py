"""``@traced``: each call of a plain function as a run."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, TypeVar, cast, overload

from otelbridge._arguments import arguments_of
from otelbridge.context import Inside, Steps, get_otel
from otelbridge.run import Run, abegin, begin
from otelbridge.runnables._in_run import Unfinished, unregistered

F = TypeVar("F", bound=Callable[..., Any])


@overload
def traced(func: F, /) -> F: ...


@overload
def traced(*, name: str | None = None, run_type: str | None = None) -> Callable[[F], F]: ...


def traced(
    func: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    run_type: str | None = None,
) -> Any:
    """Decorate a function so that each call is a run.

    Works on functions, methods, coroutine functions, generators and async generators. The
    signature and the type stay as they were. A generator's run begins at its first step and ends
    when it does; a consumer never sees the run as the current one.

    Args:
        func: the function, where the decorator is used without arguments.
        name: of the runs; by default the function's.
        run_type: of the runs, such as ``"tool"``.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if isinstance(function, (staticmethod, classmethod)):
            return cast("Callable[..., Any]", type(function)(decorate(function.__func__)))
        if not callable(function):
            raise TypeError(
                f"@traced was put on {function!r}, which cannot be called. Put it on the function "
                "itself: for a property, below @property."
            )
        label = _Label(name or str(getattr(function, "__name__", "traced")), run_type, function)
        for is_kind, wrap in _KINDS:
            if is_kind(function) or is_kind(getattr(function, "__call__", None)):  # noqa: B004
                return wrap(function, label)
        return _function(function, label)

    return decorate if func is None else decorate(func)


class _Label:
    """What a run of a function is called, and what its input is."""

    __slots__ = ("_names", "name", "run_type")

    def __init__(self, name: str, run_type: str | None, function: Callable[..., Any]) -> None:
        self.name = name
        self.run_type = run_type
        self._names = arguments_of(function).positional

    def inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        named = dict(zip(self._names, args))
        if len(args) > len(self._names):
            named["args"] = args[len(self._names) :]
        named.pop("self", None)
        return {**named, **kwargs}

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run:
        return begin(self.name, None, self.inputs(args, kwargs), self.run_type)

    async def abegin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run:
        return await abegin(self.name, None, self.inputs(args, kwargs), self.run_type)


def _function(function: Callable[..., Any], label: _Label) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        run = label.begin(args, kwargs)
        try:
            output = _inside(run).run(function, *args, **kwargs)
        except BaseException as error:
            run.fail(error)
            raise
        run.end(output)
        return output

    return call


def _coroutine(function: Callable[..., Any], label: _Label) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        run = await label.abegin(args, kwargs)
        try:
            output = await Steps(function(*args, **kwargs), _inside(run))
        except BaseException as error:
            await run.afail(error)
            raise
        await run.aend(output)
        return output

    return call


def _generator(function: Callable[..., Any], label: _Label) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        run = label.begin(args, kwargs)
        try:
            step = _inside(run).run
            output = yield from _steps(step, step(function, *args, **kwargs))
        except GeneratorExit as closed:
            run.close(closed)
            raise
        except BaseException as error:
            run.fail(error)
            raise
        run.end(output)
        return output

    return call


def _steps(
    step: Callable[..., Any], generator: Generator[Any, Any, Any]
) -> Generator[Any, Any, Any]:
    """Yield from ``generator``, each of whose steps is taken by ``step``."""
    try:
        item = step(next, generator)
        while True:
            try:
                sent = yield item
            except GeneratorExit:
                step(generator.close)
                raise
            except BaseException as error:
                item = step(generator.throw, error)
            else:
                item = step(generator.send, sent)
    except StopIteration as stop:
        return stop.value


def _async_generator(function: Callable[..., Any], label: _Label) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        run = await label.abegin(args, kwargs)
        unfinished = Unfinished(run)
        inside = _inside(run)
        try:
            generator = cast("AsyncGenerator[Any, Any]", inside.run(function, *args, **kwargs))
            unfinished.iterator = generator
            steps: Steps[Any] = Steps(inside.run(unregistered, generator.__anext__), inside)
            while True:
                try:
                    item = await steps
                except StopAsyncIteration:
                    break
                try:
                    sent = yield item
                except GeneratorExit:
                    await Steps(generator.aclose(), inside)
                    raise
                except BaseException as error:
                    steps.then(generator.athrow(error))
                else:
                    steps.then(generator.asend(sent))
        except GeneratorExit as closed:
            await run.aclose(closed)
            raise
        except BaseException as error:
            await run.afail(error)
            raise
        await run.aend()

    return call


def _inside(run: Run) -> Inside:
    """Return where the function runs: in its caller's context, with the run as the current one."""
    return Inside(run.context.run(get_otel))


_KINDS = (
    (inspect.isasyncgenfunction, _async_generator),
    (inspect.isgeneratorfunction, _generator),
    (inspect.iscoroutinefunction, _coroutine),
)
