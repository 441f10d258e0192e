"""Graphs as traces: every step is where a person looks for it, however the graph was run."""

from __future__ import annotations

import asyncio
import itertools
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import pytest
from graphs import (
    ASYNC_CONTEXT,
    Words,
    every_async_way,
    every_way,
    invoke,
    traced,
    traced_by_handler,
    traces,
)
from langchain_core.messages import HumanMessage
from langgraph.cache.memory import InMemoryCache
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphRecursionError
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import CachePolicy, Command, RetryPolicy, Send, StreamWriter
from ways import taken

from otelbridge import semconv
from otelbridge.testing import CapturedRuns, ScriptedChatModel

Way = Callable[..., Any]
EMPTY: Any = {"words": []}
META = semconv.RUN_METADATA


def says(word: str) -> Callable[[Words], Any]:
    def node(state: Words) -> Any:
        return {"words": [word]}

    return node


def chain(*names: str, name: str = "Graph", **options: Any) -> Any:
    """Return a graph of nodes with these names, one after the other."""
    graph = StateGraph(Words)
    for each in names:
        graph.add_node(each, says(each))
    for before, after in itertools.pairwise([START, *names]):
        graph.add_edge(before, after)
    return graph.compile(name=name, **options)


def about(span: Any) -> dict[str, Any]:
    return dict(span.attributes or {})


# ---------------------------------------------------------------------- what runs where


@every_way
def test_nodes_are_children_of_their_graph_and_routes_of_their_node(way: Way) -> None:
    """In the order in which they ran."""

    def route(state: Words) -> str:
        return "right"

    graph = StateGraph(Words)
    for name in ("first", "left", "right"):
        graph.add_node(name, says(name))
    graph.add_edge(START, "first")
    graph.add_conditional_edges("first", route, ["left", "right"])
    with traced() as captured:
        way(graph.compile(name="Graph"), EMPTY)
        assert traces(captured) == ["Graph", "  first", "    route", "  right"]


@every_way
def test_a_command_that_goes_elsewhere_is_followed_by_its_node(way: Way) -> None:
    """``Command(goto=...)``."""

    def decides(state: Words) -> Any:
        return Command(goto="right", update={"words": ["decided"]})

    graph = StateGraph(Words)
    graph.add_node("decides", decides, destinations=("left", "right"))
    for name in ("left", "right"):
        graph.add_node(name, says(name))
    graph.add_edge(START, "decides")
    with traced() as captured:
        way(graph.compile(name="Graph"), EMPTY)
        trigger = about(captured.find("right"))[f"{META}langgraph_triggers"]
        assert traces(captured) == ["Graph", "  decides", "  right"]
    assert trigger == ("branch:to:right",)


@every_way
def test_each_sent_task_is_a_span_with_its_number(way: Way) -> None:
    """``Send``: one node, several spans, told apart by their path."""
    graph = StateGraph(Words)
    graph.add_node("sent", says("sent"))
    graph.add_conditional_edges(
        START, lambda _: [Send("sent", {"words": [str(n)]}) for n in range(3)], ["sent"]
    )
    with traced() as captured:
        way(graph.compile(name="Graph"), EMPTY)
        paths = [about(span)[f"{META}langgraph_path"] for span in captured.find_all("sent")]
        assert sorted(paths) == [f'["__pregel_push",{n},false]' for n in range(3)]
        lines = traces(captured)
        assert [line for line in lines if "sent" in line] == ["  sent"] * 3
        assert lines[0] == "Graph"


@every_way
def test_parallel_nodes_are_siblings_that_overlap(way: Way) -> None:
    """Both of one step."""
    barrier = threading.Barrier(2, timeout=10)

    def meets(state: Words) -> Any:
        barrier.wait()

    graph = StateGraph(Words)
    for name in ("one", "two"):
        graph.add_node(name, meets)
        graph.add_edge(START, name)
    with traced() as captured:
        way(graph.compile(name="Graph"), EMPTY)
        one, two = captured.find("one"), captured.find("two")
        assert max(one.start_time, two.start_time) < min(one.end_time, two.end_time)
        assert about(one)[f"{META}langgraph_step"] == about(two)[f"{META}langgraph_step"] == 1
        lines = traces(captured)
        assert (lines[0], sorted(lines[1:])) == ("Graph", ["  one", "  two"])


