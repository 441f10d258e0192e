"""The ways to call a runnable, each giving the whole output, and their traces as text.

Async ways start a loop of their own, so that one test function serves for all.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, TypeVar

import pytest

from otelbridge import semconv
from otelbridge.testing import CapturedRuns, capture_runs

T = TypeVar("T")
Way = Callable[..., Any]


def invoke(runnable: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``invoke``."""
    return runnable.invoke(value, config, **kwargs)


def ainvoke(runnable: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``ainvoke``."""
    return asyncio.run(runnable.ainvoke(value, config, **kwargs))


def stream(runnable: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``stream``."""
    return total(list(runnable.stream(value, config, **kwargs)))


def astream(runnable: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``astream``."""
    return total(asyncio.run(taken(runnable.astream(value, config, **kwargs))))


def transform(runnable: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``transform``."""
    return total(list(runnable.transform(iter([value]), config, **kwargs)))


def atransform(runnable: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``atransform``."""

    async def source() -> AsyncIterator[Any]:
        yield value

    return total(asyncio.run(taken(runnable.atransform(source(), config, **kwargs))))


def batch(runnable: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``batch``."""
    return runnable.batch([value], config, **kwargs)[0]


def abatch(runnable: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``abatch``."""
    return asyncio.run(runnable.abatch([value], config, **kwargs))[0]


def batch_as_completed(runnable: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``batch_as_completed``."""
    return next(iter(runnable.batch_as_completed([value], config, **kwargs)))[1]


def abatch_as_completed(runnable: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``abatch_as_completed``."""
    return asyncio.run(taken(runnable.abatch_as_completed([value], config, **kwargs)))[0][1]


def in_thread(runnable: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``invoke`` in a thread that has a copy of the context."""
    return threaded(lambda: runnable.invoke(value, config, **kwargs))


CALLS: tuple[Way, ...] = (invoke, ainvoke, in_thread)
BATCHES: tuple[Way, ...] = (batch, abatch, batch_as_completed, abatch_as_completed)
STREAMS: tuple[Way, ...] = (stream, astream, transform, atransform)
WAYS: tuple[Way, ...] = (*CALLS, *BATCHES, *STREAMS)
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


async def taken(chunks: AsyncIterator[T]) -> list[T]:
    """Return every chunk of an async iterator, and close it."""
    async with aclosing(chunks) as owned:  # type: ignore[type-var]
        return [chunk async for chunk in owned]


def total(chunks: list[Any]) -> Any:
    """Return the sum of chunks, or the last where they do not add; None without any."""
    summed: Any = None
    for chunk in chunks:
        try:
            summed = chunk if summed is None else summed + chunk
        except TypeError:
            summed = chunk
    return summed


def threaded(work: Callable[[], T]) -> T:
    """Do the work in a thread that has a copy of the context; return or raise what it gives."""
    return apart(contextvars.copy_context().run, work)


def apart(work: Callable[..., T], *args: Any) -> T:
    """Do the work in a thread, which has no copy of the context; return or raise what it gives."""
    done: list[T] = []
    failed: list[BaseException] = []

    def body() -> None:
        try:
            done.append(work(*args))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if failed:
        raise failed.pop()
    return done.pop()


def first_of(runnable: Any, value: Any, config: Any = None) -> Any:
    """Take the first chunk of a ``stream`` and close it."""
    chunks: Any = runnable.stream(value, config)
    first = next(chunks)
    chunks.close()
    return first


def afirst_of(runnable: Any, value: Any, config: Any = None) -> Any:
    """Take the first chunk of an ``astream`` and close it."""

    async def main() -> Any:
        chunks = runnable.astream(value, config)
        first = await chunks.__anext__()
        await chunks.aclose()
        return first

    return asyncio.run(main())


both_closes = pytest.mark.parametrize("first", [first_of, afirst_of], ids=["stream", "astream"])


def cancelled(coroutine: Coroutine[Any, Any, Any], started: asyncio.Event) -> None:
    """Run a coroutine as a task and cancel it once ``started`` is set."""

    async def main() -> None:
        task = asyncio.ensure_future(coroutine)
        reached = asyncio.ensure_future(started.wait())
        await asyncio.wait({task, reached}, return_when=asyncio.FIRST_COMPLETED)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


@contextmanager
def captured_cleanly(**options: Any) -> Iterator[CapturedRuns]:
    """Capture runs, and check that each has ended and that the context is as before."""
    with capture_runs(**options) as captured:
        yield captured
        captured.assert_clean()


def traces(captured: CapturedRuns, *, of_runs: bool = True) -> list[str]:
    """Return the traces so far, one line a span, and forget them.

    A line has the name, indented by its depth, the events (``*name``), the outcome (``~closed``)
    and the error (``!ValueError``); ``of_runs``, before the events, the type unless it is ``chain``
    and the tags (``#tag``).
    """
    lines: list[str] = []

    def add(run: dict[str, Any], depth: int) -> None:
        about = run["attributes"]
        words = ["  " * depth + run["name"]]
        if of_runs:
            kind = about[semconv.RUN_TYPE]
            words += [f"[{kind}]"] if kind != "chain" else []
            words += [f"#{tag}" for tag in about.get(semconv.RUN_TAGS, ())]
        words += [f"*{name}" for name, _ in run["events"] if name != "exception"]
        words += [f"~{about[key]}" for key in [semconv.RUN_OUTCOME] if key in about]
        words += [f"!{about[key]}" for key in [semconv.ERROR_TYPE] if key in about]
        assert (run["status"] != "UNSET") == (semconv.ERROR_TYPE in about)
        lines.append(" ".join(words))
        for child in run["children"]:
            add(child, depth + 1)

    for root in captured.as_dicts():
        add(root, 0)
    captured.clear()
    return lines
