"""The runnable: a composable callable with its sync, async, batch and stream forms.

A subclass needs ``invoke`` alone; all else follows from it. Subclasses that have more to say
override ``ainvoke``, ``transform``, ``atransform`` and so on, and run their bodies by
``_call_with_config`` and its siblings, which is what gives them a run and a span.
"""

from __future__ import annotations

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeGuard, TypeVar, cast, overload

from otelbridge._elsewhere import base_of_runnables
from otelbridge.config import (
    RunnableConfig,
    gather_with_concurrency,
    get_config_list,
    get_executor_for_config,
    run_in_executor,
)
from otelbridge.runnables import _in_run

if TYPE_CHECKING:
    from otelbridge.stream_events import StreamEvent

Input = TypeVar("Input", contravariant=True)
Output = TypeVar("Output", covariant=True)
Other = TypeVar("Other")
T = TypeVar("T")


class _Forms:
    """The composites that a runnable's own methods build; ``otelbridge.runnables`` fills it in.

    They are subclasses of ``Runnable``, so this module cannot import theirs.
    """

    assign: Any
    binding: Any
    each: Any
    fallbacks: Any
    function: Any
    generator: Any
    parallel: Any
    pick: Any
    retry: Any
    sequence: Any
    listening: Any
    alistening: Any


forms = _Forms()


class _LangChain:
    """Whether LangChain takes our runnables as steps of its chains; from when it is asked it does.

    Its ``|`` takes what ``isinstance`` finds to be one of its runnables, and nothing of it need be
    imported when ours are made.
    """

    knows = False

    def look(self) -> None:
        theirs = base_of_runnables()
        if (register := getattr(theirs, "register", None)) is not None:
            self.knows = True
            register(Runnable)


_langchain = _LangChain()


