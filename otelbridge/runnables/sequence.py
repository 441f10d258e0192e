"""Runnables one after another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from textwrap import indent
from typing import Any, cast

from otelbridge.config import RunnableConfig
from otelbridge.run import Run, abegin, begin
from otelbridge.runnables import _in_run
from otelbridge.runnables.base import (
    Input,
    Output,
    Runnable,
    RunnableLike,
    RunnableSerializable,
    coerce_to_runnable,
)
from otelbridge.runnables.lambdas import RunnableLambda

_LEAST = 2


class RunnableSequence(RunnableSerializable[Input, Output]):
    """Runnables of which each gets the output of the one before it.

    A stream flows through: each step yields as soon as it can.

    Args:
        steps: runnables, functions, generator functions or dicts; a sequence among them is taken
            apart.
        name: of its runs.
        first: with ``middle`` and ``last``, another way to name the steps.

    Raises:
        ValueError: fewer than two steps.
    """

    def __init__(
        self,
        *steps: RunnableLike[Any, Any],
        name: str | None = None,
        first: Runnable[Any, Any] | None = None,
        middle: Sequence[Runnable[Any, Any]] | None = None,
        last: Runnable[Any, Any] | None = None,
    ) -> None:
        if not steps and first is not None and last is not None:
            steps = (first, *(middle or ()), last)
        flat: list[Runnable[Any, Any]] = []
        for step in steps:
            if isinstance(step, RunnableSequence):
                flat.extend(step.steps)
            else:
                flat.append(coerce_to_runnable(step))
        if len(flat) < _LEAST:
            raise ValueError(f"A RunnableSequence needs at least 2 steps, and got {len(flat)}.")
        self.steps: list[Runnable[Any, Any]] = flat
        self.name = name
        self._tags = [f"seq:step:{number}" for number in range(1, len(flat) + 1)]

    @property
    def first(self) -> Runnable[Any, Any]:
        """The first step."""
        return self.steps[0]

    @property
    def middle(self) -> list[Runnable[Any, Any]]:
        """The steps between the first and the last."""
        return self.steps[1:-1]

    @property
    def last(self) -> Runnable[Any, Any]:
        """The last step."""
        return self.steps[-1]

    def __or__(self, other: RunnableLike[Any, Any]) -> Runnable[Input, Any]:
        """Return a longer sequence of the same name."""
        name = self.name or (other.name if isinstance(other, RunnableSequence) else None)
        return RunnableSequence(*self.steps, other, name=name)

    def __ror__(self, other: RunnableLike[Any, Any]) -> Runnable[Any, Output]:
        """Return a longer sequence of the same name."""
        return RunnableSequence(other, *self.steps, name=self.name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunnableSequence):
            return NotImplemented
        return self.name == other.name and self.steps == other.steps

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        first, *others = (repr(step) for step in self.steps)
        return "\n| ".join([first, *(indent(text, "  ")[2:] for text in others)])

    # ------------------------------------------------------------------ one input

    def invoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        """Invoke each step in turn."""
        run = begin(self.get_name(), config, input)
        value: Any = input
        try:
            for step, tag in zip(self.steps, self._tags):
                value = run.context.run(step.invoke, value, _below(step, run, tag), **kwargs)
                kwargs = {}
        except BaseException as error:
            run.fail(error)
            raise
        run.end(value)
        return cast("Output", value)

    async def ainvoke(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Output:
        """Await each step in turn."""
        run = await abegin(self.get_name(), config, input)
        value: Any = input
        try:
            for step, tag in zip(self.steps, self._tags):
                part = step.ainvoke(value, _below(step, run, tag), **kwargs)
                value = await run.asteps(part)
                kwargs = {}
        except BaseException as error:
            await run.afail(error)
            raise
        await run.aend(value)
        return cast("Output", value)

    # ------------------------------------------------------------------ many inputs

    def batch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """Batch each step in turn; with ``return_exceptions`` a failed input leaves the line."""

        def work(inputs: list[Any], run_manager: list[Run]) -> list[Any]:
            line = _Line(inputs)
            extra = kwargs
            for step, tag in zip(self.steps, self._tags):
                if not line.going:
                    break
                configs = [run_manager[index].child_config(tag) for index in line.going]
                line.advance(
                    step.batch(line.values(), configs, return_exceptions=return_exceptions, **extra)
                )
                extra = {}
            return line.results

        return self._batch_with_config(work, inputs, config, return_exceptions=return_exceptions)

    async def abatch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """As ``batch``, awaiting each step's ``abatch``."""

        async def work(inputs: list[Any], run_manager: list[Run]) -> list[Any]:
            line = _Line(inputs)
            extra = kwargs
            for step, tag in zip(self.steps, self._tags):
                if not line.going:
                    break
                configs = [run_manager[index].child_config(tag) for index in line.going]
                line.advance(
                    await step.abatch(
                        line.values(), configs, return_exceptions=return_exceptions, **extra
                    )
                )
                extra = {}
            return line.results

        return await self._abatch_with_config(
            work, inputs, config, return_exceptions=return_exceptions
        )

    # ------------------------------------------------------------------ streams

    def stream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        """Yield the last step's chunks as they come."""
        return self.transform(_in_run.once(input), config, **kwargs)

    def transform(
        self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        """Yield the last step's chunks as they come."""
        return self._transform_stream_with_config(input, self._transform, config, **kwargs)

    def _transform(self, inputs: Iterator[Any], run_manager: Run, **kwargs: Any) -> Iterator[Any]:
        chunks = inputs
        for step, tag in zip(self.steps, self._tags):
            chunks = step.transform(chunks, run_manager.child_config(tag), **kwargs)
            kwargs = {}
        return chunks

    def astream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        """Yield the last step's chunks as they come."""
        return self.atransform(_in_run.aonce(input), config, **kwargs)

    def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        """Yield the last step's chunks as they come."""
        return self._atransform_stream_with_config(input, self._atransform, config, **kwargs)

    def _atransform(
        self, inputs: AsyncIterator[Any], run_manager: Run, **kwargs: Any
    ) -> AsyncIterator[Any]:
        chunks = inputs
        for step, tag in zip(self.steps, self._tags):
            chunks = step.atransform(chunks, run_manager.child_config(tag), **kwargs)
            kwargs = {}
        return chunks


def _below(step: Runnable[Any, Any], run: Run, tag: str) -> RunnableConfig:
    return run.direct_config(tag) if type(step) is RunnableLambda else run.child_config(tag)


class _Line:
    """The inputs of a batch on their way through the steps; one that has failed leaves it."""

    def __init__(self, inputs: list[Any]) -> None:
        self.results = list(inputs)
        self.going = list(range(len(inputs)))

    def values(self) -> list[Any]:
        return [self.results[index] for index in self.going]

    def advance(self, outputs: list[Any]) -> None:
        for index, output in zip(self.going, outputs):
            self.results[index] = output
        self.going = [i for i in self.going if not isinstance(self.results[i], Exception)]
