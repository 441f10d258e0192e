"""A function as a runnable."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from operator import itemgetter
from types import CoroutineType
from typing import Any, TypeVar, cast, overload

from otelbridge._arguments import arguments_of
from otelbridge._source import lambda_source
from otelbridge.config import (
    RunnableConfig,
    call_func_with_variable_args,
    run_in_executor,
)
from otelbridge.context import Rest, steppable
from otelbridge.run import Run, begin, begin_async
from otelbridge.runnables import _in_run
from otelbridge.runnables.base import (
    Input,
    Output,
    Runnable,
    is_async_callable,
    is_async_generator,
    is_runnable,
)

# Asking an abstract class whether it has an instance costs; these it never has.
_NO_RUNNABLES = frozenset({str, int, float, bool, dict, list, tuple, type(None)})

In = TypeVar("In")
Out = TypeVar("Out")


class RunnableLambda(Runnable[Input, Output]):
    """A function as a runnable; it may also be a generator function, or return a runnable.

    A returned runnable is run in its place, up to ``recursion_limit`` deep. A parameter that is
    named ``config`` or annotated ``RunnableConfig`` is filled in, one named ``run_manager`` gets
    the ``Run``.

    Args:
        func: the function; a coroutine or async generator function serves the async forms only.
        afunc: serves the async forms, where ``func`` is a sync function.
        name: of its runs; by default the function's.

    Raises:
        TypeError: ``func`` is no function, or both are async.
    """

    func: Callable[..., Any]
    afunc: Callable[..., Any]

    @overload
    def __init__(
        self,
        func: Callable[[Input], Coroutine[Any, Any, Output]]
        | Callable[[Input, RunnableConfig], Coroutine[Any, Any, Output]],
        afunc: None = None,
        name: str | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        func: Callable[[Input], AsyncIterator[Output]]
        | Callable[[Input, RunnableConfig], AsyncIterator[Output]],
        afunc: None = None,
        name: str | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        func: Callable[[Input], Iterator[Output]]
        | Callable[[Input, RunnableConfig], Iterator[Output]],
        afunc: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        func: Callable[[Input], Runnable[Input, Output]]
        | Callable[[Input, RunnableConfig], Runnable[Input, Output]],
        afunc: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        func: Callable[[Input], Output] | Callable[[Input, RunnableConfig], Output],
        afunc: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self: RunnableLambda[Any, Any],
        func: Callable[..., Any],
        afunc: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> None: ...

    def __init__(
        self,
        func: Callable[..., Any],
        afunc: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> None:
        if not callable(func):
            raise TypeError(f"RunnableLambda needs a function, and was given {func!r}.")
        if is_async_callable(func) or is_async_generator(func):
            if afunc is not None:
                raise TypeError(
                    "RunnableLambda was given two async functions. Pass a sync function first, "
                    "its async twin as afunc; or one async function alone."
                )
            self.afunc = func
        else:
            self.func = func
            if afunc is not None:
                self.afunc = afunc
        own = getattr(func, "__name__", "<lambda>")
        if name is not None:
            self.name = name
        elif own != "<lambda>":
            self.name = own
        self._is_plain = hasattr(self, "func") and _is_plain(func)
        self._is_aplain = (
            hasattr(self, "afunc") and _is_plain(self.afunc) and not is_async_generator(self.afunc)
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunnableLambda):
            return False
        for name in ("func", "afunc"):
            if hasattr(self, name) and hasattr(other, name):
                return bool(getattr(self, name) == getattr(other, name))
        return False

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        function = getattr(self, "func", None)
        if isinstance(function, itemgetter):
            return f"RunnableLambda({str(function).removeprefix('operator.')})"
        if function is not None:
            return f"RunnableLambda({lambda_source(function)})"
        return f"RunnableLambda(afunc={lambda_source(self.afunc)})"

    # ------------------------------------------------------------------ one input

    def invoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        """Call the function as a run."""
        is_plain = self._is_plain and not kwargs
        if not is_plain and not hasattr(self, "func"):
            raise TypeError(
                f"{self!r} has an async function only; use ainvoke, or give it a sync one."
            )
        run = begin(self.name or self.get_name(), config, input)
        output: Output
        try:
            if is_plain:
                output = run.context.run(self.func, input)
                if type(output) not in _NO_RUNNABLES and is_runnable(output):
                    output = run.enter(self._run_returned, output, input, run)
            else:
                output = run.enter(self._invoke, input, run, kwargs)
        except BaseException as error:
            run.fail(error)
            raise
        run.end(output)
        return output

    def _invoke(self, input: Any, run: Run, kwargs: dict[str, Any]) -> Any:
        output = _call(self.func, input, run, kwargs)
        if inspect.isgeneratorfunction(self.func):
            output = _in_run.add_up(output)[1]
        if is_runnable(output):
            return self._run_returned(output, input, run)
        return output

    def _run_returned(self, returned: Runnable[Any, Any], input: Any, run: Run) -> Any:
        return returned.invoke(input, self._one_deeper(run, input))

    def _one_deeper(self, run: Run, input: Any) -> RunnableConfig:
        config = cast("dict[str, Any]", run.child_config())
        if config["recursion_limit"] <= 0:
            raise RecursionError(
                f"The recursion limit was reached when {self!r} returned a runnable for the input "
                f"{input!r}. Raise recursion_limit in the config if that is meant."
            )
        config["recursion_limit"] -= 1
        return cast("RunnableConfig", config)

    async def ainvoke(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Output:
        """Await the function as a run; a sync function runs in a thread."""
        run, rest = begin_async(self.name or self.get_name(), config, input)
        if rest is not None:
            await rest
        output: Output
        try:
            if self._is_aplain and not kwargs:
                coro = self.afunc(input)
                if type(coro) is not CoroutineType:
                    coro = steppable(coro)
                try:
                    waiting = run.context.run(coro.send, None)
                except StopIteration as done:
                    output = done.value
                else:
                    output = await Rest(coro, run.context, waiting)
                if type(output) not in _NO_RUNNABLES and is_runnable(output):
                    returned = output.ainvoke(input, self._one_deeper(run, input))
                    output = await run.asteps(returned)
            else:
                output = await run.asteps(self._ainvoke(input, run, kwargs))
        except BaseException as error:
            await run.afail(error)
            raise
        rest = run.begin_end(output)
        if rest is not None:
            await rest
        return output

    async def _ainvoke(self, input: Any, run: Run, kwargs: dict[str, Any]) -> Any:
        if not hasattr(self, "afunc"):
            output = await run_in_executor(None, _call_whole, self.func, input, run, kwargs)
        elif is_async_generator(self.afunc):
            chunks = _call(self.afunc, input, run, kwargs)
            try:
                output = (await _in_run.aadd_up(_in_run.owned(chunks)))[1]
            finally:
                await _in_run.aclose(chunks)
        else:
            output = await _call(self.afunc, input, run, kwargs)
        if is_runnable(output):
            return await output.ainvoke(input, self._one_deeper(run, input))
        return output

    # ------------------------------------------------------------------ streams

    def stream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        """Call the function as a run and yield what it yields, or its output."""
        return self.transform(_in_run.once(input), config, **kwargs)

    def transform(
        self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        """As ``stream``, once all input is there."""
        if not hasattr(self, "func"):
            raise TypeError(
                f"{self!r} has an async function only; use astream, or give it a sync one."
            )
        yield from self._transform_stream_with_config(input, self._transform, config, **kwargs)

    def _transform(self, chunks: Iterator[Any], run_manager: Run, **kwargs: Any) -> Iterator[Any]:
        run = run_manager
        _, input = _in_run.add_up(chunks)
        output = _call(self.func, input, run, kwargs)
        if inspect.isgeneratorfunction(self.func):
            total = yield from _yield_and_add_up(output)
            if is_runnable(total):
                yield from total.stream(input, self._one_deeper(run, input))
        elif is_runnable(output):
            yield from output.stream(input, self._one_deeper(run, input))
        else:
            yield output

    def astream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        """Await the function as a run and yield what it yields, or its output."""
        chunks = _in_run.aonce(input)
        if not hasattr(self, "afunc") or not is_async_generator(self.afunc):
            return self.atransform(chunks, config, **kwargs)
        # The input is there already: the function's own generator can be the stream.
        return self._atransform_stream_with_config(
            chunks, self._generate, config, then=self._stream_returned, **kwargs
        )

    def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        """As ``astream``, once all input is there."""
        return self._atransform_stream_with_config(input, self._atransform, config, **kwargs)

    def _generate(self, chunks: Any, run_manager: Run, **kwargs: Any) -> AsyncIterator[Any]:
        generated: AsyncIterator[Any] = _call(self.afunc, chunks.first, run_manager, kwargs)
        return generated

    def _stream_returned(self, input: Any, last: Any, run: Run) -> AsyncIterator[Any] | None:
        """Return what comes after the last chunk of a generator: chunks of a runnable in it."""
        if is_runnable(last):
            return last.astream(input, self._one_deeper(run, input))
        return None

    async def _atransform(
        self, chunks: AsyncIterator[Any], run_manager: Run, **kwargs: Any
    ) -> AsyncIterator[Any]:
        run = run_manager
        _, input = await _in_run.aadd_up(chunks)
        total: Any = None
        if not hasattr(self, "afunc"):
            if inspect.isgeneratorfunction(self.func):
                raise TypeError(
                    f"{self!r} has a sync generator function only, which cannot stream in async "
                    "code; use stream, or give it an async generator function."
                )
            total = await run_in_executor(None, _call, self.func, input, run, kwargs)
        elif not is_async_generator(self.afunc):
            total = await _call(self.afunc, input, run, kwargs)
        else:
            chunks = _call(self.afunc, input, run, kwargs)
            try:
                async for chunk in _in_run.owned(chunks):
                    yield chunk
                    total = chunk if total is None else _in_run.sum_or_last(total, chunk)
            finally:
                await _in_run.aclose(chunks)
            if not is_runnable(total):
                return
        if is_runnable(total):
            inner = total.astream(input, self._one_deeper(run, input))
            try:
                async for chunk in _in_run.owned(inner):
                    yield chunk
            finally:
                await _in_run.aclose(inner)
        else:
            yield total


def _is_plain(func: Callable[..., Any]) -> bool:
    """Return whether calling ``func(input)`` is all there is to it."""
    arguments = arguments_of(func)
    return (
        arguments.config_name is None
        and "run_manager" not in arguments
        and not inspect.isgeneratorfunction(func)
    )


def _call(func: Callable[..., Any], input: Any, run: Run, kwargs: dict[str, Any]) -> Any:
    wants_config = arguments_of(func).config_name is not None
    config = run.child_config() if wants_config else cast("RunnableConfig", {})
    return call_func_with_variable_args(func, input, config, run, **kwargs)


def _call_whole(func: Callable[..., Any], input: Any, run: Run, kwargs: dict[str, Any]) -> Any:
    output = _call(func, input, run, kwargs)
    return _in_run.add_up(output)[1] if inspect.isgeneratorfunction(func) else output


def _yield_and_add_up(chunks: Iterator[Any]) -> Generator[Any, None, Any]:
    total: Any = None
    for chunk in chunks:
        yield chunk
        total = chunk if total is None else _in_run.sum_or_last(total, chunk)
    return total


@overload
def chain(
    func: Callable[[In], Coroutine[Any, Any, Out]]
    | Callable[[In, RunnableConfig], Coroutine[Any, Any, Out]],
) -> Runnable[In, Out]: ...


@overload
def chain(
    func: Callable[[In], AsyncIterator[Out]] | Callable[[In, RunnableConfig], AsyncIterator[Out]],
) -> Runnable[In, Out]: ...


@overload
def chain(
    func: Callable[[In], Iterator[Out]] | Callable[[In, RunnableConfig], Iterator[Out]],
) -> Runnable[In, Out]: ...


@overload
def chain(
    func: Callable[[In], Out] | Callable[[In, RunnableConfig], Out],
) -> Runnable[In, Out]: ...


@overload
def chain(func: Callable[..., Any]) -> Runnable[Any, Any]: ...


def chain(func: Callable[..., Any]) -> Runnable[Any, Any]:
    """Decorate a function to be a runnable; runnables that it calls are runs below its own."""
    return RunnableLambda(func)
