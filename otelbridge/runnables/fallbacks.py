"""RunnableWithFallbacks: other runnables to turn to when the first one fails."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Sequence
from functools import wraps
from typing import Any, NamedTuple, cast

from otelbridge.config import RunnableConfig
from otelbridge.run import Run
from otelbridge.runnables._fields import ByFields
from otelbridge.runnables._forwarding import forwarded, returns_runnable
from otelbridge.runnables._in_run import aclose, owned
from otelbridge.runnables._owned import aowned_stream, close, owned_stream
from otelbridge.runnables._plan import Failed, afollow, answer_of, follow
from otelbridge.runnables.base import Input, Output, Runnable

_EMPTY: Any = object()


class _Try(NamedTuple):
    """A step of the plan: one runnable to try."""

    runnable: Runnable[Any, Any]
    input: Any
    config: RunnableConfig


class _TryAll(NamedTuple):
    """A step of a batch's plan: one runnable to try with what is left of the batch."""

    runnable: Runnable[Any, Any]
    inputs: list[Any]
    configs: list[RunnableConfig]


class _End(NamedTuple):
    """A step of a batch's plan: an input's run to end."""

    run: Run
    output: Any


class RunnableWithFallbacks(ByFields, Runnable[Input, Output]):
    """A runnable and others that are tried, in order, when it fails; ``with_fallbacks`` makes it.

    Each try is a child run of the fallbacks' own run, in every form. A stream falls back only
    until its first chunk; a stream that ends without one is passed over.

    Args:
        runnable: tried first.
        fallbacks: tried next, in order.
        exceptions_to_handle: on these the next one is tried; others are raised at once.
        exception_key: the key under which a fallback finds, in a copy of the input, the exception
            before it; inputs must then be dicts.
        name: the name of its runs.
    """

    _fields = ("runnable", "fallbacks", "exceptions_to_handle", "exception_key")

    def __init__(
        self,
        *,
        runnable: Runnable[Input, Output],
        fallbacks: Sequence[Runnable[Input, Output]],
        exceptions_to_handle: tuple[type[BaseException], ...] = (Exception,),
        exception_key: str | None = None,
        name: str | None = None,
    ) -> None:
        self.runnable = runnable
        self.fallbacks = fallbacks
        self.exceptions_to_handle = exceptions_to_handle
        self.exception_key = exception_key
        self.name = name

    @property
    def runnables(self) -> Iterator[Runnable[Input, Output]]:
        """All of them, in the order in which they are tried."""
        yield self.runnable
        yield from self.fallbacks

    def _plan(self, input: Any, run: Run) -> Generator[_Try, Any, Any]:
        """The plan: try until an answer comes that is none of failed and empty.

        Returns that answer, else the first failure, else ``_EMPTY``.
        """
        first = _EMPTY
        for runnable in self.runnables:
            answer = yield _Try(runnable, input, run.child_config())
            if isinstance(answer, Failed):
                input = self._told(input, answer.error)
            elif answer is not _EMPTY:
                return answer
            first = answer if first is _EMPTY else first
        return first

    def _told(self, input: Any, error: BaseException) -> Any:
        """Return the input with the exception before it, where fallbacks are to be told of it."""
        if not self.exception_key:
            return input
        told = copy.copy(input)
        told[self.exception_key] = error
        return told

    def _check(self, inputs: Sequence[Any]) -> None:
        if self.exception_key is None:
            return
        for each in inputs:
            if not isinstance(each, dict):
                raise ValueError(
                    "If 'exception_key' is specified then input must be a dictionary. "
                    f"However found a type of {type(each)} for input"
                )

    def _invoke(self, input: Input, run_manager: Run, **kwargs: Any) -> Output:
        def attempt(step: _Try) -> Any:
            try:
                return step.runnable.invoke(step.input, step.config, **kwargs)
            except self.exceptions_to_handle as error:
                return Failed(error)

        return cast("Output", answer_of(follow(self._plan(input, run_manager), attempt)))

    async def _ainvoke(self, input: Input, run_manager: Run, **kwargs: Any) -> Output:
        async def attempt(step: _Try) -> Any:
            try:
                return await step.runnable.ainvoke(step.input, step.config, **kwargs)
            except self.exceptions_to_handle as error:
                return Failed(error)

        answer = await afollow(self._plan(input, run_manager), attempt)
        return cast("Output", answer_of(answer))

    def _stream(self, input: Input, run: Run, **kwargs: Any) -> Generator[Output, None, None]:
        def attempt(step: _Try) -> Any:
            try:
                chunks = step.runnable.stream(step.input, step.config, **kwargs)
                for chunk in chunks:
                    return chunk, chunks
            except self.exceptions_to_handle as error:
                return Failed(error)
            return _EMPTY

        begun = answer_of(follow(self._plan(input, run), attempt))
        if begun is not _EMPTY:
            first, chunks = begun
            try:
                yield first
                yield from chunks
            finally:
                close(chunks)

    async def _astream(self, input: Input, run: Run, **kwargs: Any) -> AsyncGenerator[Output, None]:
        async def attempt(step: _Try) -> Any:
            try:
                chunks = step.runnable.astream(step.input, step.config, **kwargs)
                async for chunk in owned(chunks):
                    return chunk, chunks
            except self.exceptions_to_handle as error:
                return Failed(error)
            return _EMPTY

        begun = answer_of(await afollow(self._plan(input, run), attempt))
        if begun is not _EMPTY:
            first, chunks = begun
            try:
                yield first
                async for chunk in chunks:
                    yield chunk
            finally:
                await aclose(chunks)

    def _batch_plan(
        self, inputs: list[Any], runs: list[Run], stop: bool
    ) -> Generator[_TryAll | _End, Any, Any]:
        """The plan: try what is left of the batch until nothing is; the outputs and exceptions.

        With ``stop`` the first exception that is not to be handled ends it: ``Failed``.
        """
        left = dict(enumerate(inputs))
        outputs: list[Any] = [None] * len(inputs)
        for runnable in self.runnables:
            children = [runs[index].child_config() for index in left]
            results = yield _TryAll(runnable, list(left.values()), children)
            fatal: BaseException | None = None
            for index, result in zip(list(left), results, strict=True):
                outputs[index] = result
                if isinstance(result, self.exceptions_to_handle):
                    left[index] = self._told(left[index], result)
                    continue
                del left[index]
                if isinstance(result, BaseException):
                    fatal = fatal or result
                else:
                    yield _End(runs[index], result)
            if fatal is not None and stop:
                # Each run ends by what its own input gave, before one exception is raised for all.
                for run, result in zip(runs, outputs, strict=True):
                    yield _End(run, result)
                return Failed(fatal)
            if not left:
                break
        return outputs

    def _batch(
        self,
        shown: list[Any],
        run_manager: list[Run],
        *,
        given: list[Any],
        stop: bool,
        kwargs: dict[str, Any],
    ) -> list[Any]:
        def do(step: _TryAll | _End) -> Any:
            if isinstance(step, _TryAll):
                return step.runnable.batch(
                    step.inputs, step.configs, return_exceptions=True, **kwargs
                )
            if isinstance(step.output, BaseException):
                return step.run.fail(step.output)
            return step.run.end(step.output)

        plan = self._batch_plan(given, run_manager, stop)
        return cast("list[Any]", answer_of(follow(plan, do)))

    async def _abatch(
        self,
        inputs: list[Any],
        run_manager: list[Run],
        *,
        stop: bool,
        kwargs: dict[str, Any],
    ) -> list[Any]:
        async def do(step: _TryAll | _End) -> Any:
            if isinstance(step, _TryAll):
                return await step.runnable.abatch(
                    step.inputs, step.configs, return_exceptions=True, **kwargs
                )
            if isinstance(step.output, BaseException):
                return await step.run.afail(step.output)
            return await step.run.aend(step.output)

        plan = self._batch_plan(inputs, run_manager, stop)
        return cast("list[Any]", answer_of(await afollow(plan, do)))

    def invoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        """Return the output of the first that does not fail; raise the first's exception.

        Raises:
            ValueError: there is an ``exception_key`` and the input is no dict.
        """
        self._check([input])
        return self._call_with_config(self._invoke, input, config, **kwargs)

    async def ainvoke(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Output:
        """Return the output of the first that does not fail; raises as ``invoke``."""
        self._check([input])
        return await self._acall_with_config(self._ainvoke, input, config, **kwargs)

    def batch(
        self,
        inputs: list[Input],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Output]:
        """Batch the first, then each fallback with the inputs that failed; raises as ``invoke``.

        Every input has a run, and every run ends by what its own input gave.
        """
        self._check(inputs)
        return self._batch_with_config(
            self._batch,
            # upstream's handlers are shown a dict here, and only here
            [each if isinstance(each, dict) else {"input": each} for each in inputs],
            config,
            return_exceptions=return_exceptions,
            given=inputs,
            stop=not return_exceptions,
            kwargs=kwargs,
        )

    async def abatch(
        self,
        inputs: list[Input],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Output]:
        """Batch the first, then each fallback with the inputs that failed; as ``batch``."""
        self._check(inputs)
        return await self._abatch_with_config(
            self._abatch,
            inputs,
            config,
            return_exceptions=return_exceptions,
            stop=not return_exceptions,
            kwargs=kwargs,
        )

    def stream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        """Stream the first that gives a chunk; raises as ``invoke``."""
        self._check([input])
        return owned_stream(self.get_name(), self._stream, input, config, **kwargs)

    def astream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        """Stream the first that gives a chunk; raises as ``invoke``."""
        self._check([input])
        return aowned_stream(self.get_name(), self._astream, input, config, **kwargs)

    def __getattr__(self, name: str) -> Any:
        attribute = forwarded(self, "runnable", name)
        if not returns_runnable(attribute):
            return attribute

        @wraps(attribute)
        def for_each(*args: Any, **kwargs: Any) -> RunnableWithFallbacks[Any, Any]:
            made = [getattr(each, name)(*args, **kwargs) for each in self.runnables]
            return type(self)(
                runnable=made[0],
                fallbacks=made[1:],
                exceptions_to_handle=self.exceptions_to_handle,
                exception_key=self.exception_key,
                name=self.name,
            )

        return for_each
