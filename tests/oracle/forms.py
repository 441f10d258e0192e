"""The ways to call a runnable: the columns of the table. Each gives the result of the call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from . import streams
from .freeze import freeze, sort_key

Form = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]


def invoke(runnable: Any, inputs: tuple[Any, ...], config: dict[str, Any]) -> Any:
    return runnable.invoke(inputs[0], config)


async def ainvoke(runnable: Any, inputs: tuple[Any, ...], config: dict[str, Any]) -> Any:
    return await runnable.ainvoke(inputs[0], config)


def batch(runnable: Any, inputs: tuple[Any, ...], config: dict[str, Any]) -> Any:
    return runnable.batch(list(inputs), config, return_exceptions=True)


async def abatch(runnable: Any, inputs: tuple[Any, ...], config: dict[str, Any]) -> Any:
    return await runnable.abatch(list(inputs), config, return_exceptions=True)


def batch_as_completed(runnable: Any, inputs: tuple[Any, ...], config: dict[str, Any]) -> Any:
    return dict(runnable.batch_as_completed(list(inputs), config, return_exceptions=True))


async def abatch_as_completed(
    runnable: Any, inputs: tuple[Any, ...], config: dict[str, Any]
) -> Any:
    done = runnable.abatch_as_completed(list(inputs), config, return_exceptions=True)
    return dict([pair async for pair in done])


def stream(runnable: Any, inputs: tuple[Any, ...], config: dict[str, Any]) -> Any:
    return drained(runnable.stream(inputs[0], config))


async def astream(runnable: Any, inputs: tuple[Any, ...], config: dict[str, Any]) -> Any:
    return await adrained(runnable.astream(inputs[0], config))


def transform(runnable: Any, inputs: tuple[Any, ...], config: dict[str, Any]) -> Any:
    return drained(runnable.transform(iter(inputs), config))


async def atransform(runnable: Any, inputs: tuple[Any, ...], config: dict[str, Any]) -> Any:
    async def source() -> AsyncIterator[Any]:
        for given in inputs:
            yield given

    return await adrained(runnable.atransform(source(), config))


async def astream_events(runnable: Any, inputs: tuple[Any, ...], config: dict[str, Any]) -> Any:
    return await adrained(runnable.astream_events(inputs[0], config, version="v2"))


def drained(chunks: Iterator[Any]) -> list[Any]:
    """Every chunk, and last the exception that ended the stream, if one did."""
    taken: list[Any] = []
    try:
        taken.extend(chunks)
    except Exception as error:
        taken.append(error)
    return taken


async def adrained(chunks: AsyncIterator[Any]) -> list[Any]:
    """`drained` for a stream that is read on a loop."""
    taken: list[Any] = []
    try:
        async for chunk in chunks:
            taken.append(chunk)
    except Exception as error:
        taken.append(error)
    return taken


def invoke_in_a_thread(runnable: Any, inputs: tuple[Any, ...], config: dict[str, Any]) -> Any:
    return in_a_thread(lambda: runnable.invoke(inputs[0], config))


def in_a_thread(work: Callable[[], Any]) -> Any:
    """Do the work in a plain thread, which carries no context, and give what it gave or raised."""
    done: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


async def settle() -> None:
    """Wait for what is still going on: the finalisers of streams that were dropped."""
    for _ in range(3):
        await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=1)


SINGLE: tuple[Form, ...] = (invoke, ainvoke, invoke_in_a_thread)
MANY: tuple[Form, ...] = (batch, abatch, batch_as_completed, abatch_as_completed)
CHUNKED: tuple[Form, ...] = (stream, astream, transform, atransform)
EVENTS: tuple[Form, ...] = (astream_events,)
FORMS: dict[str, Form] = {form.__name__: form for form in (*SINGLE, *MANY, *CHUNKED, *EVENTS)}


def tidy(form: Form, result: Any, *, branches: bool) -> Any:
    """The result with what is undefined taken out: the order between branches."""
    if form in EVENTS and isinstance(result, list):
        events = [event for event in result if isinstance(event, dict)]
        told = streams.by_run(events) if branches else streams.normalised(events)
        return told, [error for error in result if isinstance(error, Exception)]
    if form in CHUNKED and branches and isinstance(result, list):
        return sorted(map(freeze, result), key=sort_key)
    return result


def first_chunks(chunks: Iterator[Any], count: int) -> list[Any]:
    """The first chunks of a stream that is then closed."""
    taken = [next(chunks) for _ in range(count)]
    chunks.close()
    return taken


async def afirst_chunks(chunks: AsyncIterator[Any], count: int) -> list[Any]:
    """The first chunks of a stream that is then closed, and what is dropped by that finished."""
    taken = [await chunks.__anext__() for _ in range(count)]
    await chunks.aclose()
    await settle()
    return taken
