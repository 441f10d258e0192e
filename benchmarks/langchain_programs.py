"""Programs of LangChain and LangGraph as their users write them: nothing here knows who traces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, TypedDict

from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langgraph.graph import END, START, StateGraph

from benchmarks import with_runnables
from benchmarks.drive import awaited, streamed, sync
from benchmarks.listeners import AsyncListener, Listener
from benchmarks.timing import Lap
from benchmarks.workloads import CHUNKS, PLAIN, TEXT

GRAPH_STEPS: Final = 20


class State(TypedDict):
    """What the graphs pass on."""

    text: str


def laps(loop: asyncio.AbstractEventLoop) -> Mapping[str, Lap]:
    """Every program, by its name in ``benchmarks.langchain``."""
    library = with_runnables.langchain_core()
    assert library is not None
    handler = with_runnables.langchain_handler(Listener())
    async_handler = with_runnables.langchain_async_handler(AsyncListener())
    runnables = with_runnables.programs(library, PLAIN, handler, async_handler)
    graph, async_graph = graph_of(_node), graph_of(_async_node)
    answer, story = FakeListChatModel(responses=[TEXT]), FakeListChatModel(responses=["x" * CHUNKS])
    state = State(text=TEXT)
    return {
        "lambda": sync(loop, runnables.invoke),
        "graph": sync(loop, lambda: graph.invoke(state)),
        "async graph": awaited(loop, lambda: async_graph.ainvoke(state)),
        "chat": sync(loop, lambda: answer.invoke(TEXT)),
        "stream": sync(loop, lambda: _exhausted(story.stream(TEXT))),
        "async stream": streamed(loop, lambda: story.astream(TEXT)),
    }


def graph_of(node: Callable[[State], Any]) -> Any:
    """Steps one after another."""
    graph = StateGraph(State)
    names = [f"step{number}" for number in range(1, GRAPH_STEPS + 1)]
    for name in names:
        graph.add_node(name, node)
    for before, after in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(before, after)
    return graph.compile()


def _node(state: State) -> State:
    return State(text=state["text"])


async def _async_node(state: State) -> State:
    return State(text=state["text"])


def _exhausted(chunks: Any) -> None:
    for _ in chunks:
        pass
