"""Custom events of LangChain code: span events on the span of the run that dispatched them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from drawing import drawn
from forms import Form, ainvoke, every_form, every_form_with_context
from langchain_core.callbacks import (
    BaseCallbackHandler,
    adispatch_custom_event,
    dispatch_custom_event,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, RunnableLambda
from subjects import Chat, Completion, Retriever, Tool, chain, graph, node
from traced import Traced
from ways import apart

import otelbridge


def _says(name: str) -> Any:
    return lambda: dispatch_custom_event(name, {"n": 1})


class Heard(BaseCallbackHandler):
    """A user's handler of custom events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self.events.append((name, data))


@every_form_with_context
def test_events_are_on_the_span_of_their_run(form: Form, traced_any_way: Traced) -> None:
    """Chains, tools and nodes have their own; bodies of models and retrievers the chain's."""
    heard = Heard()
    tool, retriever = Tool(inside=_says("of tool")), Retriever(inside=_says("of retriever"))
    chat, completion = Chat(inside=_says("of chat")), Completion(inside=_says("of completion"))

    def both_worlds() -> None:
        dispatch_custom_event("first", {"n": 1})
        otelbridge.dispatch_custom_event("native", {"n": 2})
        dispatch_custom_event("last", "text")

    steps = chain("both", both_worlds) | tool | retriever | (lambda found: found[0].page_content)
    whole = steps | RunnableLambda(_calls(chat), _acalls(chat), name="asks")
    whole |= RunnableLambda(_calls(completion), _acalls(completion), name="completes")
    form(whole.with_config(run_name="all"), "x", traced_any_way.config(heard))
    assert drawn(traced_any_way.captured) == (
        "all\n"
        "  · of retriever n=1\n"
        "  both\n"
        "    · first n=1\n"
        "    · native n=2\n"
        "    · last data='text'\n"
        "  tool\n"
        "    · of tool n=1\n"
        "  Retriever\n"
        "  RunnableLambda\n"
        "  asks\n"
        "    · of chat n=1\n"
        "    model\n"
        "  completes\n"
        "    · of completion n=1\n"
        "    model"
    )
    names = [name for name, _ in heard.events]
    assert names == [
        "first",
        "native",
        "last",
        "of tool",
        "of retriever",
        "of chat",
        "of completion",
    ]
    traced_any_way.check()


def _calls(model: Any) -> Any:
    def asks(value: Any) -> Any:
        model.invoke("x")
        return "x"

    return asks


def _acalls(model: Any) -> Any:
    async def asks(value: Any) -> Any:
        await model.ainvoke("x")
        return "x"

    return asks


@every_form_with_context
def test_events_of_nodes_are_on_the_nodes_spans(form: Form, traced_any_way: Traced) -> None:
    """What a node dispatches is on its span; in a subgraph on the inner node's."""
    inner = graph(node("deep", _says("of deep")), name="inner")
    outer = graph(node("a", _says("of a")), ("sub", inner), name="outer")
    form(outer, {"x": 1}, traced_any_way.config())
    assert drawn(traced_any_way.captured) == (
        "outer\n"
        "  a\n"
        "    a body\n"
        "      · of a n=1\n"
        "  sub\n"
        "    inner\n"
        "      deep\n"
        "        deep body\n"
        "          · of deep n=1"
    )
    traced_any_way.check()


@every_form
def test_events_with_an_explicit_config_are_on_its_run(form: Form, traced: Traced) -> None:
    """Also where no context reaches: in threads, and in async code of Python 3.10."""

    def says(value: Any, config: RunnableConfig) -> Any:
        dispatch_custom_event("here", 1, config=config)
        apart(lambda: dispatch_custom_event("in a thread", 2, config=config))
        otelbridge.dispatch_custom_event("native", 3, config=config)
        apart(lambda: otelbridge.dispatch_custom_event("native there", 4, config=config))
        return value

    async def asays(value: Any, config: RunnableConfig) -> Any:
        await adispatch_custom_event("here", 1, config=config)
        apart(lambda: dispatch_custom_event("in a thread", 2, config=config))
        await otelbridge.adispatch_custom_event("native", 3, config=config)
        apart(lambda: otelbridge.dispatch_custom_event("native there", 4, config=config))
        return value

    heard = Heard()
    form(RunnableLambda(says, asays, name="says"), "x", traced.config(heard))
    assert drawn(traced.captured) == (
        "says\n  · here data=1\n  · in a thread data=2\n  · native data=3\n  · native there data=4"
    )
    assert [data for _, data in heard.events] == [1, 2, 3, 4]
    traced.check()


class AskingForChild(BaseRetriever):
    """Passes its own run on."""

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        config = {"callbacks": run_manager.get_child()}
        dispatch_custom_event("of retriever", query, config=config)
        return []

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        config = {"callbacks": run_manager.get_child()}
        await adispatch_custom_event("of retriever", query, config=config)
        return []


@pytest.mark.parametrize("form", ["invoke", "ainvoke"])
def test_events_of_a_retriever_that_passes_its_run_are_its_own(form: str, traced: Traced) -> None:
    """``run_manager.get_child()`` as callbacks makes the retriever's run the event's."""
    whole = chain("outer") | AskingForChild()
    config = traced.config(run_name="whole")
    if form == "invoke":
        whole.invoke("x", config)
    else:
        asyncio.run(whole.ainvoke("x", config))
    assert drawn(traced.captured) == (
        "whole\n  outer\n  AskingForChild\n    · of retriever data='x'"
    )
    traced.check()


