"""Streams that are interleaved, left early, dropped, closed elsewhere or pulled from all over."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from drawing import drawn
from forms import needs_context
from langchain_core.runnables import RunnableGenerator, RunnableLambda
from opentelemetry import context as otel_context
from opentelemetry import trace
from subjects import Chat, Completion, chain, graph, node
from traced import Traced
from ways import apart

from otelbridge import _run_ids

TICKS = 50  # the collector closes what is nested one after another


def _parts(values: Any) -> Any:
    for _ in values:
        yield from "abc"


async def _aparts(values: Any) -> Any:
    async for _ in values:
        for part in "abc":
            await asyncio.sleep(0)
            yield part


def _generator() -> Any:
    return RunnableGenerator(_parts, _aparts, name="parts")


def _streaming_node() -> Any:
    return graph(node("a", ticks=1), node("b", ticks=1))


# name: what is streamed, its input, the trace, the trace when it is closed after the first chunk
STREAMS: dict[str, tuple[Callable[[], Any], Any, str, str]] = {
    "chat model": (Chat, "x", "model", "model (closed)"),
    "completion": (Completion, "x", "model", "model (closed)"),
    "generator": (_generator, "x", "parts", "parts (closed)"),
    "sequence": (
        lambda: (chain("one") | Chat() | _generator()).with_config(run_name="steps"),
        "x",
        "steps\n  one\n  model\n  parts",
        "steps (closed)\n  one\n  model\n  parts (closed)",  # upstream reads the model to its end
    ),
    "graph": (
        _streaming_node,
        {"x": 1},
        "graph\n  a\n    a body\n  b\n    b body",
        "graph (closed)\n  a\n    a body",
    ),
}

every_stream = pytest.mark.parametrize("name", STREAMS)


def _stream(traced: Traced, name: str, which: str = "stream") -> Any:
    make, value, _, _ = STREAMS[name]
    return getattr(make(), which)(value, traced.config())


async def _settle() -> None:
    for _ in range(TICKS):
        await asyncio.sleep(0)


@every_stream
def test_interleaved_streams_are_apart(name: str, traced: Traced) -> None:
    """Three streams pulled in turns, in spans of the consumer's: each is whole, and below its."""
    tracer, outside = traced.captured.tracer, otel_context.get_current()
    first = _stream(traced, name)
    next(first)
    with tracer.start_as_current_span("outer"):
        inside = otel_context.get_current()
        second, third = _stream(traced, name), _stream(traced, name)
        next(second)
        next(third)
        next(first, None)
        assert otel_context.get_current() is inside
    assert otel_context.get_current() is outside
    for stream in (second, first, third):
        assert len(list(stream)) > 0 or name == "graph"
        assert otel_context.get_current() is outside
    tree = STREAMS[name][2]
    below = "\n  ".join(["outer", tree.replace("\n", "\n  "), tree.replace("\n", "\n  ")])
    assert drawn(traced.captured) == f"{tree}\n{below}"
    traced.check()


@every_stream
def test_interleaved_async_streams_are_apart(name: str, traced: Traced) -> None:
    """The same in one task."""
    tracer = traced.captured.tracer

    async def pull() -> None:
        outside = otel_context.get_current()
        first = _stream(traced, name, "astream")
        await anext(first)
        with tracer.start_as_current_span("outer"):
            inside = otel_context.get_current()
            second = _stream(traced, name, "astream")
            await anext(second)
            await anext(first, None)
            assert otel_context.get_current() is inside
        for stream in (second, first):
            async for _ in stream:
                assert otel_context.get_current() is outside
        assert otel_context.get_current() is outside

    asyncio.run(pull())
    tree = STREAMS[name][2]
    below = "outer\n  " + tree.replace("\n", "\n  ")
    assert drawn(traced.captured) == f"{tree}\n{below}"
    traced.check()


@every_stream
@pytest.mark.parametrize("how", ["break", "close", "thread", "throw"])
def test_a_stream_that_is_left_early_is_closed(name: str, how: str, traced: Traced) -> None:
    """Closed, dropped or closed in another thread after a chunk: outcome closed, no error."""
    stream = _stream(traced, name)
    next(stream)
    if how == "close":
        stream.close()
    elif how == "thread":
        apart(stream.close)
    elif how == "throw":
        with suppress(GeneratorExit, StopIteration):  # as upstream does it
            stream.throw(GeneratorExit())
    del stream
    gc.collect()
    assert drawn(traced.captured) == STREAMS[name][3]
    traced.check()


