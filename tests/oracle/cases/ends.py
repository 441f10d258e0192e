"""How runs end early: cancelled, closed by the consumer, or left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from .. import departures, streams
from ..forms import afirst_chunks, first_chunks, settle
from ..libraries import Library
from ..recorder import record
from . import case


async def _cancelled(lib: Library, runnable: Any, reached: asyncio.Event, config: Any) -> Any:
    task = asyncio.create_task(runnable.ainvoke(1, config))
    await reached.wait()
    task.cancel("enough")
    try:
        return await task
    except asyncio.CancelledError as error:
        await settle()
        return error


@case()
async def cancel_of_a_lambda(lib: Library) -> Any:
    reached = asyncio.Event()

    async def body(value: int) -> int:
        await lib.adispatch_custom_event("before", value)
        reached.set()
        await asyncio.sleep(60)
        return value

    seen = record(lib)
    config = {"callbacks": [seen.handler]}
    result = await _cancelled(lib, lib.RunnableLambda(body), reached, config)
    return result, seen.calls()


@case()
async def cancel_of_a_sequence(lib: Library) -> Any:
    reached = asyncio.Event()

    async def body(value: int) -> int:
        reached.set()
        await asyncio.sleep(60)
        return value

    seen = record(lib, asynchronous=True)
    sequence = lib.RunnableLambda(int) | body | str
    result = await _cancelled(lib, sequence, reached, {"callbacks": [seen.handler]})
    return result, seen.calls()


@case()
async def cancel_that_the_body_turns_into_a_result(lib: Library) -> Any:
    reached = asyncio.Event()

    async def body(value: int) -> str:
        reached.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "went on"
        return "was not cancelled"

    seen = record(lib)
    config = {"callbacks": [seen.handler]}
    result = await _cancelled(lib, lib.RunnableLambda(body), reached, config)
    return result, seen.calls()


@case()
async def cancel_of_a_stream_that_waits(lib: Library) -> Any:
    reached = asyncio.Event()

    async def body(value: int) -> AsyncIterator[int]:
        yield value
        reached.set()
        await asyncio.sleep(60)

    seen = record(lib)

    async def read() -> list[int]:
        stream = lib.RunnableLambda(body).astream(1, {"callbacks": [seen.handler]})
        return [chunk async for chunk in stream]

    task = asyncio.create_task(read())
    await reached.wait()
    task.cancel()
    try:
        await task
    except asyncio.CancelledError as error:
        await settle()
        return error, seen.calls()
    return None


@case()
async def timeout_of_a_lambda(lib: Library) -> Any:
    async def body(value: int) -> int:
        await asyncio.sleep(60)
        return value

    seen = record(lib)
    try:
        await asyncio.wait_for(
            lib.RunnableLambda(body).ainvoke(1, {"callbacks": [seen.handler]}), 0.3
        )
    except (TimeoutError, asyncio.TimeoutError):
        return seen.calls()
    return None


@case()
def early_close_of_a_lambda_stream(lib: Library) -> Any:
    finished: list[str] = []

    def body(value: int) -> Iterator[int]:
        try:
            yield from range(value)
        finally:
            finished.append("body")

    seen = record(lib)
    stream = lib.RunnableLambda(body).stream(5, {"callbacks": [seen.handler]})
    return first_chunks(stream, 2), finished, seen.calls()


@case()
async def early_close_of_an_async_lambda_stream(lib: Library) -> Any:
    finished: list[str] = []

    async def body(value: int) -> AsyncIterator[int]:
        try:
            for step in range(value):
                yield step
        finally:
            finished.append("body")

    seen = record(lib)
    stream = lib.RunnableLambda(body).astream(5, {"callbacks": [seen.handler]})
    return await afirst_chunks(stream, 2), finished, seen.calls()


@case()
async def early_close_of_an_async_sequence(lib: Library) -> Any:
    async def letters(word: str) -> AsyncIterator[str]:
        for letter in word:
            yield letter

    async def shout(chunks: AsyncIterator[str]) -> AsyncIterator[str]:
        async for chunk in chunks:
            yield chunk.upper()

    seen = record(lib, asynchronous=True)
    sequence = lib.RunnableLambda(letters) | shout
    chunks = await afirst_chunks(sequence.astream("abcd", {"callbacks": [seen.handler]}), 2)
    seen.calls_made = departures.closed_runs_end(seen.calls_made)
    return chunks, seen.runs()


@case()
async def early_close_of_an_event_stream(lib: Library) -> Any:
    async def letters(word: str) -> AsyncIterator[str]:
        for letter in word:
            yield letter
            await asyncio.sleep(0)

    seen = record(lib)
    events = lib.RunnableLambda(letters).astream_events(
        "abcdefgh", {"callbacks": [seen.handler]}, version="v2"
    )
    first = streams.normalised(await afirst_chunks(events, 2))
    ends = [call.hook for call in seen.calls_made if call.hook != "on_chain_start"]
    return first, ends


@case()
def close_before_the_first_chunk(lib: Library) -> Any:
    seen = record(lib)
    stream = lib.RunnableLambda(str).stream(1, {"callbacks": [seen.handler]})
    stream.close()
    return seen.calls()


@case()
def exhausted_stream_closed(lib: Library) -> Any:
    seen = record(lib)
    stream = lib.RunnableLambda(str).stream(1, {"callbacks": [seen.handler]})
    chunks = list(stream)
    stream.close()
    return chunks, seen.calls()


@case()
def error_thrown_into_a_stream(lib: Library) -> Any:
    def body(value: int) -> Iterator[int]:
        yield from range(value)

    seen = record(lib)
    stream = lib.RunnableLambda(body).stream(3, {"callbacks": [seen.handler]})
    first = next(stream)
    try:
        stream.throw(ValueError("thrown in"))
    except ValueError as error:
        return first, error, seen.calls()
    return None


@case(departure=departures.thrown_error_arrives)
async def error_in_the_consumer_of_an_async_stream(lib: Library) -> Any:
    async def body(value: int) -> AsyncIterator[int]:
        for step in range(value):
            yield step

    seen = record(lib)
    stream = lib.RunnableLambda(body).astream(3, {"callbacks": [seen.handler]})
    first = await stream.__anext__()
    try:
        await stream.athrow(ValueError("thrown in"))
    except ValueError as error:
        await settle()
        return first, error, seen.calls()
    return None


@case()
async def interleaved_streams(lib: Library) -> Any:
    async def count(value: int) -> AsyncIterator[Any]:
        for step in range(value):
            await lib.adispatch_custom_event("step", step)
            yield lib.ensure_config()["tags"]

    runnable = lib.RunnableLambda(count)
    seen = [record(lib), record(lib)]
    opened = [
        runnable.astream(2, {"callbacks": [recorder.handler], "tags": [str(index)]})
        for index, recorder in enumerate(seen)
    ]
    chunks = [await stream.__anext__() for stream in (*opened, *opened)]
    for stream in opened:
        await stream.aclose()
    await settle()
    return chunks, [recorder.events() for recorder in seen]
