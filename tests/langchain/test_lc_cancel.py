"""A call that is cancelled at any tick of the loop: every span that was begun is ended once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

import pytest
from drawing import drawn, edges
from langchain_core.runnables import RunnableLambda
from subjects import Chat, Completion, Retriever, Slow, Tool, Work, chain, graph, node
from traced import Traced

from otelbridge import _run_ids, semconv

Call = Callable[[Any], Awaitable[Any]]

MOST_TICKS = 200
CLOSING_TICKS = 20  # how long chain streams may take to end after aclose


def _streamed(stream: Callable[[Any], AsyncIterator[Any]]) -> Call:
    async def call(config: Any) -> None:
        async with aclosing(stream(config)) as chunks:  # type: ignore[type-var]
            async for _ in chunks:
                pass

    return call


def _sequence() -> Any:
    return (chain("one", ticks=1) | Chat(ticks=1) | chain("two", ticks=1)).with_config(
        run_name="sequence"
    )


def _graph() -> Any:
    return graph(node("a", ticks=1), node("b", ticks=1))


# name: the call, and the whole trace when it is let go on
CALLS: dict[str, tuple[Call, str]] = {
    "chat model": (lambda config: Chat().ainvoke("x", config), "model"),
    "chat model, stream": (_streamed(lambda config: Chat().astream("x", config)), "model"),
    "prompts": (
        lambda config: Chat().agenerate([[], []], callbacks=config.get("callbacks")),
        "model\nmodel",
    ),
    "prompts of completion": (
        lambda config: Completion().agenerate(["x", "y"], callbacks=config.get("callbacks")),
        "model\nmodel",
    ),
    "completion": (lambda config: Completion().ainvoke("x", config), "model"),
    "completion, stream": (_streamed(lambda config: Completion().astream("x", config)), "model"),
    "tool": (lambda config: Tool().ainvoke("x", config), "tool"),
    "tool, stream": (_streamed(lambda config: Tool().astream("x", config)), "tool"),
    "retriever": (lambda config: Retriever().ainvoke("x", config), "Retriever"),
    "retriever, stream": (
        _streamed(lambda config: Retriever().astream("x", config)),
        "Retriever",
    ),
    "chain": (lambda config: chain().ainvoke("x", config), "chain"),
    "chain, stream": (_streamed(lambda config: chain().astream("x", config)), "chain"),
    "sequence": (
        lambda config: _sequence().ainvoke("x", config),
        "sequence\n  one\n  model\n  two",
    ),
    "sequence, stream": (
        _streamed(lambda config: _sequence().astream("x", config)),
        "sequence\n  one\n  model\n  two",
    ),
    "graph": (
        lambda config: _graph().ainvoke({"x": 0}, config),
        "graph\n  a\n    a body\n  b\n    b body",
    ),
    "graph, stream": (
        _streamed(lambda config: _graph().astream({"x": 0}, config)),
        "graph\n  a\n    a body\n  b\n    b body",
    ),
}


@pytest.mark.parametrize(
    ("traced", "slow"),
    [("instrument", False), ("instrument", True), ("handler", True)],
    ids=["instrument", "instrument-slow", "handler-slow"],
    indirect=["traced"],
)
@pytest.mark.parametrize("name", CALLS)
def test_cancel_at_every_tick_ends_each_span_once(name: str, slow: bool, traced: Traced) -> None:
    """Cancelled after k ticks, for every k: no span is open when the awaiting code goes on."""
    call, whole = CALLS[name]

    async def cancel_at_each() -> None:
        config = traced.config(*([Slow()] if slow else []))
        await call(config)
        assert drawn(traced.captured) == whole
        known = edges(traced.captured)
        traced.captured.clear()
        for ticks in range(MOST_TICKS):
            ended = await _cancelled_after(ticks, call, config, traced)
            if ended is None:
                break
            await _all_ended(traced, name)
            _check_cancelled(traced, ended, known)
            if ticks == 0:
                assert traced.captured.spans == []  # its start had not begun
            if any(_outcome(root) is None for root in traced.captured.spans if not root.parent):
                assert drawn(traced.captured) == whole  # it was done; its end was being told
            traced.captured.clear()
        else:
            raise AssertionError(f"not done after {MOST_TICKS} ticks")
        assert drawn(traced.captured) == whole

    asyncio.run(cancel_at_each())
    traced.check()


async def _cancelled_after(ticks: int, call: Call, config: Any, traced: Traced) -> Any:
    """Cancel a call; return (spans that had ended, bodies at work), None where it was done."""
    task = asyncio.ensure_future(call(config))
    for _ in range(ticks):
        await asyncio.sleep(0)
    if task.done():
        return None
    before = len(traced.captured.spans), Work.going_on
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return before if task.cancelled() else None


async def _all_ended(traced: Traced, name: str) -> None:
    if name in ("chain, stream", "sequence, stream"):
        for _ in range(CLOSING_TICKS):
            if not _run_ids.live:
                break
            await asyncio.sleep(0)
    traced.captured.assert_clean()
    assert list(_run_ids.live.values()) == []


def _check_cancelled(traced: Traced, before: tuple[int, int], known: set[Any]) -> None:
    captured, (ended, at_work) = traced.captured, before
    may_be = {"cancelled"} if at_work else {"cancelled", None}
    assert {_outcome(span) for span in captured.spans[:ended]} <= {None}
    for span in captured.spans[ended:]:
        # A stream that waits for the next stage of a sequence to take its chunk is only closed.
        assert _outcome(span) in may_be | ({"closed"} if span.parent and not at_work else set())
    assert edges(captured) <= known
    assert not any(span.status.description for span in captured.spans)
    ids = [span.context.span_id for span in captured.spans if span.context]
    assert len(ids) == len(set(ids))


def _outcome(span: Any) -> Any:
    return (span.attributes or {}).get(semconv.RUN_OUTCOME)


HIDDEN: dict[str, Any] = {
    "chat model": lambda: Chat(ticks=3),
    "completion": lambda: Completion(ticks=3),
    "tool": lambda: Tool(ticks=3),
    "retriever": lambda: Retriever(ticks=3),
    "chain": lambda: chain(ticks=3),
    "graph": _graph,
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_run_without_a_span_leaves_nothing_behind(name: str, traced: Traced) -> None:
    """A run that is hidden and cancelled, at any tick, stands for nothing afterwards."""
    value = {"x": 0} if name == "graph" else "x"

    async def calls(_: Any, config: Any) -> Any:
        return await HIDDEN[name]().ainvoke(value, {**config, "tags": ["langsmith:hidden"]})

    outer = RunnableLambda(calls, name="outer")

    async def cancel_at_each() -> None:
        for ticks in range(MOST_TICKS):
            task = asyncio.ensure_future(outer.ainvoke("x", traced.config()))
            for _ in range(ticks):
                await asyncio.sleep(0)
            is_done = task.done()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await _all_ended(traced, name)
            assert list(_run_ids.live.values()) == []
            if is_done:
                return
        raise AssertionError(f"not done after {MOST_TICKS} ticks")

    asyncio.run(cancel_at_each())
    assert "outer" in {span.name for span in traced.captured.spans}
    traced.check()
