"""One call, one batch or one stream, each inside a run of its own.

Everything that a runnable does goes through here, so the life cycle (begin, body, exactly one end)
is written once for sync, once for async, and once for each kind of stream.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Sequence,
)
from contextlib import suppress
from itertools import chain
from typing import Any, TypeVar

from otelbridge._arguments import arguments_of
from otelbridge._backlog import running_loop
from otelbridge.config import (
    RunnableConfig,
    acall_func_with_variable_args,
    call_func_with_variable_args,
    get_config_list,
)
from otelbridge.context import Pump, closable
from otelbridge.delivery import adeliver, deliver
from otelbridge.run import Run, abegin, begin

T = TypeVar("T")
U = TypeVar("U")

# What handlers get as input of a run whose input is still to come (langchain-core's convention).
INPUT_TO_COME = {"input": ""}
_NOTHING: Any = object()


# ---------------------------------------------------------------------- one call


def call_in_run(
    name: str,
    func: Callable[..., T],
    input: Any,
    config: RunnableConfig | None,
    /,
    run_type: str | None = None,
    serialized: Any = None,
    **kwargs: Any,
) -> T:
    """Call ``func(input)`` as one run."""
    run = begin(name, config, input, run_type, serialized)
    try:
        output = run.enter(_call, func, input, run, kwargs)
    except BaseException as error:
        run.fail(error)
        raise
    run.end(output)
    return output


def _call(func: Callable[..., T], input: Any, run: Run, kwargs: dict[str, Any]) -> T:
    return call_func_with_variable_args(func, input, _config_for(func, run), run, **kwargs)


async def acall_in_run(
    name: str,
    func: Callable[..., Awaitable[T]],
    input: Any,
    config: RunnableConfig | None,
    /,
    run_type: str | None = None,
    serialized: Any = None,
    **kwargs: Any,
) -> T:
    """Await ``func(input)`` as one run."""
    run = await abegin(name, config, input, run_type, serialized)
    try:
        output = await run.asteps(run.enter(_acall, func, input, run, kwargs))
    except BaseException as error:
        await run.afail(error)
        raise
    await run.aend(output)
    return output


def _acall(
    func: Callable[..., Awaitable[T]], input: Any, run: Run, kwargs: dict[str, Any]
) -> Awaitable[T]:
    return acall_func_with_variable_args(func, input, _config_for(func, run), run, **kwargs)


def _config_for(func: Callable[..., Any], run: Run) -> RunnableConfig:
    # Building a config costs more than the rest of the call; most functions take none.
    return run.child_config() if arguments_of(func).config_name is not None else {}


# ---------------------------------------------------------------------- a batch


def batch_in_runs(
    name: str,
    func: Callable[..., Sequence[Any]],
    inputs: list[Any],
    config: RunnableConfig | Sequence[RunnableConfig] | None,
    /,
    *,
    return_exceptions: bool = False,
    run_type: str | None = None,
    **kwargs: Any,
) -> list[Any]:
    """Call ``func(inputs)`` once, with one run for each input.

    ``func`` returns one output or exception for each; it gets the lists of runs and configs as
    ``run_manager`` and ``config`` where it takes them.
    """
    if not inputs:
        return []
    runs: list[Run] = []
    try:
        for value, each in zip(inputs, get_config_list(config, len(inputs))):
            runs.append(begin(name, each, value, run_type))
        outputs = func(inputs, **_lists_for(func, runs, kwargs))
    except BaseException as error:
        _end_all(runs, [error] * len(runs))
        if return_exceptions and isinstance(error, Exception):
            return [error for _ in inputs]
        raise
    _end_all(runs, outputs)
    return _outputs(outputs, return_exceptions)


async def abatch_in_runs(
    name: str,
    func: Callable[..., Awaitable[Sequence[Any]]],
    inputs: list[Any],
    config: RunnableConfig | Sequence[RunnableConfig] | None,
    /,
    *,
    return_exceptions: bool = False,
    run_type: str | None = None,
    **kwargs: Any,
) -> list[Any]:
    """As ``batch_in_runs``, awaiting ``func(inputs)``."""
    if not inputs:
        return []
    runs: list[Run] = []
    try:
        for value, each in zip(inputs, get_config_list(config, len(inputs))):
            runs.append(await abegin(name, each, value, run_type))
        outputs = await func(inputs, **_lists_for(func, runs, kwargs))
    except BaseException as error:
        await _aend_all(runs, [error] * len(runs))
        if return_exceptions and isinstance(error, Exception):
            return [error for _ in inputs]
        raise
    await _aend_all(runs, outputs)
    return _outputs(outputs, return_exceptions)


def _end_all(runs: Sequence[Run], outcomes: Sequence[Any]) -> None:
    """End each run by its outcome, also where the end of one raises; then raise the first."""
    raised: BaseException | None = None
    for run, outcome in zip(runs, outcomes):
        try:
            if isinstance(outcome, BaseException):
                run.fail(outcome)
            else:
                run.end(outcome)
        except BaseException as error:
            raised = raised or error
    if raised is not None:
        raise raised


async def _aend_all(runs: Sequence[Run], outcomes: Sequence[Any]) -> None:
    """As ``_end_all``; cancelled in the end of one, it ends the others all the same."""
    raised: BaseException | None = None
    for run, outcome in zip(runs, outcomes):
        try:
            if isinstance(raised, GeneratorExit):  # a coroutine that is being closed may not await
                run.fail(raised)
            elif isinstance(outcome, BaseException):
                await run.afail(outcome)
            else:
                await run.aend(outcome)
        except BaseException as error:
            raised = raised or error
    if raised is not None:
        raise raised


def _lists_for(func: Callable[..., Any], runs: list[Run], kwargs: dict[str, Any]) -> dict[str, Any]:
    arguments = arguments_of(func)
    if arguments.config_name is not None:
        kwargs[arguments.config_name] = [run.child_config() for run in runs]
    if "run_manager" in arguments:
        kwargs["run_manager"] = runs
    return kwargs


def _outputs(outputs: Sequence[Any], return_exceptions: bool) -> list[Any]:
    if not return_exceptions:
        for output in outputs:
            if isinstance(output, Exception):
                raise output
    return list(outputs)


# ---------------------------------------------------------------------- streams


class Total:
    """What the chunks of a stream add up to, with ``+``; the last chunk where they do not add."""

    __slots__ = ("_adds", "_texts", "_value")

    def __init__(self) -> None:
        self._value: Any = None
        self._adds = True
        self._texts: list[str] = []  # joined at the end: adding texts one by one is quadratic

    @property
    def value(self) -> Any:
        """The total so far; None before the first chunk."""
        if self._texts:
            text = "".join(self._texts)
            self._texts = [text]
            return text
        return self._value

    def add(self, chunk: Any) -> None:
        """Take one more chunk."""
        if type(chunk) is str and (self._texts or (self._value is None and self._adds)):
            self._texts.append(chunk)
            return
        before, self._texts, self._value = self.value, [], chunk
        if before is None or not self._adds:
            return
        try:
            self._value = before + chunk
        except Exception:  # what handlers are told must not stop the stream
            self._value = chunk
            self._adds = False


class Unfinished:
    """Ends a stream's run when its generator's frame goes away without having been closed.

    That happens to an async generator whose event loop has closed before it. While the loop is
    there, its finalizer closes the generator.

    Args:
        run: the stream's.

    Attributes:
        iterator: the body's; it is closed first, inside the run.
    """

    __slots__ = ("_loop", "_run", "iterator")

    def __init__(self, run: Run) -> None:
        self._run = run
        self._loop = running_loop()
        self.iterator: AsyncIterator[Any] | None = None

    def __del__(self) -> None:
        if self._run.ended:
            return
        if _collector.is_at_work and self._loop is not None and not self._loop.is_closed():
            return  # the generator is part of a cycle, and the loop's finalizer closes it
        try:
            self._run.enter(_close_at_once, self.iterator)
        finally:
            self._run.fail(GeneratorExit())


class _Collector:
    """Knows whether the garbage collector is at work, which finalizes a cycle in any order.

    The collector calls nothing written in Python: a signal handler that runs there loses what it
    raises, so that Ctrl-C or ``sys.exit`` would do nothing.
    """

    def __init__(self) -> None:
        self._phases: dict[str, object] = {}  # the latest is last
        gc.callbacks += (self._phases.pop, self._phases.__setitem__)  # of (phase, facts), both

    @property
    def is_at_work(self) -> bool:
        return next(reversed(self._phases), "") == "start"


_collector = _Collector()


def _close_at_once(iterator: AsyncIterator[Any] | None) -> None:
    """Close an async iterator as far as it goes without waiting: nobody can await it any more.

    What would need the event loop, which has closed, is left undone.
    """
    with suppress(StopIteration, RuntimeError):
        aclose(iterator).send(None)


def stream_in_run(
    name: str,
    inputs: Iterator[Any],
    transformer: Callable[..., Iterator[T]],
    config: RunnableConfig | None,
    /,
    run_type: str | None = None,
    *,
    defers_inputs: bool = False,
    **kwargs: Any,
) -> Iterator[T]:
    """Yield the chunks of ``transformer(inputs)`` as one run.

    The first input is pulled before the run begins, so that an earlier step begins first. Each
    step of the transformer runs inside the run; the consumer never sees it. Closed early, the
    transformer and the inputs are closed before the run ends.
    """
    source = iter(inputs)
    first = next(source, _NOTHING)
    try:
        run = begin(name, config, INPUT_TO_COME, run_type, defers_inputs=defers_inputs)
    except BaseException:
        _close(source)
        raise
    # A failure is told with the first input alone, as upstream tells it.
    begun_with = None if first is _NOTHING else first
    taken, total = (Total(), Total()) if run.wants_output() else (None, None)
    iterator: Iterator[T] | None = None
    try:
        tapped = _tap(first, source, taken)
        iterator = iter(run.enter(transformer, tapped, **_arguments_for(transformer, run, kwargs)))
        step = run.context.run
        hooks = run.chunk_hooks()
        try:
            while True:
                chunk = step(next, iterator)
                if hooks:
                    deliver(hooks, "stream_chunk", run, (chunk,), run.about())
                yield chunk
                if total is not None:
                    total.add(chunk)
        except StopIteration:
            pass
        for _ in tapped:  # what the transformer left: the earlier steps finish their work
            pass
    except GeneratorExit as closed:
        try:
            _close_all(run, iterator, source)
        except BaseException as error:
            run.fail(error, inputs=begun_with)
            raise
        _capture(run, taken)
        run.close(closed, total and total.value, inputs=taken and taken.value)
        raise
    except BaseException as error:
        try:
            _close_all(run, iterator, source)
        finally:
            _capture(run, taken)
            run.fail(error, inputs=begun_with)
        raise
    _capture(run, taken)
    run.end(total and total.value, inputs=taken and taken.value)


def _capture(run: Run, taken: Total | None) -> None:
    """Record what a stream has read, where content is recorded."""
    if taken is not None and run.captures:
        run.capture_input(taken.value)


def _tap(first: Any, rest: Iterator[Any], taken: Total | None) -> Iterator[Any]:
    whole = iter(()) if first is _NOTHING else chain((first,), rest)
    if taken is None:
        return whole
    return _counted(whole, taken)


def _counted(chunks: Iterator[T], taken: Total) -> Iterator[T]:
    for chunk in chunks:
        taken.add(chunk)
        yield chunk


def _close_all(run: Run, iterator: Iterator[Any] | None, source: Iterator[Any]) -> None:
    try:
        run.enter(_close, iterator)
    finally:
        _close(source)


def _close(iterator: Iterator[Any] | None) -> None:
    if (close := getattr(iterator, "close", None)) is not None:
        close()


def _arguments_for(
    transformer: Callable[..., Any], run: Run, kwargs: dict[str, Any]
) -> dict[str, Any]:
    arguments = arguments_of(transformer)
    if arguments.config_name is not None:
        kwargs[arguments.config_name] = run.child_config()
    if "run_manager" in arguments:
        kwargs["run_manager"] = run
    return kwargs


async def astream_in_run(
    name: str,
    inputs: AsyncIterator[Any],
    transformer: Callable[..., AsyncIterator[T]],
    config: RunnableConfig | None,
    /,
    run_type: str | None = None,
    *,
    defers_inputs: bool = False,
    then: Callable[[Any, Any, Run], AsyncIterator[T] | None] | None = None,
    **kwargs: Any,
) -> AsyncIterator[T]:
    """As ``stream_in_run``, for async iterators.

    ``then`` is asked what comes after the transformer's last chunk: it gets the first input, that
    chunk, and the run.
    """
    source = aiter(inputs)
    first = await anext_or(source, _NOTHING)
    try:
        run = await abegin(name, config, INPUT_TO_COME, run_type, defers_inputs=defers_inputs)
    except BaseException:
        await aclose(source)
        raise
    begun_with = None if first is _NOTHING else first
    unfinished = Unfinished(run)
    taken, total = (Total(), Total()) if run.wants_output() else (None, None)
    iterator: AsyncIterator[T] | None = None
    try:
        tapped = _Tap(first, source, taken)
        iterator = aiter(run.enter(transformer, tapped, **_arguments_for(transformer, run, kwargs)))
        hooks = run.chunk_hooks(is_async=True) or None
        backlogs, enter = run.host_backlogs(), run.context.run
        chunk: Any = None
        while iterator is not None:
            unfinished.iterator = iterator
            pump = Pump(enter(unregistered, iterator.__anext__), iterator.__anext__, enter)
            send, box = pump.send, pump.box
            try:
                while True:
                    waiting = enter(send, None)
                    if waiting is not box:
                        await pump.rest(waiting)
                    chunk = box[0]
                    if hooks is not None:
                        await adeliver(hooks, "stream_chunk", run, (chunk,), run.about())
                    if backlogs and backlogs[0].busy:
                        await backlogs[0].wait()
                    yield chunk
                    if total is not None:
                        total.add(chunk)
            except StopAsyncIteration:
                pass
            iterator = None if then is None else enter(then, first, chunk, run)
        async for _ in tapped:
            pass
    except GeneratorExit as closed:
        try:
            await _aclose_all(run, iterator, source)
        except BaseException as error:
            await run.afail(error, inputs=begun_with)
            raise
        _capture(run, taken)
        await run.aclose(closed, inputs=begun_with)
        raise
    except BaseException as error:
        try:
            await _aclose_all(run, iterator, source)
        finally:
            _capture(run, taken)
            await run.afail(error, inputs=begun_with)
        raise
    _capture(run, taken)
    await run.aend(total and total.value, inputs=taken and taken.value)


class _Tap:
    """The inputs of an async transformer, the first of which has been pulled already.

    Not an async generator: nobody would close it, and the event loop would find it.
    """

    __slots__ = ("_first", "_rest", "_taken", "first")

    def __init__(self, first: Any, rest: AsyncIterator[Any], taken: Total | None) -> None:
        self.first = self._first = first
        self._rest, self._taken = rest, taken

    def __aiter__(self) -> _Tap:
        return self

    def __anext__(self) -> Awaitable[Any]:
        if self._taken is None and self._first is _NOTHING:
            return closable(self._rest.__anext__())
        return self._next()

    async def _next(self) -> Any:
        chunk, self._first = self._first, _NOTHING
        if chunk is _NOTHING:
            chunk = await closable(self._rest.__anext__())
        if self._taken is not None:
            self._taken.add(chunk)
        return chunk


def unregistered(pull: Callable[[], Awaitable[T]]) -> Awaitable[T]:
    """Take the first step of an async generator that we own and close.

    The event loop must not know it, or ``shutdown_asyncgens`` would close it beside us. The
    garbage collector must not close it either: that would be outside of the run, and nothing in
    it could be awaited.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, _left_to_its_owner)
    try:
        return pull()
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _left_to_its_owner(generator: AsyncGenerator[Any, Any]) -> None:
    pass


