"""What is written to LangGraph's stream writers: custom events of the node or tool that wrote."""

from __future__ import annotations

import asyncio
import dataclasses
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
from graphs import (
    ASYNC_CONTEXT,
    ToolNode,
    ToolRuntime,
    Words,
    every_async_way,
    every_stream_with_context,
    every_sync_way,
    every_way,
    every_way_with_context,
    stream,
    traced,
    traced_by_handler,
    traces,
)
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import RetryPolicy, StreamWriter
from ways import captured_cleanly, threaded

from otelbridge import start_run
from otelbridge.langchain import OtelCallbackHandler, instrumented, uninstrument

Way = Callable[..., Any]
EMPTY: Any = {"words": []}


def one_node(node: Any, **options: Any) -> Any:
    graph = StateGraph(Words)
    graph.add_node("node", node, **options)
    graph.add_edge(START, "node")
    return graph.compile(name="Graph")


def by_function(state: Words) -> Any:
    get_stream_writer()({"type": "progress", "done": 1})
    return {"words": ["done"]}


def by_parameter(state: Words, writer: StreamWriter) -> Any:
    writer({"type": "progress", "done": 1})
    return {"words": ["done"]}


def by_runtime(state: Words, runtime: Runtime) -> Any:
    runtime.stream_writer({"type": "progress", "done": 1})
    return {"words": ["done"]}


async def aby_function(state: Words) -> Any:
    await asyncio.sleep(0)
    return by_function(state)


async def aby_parameter(state: Words, writer: StreamWriter) -> Any:
    await asyncio.sleep(0)
    return by_parameter(state, writer)


async def aby_runtime(state: Words, runtime: Runtime) -> Any:
    await asyncio.sleep(0)
    return by_runtime(state, runtime)


@every_way_with_context
@pytest.mark.parametrize("node", [by_function, by_parameter, by_runtime])
def test_what_a_node_writes_is_an_event_of_its_span(way: Way, node: Any) -> None:
    """By each way to get the writer, though nobody streams what is written."""
    with traced() as captured:
        way(one_node(node), EMPTY)
        assert captured.events("node") == [("progress", {"data.type": "progress", "data.done": 1})]
        assert traces(captured) == ["Graph", "  node *progress"]


@every_async_way
@pytest.mark.parametrize(
    "node",
    [
        pytest.param(
            aby_function,
            marks=pytest.mark.skipif(
                not ASYNC_CONTEXT, reason="get_stream_writer() in async nodes needs Python 3.11"
            ),
        ),
        aby_parameter,
        aby_runtime,
    ],
)
def test_what_an_async_node_writes_is_an_event_of_its_span(way: Way, node: Any) -> None:
    """The same for async nodes."""
    with traced() as captured:
        way(one_node(node), EMPTY)
        assert traces(captured) == ["Graph", "  node *progress"]


@pytest.mark.parametrize(
    ("chunk", "name"),
    [
        ({"type": "a", "event": "b", "name": "c"}, "a"),
        ({"event": "b", "name": "c"}, "b"),
        ({"name": "c"}, "c"),
        ({"type": 1, "name": "c"}, "c"),
        ({"type": "", "name": None}, "langgraph.custom"),
        ({"done": 1}, "langgraph.custom"),
        ("text", "langgraph.custom"),
        (7, "langgraph.custom"),
        (None, "langgraph.custom"),
        (["a", "b"], "langgraph.custom"),
    ],
)
def test_an_event_has_the_name_that_the_mapping_says(chunk: Any, name: str) -> None:
    """Its ``type``, else ``event``, else ``name``, where that is a text."""

    def node(state: Words, writer: StreamWriter) -> Any:
        writer(chunk)

    with traced() as captured:
        one_node(node).invoke(EMPTY)
        assert traces(captured) == ["Graph", f"  node *{name}"]


@every_stream_with_context
@pytest.mark.parametrize("mode", ["custom", ["custom", "updates"], ["values", "custom"]])
def test_what_is_streamed_is_the_same_object(way: Way, mode: Any) -> None:
    """A consumer gets what was written, whether the graph is traced or not."""
    chunks = [{"type": "progress", "at": [object()]}, "text", None]

    def node(state: Words, writer: StreamWriter) -> Any:
        for chunk in chunks:
            writer(chunk)
        return {"words": ["done"]}

    graph = one_node(node)
    plain = way(graph, EMPTY, stream_mode=mode)
    with traced() as captured:
        again = way(graph, EMPTY, stream_mode=mode)
        events = "  node *progress *langgraph.custom *langgraph.custom"
        assert traces(captured) == ["Graph", events]
    assert again == plain
    if mode == "custom":
        assert all(given is chunk for given, chunk in zip(again, chunks))


def nested(depth: int) -> Any:
    """Return a graph of graphs: each node writes, then runs the graph below."""
    if depth == 0:
        return one_node(by_parameter)
    below = nested(depth - 1)

    def node(state: Words, writer: StreamWriter) -> Any:
        writer({"type": f"depth {depth}"})
        return below.invoke(state)

    return one_node(node)