@every_way
def test_subgraphs_nest_and_keep_their_names(way: Way) -> None:
    """As nodes, and graphs of graphs."""
    inner = chain("a", "b", name="Inner")
    middle = StateGraph(Words)
    middle.add_node("inner", inner)
    middle.add_edge(START, "inner")
    outer = StateGraph(Words)
    outer.add_node("middle", middle.compile(name="Middle"))
    outer.add_edge(START, "middle")
    with traced() as captured:
        way(outer.compile(name="Outer"), EMPTY)
        assert traces(captured) == [
            "Outer",
            "  middle",
            "    Middle",
            "      inner",
            "        Inner",
            "          a",
            "          b",
        ]


@every_way
def test_each_attempt_of_a_node_is_a_span(way: Way) -> None:
    """Those that failed with their error."""
    failures = itertools.chain([True, True], itertools.repeat(False))

    def flaky(state: Words) -> Any:
        if next(failures):
            raise ConnectionError("no")

    graph = StateGraph(Words)
    policy = RetryPolicy(initial_interval=0.001, max_attempts=3, jitter=False)
    graph.add_node("flaky", flaky, retry_policy=policy)
    graph.add_edge(START, "flaky")
    with traced() as captured:
        way(graph.compile(name="Graph"), EMPTY)
        assert traces(captured) == [
            "Graph",
            "  flaky !ConnectionError",
            "  flaky !ConnectionError",
            "  flaky",
        ]


@every_way
def test_a_node_that_fails_fails_its_graph(way: Way) -> None:
    """And nothing else."""

    def fails(state: Words) -> Any:
        raise ValueError("no")

    graph = StateGraph(Words)
    graph.add_node("fails", fails)
    graph.add_edge(START, "fails")
    with traced() as captured:
        with pytest.raises(ValueError, match="no"):
            way(graph.compile(name="Graph"), EMPTY)
        assert traces(captured) == ["Graph !ValueError", "  fails !ValueError"]


@every_way
def test_too_many_steps_are_the_graphs_error(way: Way) -> None:
    """No node has failed."""
    graph = StateGraph(Words)
    graph.add_node("again", says("again"))
    graph.add_edge(START, "again")
    graph.add_edge("again", "again")
    with traced() as captured:
        with pytest.raises(GraphRecursionError):
            way(graph.compile(name="Graph"), EMPTY, {"recursion_limit": 2})
        error = "langgraph.errors.GraphRecursionError"
        assert traces(captured) == [f"Graph !{error}", "  again", "  again"]


# ---------------------------------------------------------------------- caches


@every_way
def test_a_cached_node_is_an_event_of_its_graph(way: Way) -> None:
    """It did not run, so it has no span."""
    graph = StateGraph(Words)
    graph.add_node("cached", says("cached"), cache_policy=CachePolicy())
    graph.add_node("runs", says("runs"))
    graph.add_edge(START, "cached")
    graph.add_edge("cached", "runs")
    compiled = graph.compile(name="Graph", cache=InMemoryCache())
    with traced() as captured:
        way(compiled, EMPTY)
        assert traces(captured) == ["Graph", "  cached", "  runs"]
        way(compiled, EMPTY)
        assert captured.events("Graph") == [("langgraph.cached", {"data.node": "cached"})]
        assert traces(captured) == ["Graph *langgraph.cached", "  runs"]


def test_a_cached_task_is_an_event_of_its_graph() -> None:
    """In the functional API too."""

    @task(cache_policy=CachePolicy())
    def cached(word: str) -> str:
        return word

    @entrypoint(cache=InMemoryCache())
    def work(word: str) -> str:
        return cached(word).result()

    with traced() as captured:
        work.invoke("a")
        assert traces(captured) == ["LangGraph", "  work", "    cached"]
        work.invoke("a")
        assert captured.events("LangGraph") == [("langgraph.cached", {"data.node": "cached"})]
        assert traces(captured) == ["LangGraph *langgraph.cached", "  work"]


# ---------------------------------------------------------------------- what spans say


def test_a_node_says_where_it_ran() -> None:
    """Step, node, triggers, path and checkpoint namespace, and nothing that is not meant."""
    inner = chain("a", name="Inner")
    outer = StateGraph(Words)
    outer.add_node("inner", inner)
    outer.add_edge(START, "inner")
    config: Any = {"configurable": {"thread_id": "t", "secret": object()}, "metadata": {"m": 1}}
    with traced() as captured:
        outer.compile(name="Outer", checkpointer=InMemorySaver()).invoke(EMPTY, config)
        said = about(captured.find("a"))
        below = said.pop(f"{META}langgraph_checkpoint_ns")
        above = said.pop(f"{META}checkpoint_ns")
        said.pop(f"{META}ls_integration", None)  # of newer versions
        assert said.pop(semconv.RUN_ID)
        assert below.startswith(f"{above}|a:")
        assert above.startswith("inner:")
        assert said == {
            semconv.RUN_TYPE: "chain",
            semconv.RUN_TAGS: ("graph:step:1",),
            semconv.SESSION_ID: "t",
            semconv.CONVERSATION_ID: "t",
            f"{META}thread_id": "t",
            f"{META}m": 1,
            f"{META}langgraph_step": 1,
            f"{META}langgraph_node": "a",
            f"{META}langgraph_triggers": ("branch:to:a",),
            f"{META}langgraph_path": ("__pregel_pull", "a"),
        }