class Runnable(ABC, Generic[Input, Output]):
    """A unit of work that can be invoked, batched, streamed and composed.

    Attributes:
        name: of its runs; by default the name of the class.
    """

    name: str | None = None

    @property  # type: ignore[misc]
    def __class__(self) -> type[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The class. Whoever asks whether this is a runnable of LangChain's asks for it first."""
        if not _langchain.knows:
            _langchain.look()
        return type(self)

    def get_name(self, suffix: str | None = None, *, name: str | None = None) -> str:
        """Return the name of its runs, with an optional suffix in the same style of case."""
        found = name or self.name or type(self).__name__
        if not suffix:
            return found
        return found + suffix.title() if found[0].isupper() else f"{found}_{suffix.lower()}"

    # ------------------------------------------------------------------ composition

    def __or__(self, other: RunnableLike[Any, Other]) -> Runnable[Input, Other]:
        """Return the sequence of this and ``other``."""
        return cast("Runnable[Input, Other]", forms.sequence(self, other))

    def __ror__(self, other: RunnableLike[Other, Any]) -> Runnable[Other, Output]:
        """Return the sequence of ``other`` and this."""
        return cast("Runnable[Other, Output]", forms.sequence(other, self))

    def pipe(
        self, *others: RunnableLike[Any, Any], name: str | None = None
    ) -> Runnable[Input, Any]:
        """Return the sequence of this and ``others``."""
        return cast("Runnable[Input, Any]", forms.sequence(self, *others, name=name))

    def pick(self, keys: str | list[str]) -> Runnable[Input, Any]:
        """Return this followed by the choice of one key, or of some, of its output dict."""
        return self.pipe(forms.pick(keys))

    def assign(self, **kwargs: RunnableLike[Any, Any]) -> Runnable[Input, Any]:
        """Return this followed by adding to its output dict what each of ``kwargs`` gives."""
        return self.pipe(forms.assign(forms.parallel(kwargs)))

    def bind(self, **kwargs: Any) -> Runnable[Input, Output]:
        """Return this with arguments that every call gets."""
        return cast("Runnable[Input, Output]", forms.binding(bound=self, kwargs=kwargs, config={}))

    def with_config(
        self, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Runnable[Input, Output]:
        """Return this with a config that every call's config is merged onto."""
        merged = {**(config or {}), **kwargs}
        return cast("Runnable[Input, Output]", forms.binding(bound=self, config=merged, kwargs={}))

    def with_retry(
        self,
        *,
        retry_if_exception_type: tuple[type[BaseException], ...]
        | Callable[[BaseException], bool] = (Exception,),
        wait_exponential_jitter: bool = True,
        exponential_jitter_params: Mapping[str, float] | None = None,
        stop_after_attempt: int = 3,
    ) -> Runnable[Input, Output]:
        """Return this, tried again on failure: one run below the retry's for each attempt.

        Args:
            retry_if_exception_type: exceptions that are tried again, or a function that says so.
            wait_exponential_jitter: wait longer each time, by a random bit.
            exponential_jitter_params: initial, max, exp_base and jitter of that wait, in seconds.
            stop_after_attempt: how often at the most.
        """
        retry = forms.retry(
            bound=self,
            kwargs={},
            config={},
            retry_exception_types=retry_if_exception_type,
            wait_exponential_jitter=wait_exponential_jitter,
            max_attempt_number=stop_after_attempt,
            exponential_jitter_params=exponential_jitter_params,
        )
        return cast("Runnable[Input, Output]", retry)

    def with_fallbacks(
        self,
        fallbacks: Sequence[Runnable[Any, Any]],
        *,
        exceptions_to_handle: tuple[type[BaseException], ...] = (Exception,),
        exception_key: str | None = None,
    ) -> Runnable[Input, Output]:
        """Return this, with others that are tried in turn when it fails.

        Args:
            fallbacks: tried in order.
            exceptions_to_handle: which failures count.
            exception_key: key of the input dict under which a fallback finds the last exception.
        """
        made = forms.fallbacks(
            runnable=self,
            fallbacks=fallbacks,
            exceptions_to_handle=exceptions_to_handle,
            exception_key=exception_key,
        )
        return cast("Runnable[Input, Output]", made)

    def with_listeners(
        self,
        *,
        on_start: Callable[..., None] | None = None,
        on_end: Callable[..., None] | None = None,
        on_error: Callable[..., None] | None = None,
    ) -> Runnable[Input, Output]:
        """Return this with functions that are told of its runs: ``f(run)``, ``f(run, config)``."""
        listening = forms.listening(on_start=on_start, on_end=on_end, on_error=on_error)
        return cast(
            "Runnable[Input, Output]", forms.binding(bound=self, config_factories=[listening])
        )

    def with_alisteners(
        self,
        *,
        on_start: Callable[..., Awaitable[None]] | None = None,
        on_end: Callable[..., Awaitable[None]] | None = None,
        on_error: Callable[..., Awaitable[None]] | None = None,
    ) -> Runnable[Input, Output]:
        """As ``with_listeners``, with coroutine functions."""
        listening = forms.alistening(on_start=on_start, on_end=on_end, on_error=on_error)
        return cast(
            "Runnable[Input, Output]", forms.binding(bound=self, config_factories=[listening])
        )

    def map(self) -> Runnable[Sequence[Any], list[Any]]:
        """Return a runnable that takes a list and gives the list of this one's outputs."""
        return cast("Runnable[Sequence[Any], list[Any]]", forms.each(bound=self))

    # ------------------------------------------------------------------ one input

    @abstractmethod
    def invoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        """Run once and return the output."""

    async def ainvoke(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Output:
        """Run once and return the output; by default ``invoke`` in a thread."""
        return await run_in_executor(config, self.invoke, input, config, **kwargs)

    def stream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        """Run once and yield the output in chunks; by default in one."""
        yield self.invoke(input, config, **kwargs)

    async def astream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        """Run once and yield the output in chunks; by default in one."""
        yield await self.ainvoke(input, config, **kwargs)

    def transform(
        self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        """Yield output chunks for input chunks; by default once all input is there."""
        some, value = _in_run.add_up(input)
        if some:
            yield from self.stream(value, config, **kwargs)

    async def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        """Yield output chunks for input chunks; by default once all input is there."""
        some, value = await _in_run.aadd_up(_in_run.owned(input))
        if some:
            chunks = self.astream(value, config, **kwargs)
            try:
                async for chunk in _in_run.owned(chunks):
                    yield chunk
            finally:
                await _in_run.aclose(chunks)

    # ------------------------------------------------------------------ many inputs

    def batch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """Run each input, in threads; outputs come in the order of the inputs.

        Args:
            inputs: one for each run.
            config: one for all, or a list with one for each.
            return_exceptions: put an exception in its place in the list instead of raising it.
            kwargs: passed to every ``invoke``.
        """
        if not inputs:
            return []
        configs = get_config_list(config, len(inputs))

        def invoke(value: Any, each: RunnableConfig) -> Any:
            return _caught(return_exceptions, self.invoke, value, each, kwargs)

        if len(inputs) == 1:
            return [invoke(inputs[0], configs[0])]
        with get_executor_for_config(configs[0]) as executor:
            return list(executor.map(invoke, inputs, configs))

    async def abatch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """Run each input, as tasks; otherwise as ``batch``."""
        if not inputs:
            return []
        configs = get_config_list(config, len(inputs))

        def ainvoke(value: Any, each: RunnableConfig) -> Coroutine[Any, Any, Any]:
            if return_exceptions:
                return _acaught(True, self.ainvoke, value, each, kwargs)
            return self.ainvoke(value, each, **kwargs)

        limit = configs[0].get("max_concurrency")
        return await gather_with_concurrency(limit, *map(ainvoke, inputs, configs))

    def batch_as_completed(
        self,
        inputs: Sequence[Any],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> Iterator[tuple[int, Any]]:
        """Run each input, in threads, and yield ``(index, output)`` as each is done."""
        if not inputs:
            return
        configs = get_config_list(config, len(inputs))

        def invoke(index: int, value: Any, each: RunnableConfig) -> tuple[int, Any]:
            return index, _caught(return_exceptions, self.invoke, value, each, kwargs)

        if len(inputs) == 1:
            yield invoke(0, inputs[0], configs[0])
            return
        with get_executor_for_config(configs[0]) as executor:
            waiting: set[Future[tuple[int, Any]]] = {
                executor.submit(invoke, index, value, each)
                for index, (value, each) in enumerate(zip(inputs, configs))
            }
            try:
                while waiting:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    while done:
                        yield done.pop().result()
            finally:
                for future in waiting:
                    future.cancel()

    async def abatch_as_completed(
        self,
        inputs: Sequence[Any],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> AsyncIterator[tuple[int, Any]]:
        """Run each input, as tasks, and yield ``(index, output)`` as each is done."""
        if not inputs:
            return
        configs = get_config_list(config, len(inputs))
        limit = configs[0].get("max_concurrency")
        gate = asyncio.Semaphore(limit or len(inputs))

        async def ainvoke(index: int, value: Any, each: RunnableConfig) -> tuple[int, Any]:
            async with gate:
                return index, await _acaught(return_exceptions, self.ainvoke, value, each, kwargs)

        tasks = [
            _in_run.begun(ainvoke(index, value, each))
            for index, (value, each) in enumerate(zip(inputs, configs))
        ]
        try:
            for completed in asyncio.as_completed(tasks):
                yield await completed
        except (GeneratorExit, asyncio.CancelledError):
            await _in_run.cancel_all(tasks)
            raise

    # ------------------------------------------------------------------ event streams

    @overload
    def astream_events(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        version: Literal["v2"] = "v2",
        include_names: Sequence[str] | None = None,
        include_types: Sequence[str] | None = None,
        include_tags: Sequence[str] | None = None,
        exclude_names: Sequence[str] | None = None,
        exclude_types: Sequence[str] | None = None,
        exclude_tags: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[StreamEvent]: ...

    @overload
    def astream_events(
        self, input: Any, config: RunnableConfig | None = None, *, version: str, **kwargs: Any
    ) -> AsyncIterator[StreamEvent]: ...

    def astream_events(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        version: str = "v2",
        **kwargs: Any,
    ) -> Any:
        """Run as a stream and yield what happens in it, custom events included, as dicts.

        The dicts have the keys ``event`` (``on_chain_start`` and so on), ``run_id``, ``name``,
        ``tags``, ``metadata``, ``data`` and ``parent_ids`` (from the root down).

        Args:
            input: for ``astream``.
            config: for ``astream``.
            version: ``"v2"``.
            kwargs: ``include_names``, ``include_types``, ``include_tags`` and ``exclude_...``
                choose among the events; others are passed to ``astream``.

        Raises:
            NotImplementedError: another version.
        """
        from otelbridge.stream_events import aevents  # loaded by the first who asks

        return aevents(self, input, config, version, kwargs)

    def stream_events(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        version: str = "v2",
        **kwargs: Any,
    ) -> Iterator[StreamEvent]:
        """As ``astream_events``, for sync code: ``stream`` works in a thread of its own."""
        from otelbridge.stream_events import events  # loaded by the first who asks

        return events(self, input, config, version, kwargs)

    # ------------------------------------------------------------------ for subclasses

    def _call_with_config(
        self,
        func: Callable[..., T],
        input_: Any,
        config: RunnableConfig | None,
        run_type: str | None = None,
        serialized: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> T:
        """Call ``func(input_)`` as a run; it gets the config and the run where it takes them."""
        return _in_run.call_in_run(
            self.get_name(), func, input_, config, run_type, serialized, **kwargs
        )

    async def _acall_with_config(
        self,
        func: Callable[..., Awaitable[T]],
        input_: Any,
        config: RunnableConfig | None,
        run_type: str | None = None,
        serialized: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> T:
        """Await ``func(input_)`` as a run."""
        return await _in_run.acall_in_run(
            self.get_name(), func, input_, config, run_type, serialized, **kwargs
        )

    def _batch_with_config(
        self,
        func: Callable[..., Sequence[Any]],
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        run_type: str | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        """Call ``func(inputs)`` with one run for each input."""
        return _in_run.batch_in_runs(
            self.get_name(),
            func,
            inputs,
            config,
            return_exceptions=return_exceptions,
            run_type=run_type,
            **kwargs,
        )

    async def _abatch_with_config(
        self,
        func: Callable[..., Awaitable[Sequence[Any]]],
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        run_type: str | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        """Await ``func(inputs)`` with one run for each input."""
        return await _in_run.abatch_in_runs(
            self.get_name(),
            func,
            inputs,
            config,
            return_exceptions=return_exceptions,
            run_type=run_type,
            **kwargs,
        )

    def _transform_stream_with_config(
        self,
        inputs: Iterator[Any],
        transformer: Callable[..., Iterator[T]],
        config: RunnableConfig | None,
        run_type: str | None = None,
        **kwargs: Any,
    ) -> Iterator[T]:
        """Yield the chunks of ``transformer(inputs)`` as a run."""
        return _in_run.stream_in_run(
            self.get_name(), inputs, transformer, config, run_type, **kwargs
        )

    def _atransform_stream_with_config(
        self,
        inputs: AsyncIterator[Any],
        transformer: Callable[..., AsyncIterator[T]],
        config: RunnableConfig | None,
        run_type: str | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[T]:
        """Yield the chunks of ``transformer(inputs)`` as a run."""
        return _in_run.astream_in_run(
            self.get_name(), inputs, transformer, config, run_type, **kwargs
        )


class RunnableSerializable(Runnable[Input, Output]):
    """A runnable, under the name that langchain-core gives to those that it can serialise."""


RunnableLike = (
    Runnable[Input, Output]
    | Callable[..., Output]
    | Callable[..., Awaitable[Output]]
    | Callable[..., Iterator[Output]]
    | Callable[..., AsyncIterator[Output]]
    | Mapping[str, Any]
)


def _caught(
    return_exceptions: bool,
    invoke: Callable[..., Any],
    value: Any,
    config: RunnableConfig,
    kwargs: dict[str, Any],
) -> Any:
    try:
        return invoke(value, config, **kwargs)
    except Exception as error:
        if not return_exceptions:
            raise
        return error


async def _acaught(
    return_exceptions: bool,
    ainvoke: Callable[..., Coroutine[Any, Any, Any]],
    value: Any,
    config: RunnableConfig,
    kwargs: dict[str, Any],
) -> Any:
    try:
        return await ainvoke(value, config, **kwargs)
    except Exception as error:
        if not return_exceptions:
            raise
        return error


_OF_RUNNABLES = ("invoke", "ainvoke", "batch", "abatch", "transform", "atransform", "get_name")


def is_runnable(thing: Any) -> TypeGuard[Runnable[Any, Any]]:
    """Return whether ``thing`` is a runnable, ours or LangChain's."""
    return isinstance(thing, Runnable) or _is_runnable_elsewhere(thing)


def _is_runnable_elsewhere(thing: Any) -> bool:
    return not isinstance(thing, type) and _has_methods(type(thing))  # type: ignore[arg-type]


@lru_cache(maxsize=1_000)
def _has_methods(kind: Any) -> bool:
    return all(callable(getattr(kind, name, None)) for name in _OF_RUNNABLES)


def is_async_generator(func: Any) -> bool:
    """Return whether calling ``func`` gives an async generator."""
    return inspect.isasyncgenfunction(func) or inspect.isasyncgenfunction(
        getattr(func, "__call__", None)  # noqa: B004 - its kind is asked, not whether it is there
    )


def is_async_callable(func: Any) -> bool:
    """Return whether calling ``func`` gives something to await."""
    return inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(
        getattr(func, "__call__", None)  # noqa: B004
    )


def coerce_to_runnable(thing: Any) -> Runnable[Any, Any]:
    """Return ``thing`` as a runnable: a runnable, a function, a generator function or a dict.

    LangChain's own runnables are taken too; each begins its run itself.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(thing, Runnable):
        return thing
    if _is_runnable_elsewhere(thing):
        return cast("Runnable[Any, Any]", forms.binding(bound=thing))
    if is_async_generator(thing) or inspect.isgeneratorfunction(thing):
        return cast("Runnable[Any, Any]", forms.generator(thing))
    if callable(thing):
        return cast("Runnable[Any, Any]", forms.function(thing))
    if isinstance(thing, dict):
        return cast("Runnable[Any, Any]", forms.parallel(thing))
    raise TypeError(
        f"{thing!r} of type {type(thing).__name__} is no runnable. "
        "Pass a Runnable, a function, a generator function or a dict of these."
    )