NESTED = [
    "Graph",
    "  node *depth 2",
    "    Graph",
    "      node *depth 1",
    "        Graph",
    "          node *progress",
]


@every_way
def test_a_write_in_a_nested_graph_is_one_event(way: Way) -> None:
    """Of the node that wrote."""
    with traced() as captured:
        way(nested(2), EMPTY)
        assert traces(captured) == NESTED


@every_stream_with_context
@pytest.mark.parametrize("subgraphs", [False, True])
def test_a_streamed_write_in_a_nested_graph_is_one_event(way: Way, subgraphs: bool) -> None:
    """Also where the writer of the graph above is passed down."""
    plain = way(nested(2), EMPTY, stream_mode="custom", subgraphs=subgraphs)
    with traced() as captured:
        again = way(nested(2), EMPTY, stream_mode="custom", subgraphs=subgraphs)
        assert traces(captured) == NESTED
    if subgraphs:
        assert [chunk for _, chunk in again] == [chunk for _, chunk in plain]
        assert len(again) == 3
    else:
        assert again == plain


@every_stream_with_context
def test_a_compiled_graph_as_node_writes_once(way: Way) -> None:
    """A subgraph that is a node itself."""
    graph = one_node(one_node(by_parameter))
    with traced() as captured:
        assert len(way(graph, EMPTY, stream_mode="custom", subgraphs=True)) == 1
        assert traces(captured) == ["Graph", "  node", "    Graph", "      node *progress"]


@every_way_with_context
def test_functional_graphs_write(way: Way) -> None:
    """``@entrypoint`` and ``@task``: each its own."""

    @task
    def step(word: str, writer: StreamWriter) -> str:
        writer({"type": "step", "word": word})
        return word

    @entrypoint()
    def work(words: list[str], writer: StreamWriter) -> list[str]:
        writer({"type": "work"})
        return [step(word).result() for word in words]

    with traced() as captured:
        way(work, ["a", "b"])
        assert traces(captured) == ["LangGraph", "  work *work", "    step *step", "    step *step"]


@every_async_way
def test_async_functional_graphs_write(way: Way) -> None:
    """The same, async."""
    if not ASYNC_CONTEXT:
        pytest.skip("async tasks need Python 3.11")

    @task
    async def step(word: str, writer: StreamWriter) -> str:
        await asyncio.sleep(0)
        writer({"type": "step", "word": word})
        return word

    @entrypoint()
    async def work(words: list[str], writer: StreamWriter) -> list[str]:
        writer({"type": "work"})
        return [await step(word) for word in words]

    with traced() as captured:
        way(work, ["a", "b"])
        assert traces(captured) == ["LangGraph", "  work *work", "    step *step", "    step *step"]


@tool
def search(query: str, runtime: ToolRuntime) -> str:
    """Search."""
    runtime.stream_writer({"type": "searching", "query": query})
    get_stream_writer()("half way")
    return "found"


@every_way_with_context
def test_tools_write_on_their_own_span(way: Way) -> None:
    """By ``ToolRuntime`` and by ``get_stream_writer()``, in the threads of a ``ToolNode``."""
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([search]))
    graph.add_edge(START, "tools")
    calls = [{"name": "search", "args": {"query": q}, "id": q} for q in ("a", "b")]
    asked = {"messages": [AIMessage("", tool_calls=calls)]}
    with traced() as captured:
        way(graph.compile(name="Graph"), asked)
        queries = [
            dict(span.events[0].attributes or {})["data.query"]
            for span in found(captured, "search")
        ]
        assert sorted(queries) == ["a", "b"]
        lines = traces(captured)
        assert lines[:2] == ["Graph", "  tools"]
        assert [line.split(" *", 1)[1] for line in lines[2:]] == ["searching *langgraph.custom"] * 2


def found(captured: Any, name: str) -> list[Any]:
    return [span for span in captured.spans if span.name.endswith(name)]


@every_sync_way
def test_a_runnable_in_a_node_writes_on_its_own_span(way: Way) -> None:
    """The nearest run is the one that writes."""

    def node(state: Words) -> Any:
        RunnableLambda(by_function).with_config(run_name="inner").invoke(state)
        get_stream_writer()("after")

    with traced() as captured:
        way(one_node(node), EMPTY)
        assert traces(captured) == ["Graph", "  node *langgraph.custom", "    inner *progress"]


def test_a_thread_without_context_writes_on_the_graph() -> None:
    """Nothing is lost; a thread that has the context writes on the node."""

    def node(state: Words, writer: StreamWriter) -> Any:
        thread = threading.Thread(target=writer, args=("raw",))
        thread.start()
        thread.join()
        threaded(lambda: writer({"type": "carried"}))

    with traced() as captured:
        one_node(node).invoke(EMPTY)
        assert traces(captured) == ["Graph *langgraph.custom", "  node *carried"]