def test_what_a_deep_graph_says_is_bounded() -> None:
    """Forty graphs in one another."""
    graph: Any = chain("leaf", name="depth 0")
    for depth in range(1, 41):
        above = StateGraph(Words)
        above.add_node("node", graph)
        above.add_edge(START, "node")
        graph = above.compile(name=f"depth {depth}")
    with traced() as captured:
        graph.invoke(EMPTY, {"recursion_limit": 200})
        assert len(captured.spans) == 41 + 40 + 1
        for span in captured.spans:
            assert sum(len(str(value)) for value in about(span).values()) < 8 * 1024
        assert traces(captured)[-1] == "  " * 81 + "leaf"


# ---------------------------------------------------------------------- checkpointers


def tracing_saver(captured: CapturedRuns) -> Any:
    """Return a checkpointer that opens a span for each thing that it does."""

    class TracingSaver(InMemorySaver):
        def put(self, *args: Any, **kwargs: Any) -> Any:
            with captured.tracer.start_as_current_span("put"):
                return super().put(*args, **kwargs)

        def put_writes(self, *args: Any, **kwargs: Any) -> Any:
            with captured.tracer.start_as_current_span("put_writes"):
                return super().put_writes(*args, **kwargs)

        def get_tuple(self, *args: Any, **kwargs: Any) -> Any:
            with captured.tracer.start_as_current_span("get_tuple"):
                return super().get_tuple(*args, **kwargs)

        async def aput(self, *args: Any, **kwargs: Any) -> Any:
            return self.put(*args, **kwargs)

        async def aput_writes(self, *args: Any, **kwargs: Any) -> Any:
            return self.put_writes(*args, **kwargs)

        async def aget_tuple(self, *args: Any, **kwargs: Any) -> Any:
            return self.get_tuple(*args, **kwargs)

    return TracingSaver()


@every_way
def test_a_checkpointers_spans_are_below_the_graph(way: Way) -> None:
    """Not beside it, nor below whoever called; in the background too."""
    with traced() as captured:
        graph = chain("a", "b", checkpointer=tracing_saver(captured))
        with captured.tracer.start_as_current_span("caller"):
            way(graph, EMPTY, {"configurable": {"thread_id": "t"}})
        span_id = captured.find("Graph").context.span_id
        savers = [s for s in captured.spans if s.name in ("put", "put_writes", "get_tuple")]
        assert {span.parent.span_id for span in savers if span.parent} == {span_id}
        assert {span.name for span in savers} == {"put", "put_writes", "get_tuple"}
        lines = [line for line in traces(captured) if "put" not in line and "get" not in line]
        assert lines == ["caller", "  Graph", "    a", "    b"]


# ---------------------------------------------------------------------- streams of every kind


def talking_graph() -> tuple[Any, list[str]]:
    """Return a graph in a graph whose node asks a model and writes, and its trace."""
    model = ScriptedChatModel(itertools.repeat("one two three"))

    def node(state: MessagesState, writer: StreamWriter, config: Any) -> Any:
        writer({"type": "asking"})
        return {"messages": [model.invoke(state["messages"], config)]}

    node.__annotations__["config"] = "RunnableConfig"
    inner = StateGraph(MessagesState)
    inner.add_node("node", node)
    inner.add_edge(START, "node")
    graph = StateGraph(MessagesState)
    graph.add_node("inner", inner.compile(name="Inner"))
    graph.add_edge(START, "inner")
    trace = ["Outer", "  inner", "    Inner", "      node *asking", "        chat scripted"]
    return graph.compile(name="Outer"), trace


HELLO: Any = {"messages": [HumanMessage("Hello!", id="1")]}
MODES = ["custom", "messages", "updates", "values", "debug"]