@every_stream
@pytest.mark.parametrize("how", ["aclose", "other task", "dropped", "loop shut down"])
def test_an_async_stream_that_is_left_early_is_closed(name: str, how: str, traced: Traced) -> None:
    """However it is left, each of its runs ends with outcome closed or cancelled, once."""

    async def pull() -> Any:
        outside = otel_context.get_current()
        stream = _stream(traced, name, "astream")
        await anext(stream)
        if how == "aclose":
            await stream.aclose()
        elif how == "other task":
            await asyncio.create_task(stream.aclose())
        elif how == "loop shut down":
            return stream  # alive while asyncio.run closes what is left
        del stream
        gc.collect()
        await _settle()
        assert list(_run_ids.live.values()) == []
        assert otel_context.get_current() is outside
        return None

    left = asyncio.run(pull())
    del left
    gc.collect()
    found = drawn(traced.captured)
    # Upstream stops a graph's tasks by cancel where the loop is shut down.
    assert found.replace("(cancelled)", "(closed)") in _left_early(name)
    traced.check()


def _left_early(name: str) -> set[str]:
    begun = STREAMS[name][3].replace("  model\n", "  model (closed)\n")
    return {begun, f"{begun}\n  b (closed)", f"{begun}\n  b (closed)\n    b body (closed)"}


@every_stream
def test_chunks_pulled_by_different_tasks(name: str, traced: Traced) -> None:
    """Each chunk taken by a task of its own: one whole trace."""

    async def pull() -> None:
        stream = _stream(traced, name, "astream")
        with pytest.raises(StopAsyncIteration):
            while True:
                await asyncio.create_task(_next(stream))

    async def _next(stream: AsyncIterator[Any]) -> Any:
        try:
            return await anext(stream)
        finally:
            assert not trace.get_current_span().is_recording()

    asyncio.run(pull())
    assert drawn(traced.captured) == STREAMS[name][2]
    traced.check()


@every_stream
def test_chunks_pulled_by_different_threads(name: str, traced: Traced) -> None:
    """Each chunk taken in a thread of its own: one whole trace."""
    stream = _stream(traced, name)
    while apart(next, stream, None) is not None:
        pass
    assert drawn(traced.captured) == STREAMS[name][2]
    traced.check()


@every_stream
def test_streams_that_fail_say_so(name: str, traced: Traced) -> None:
    """An exception thrown into a stream ends its open runs as errors."""
    stream = _stream(traced, name)
    next(stream)
    with pytest.raises(LookupError):
        stream.throw(LookupError("x"))
    del stream  # what was streamed into it goes with it
    gc.collect()
    drawing = drawn(traced.captured)
    root = STREAMS[name][3].split("\n")[0].replace(" (closed)", " ✗ LookupError")
    assert drawing.split("\n")[0] == root
    traced.check()


@needs_context
@pytest.mark.parametrize("version", ["v2"])
def test_event_streams_are_traced_and_keep_their_events(version: str, traced: Traced) -> None:
    """``astream_events`` gives the same events, and its runs their spans."""

    async def calls(value: Any) -> Any:
        return await Chat().ainvoke("x")

    async def pull(config: Any) -> list[str]:
        runnable = RunnableLambda(calls, name="calls") | chain("after")
        stream = runnable.astream_events("x", config, version=version)
        return [event["event"] async for event in stream]

    events = asyncio.run(pull(traced.config(run_name="steps")))
    assert drawn(traced.captured) == "steps\n  calls\n    model\n  after"
    from otelbridge import langchain

    langchain.uninstrument()
    assert events == asyncio.run(pull({"run_name": "steps"}))
    traced.check()


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_event_streams_that_are_left_early_leave_nothing(stop: int, traced: Traced) -> None:
    """Closed after some events: every run has ended."""

    async def pull() -> None:
        runnable = (chain("one") | Chat() | chain("two")).with_config(run_name="steps")
        stream = runnable.astream_events("x", traced.config(), version="v2")
        for _ in range(stop):
            await anext(stream)
        await stream.aclose()
        await _settle()

    asyncio.run(pull())
    assert drawn(traced.captured).startswith("steps (c")
    traced.check()
