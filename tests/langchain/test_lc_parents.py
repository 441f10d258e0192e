"""Parents that are unknown or over, and run ids that are used more than once."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from uuid import UUID, uuid4

import pytest
from drawing import drawn
from forms import needs_context
from langchain_core.callbacks import CallbackManager, dispatch_custom_event
from langchain_core.runnables import RunnableConfig, RunnableLambda
from opentelemetry.sdk.trace import ReadableSpan
from subjects import Chat, Completion, Retriever, Tool, chain, graph, node
from traced import Traced

from otelbridge import _run_ids, semconv

ONE_ID = UUID("12345678-1234-4234-8234-123456789abc")


def _below(traced: Traced, parent_id: UUID) -> CallbackManager:
    """Callbacks that name a parent run, as a manager that was kept or sent does."""
    handlers = traced.config().get("callbacks", [])
    return CallbackManager(
        handlers=list(handlers), inheritable_handlers=list(handlers), parent_run_id=parent_id
    )


@pytest.mark.parametrize("is_async", [False, True])
def test_an_unknown_parent_gives_way_to_the_current_span(is_async: bool, traced: Traced) -> None:
    """A run whose parent nobody knows is below the current span, and a root where there is none."""

    def call() -> None:
        config: RunnableConfig = {"callbacks": _below(traced, uuid4())}
        if is_async:
            asyncio.run(chain().ainvoke(1, config))
        else:
            chain().invoke(1, config)

    with traced.captured.tracer.start_as_current_span("own"):
        call()
    call()
    assert drawn(traced.captured) == "own\n  chain\nchain"
    traced.check()


def test_a_parent_that_is_over_is_a_parent(traced: Traced) -> None:
    """A run called with the config of one that has ended is its child, wherever it is called."""
    kept: list[RunnableConfig] = []

    def keeps(value: Any, config: RunnableConfig) -> Any:
        kept.append(config)
        return value

    RunnableLambda(keeps).invoke(1, traced.config())
    chain("after").invoke(1, kept[0])
    with traced.captured.tracer.start_as_current_span("elsewhere"):
        chain("after that").invoke(1, kept[0])
        asyncio.run(Chat().ainvoke("x", kept[0]))
    assert drawn(traced.captured) == "keeps\n  after\n  after that\n  model\nelsewhere"
    traced.check()


def test_a_parent_in_another_thread_is_a_parent(traced: Traced) -> None:
    """A raw thread has no context: the config says what is above."""

    def starts(value: Any, config: RunnableConfig) -> Any:
        worker = threading.Thread(target=chain("in thread").invoke, args=(value, config))
        worker.start()
        worker.join()
        return value

    RunnableLambda(starts).invoke(1, traced.config())
    assert drawn(traced.captured) == "starts\n  in thread"
    traced.check()


def _by_start(traced: Traced) -> list[ReadableSpan]:
    return sorted(traced.captured.spans, key=lambda span: span.start_time or 0)


def test_an_id_that_is_used_again_later_names_another_run(traced: Traced) -> None:
    """One after the other, each call with the same id has its own span."""
    for number in range(3):
        chain(f"call {number}").invoke(1, traced.config(run_id=ONE_ID))
    assert drawn(traced.captured) == "call 0\ncall 1\ncall 2"
    ids = {(span.attributes or {})[semconv.RUN_ID] for span in traced.captured.spans}
    assert ids == {str(ONE_ID)}
    traced.check()


KINDS: dict[str, Any] = {
    "chain": lambda inside: chain(inside=inside, ticks=3),
    "chat model": lambda inside: Chat(inside=inside, ticks=3),
    "completion": lambda inside: Completion(inside=inside, ticks=3),
    "tool": lambda inside: Tool(inside=inside, ticks=3),
    "retriever": lambda inside: Retriever(inside=inside, ticks=3),
    "graph": lambda inside: graph(node("a", inside, ticks=3)),
}


@pytest.mark.parametrize("is_stream", [False, True], ids=["", "stream"])
@pytest.mark.parametrize("second", ["chain", "chat model", "retriever"])
@pytest.mark.parametrize("first", KINDS)
def test_an_id_that_is_used_twice_at_once_ends_no_other_call(
    first: str, second: str, is_stream: bool, traced: Traced
) -> None:
    """Two calls overlap with one id, begun and ended in every order: each ends its own span."""

    async def call(kind: str, label: str, delay: int = 0) -> None:
        def at_the_end_of_the_body() -> None:
            assert label not in _labels(traced)

        for _ in range(delay):
            await asyncio.sleep(0)
        value = {"x": 1} if kind == "graph" else "x"
        config = traced.config(run_id=ONE_ID, metadata={"label": label})
        subject = KINDS[kind](at_the_end_of_the_body)
        if is_stream:
            async for _ in subject.astream(value, config):
                pass
        else:
            await subject.ainvoke(value, config)
        assert label in _labels(traced)

    async def both(delay: int) -> None:
        await asyncio.gather(call(first, "a"), call(second, "b", delay))

    for delay in (1, 2, 4):
        asyncio.run(both(delay))
        assert sorted(_labels(traced)) == ["a", "b"]
        traced.check()
        traced.captured.clear()


def _labels(traced: Traced) -> list[Any]:
    """The labels of the calls that have ended, in that order."""
    key = semconv.RUN_METADATA + "label"
    tops = [span for span in traced.captured.spans if span.parent is None]
    return [(span.attributes or {}).get(key) for span in tops]


def test_an_id_that_is_used_again_inside_its_own_run(traced: Traced) -> None:
    """The inner call with its caller's id ends its own span, and the caller goes on."""

    def calls(value: Any, config: RunnableConfig) -> Any:
        chain("inner").invoke(value, traced.config(run_id=ONE_ID))
        dispatch_custom_event("after", {"n": 1}, config=config)
        return value

    RunnableLambda(calls, name="outer").invoke(1, traced.config(run_id=ONE_ID))
    outer = traced.captured.find("outer")
    assert [event.name for event in outer.events] == ["after"]
    assert {span.name for span in traced.captured.spans} == {"outer", "inner"}
    traced.check()