@contextmanager
def beta() -> Iterator[None]:
    """LangGraph says that it may change these streams."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(beta|experimental)")
        yield


@pytest.mark.parametrize("subgraphs", [False, True])
@pytest.mark.parametrize("modes", [*MODES, MODES], ids=str)
def test_every_stream_mode_gives_what_it_gave(modes: Any, subgraphs: bool) -> None:
    """The same number of chunks of each kind, and the same trace."""
    graph, trace = talking_graph()

    def streamed() -> list[Any]:
        chunks = list(graph.stream(HELLO, stream_mode=modes, subgraphs=subgraphs))
        return [(type(chunk), len(chunk) if isinstance(chunk, tuple) else 0) for chunk in chunks]

    plain = streamed()
    with traced() as captured:
        assert streamed() == plain
        assert traces(captured) == trace


@pytest.mark.parametrize("modes", [*MODES, MODES], ids=str)
async def test_every_async_stream_mode_gives_what_it_gave(modes: Any) -> None:
    """The same, async."""
    if not ASYNC_CONTEXT and "custom" in modes:
        pytest.skip("writers in async graphs need Python 3.11")
    graph, trace = talking_graph()

    async def streamed() -> list[Any]:
        return [type(chunk) for chunk in await taken(graph.astream(HELLO, stream_mode=modes))]

    plain = await streamed()
    with traced() as captured:
        assert await streamed() == plain
        assert traces(captured) == trace


def events_of(events: list[Any]) -> list[tuple[str, str]]:
    return [(event["event"], event["name"]) for event in events]


async def test_events_of_a_graph_are_as_before() -> None:
    """``astream_events(version="v2")``; a second handler of its own changes no span."""
    graph, trace = talking_graph()
    plain = events_of(await taken(graph.astream_events(HELLO, version="v2")))
    with traced() as captured:
        assert events_of(await taken(graph.astream_events(HELLO, version="v2"))) == plain
        assert traces(captured) == trace
    with traced_by_handler() as (captured, config):
        assert events_of(await taken(graph.astream_events(HELLO, config, version="v2"))) == plain
        assert traces(captured) == trace


async def test_events_of_a_model_are_as_before() -> None:
    """The same of a chat model."""
    model = ScriptedChatModel(itertools.repeat("one two three"))
    plain = events_of(await taken(model.astream_events("Hello!", version="v2")))
    with traced() as captured:
        assert events_of(await taken(model.astream_events("Hello!", version="v2"))) == plain
        assert traces(captured) == ["chat scripted"]


def has_v3() -> bool:
    from langgraph.pregel import Pregel

    return hasattr(Pregel, "_pregel_stream_v3")


needs_v3 = pytest.mark.skipif(not has_v3(), reason="streams of version 3 need langgraph 1.2")


@needs_v3
def test_events_of_version_3_are_as_before() -> None:
    """Of a graph and of a model."""
    graph, trace = talking_graph()
    model = ScriptedChatModel(itertools.repeat("one two three"))
    with beta():
        plain = [event["method"] for event in graph.stream_events(HELLO, version="v3")]
        said = len(list(model.stream_events("Hello!", version="v3")))
        with traced() as captured:
            events = list(graph.stream_events(HELLO, version="v3"))
            assert [event["method"] for event in events] == plain
            assert traces(captured) == trace
            assert len(list(model.stream_events("Hello!", version="v3"))) == said
            assert traces(captured) == ["chat scripted"]


@needs_v3
async def test_async_events_of_version_3_are_as_before() -> None:
    """The same, async."""
    graph, trace = talking_graph()
    model = ScriptedChatModel(itertools.repeat("one two three"))

    async def methods() -> list[str]:
        events = await graph.astream_events(HELLO, version="v3")
        return [event["method"] async for event in events]

    with beta():
        plain = await methods()
        with traced() as captured:
            assert await methods() == plain
            assert traces(captured) == trace
            events = await model.astream_events("Hello!", version="v3")
            assert [event async for event in events]
            await asyncio.sleep(0)  # upstream tells the end after the last event
            assert traces(captured) == ["chat scripted"]


@needs_v3
def test_a_stream_of_version_3_that_is_left_early_is_closed() -> None:
    """``abort()``, in the middle."""
    graph, _ = talking_graph()
    with beta(), traced() as captured:
        events = graph.stream_events(HELLO, version="v3")
        next(iter(events))
        events.abort()
        assert traces(captured) == ["Outer ~closed"]


@needs_v3
async def test_an_async_stream_of_version_3_that_is_left_early_is_closed() -> None:
    """The same, async, before the awaiting code goes on."""
    graph, _ = talking_graph()
    with beta(), traced() as captured:
        events = await graph.astream_events(HELLO, version="v3")
        await anext(aiter(events))
        await events.abort()
        assert traces(captured) == ["Outer ~closed"]


@pytest.mark.parametrize("modes", [*MODES[:4], MODES], ids=str)
def test_a_stream_that_is_closed_early_is_closed(modes: Any) -> None:
    """After each chunk that comes; nodes that have run are complete."""
    graph, trace = talking_graph()
    count = len(list(graph.stream(HELLO, stream_mode=modes)))
    with traced() as captured:
        for taken_first in range(1, count):
            chunks = graph.stream(HELLO, stream_mode=modes)
            for _ in range(taken_first):
                next(chunks)
            chunks.close()
            first, *rest = traces(captured)
            assert first == "Outer ~closed"
            assert rest in (trace[1:], [])


async def test_a_graph_that_is_cancelled_is_cancelled_with_all_below() -> None:
    """After each turn of the loop; nothing is left open."""

    async def waits(state: Words) -> Any:
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    inner = StateGraph(Words)
    inner.add_node("waits", waits)
    inner.add_edge(START, "waits")
    graph = StateGraph(Words)
    graph.add_node("inner", inner.compile(name="Inner"))
    graph.add_edge(START, "inner")
    outer = graph.compile(name="Outer")
    outcomes = set()
    with traced() as captured:
        for ticks in range(200):
            run = asyncio.ensure_future(outer.ainvoke(EMPTY))
            for _ in range(ticks):
                await asyncio.sleep(0)
            if run.done():
                break
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            captured.assert_clean()
            outcomes.update(line.split("~")[-1] for line in traces(captured))
        else:
            pytest.fail("the graph never ends")
        assert traces(captured) == ["Outer", "  inner", "    Inner", "      waits"]
    # What had run to its end before is complete.
    assert outcomes <= {"cancelled", "Outer", "  inner", "    Inner", "      waits"}
    assert "cancelled" in outcomes


async def test_events_that_are_left_early_end_the_graph() -> None:
    """``astream_events`` cancels what it streams."""
    graph, _ = talking_graph()
    with traced() as captured:
        async with aclosing(graph.astream_events(HELLO, version="v2")) as events:
            await anext(events)
        assert traces(captured) == ["Outer ~cancelled"]


@every_async_way
def test_async_nodes_nest_what_they_call(way: Way) -> None:
    """Runs and the user's own spans, by the config that the node passes on."""
    inner = chain("a", name="Inner")

    async def node(state: Words, config: Any) -> Any:
        with captured.tracer.start_as_current_span("mine"):
            return await inner.ainvoke(state, config)

    node.__annotations__["config"] = "RunnableConfig"
    graph = StateGraph(Words)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    with traced() as captured:
        way(graph.compile(name="Graph"), EMPTY)
        assert traces(captured) == ["Graph", "  node", "    mine", "      Inner", "        a"]