def test_ten_thousand_writes_are_all_there() -> None:
    """In order, on pages where the span is full."""

    def node(state: Words, writer: StreamWriter) -> Any:
        for number in range(10_000):
            writer({"type": "n", "number": number})

    with traced() as captured:
        one_node(node).invoke(EMPTY)
        numbers = [attributes["data.number"] for _, attributes in captured.events("node")]
        assert numbers == list(range(10_000))


@every_way
def test_writers_can_be_left_alone(way: Way) -> None:
    """``writer_events=False``."""
    with traced(writer_events=False) as captured:
        way(one_node(by_parameter), EMPTY)
        assert traces(captured) == ["Graph", "  node"]


@every_way
def test_one_call_by_its_handler(way: Way) -> None:
    """The graph whose call has a handler of ours, and no other."""
    with traced_by_handler() as (captured, config):
        way(one_node(by_parameter), EMPTY, config)
        assert traces(captured) == ["Graph", "  node *progress"]
        way(one_node(by_parameter), EMPTY)
        assert traces(captured) == []


def test_a_handler_may_leave_writers_alone_that_the_hook_records() -> None:
    """The call's own settings count."""
    with traced() as captured:
        one_node(by_parameter).invoke(
            EMPTY, {"callbacks": [OtelCallbackHandler(writer_events=False)]}
        )
        assert traces(captured) == ["Graph", "  node"]


def test_suppressed_code_writes_nothing() -> None:
    """OTel's suppression key stops events too, and the stream goes on."""
    from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

    with captured_cleanly() as captured, instrumented():
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            assert stream(one_node(by_parameter), EMPTY, stream_mode="custom") == [
                {"type": "progress", "done": 1}
            ]
        finally:
            detach(token)
        assert traces(captured) == []


@every_sync_way
def test_retried_writes_are_events_of_each_attempt(way: Way) -> None:
    """One span an attempt."""
    failures = iter([True, False])

    def node(state: Words, writer: StreamWriter) -> Any:
        writer({"type": "try"})
        if next(failures):
            raise ConnectionError("no")

    policy = RetryPolicy(initial_interval=0.001, max_attempts=2, jitter=False)
    with traced() as captured:
        way(one_node(node, retry_policy=policy), EMPTY)
        assert traces(captured) == ["Graph", "  node *try !ConnectionError", "  node *try"]


def test_runtimes_stay_what_they_were() -> None:
    """``isinstance``, ``replace``, ``merge`` and equality; and pickling fails as it did."""
    seen: list[Runtime] = []

    def node(state: Words, runtime: Runtime) -> Any:
        seen.append(runtime)

    one_node(node).invoke(EMPTY)
    with traced():
        one_node(node).invoke(EMPTY)
    plain, ours = seen
    assert type(ours) is type(plain) is Runtime
    assert type(ours.stream_writer) is type(plain.stream_writer)
    assert dataclasses.replace(ours) == ours
    assert ours.override(store=None) == ours
    assert Runtime().merge(ours).stream_writer is ours.stream_writer
    errors = []
    for runtime in seen:
        with pytest.raises((AttributeError, pickle.PicklingError)) as raised:
            pickle.dumps(runtime.stream_writer)
        errors.append(str(raised.value))
    assert "stream_writer" in errors[1]


def test_a_writer_that_raises_raises_in_the_node() -> None:
    """What upstream's writer raises is the node's, and the next write is an event again."""

    def node(state: Words, writer: StreamWriter) -> Any:
        writer("first")
        failed: list[BaseException] = []

        def work() -> None:
            try:
                writer("second")
            except RuntimeError as error:
                failed.append(error)
            try:
                writer("third")
            except RuntimeError as error:
                failed.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert len(failed) == 2  # no config in a thread without context

    with traced() as captured:
        chunks = stream(one_node(node), EMPTY, stream_mode="custom")
        assert chunks == ["first"]
        custom = "*langgraph.custom"
        assert traces(captured) == [f"Graph {custom} {custom}", f"  node {custom}"]


def test_a_native_run_in_a_node_writes_on_its_own_span() -> None:
    """Native runs and LangGraph's are one tree."""

    def node(state: Words, writer: StreamWriter) -> Any:
        with start_run("native"):
            writer({"type": "inside"})
        writer({"type": "outside"})

    with traced() as captured:
        one_node(node).invoke(EMPTY)
        assert traces(captured) == ["Graph", "  node *outside", "    native *inside"]


def test_nothing_is_recorded_once_it_is_uninstrumented() -> None:
    """In a graph that is running, too; its stream goes on."""

    def node(state: Words, writer: StreamWriter) -> Any:
        writer({"type": "before"})
        uninstrument()
        writer({"type": "after"})

    with traced() as captured:
        assert len(stream(one_node(node), EMPTY, stream_mode="custom")) == 2
        assert traces(captured) == ["Graph ~closed", "  node *before ~closed"]