async def aclose(iterator: AsyncIterator[Any] | None) -> None:
    """Close an async iterator, where it can be closed."""
    if (close := getattr(iterator, "aclose", None)) is not None:
        await close()


class owned(AsyncIterator[T]):
    """Iterate over an async iterator that the caller closes, unknown to the event loop.

    ::

        try:
            async for chunk in owned(chunks):
                yield chunk
        finally:
            await aclose(chunks)
    """

    __slots__ = ("_begun", "_iterator")

    def __init__(self, iterator: AsyncIterator[T]) -> None:
        self._iterator = iterator
        self._begun = False

    def __anext__(self) -> Awaitable[T]:
        if self._begun:
            return closable(self._iterator.__anext__())
        self._begun = True
        return closable(unregistered(self._iterator.__anext__))


async def anext_or(iterator: AsyncIterator[T], default: Any) -> Any:
    """Return the first chunk of an iterator that we own, or ``default`` when there is none."""
    try:
        return await closable(unregistered(iterator.__anext__))
    except StopAsyncIteration:
        return default


async def _aclose_all(
    run: Run, iterator: AsyncIterator[Any] | None, source: AsyncIterator[Any]
) -> None:
    try:
        if (close := getattr(iterator, "aclose", None)) is not None:
            await run.asteps(close())
    finally:
        await aclose(source)