def test_hidden_plumbing_is_shown_where_it_is_asked_for() -> None:
    """``include_hidden=True``; below them, nothing is lost either way."""
    with traced(include_hidden=True) as captured:
        invoke(chain("a"), EMPTY)
        shown = traces(captured)
    with traced() as captured:
        invoke(chain("a"), EMPTY)
        assert traces(captured) == ["Graph", "  a"]
    assert [line for line in shown if line in ("Graph", "  a")] == ["Graph", "  a"]


@pytest.mark.parametrize("form", ["ainvoke", "astream"])
async def test_a_node_cancelled_between_its_tracers_and_its_handlers_ends(form: str) -> None:
    """A node with a policy for tracers tells them first; a cancel keeps its end from others."""
    types = pytest.importorskip("langgraph.types")
    if not hasattr(types, "TracePolicy"):
        pytest.skip("this langgraph has no policies for tracers (1.2 has)")
    from langchain_core.tracers.base import BaseTracer
    from langchain_core.tracers.schemas import Run
    from langgraph._internal._runnable import RunnableCallable, RunnableSeq

    class Tracer(BaseTracer):
        def _persist_run(self, run: Run) -> None:
            pass

    def recorded(output: Any) -> Any:
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        return {"recorded": True}

    node: Any = RunnableSeq(
        RunnableCallable(lambda value: value, trace=False),
        RunnableCallable(lambda value: value, trace=False),
        trace_policy=types.TracePolicy(process_outputs=recorded),
    )

    async def run() -> None:
        config = {"callbacks": [Tracer()]}
        if form == "ainvoke":
            await node.ainvoke({}, config)
        else:
            async for _ in node.astream({}, config):
                pass

    with traced() as runs:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(run())
        await asyncio.sleep(0.05)
    (span,) = runs.spans
    assert (span.name, about(span)[semconv.RUN_OUTCOME]) == ("RunnableSeq", "cancelled")