@pytest.mark.parametrize("many", [10_000])
@pytest.mark.parametrize("is_async", [False, True])
def test_many_events_of_one_run_are_all_kept_in_order(
    many: int, is_async: bool, traced: Traced
) -> None:
    """What a span has no room for goes to pages."""

    def says(value: Any, config: RunnableConfig) -> None:
        for number in range(many):
            dispatch_custom_event("e", {"n": number}, config=config)

    async def asays(value: Any, config: RunnableConfig) -> None:
        for number in range(many):
            await adispatch_custom_event("e", {"n": number}, config=config)

    runnable = RunnableLambda(says, asays, name="says")
    if is_async:
        asyncio.run(runnable.ainvoke(1, traced.config()))
    else:
        runnable.invoke(1, traced.config())
    events = traced.captured.events("says")
    assert [(name, data["data.n"]) for name, data in events] == [("e", n) for n in range(many)]
    traced.check()


def test_an_event_after_the_end_of_its_run_is_not_lost(traced: Traced) -> None:
    """It becomes a span of no length below the run's, and handlers get it."""
    kept: list[RunnableConfig] = []
    heard = Heard()

    def keeps(value: Any, config: RunnableConfig) -> None:
        kept.append(config)

    RunnableLambda(keeps).invoke(1, traced.config(heard))
    dispatch_custom_event("late", {"n": 1}, config=kept[0])
    asyncio.run(adispatch_custom_event("later", {"n": 2}, config=kept[0]))
    assert drawn(traced.captured) == (
        "keeps\n  keeps late event\n    · late n=1\n  keeps late event\n    · later n=2"
    )
    assert [name for name, _ in heard.events] == ["late", "later"]
    traced.check()


def test_an_event_outside_of_a_run_stays_langchains_error(traced: Traced) -> None:
    """Upstream's own error is raised, and nothing is recorded."""
    with pytest.raises(RuntimeError, match="without a parent run id"):
        dispatch_custom_event("e", 1)
    with pytest.raises(RuntimeError, match="without a parent run id"):
        asyncio.run(adispatch_custom_event("e", 1))
    assert drawn(traced.captured) == ""
    traced.check()


def test_an_event_in_a_tool_alone_or_a_retriever_alone(traced: Traced) -> None:
    """A tool is a run for its body; a retriever's body belongs to the run above: here none."""
    Tool(inside=_says("e")).invoke("x", traced.config())
    with pytest.raises(RuntimeError, match="without a parent run id"):
        Retriever(inside=_says("e")).invoke("x", traced.config())
    assert drawn(traced.captured) == "tool\n  · e n=1\nRetriever ✗ RuntimeError"
    traced.check()


def test_odd_names_and_data_lose_nothing(traced: Traced) -> None:
    """Lone surrogates, numbers past 64 bits and deep data are cleaned; the rest is kept."""
    deep: Any = 1
    for _ in range(40):
        deep = {"d": deep}

    def says(value: Any) -> None:
        dispatch_custom_event("\ud800", {"text": "a\ud800b", "big": 1 << 70, "deep": deep})
        dispatch_custom_event("after", {"n": 1})

    def fails(value: Any) -> None:
        raise ValueError("c\ud800d")

    RunnableLambda(says, name="na\ud800me").invoke(1, traced.config())
    with pytest.raises(ValueError):
        RunnableLambda(fails).invoke(1, traced.config())
    said, failed = traced.captured.spans
    for span in (said, failed):
        span.to_json().encode()  # as an exporter would
    assert [event.name for event in said.events][1] == "after"
    assert len(said.events) == 2
    assert "d" in (failed.status.description or "")
    traced.check()


def test_events_of_concurrent_runs_stay_apart(traced: Traced) -> None:
    """Each of many runs at once, in tasks and threads, has its own events."""

    def says(value: int, config: RunnableConfig) -> int:
        for number in range(3):
            dispatch_custom_event("e", {"n": value * 10 + number}, config=config)
        return value

    async def asays(value: int, config: RunnableConfig) -> int:
        for number in range(3):
            await asyncio.sleep(0)
            await adispatch_custom_event("e", {"n": value * 10 + number}, config=config)
        return value

    runnable = RunnableLambda(says, asays, name="says")
    runnable.batch(list(range(8)), traced.config())
    asyncio.run(runnable.abatch(list(range(8, 16)), traced.config()))
    found = [
        [event.attributes["data.n"] for event in span.events] for span in traced.captured.spans
    ]
    assert sorted(found) == [[n * 10, n * 10 + 1, n * 10 + 2] for n in range(16)]
    traced.check()


def test_tokens_of_a_stream_are_no_custom_events(traced: Traced) -> None:
    """A model's stream of chunks leaves its span without events."""
    ainvoke(Chat(), "x", traced.config())
    assert "".join(str(chunk.content) for chunk in Chat().stream("x", traced.config())) == "abc"
    assert drawn(traced.captured) == "model\nmodel"
    traced.check()
