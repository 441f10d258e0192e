"""Event streams of chains that are mixed: the same as of chains of LangChain's alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from drawing import drawn, edges
from forms import ASYNC, SYNC, Form, needs_context
from graphs import ASYNC_CONTEXT, Words
from langchain_core.documents import Document
from langchain_core.language_models import FakeListLLM, FakeStreamingListLLM
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableGenerator as TheirGenerator
from langchain_core.runnables import RunnableLambda as TheirLambda
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from traced import Captured, Traced

from otelbridge import BaseCallbackHandler, stream_events
from otelbridge import RunnableLambda as OurLambda
from otelbridge.testing import ScriptedChatModel

Event = tuple[Any, ...]
Program = Callable[[Any], Any]


class Library(BaseRetriever):
    """Finds what it is asked for."""

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [Document(query)]


def model() -> Any:
    return ScriptedChatModel(["big", "wide", "world"])


async def letters(word: str) -> AsyncIterator[str]:
    for letter in word:
        yield letter


def letters_at_once(word: str) -> Iterator[str]:
    yield from word


async def shout(chunks: AsyncIterator[str]) -> AsyncIterator[str]:
    async for chunk in chunks:
        yield chunk.upper()


def _in_body(call: Callable[[Any, str], Any], inner: Callable[[], Any]) -> Program:
    def program(kind: Any) -> Any:
        runnable = inner()

        async def body(word: str) -> Any:
            return await call(runnable, word)

        return kind(body)

    return program


async def _awaited(runnable: Any, word: str) -> Any:
    return (await runnable.ainvoke(word)).content


async def _streamed(runnable: Any, word: str) -> Any:
    return [part.content async for part in runnable.astream(word)]


def _tool() -> Any:
    @tool
    def double(text: str) -> str:
        """Double a text."""
        return text * 2

    return double


def _graph() -> Any:
    def write(state: Words) -> Any:
        return {"words": [model().invoke("in a node").content]}

    graph = StateGraph(Words)
    graph.add_node("write", write)
    graph.add_edge(START, "write")
    return graph.compile()


# Programs whose own runnables are of either library, around steps that are LangChain's.
AROUND: dict[str, Program] = {
    "model and parser": lambda kind: kind(str) | model() | StrOutputParser(),
    "parser first": lambda kind: kind(AIMessage) | StrOutputParser() | kind(str),
    "completion model": lambda kind: kind(str) | FakeListLLM(responses=["one two"]),
    "its stream": lambda kind: kind(str) | FakeStreamingListLLM(responses=["ab"]),
    "retriever": lambda kind: kind(str) | Library(),
    "tool": lambda kind: kind(lambda text: {"text": text}) | _tool(),
    "generator": lambda kind: kind(letters) | TheirGenerator(shout) | kind(str),
    "returned": lambda kind: kind(lambda word: model() | StrOutputParser()),
    "tags": lambda kind: (kind(str) | model().with_config(tags=["in"])).with_config(tags=["out"]),
}
ASYNC_ALONE = {"generator"}
IN_BODIES: dict[str, Program] = {
    "invoked in a body": _in_body(_awaited, model),
    "streamed in a body": _in_body(_streamed, model),
    "graph": lambda kind: kind(lambda word: {"words": [word]}) | _graph(),
}


def _body(call: Callable[[Any, str], Any], func: Any) -> Program:
    def program(kind: Any) -> Any:
        inner = kind(func)

        async def body(word: str) -> Any:
            return await call(inner, word)

        return TheirLambda(body)

    return program


async def _all_of(runnable: Any, word: str) -> Any:
    return [part async for part in runnable.astream(word)]


async def _at_once(runnable: Any, word: str) -> Any:
    return list(runnable.stream(word))


async def _in_a_thread(runnable: Any, word: str) -> Any:
    return await asyncio.to_thread(lambda: list(runnable.stream(word)))


# The reverse: runnables of either library inside LangChain's.
INSIDE: dict[str, Program] = {
    "step": lambda kind: TheirLambda(str) | kind(letters) | TheirGenerator(shout),
    "returned": lambda kind: TheirLambda(lambda word: kind(letters)),
    "streamed in a body": _body(_all_of, letters),
    "sync in a body": _body(_at_once, letters_at_once),
    "sync in a body's thread": _body(_in_a_thread, letters_at_once),
}


def told(events: list[Any]) -> list[Event]:
    """Return the events with runs numbered in the order in which they are named."""
    numbers: dict[str, int] = {}

    def number(run_id: str) -> int:
        return numbers.setdefault(run_id, len(numbers))

    return [
        (
            event["event"],
            event["name"],
            number(event["run_id"]),
            [number(above) for above in event["parent_ids"]],
            sorted(event["tags"]),
            _plain(event["data"]),
        )
        for event in events
    ]


def _plain(value: Any) -> Any:
    """Return data without the ids of messages, which are made anew for every run."""
    if isinstance(value, BaseMessage):
        return type(value).__name__, value.content
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return str(value)


async def streamed(runnable: Any, config: Any = None) -> list[Event]:
    return told([event async for event in runnable.astream_events("ab", config, version="v2")])


@pytest.mark.parametrize(
    "name", [*AROUND, *(pytest.param(name, marks=needs_context) for name in IN_BODIES)]
)
async def test_native_event_stream_of_langchain_steps(name: str, traced: Traced) -> None:
    """A native chain's event stream has all that LangChain's own has."""
    program = {**AROUND, **IN_BODIES}[name]
    events = await streamed(program(OurLambda), traced.config())
    assert events == await streamed(program(TheirLambda))
    traced.check()


@pytest.mark.parametrize("name", [name for name in AROUND if name not in ASYNC_ALONE])
def test_native_sync_event_stream_of_langchain_steps(name: str, traced: Traced) -> None:
    """The sync form has the events of the async one."""
    ours = AROUND[name](OurLambda)
    events = told(list(ours.stream_events("ab", traced.config(), version="v2")))
    assert sorted(map(repr, events)) == sorted(
        map(repr, asyncio.run(streamed(AROUND[name](TheirLambda))))
    )
    traced.check()


@pytest.mark.parametrize("form", SYNC + ASYNC if ASYNC_CONTEXT else SYNC)
def test_a_graph_as_a_step(form: Form, traced: Traced) -> None:
    """LangGraph takes the callbacks of a native chain."""
    chain = OurLambda(lambda word: {"words": [word]}) | _graph()
    form(Captured(traced, chain), "ab", traced.config())
    assert edges(traced.captured) == {
        (None, "RunnableSequence"),
        ("RunnableSequence", "RunnableLambda"),
        ("RunnableSequence", "LangGraph"),
        ("LangGraph", "write"),
        ("write", "model"),
    }
    traced.check()


async def test_langchains_event_stream_in_a_native_body(traced: Traced) -> None:
    """It takes the config that the body was given."""
    inner = TheirLambda(letters)

    async def body(word: str, config: Any) -> Any:
        return [event["event"] async for event in inner.astream_events(word, config, version="v2")]

    seen = await OurLambda(body).ainvoke("ab", traced.config())
    assert seen == ["on_chain_start", *["on_chain_stream"] * 2, "on_chain_end"]
    assert drawn(traced.captured) == "body\n  letters"
    traced.check()


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[needs_context] if "body" in name else []) for name in INSIDE],
)
async def test_langchains_event_stream_of_native_steps(name: str, traced: Traced) -> None:
    """LangChain's event stream has the chunks of the native runnables inside."""
    events = await streamed(INSIDE[name](OurLambda), traced.config())
    assert events == await streamed(INSIDE[name](TheirLambda))
    traced.check()


