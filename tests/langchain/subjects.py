"""One of each kind of thing that LangChain runs, whose async bodies give way to the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypedDict

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.documents import Document
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.language_models.llms import BaseLLM
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import (
    ChatGeneration,
    ChatGenerationChunk,
    ChatResult,
    Generation,
    GenerationChunk,
    LLMResult,
)
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph

CHUNKS = ("a", "b", "c")


class Work:
    """How many async bodies have begun and not ended, in this process."""

    going_on = 0


async def waits(ticks: int) -> None:
    """Give way to the loop ``ticks`` times, as a body at work."""
    Work.going_on += 1
    try:
        for _ in range(ticks):
            await asyncio.sleep(0)
    finally:
        Work.going_on -= 1


class _Bodies:
    """What the body of a subject does: it calls ``inside``, then gives way ``ticks`` times."""

    ticks: Any
    inside: Any

    def _at_work(self) -> None:
        if self.inside is not None:
            self.inside()

    async def _waits(self) -> None:
        await waits(self.ticks)
        self._at_work()


class Chat(_Bodies, BaseChatModel):
    """A chat model that streams."""

    ticks: int = 2
    inside: Any = None

    @property
    def _llm_type(self) -> str:
        return "test"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self._at_work()
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(CHUNKS)))])

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kw: Any) -> ChatResult:
        await self._waits()
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(CHUNKS)))])

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for text in CHUNKS:
            self._at_work()
            yield ChatGenerationChunk(message=AIMessageChunk(text))

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        for text in CHUNKS:
            await self._waits()
            yield ChatGenerationChunk(message=AIMessageChunk(text))


class Completion(_Bodies, BaseLLM):
    """A completion model that streams."""

    ticks: int = 2
    inside: Any = None

    @property
    def _llm_type(self) -> str:
        return "test"

    def _generate(self, prompts: list[str], *args: Any, **kwargs: Any) -> LLMResult:
        self._at_work()
        return LLMResult(generations=[[Generation(text="".join(CHUNKS))] for _ in prompts])

    async def _agenerate(self, prompts: list[str], *args: Any, **kwargs: Any) -> LLMResult:
        await self._waits()
        return LLMResult(generations=[[Generation(text="".join(CHUNKS))] for _ in prompts])

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[GenerationChunk]:
        for text in CHUNKS:
            self._at_work()
            yield GenerationChunk(text=text)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[GenerationChunk]:
        for text in CHUNKS:
            await self._waits()
            yield GenerationChunk(text=text)


class Tool(_Bodies, BaseTool):
    """A tool with bodies of both kinds."""

    name: str = "tool"
    description: str = "Gives back what it gets."
    ticks: int = 2
    inside: Any = None

    def _run(self, x: str) -> str:
        self._at_work()
        return x

    async def _arun(self, x: str) -> str:
        await self._waits()
        return x


class Retriever(_Bodies, BaseRetriever):
    """A retriever with bodies of both kinds."""

    ticks: int = 2
    inside: Any = None

    def _get_relevant_documents(self, query: str, **kwargs: Any) -> list[Document]:
        self._at_work()
        return [Document(query)]

    async def _aget_relevant_documents(self, query: str, **kwargs: Any) -> list[Document]:
        await self._waits()
        return [Document(query)]


def chain(name: str = "chain", inside: Any = None, ticks: int = 2) -> RunnableLambda[Any, Any]:
    """Return a runnable with bodies of both kinds."""

    def body(value: Any) -> Any:
        if inside is not None:
            inside()
        return value

    async def abody(value: Any) -> Any:
        await waits(ticks)
        return body(value)

    return RunnableLambda(body, abody, name=name)


class State(TypedDict, total=False):
    """What the graphs here hold."""

    x: Any


def graph(*nodes: Any, name: str = "graph", **compiled: Any) -> Any:
    """Return a graph whose nodes follow each other: functions, or (name, function)."""
    builder = StateGraph(State)
    before = START
    for given in nodes:
        called, node = given if isinstance(given, tuple) else (given.__name__, given)
        builder.add_node(called, node)
        builder.add_edge(before, called)
        before = called
    builder.add_edge(before, END)
    return builder.compile(name=name, **compiled)


def node(name: str, inside: Any = None, ticks: int = 2) -> tuple[str, RunnableLambda[Any, Any]]:
    """Return a node with bodies of both kinds; its run is the node's."""

    def body(state: State) -> State:
        if inside is not None:
            inside()
        return {"x": 1}

    async def abody(state: State) -> State:
        await waits(ticks)
        return body(state)

    return name, RunnableLambda(body, abody, name=f"{name} body")


class Slow(AsyncCallbackHandler):
    """An async handler that gives way in every hook."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def _hear(self, hook: str) -> None:
        await asyncio.sleep(0)
        self.heard.append(hook)


def _hook(name: str) -> Any:
    async def hear(self: Slow, *args: Any, **kwargs: Any) -> None:
        await self._hear(name)

    return hear


for _kind in ("chain", "tool", "retriever", "llm"):
    for _phase in ("start", "end", "error"):
        setattr(Slow, f"on_{_kind}_{_phase}", _hook(f"on_{_kind}_{_phase}"))
for _name in ("on_chat_model_start", "on_llm_new_token", "on_custom_event"):
    setattr(Slow, _name, _hook(_name))
