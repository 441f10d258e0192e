"""A stream whose run begins with the whole input: of a branch, and of fallbacks.

Unlike a transform's, such a run is told its input at the start. A close by the consumer is told
to the handlers as an error (as upstream does); the span says ``closed``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any, TypeVar

from otelbridge.config import RunnableConfig
from otelbridge.context import Steps
from otelbridge.run import abegin, begin
from otelbridge.runnables._in_run import Unfinished, unregistered

T = TypeVar("T")


class _Sum:
    """What the chunks of a stream add up to; None where they do not add."""

    __slots__ = ("_adds", "value")

    def __init__(self) -> None:
        self.value: Any = None
        self._adds = True

    def add(self, chunk: Any) -> None:
        if not self._adds:
            return
        try:
            self.value = chunk if self.value is None else self.value + chunk
        except TypeError:
            self.value, self._adds = None, False


def owned_stream(
    name: str,
    body: Callable[..., Generator[T, None, None]],
    input: Any,
    config: RunnableConfig | None,
    /,
    **kwargs: Any,
) -> Iterator[T]:
    """Yield the chunks of the generator ``body(input, run, **kwargs)`` as one run.

    Each step of the body runs inside the run. However the stream ends, the body is closed first.
    """
    run = begin(name, config, input)
    total = _Sum() if run.wants_output() else None
    chunks = body(input, run, **kwargs)
    try:
        try:
            while True:
                try:
                    chunk = run.enter(next, chunks)
                except StopIteration:
                    break
                yield chunk
                if total is not None:
                    total.add(chunk)
        finally:
            run.enter(chunks.close)
    except BaseException as error:
        run.fail(error)
        raise
    run.end(total and total.value)


async def aowned_stream(
    name: str,
    body: Callable[..., AsyncGenerator[T, None]],
    input: Any,
    config: RunnableConfig | None,
    /,
    **kwargs: Any,
) -> AsyncIterator[T]:
    """As ``owned_stream``, for an async body."""
    run = await abegin(name, config, input)
    unfinished = Unfinished(run)
    total = _Sum() if run.wants_output() else None
    chunks = body(input, run, **kwargs)
    unfinished.iterator = chunks
    try:
        try:
            steps: Steps[T] = Steps(run.enter(unregistered, chunks.__anext__), run.context)
            while True:
                try:
                    chunk = await steps
                except StopAsyncIteration:
                    break
                if run.behind():
                    await run.settle()
                yield chunk
                if total is not None:
                    total.add(chunk)
                steps.then(chunks.__anext__())
        finally:
            await run.asteps(chunks.aclose())
    except GeneratorExit as closed:
        await run.aclose(closed)
        raise
    except BaseException as error:
        await run.afail(error)
        raise
    await run.aend(total and total.value)


def close(chunks: Iterator[Any]) -> None:
    """Close an iterator, where it can be closed."""
    if (closing := getattr(chunks, "close", None)) is not None:
        closing()