def test_steps_are_told_without_instrumentation() -> None:
    """What a native chain passes on to its steps needs no seam."""
    names = ["model and parser", "parser first", "retriever", "tool"]
    for name in names:
        ours, theirs = AROUND[name](OurLambda), AROUND[name](TheirLambda)
        assert asyncio.run(streamed(ours)) == asyncio.run(streamed(theirs))


async def test_chunks_of_langchain_wait_for_the_consumer(
    traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of LangChain's makes no more chunks than may be unread."""
    monkeypatch.setattr(stream_events, "MOST_UNREAD", 10)
    made: list[int] = []

    async def count(chunks: AsyncIterator[Any]) -> AsyncIterator[str]:
        async for _ in chunks:
            for number in range(60):
                made.append(number)
                yield str(number)

    chain = OurLambda(str) | TheirGenerator(count)
    ahead = 0
    async for event in chain.astream_events("ab", traced.config(), version="v2"):
        if event["event"] == "on_chain_stream" and event["name"] == "count":
            await asyncio.sleep(0)
            ahead = max(ahead, len(made) - int(event["data"]["chunk"]))
    assert len(made) == 60
    assert ahead <= 12
    traced.check()


async def test_sync_callbacks_on_the_loop_never_wait(
    traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync model on the loop's own thread fills the queue, and the loop goes on."""
    monkeypatch.setattr(stream_events, "MOST_UNREAD", 2)
    words = " ".join(map(str, range(30)))

    async def body(value: Any) -> Any:
        return [part.content for part in ScriptedChatModel([words]).stream(value)]

    events = await asyncio.wait_for(streamed(OurLambda(body), traced.config()), timeout=30)
    assert [event[0] for event in events].count("on_chat_model_stream") >= 30
    traced.check()


@pytest.mark.parametrize(
    "hook", ["on_text", "on_retry", "on_agent_action", "on_agent_finish", "on_stream_event"]
)
def test_a_native_handler_has_the_hooks_that_langchain_calls(hook: str) -> None:
    """LangChain logs a handler that lacks one."""
    assert getattr(BaseCallbackHandler(), hook)("", run_id=UUID(int=1)) is None