def begun(coro: Awaitable[T]) -> asyncio.Future[T]:
    """Start a coroutine as a task whose exception nobody may come to see: a dropped stream's."""
    task = asyncio.ensure_future(coro)
    task.add_done_callback(_see)
    return task


def _see(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()


async def aclose_each(iterators: Sequence[AsyncIterator[Any]]) -> None:
    """Close async iterators, one that fails included; raise the first exception."""
    if iterators:
        try:
            await aclose(iterators[0])
        finally:
            await aclose_each(iterators[1:])


def close_each(iterators: Sequence[Iterator[Any]]) -> None:
    """As ``aclose_each``, for iterators."""
    if iterators:
        try:
            _close(iterators[0])
        finally:
            close_each(iterators[1:])


async def cancel_all(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel tasks and wait until they have ended.

    One that is being cancelled already is not cancelled again: that would stop its handlers.
    """
    for task in tasks:
        if not getattr(task, "cancelling", int)():  # Python 3.11
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def once(value: T) -> Iterator[T]:
    """Yield one value."""
    yield value


async def aonce(value: T) -> AsyncIterator[T]:
    """Yield one value."""
    yield value


def add_up(chunks: Iterator[Any]) -> tuple[bool, Any]:
    """Return whether there was any chunk, and what they add up to (the last where they do not)."""
    total = _NOTHING
    for chunk in chunks:
        total = chunk if total is _NOTHING else sum_or_last(total, chunk)
    return total is not _NOTHING, None if total is _NOTHING else total


async def aadd_up(chunks: AsyncIterator[Any]) -> tuple[bool, Any]:
    """As ``add_up``, for an async iterator."""
    total = _NOTHING
    async for chunk in chunks:
        total = chunk if total is _NOTHING else sum_or_last(total, chunk)
    return total is not _NOTHING, None if total is _NOTHING else total


def sum_or_last(total: Any, chunk: Any) -> Any:
    """Return ``total + chunk``, or ``chunk`` where these do not add."""
    try:
        return total + chunk
    except TypeError:
        return chunk
