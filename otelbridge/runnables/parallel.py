"""Runnables side by side."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from textwrap import indent
from typing import Any

from otelbridge.config import RunnableConfig, get_executor_for_config
from otelbridge.run import Run, abegin, begin
from otelbridge.runnables import _in_run
from otelbridge.runnables._addable import AddableDict
from otelbridge.runnables._tee import atee, tee
from otelbridge.runnables.base import (
    Input,
    Runnable,
    RunnableSerializable,
    coerce_to_runnable,
)

_DONE: Any = object()
_Branch = Runnable[Input, Any] | Callable[[Input], Any] | Callable[..., Any] | Mapping[str, Any]


class RunnableParallel(RunnableSerializable[Input, dict[str, Any]]):
    """Runnables that all get the same input; the output is a dict of theirs.

    A stream yields each branch's chunks as they come, as ``AddableDict`` with the branch's key.

    Args:
        steps__: the branches by key: runnables, functions, generator functions or dicts.
        kwargs: more branches.
    """

    def __init__(
        self,
        steps__: Mapping[str, _Branch[Input]] | None = None,
        **kwargs: _Branch[Input],
    ) -> None:
        self.steps__ = {
            key: coerce_to_runnable(step) for key, step in {**(steps__ or {}), **kwargs}.items()
        }

    def get_name(self, suffix: str | None = None, *, name: str | None = None) -> str:
        """Return ``RunnableParallel<a,b>`` unless a name was given."""
        name = name or self.name or f"RunnableParallel<{','.join(self.steps__)}>"
        return super().get_name(suffix, name=name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunnableParallel):
            return NotImplemented
        return self.name == other.name and self.steps__ == other.steps__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        lines = []
        for key, step in self.steps__.items():
            margin = " " * (len(key) + 4)
            lines.append(f"  {key}: {indent(repr(step), margin)[len(margin) :]}")
        return "{\n" + ",\n".join(lines) + "\n}"

    # ------------------------------------------------------------------ one input

    def invoke(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Invoke each branch in a thread."""
        run = begin(self.get_name(), config, input)
        try:
            output = run.enter(self._invoke, input, run)
        except BaseException as error:
            run.fail(error)
            raise
        run.end(output)
        return output

    def _invoke(self, input: Any, run: Run) -> dict[str, Any]:
        steps = dict(self.steps__)
        with get_executor_for_config(run.shared_config()) as executor:
            futures = {
                key: executor.submit(step.invoke, input, _branch_config(run, key))
                for key, step in steps.items()
            }
            return {key: future.result() for key, future in futures.items()}

    async def ainvoke(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Await all branches together."""
        run = await abegin(self.get_name(), config, input)
        try:
            output = await run.asteps(self._ainvoke(input, run))
        except BaseException as error:
            await run.afail(error)
            raise
        await run.aend(output)
        return output

    async def _ainvoke(self, input: Any, run: Run) -> dict[str, Any]:
        steps = dict(self.steps__)
        tasks = [
            _in_run.begun(step.ainvoke(input, _branch_config(run, key)))
            for key, step in steps.items()
        ]
        try:
            results = await asyncio.gather(*tasks)
        except asyncio.CancelledError:
            await _in_run.cancel_all(tasks)
            raise
        except GeneratorExit:
            for task in tasks:
                task.cancel()
            raise
        return dict(zip(steps, results))

    # ------------------------------------------------------------------ streams

    def stream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        """Yield the branches' chunks as they come."""
        return self.transform(_in_run.once(input), config)

    def transform(
        self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        """Yield the branches' chunks as they come."""
        return self._transform_stream_with_config(input, self._transform, config, **kwargs)

    def _transform(self, inputs: Iterator[Any], run_manager: Run) -> Iterator[AddableDict]:
        branches = self._branches(tee(inputs, len(self.steps__), threading.Lock()), run_manager)
        with get_executor_for_config(run_manager.shared_config()) as executor:
            pulls: dict[Future[Any], str] = {
                executor.submit(next, chunks, _DONE): key for key, chunks in branches.items()
            }
            try:
                while pulls:
                    done, _ = wait(pulls, return_when=FIRST_COMPLETED)
                    for future in done:
                        key = pulls.pop(future)
                        chunk = future.result()
                        if chunk is not _DONE:
                            yield AddableDict({key: chunk})
                            pulls[executor.submit(next, branches[key], _DONE)] = key
            finally:
                wait(pulls)  # a generator that is running cannot be closed
                _in_run.close_each(list(branches.values()))

    def _branches(self, copies: list[Iterator[Any]], run: Run) -> dict[str, Iterator[Any]]:
        return {
            key: step.transform(chunks, _branch_config(run, key))
            for (key, step), chunks in zip(self.steps__.items(), copies)
        }

    def astream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the branches' chunks as they come."""
        return self.atransform(_in_run.aonce(input), config)

    def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the branches' chunks as they come."""
        return self._atransform_stream_with_config(input, self._atransform, config, **kwargs)

    async def _atransform(
        self, inputs: AsyncIterator[Any], run_manager: Run
    ) -> AsyncIterator[AddableDict]:
        copies = atee(inputs, len(self.steps__))
        branches = {
            key: step.atransform(chunks, _branch_config(run_manager, key))
            for (key, step), chunks in zip(self.steps__.items(), copies)
        }
        pulls = {
            _in_run.begun(_in_run.anext_or(chunks, _DONE)): key for key, chunks in branches.items()
        }
        try:
            while pulls:
                done, _ = await asyncio.wait(pulls, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    key = pulls.pop(task)
                    chunk = task.result()
                    if chunk is not _DONE:
                        yield AddableDict({key: chunk})
                        pull = _in_run.anext_or(branches[key], _DONE)
                        pulls[_in_run.begun(pull)] = key
        finally:
            try:
                await _in_run.cancel_all(list(pulls))
            finally:
                await _in_run.aclose_each(list(branches.values()))


RunnableMap = RunnableParallel


def _branch_config(run: Run, key: str) -> RunnableConfig:
    return run.child_config(f"map:key:{key}")