def test_ids_of_a_batch_that_are_given_once_are_for_the_first(traced: Traced) -> None:
    """Several prompts with one id: the first run has it, the others ids of their own."""
    chat, config = Chat(), traced.config()
    chat.generate([[], []], callbacks=config.get("callbacks"), run_id=ONE_ID)
    asyncio.run(chat.agenerate([[], []], callbacks=config.get("callbacks"), run_id=ONE_ID))
    ids = [(span.attributes or {})[semconv.RUN_ID] for span in _by_start(traced)]
    assert ids[0] == ids[2] == str(ONE_ID)
    assert len(set(ids)) == 3
    traced.check()


@needs_context
def test_parallel_branches_are_siblings(traced: Traced) -> None:
    """Branches at once, in threads and in tasks, are children of the one above."""
    both = {"a": chain("a"), "b": chain("b")} | chain("joined")
    config = traced.config(run_name="steps")
    both.invoke(1, config)
    asyncio.run(both.ainvoke(1, config))
    for root in traced.captured.as_dicts():
        parallel, joined = root["children"]
        assert joined["name"] == "joined"
        assert sorted(child["name"] for child in parallel["children"]) == ["a", "b"]
    assert len(traced.captured.spans) == 10
    traced.check()


def test_many_runs_that_ended_are_forgotten(traced: Traced) -> None:
    """Of the last 10,000 that ended something is kept, and no more."""
    runnable, config = chain(), traced.config()
    for _ in range(50):
        runnable.invoke(1, config)
    assert len(_run_ids._ended) <= _run_ids.REMEMBERED
    assert len(_run_ids._order) <= _run_ids.REMEMBERED
    traced.check()
