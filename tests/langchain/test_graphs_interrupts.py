"""Interrupted graphs: what their spans say, and how the run that goes on is linked to them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from graphs import (
    ASYNC_CONTEXT,
    Words,
    astream,
    every_way,
    every_way_with_context,
    invoke,
    stream,
    traced,
    traced_by_handler,
    traces,
)
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphInterrupt, ParentCommand
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

from otelbridge import semconv
from otelbridge.langchain import _interrupts

Way = Callable[..., Any]
EMPTY: Any = {"words": []}
ids = itertools.count()
needs_async_context = pytest.mark.skipif(
    not ASYNC_CONTEXT, reason="interrupt() in async nodes needs Python 3.11"
)


def on_thread(thread_id: str | None = None, **more: Any) -> Any:
    return {"configurable": {"thread_id": thread_id or f"thread {next(ids)}"}, **more}


def ask(state: Words) -> Any:
    return {"words": [interrupt("who?")]}


def say(state: Words) -> Any:
    return {"words": ["said"]}


def chain(*nodes: Any, name: str = "Graph", checkpointer: Any = None, **options: Any) -> Any:
    """Return a graph of these nodes, one after the other."""
    graph = StateGraph(Words)
    for node in nodes:
        graph.add_node(getattr(node, "name", None) or node.__name__, node)
    names = [START, *graph.nodes]
    for before, after in itertools.pairwise(names):
        graph.add_edge(before, after)
    return graph.compile(name=name, checkpointer=checkpointer, **options)


def links(span: Any) -> list[Any]:
    """Return the ids of the spans that a span says it resumes."""
    assert all(
        dict(link.attributes or {}) == {semconv.LINK_TYPE: semconv.LINK_RESUMES}
        for link in span.links
    )
    return [link.context.span_id for link in span.links]


@every_way_with_context
def test_a_run_that_asks_is_interrupted_and_the_next_linked_to_it(way: Way) -> None:
    """``interrupt()`` in a node, and ``Command(resume=...)``."""
    graph = chain(say, ask, checkpointer=InMemorySaver())
    config = on_thread()
    with traced() as captured:
        way(graph, EMPTY, config)
        asked = captured.find("Graph")
        assert dict(asked.attributes or {})[semconv.INTERRUPTED_BY] == "interrupt"
        checkpoint = dict(asked.attributes or {})[semconv.CHECKPOINT_ID]
        assert traces(captured) == ["Graph ~interrupted", "  say", "  ask ~interrupted"]
        way(graph, Command(resume="you"), config)
        resumed = captured.find("Graph")
        assert links(resumed) == [asked.context.span_id]
        assert dict(resumed.attributes or {})[semconv.RESUMED_CHECKPOINT_ID] == checkpoint
        assert traces(captured) == ["Graph", "  ask"]
    assert graph.get_state(config).values == {"words": ["said", "you"]}


@needs_async_context
@pytest.mark.parametrize("way", [astream])
def test_an_async_node_that_asks_is_interrupted(way: Way) -> None:
    """The same for an async node."""

    async def aask(state: Words) -> Any:
        await asyncio.sleep(0)
        return ask(state)

    graph = chain(aask, checkpointer=InMemorySaver())
    config = on_thread()
    with traced() as captured:
        way(graph, EMPTY, config)
        assert traces(captured) == ["Graph ~interrupted", "  aask ~interrupted"]
        way(graph, Command(resume="you"), config)
        assert traces(captured) == ["Graph", "  aask"]


@every_way
@pytest.mark.parametrize("when", ["interrupt_before", "interrupt_after"])
@pytest.mark.parametrize("at", [["two"], "*"])
def test_a_run_that_stops_at_a_node_is_interrupted(way: Way, when: str, at: Any) -> None:
    """``interrupt_before`` and ``interrupt_after`` say where; ``None`` goes on."""

    def one(state: Words) -> None: ...

    def two(state: Words) -> None: ...

    def three(state: Words) -> None: ...

    graph = chain(one, two, three, checkpointer=InMemorySaver(), **{when: at})
    config = on_thread()
    if at == "*":
        steps = [[], ["one"], ["two"]] if when == "interrupt_before" else [["one"], ["two"]]
    else:
        steps = [["one"]] if when == "interrupt_before" else [["one", "two"]]
    said = ["one", "two", "three"] if at == "*" else ["two"]
    last = [name for name in ("one", "two", "three") if name not in itertools.chain(*steps)]
    with traced() as captured:
        before = []
        for value, names, where in zip([EMPTY, None, None], steps, said):
            way(graph, value, config)
            span = captured.find("Graph")
            assert links(span) == before
            about = dict(span.attributes or {})
            assert about[semconv.INTERRUPTED_BY] == when
            assert about.get(semconv.INTERRUPTED_BEFORE) == (
                (where,) if when == "interrupt_before" else None
            )
            before = [span.context.span_id]
            assert traces(captured) == ["Graph ~interrupted", *[f"  {name}" for name in names]]
        way(graph, None, config)
        assert links(captured.find("Graph")) == before
        done = traces(captured)
        if at == "*" and when == "interrupt_after":
            # LangGraph stops after the last node too, with nothing left to do.
            assert done == ["Graph ~interrupted", "  three"]
        else:
            assert done == ["Graph", *[f"  {name}" for name in last]]


@every_way_with_context
def test_a_nested_graph_and_all_above_it_are_interrupted(way: Way) -> None:
    """Each graph's run is linked to its own, by its checkpoint namespace."""
    inner = chain(say, ask, name="inner")
    graph = chain(inner, checkpointer=InMemorySaver(), name="outer")
    config = on_thread()
    with traced() as captured:
        way(graph, EMPTY, config)
        before = {span.name: span.context.span_id for span in inner_and_outer(captured)}
        assert traces(captured) == [
            "outer ~interrupted",
            "  inner ~interrupted",
            "    inner ~interrupted",
            "      say",
            "      ask ~interrupted",
        ]
        way(graph, Command(resume="you"), config)
        for span in inner_and_outer(captured):
            assert links(span) == [before[span.name]]
        assert traces(captured) == ["outer", "  inner", "    inner", "      ask"]


def inner_and_outer(captured: Any) -> list[Any]:
    """Return the spans of the graphs, not that of the node with the same name."""
    return [
        span
        for span in captured.spans
        if {semconv.CHECKPOINT_ID, semconv.RESUMED_CHECKPOINT_ID} & set(span.attributes)
    ]


@every_way_with_context
def test_a_graph_called_in_a_node_is_interrupted(way: Way) -> None:
    """By hand, within a node of another."""
    inner = chain(ask, name="inner")

    def calls(state: Words) -> Any:
        return inner.invoke(state)

    graph = chain(calls, checkpointer=InMemorySaver())
    config = on_thread()
    with traced() as captured:
        way(graph, EMPTY, config)
        assert traces(captured) == [
            "Graph ~interrupted",
            "  calls ~interrupted",
            "    inner ~interrupted",
            "      ask ~interrupted",
        ]
        way(graph, Command(resume="you"), config)
        assert traces(captured) == ["Graph", "  calls", "    inner", "      ask"]


@every_way_with_context
def test_functional_graphs_are_interrupted(way: Way) -> None:
    """``interrupt()`` in an ``@entrypoint``, and in a ``@task`` of it."""

    @task
    def asks(word: str) -> str:
        return f"{word} {interrupt('task?')}"

    @entrypoint(checkpointer=InMemorySaver())
    def work(word: str) -> str:
        return f"{asks(word).result()} {interrupt('work?')}"

    config = on_thread()
    with traced() as captured:
        way(work, "a", config)
        assert traces(captured) == [
            "LangGraph ~interrupted",
            "  work ~interrupted",
            "    asks ~interrupted",
        ]
        way(work, Command(resume="b"), config)
        assert traces(captured) == ["LangGraph ~interrupted", "  work ~interrupted", "    asks"]
        way(work, Command(resume="c"), config)
        assert len(captured.find("LangGraph").links) == 1
        lines = traces(captured)
        assert lines[0] == "LangGraph"
        assert lines[1].startswith("  work")
    assert work.invoke(None, config) == "a b c"


@pytest.mark.parametrize("parallel", [1, 3])
@every_way_with_context
def test_parallel_nodes_that_ask_are_each_interrupted(way: Way, parallel: int) -> None:
    """The others of the step finish."""
    graph = StateGraph(Words)
    for number in range(parallel):
        graph.add_node(f"ask {number}", ask)
        graph.add_edge(START, f"ask {number}")
    graph.add_node("say", say)
    graph.add_edge(START, "say")
    config = on_thread()
    with traced() as captured:
        way(graph.compile(checkpointer=InMemorySaver(), name="Graph"), EMPTY, config)
        first, *rest = traces(captured)
        assert first == "Graph ~interrupted"
        assert sorted(rest) == [*[f"  ask {n} ~interrupted" for n in range(parallel)], "  say"]


@pytest.mark.skipif(not ASYNC_CONTEXT, reason="interrupt() in nodes of async graphs: Python 3.11")
def test_every_path_says_the_same_of_a_node_interrupt() -> None:
    """The deprecated ``NodeInterrupt`` too."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from langgraph.errors import NodeInterrupt

        def raises(state: Words) -> Any:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                raise NodeInterrupt("who?")

    with traced() as captured:
        for way in (invoke, stream, astream):
            way(chain(raises, checkpointer=InMemorySaver()), EMPTY, on_thread())
            assert traces(captured) == ["Graph ~interrupted", "  raises ~interrupted"]


@every_way
def test_a_command_to_the_graph_above_is_no_error(way: Way) -> None:
    """``Command(graph=Command.PARENT)``: the graph that is left is interrupted, not the other."""

    def leave(state: Words) -> Any:
        return Command(graph=Command.PARENT, goto="say", update={"words": ["left"]})

    graph = StateGraph(Words)
    graph.add_node("inner", chain(leave, name="inner"), destinations=("say",))
    graph.add_node("say", say)
    graph.add_edge(START, "inner")
    with traced() as captured:
        way(graph.compile(name="outer"), EMPTY)
        lines = traces(captured)
        assert lines[0] == "outer"
        assert lines[-1] == "  say"
        assert not any("!" in line for line in lines)
        assert "    inner ~interrupted" in lines


def test_a_drained_graph_is_interrupted_and_linked() -> None:
    """``RunControl.request_drain()``, from langgraph 1.2: it goes on later."""
    runtime = pytest.importorskip("langgraph.runtime")
    errors = pytest.importorskip("langgraph.errors")
    if not hasattr(errors, "GraphDrained"):
        pytest.skip("langgraph before 1.2 cannot be drained")
    control = runtime.RunControl()

    def drains(state: Words) -> Any:
        control.request_drain("deploy")

    graph = chain(drains, say, checkpointer=InMemorySaver())
    config = on_thread()
    with traced() as captured:
        with pytest.raises(errors.GraphDrained):
            graph.invoke(EMPTY, config, control=control)
        drained = captured.find("Graph")
        assert dict(drained.attributes or {})[semconv.INTERRUPTED_BY] == "drain"
        assert traces(captured) == ["Graph ~interrupted", "  drains"]
        graph.invoke(None, config)
        assert links(captured.find("Graph")) == [drained.context.span_id]
        assert traces(captured) == ["Graph", "  say"]


@every_way_with_context
def test_other_runs_in_between_change_no_link(way: Way) -> None:
    """Two threads, and runs of other graphs, between interrupt and resume."""
    graph = chain(ask, checkpointer=InMemorySaver())
    configs = [on_thread(), on_thread()]
    with traced() as captured:
        before = []
        for config in configs:
            way(graph, EMPTY, config)
            before.append(captured.find("Graph").context.span_id)
            captured.clear()
            way(chain(say), EMPTY)
            captured.clear()
        for config, span_id in zip(configs, before):
            way(graph, Command(resume="you"), config)
            assert links(captured.find("Graph")) == [span_id]
            captured.clear()


def test_what_was_finished_is_not_linked_to() -> None:
    """Nor a run with new input, nor one in another thread, nor one at an older checkpoint."""
    graph = chain(say, ask, checkpointer=InMemorySaver())
    config, other = on_thread(), on_thread()
    with traced() as captured:

        def linked(value: Any, config: Any) -> bool:
            graph.invoke(value, config)
            found = bool(links(captured.find("Graph")))
            captured.clear()
            return found

        assert not linked(EMPTY, config)
        assert not linked(EMPTY, other)
        assert not linked(EMPTY, config), "new input"
        assert linked(Command(resume="you"), config)
        assert not linked(Command(update={"words": ["more"]}, goto="say"), config), "finished"
        older = list(graph.get_state_history(other))[-2].config
        assert not linked(None, older), "back to the start"


def test_a_resume_that_fails_is_linked_and_so_is_the_next() -> None:
    """Until the thread has gone on."""
    answers = iter([True, False])

    def fails(state: Words) -> Any:
        interrupt("who?")
        if next(answers):
            raise ValueError("no")

    graph = chain(fails, checkpointer=InMemorySaver())
    config = on_thread()
    with traced() as captured:
        graph.invoke(EMPTY, config)
        before = [captured.find("Graph").context.span_id]
        captured.clear()
        with pytest.raises(ValueError, match="no"):
            graph.invoke(Command(resume="you"), config)
        assert links(captured.find("Graph")) == before
        assert traces(captured) == ["Graph !ValueError", "  fails !ValueError"]
        graph.invoke(Command(resume="you"), config)
        assert links(captured.find("Graph")) == before
        assert traces(captured) == ["Graph", "  fails"]


def test_a_changed_state_is_still_resumed() -> None:
    """A person who edits the state makes a checkpoint, and the link holds."""
    graph = chain(say, ask, checkpointer=InMemorySaver(), interrupt_before=["ask"])
    config = on_thread()
    with traced() as captured:
        graph.invoke(EMPTY, config)
        before = [captured.find("Graph").context.span_id]
        captured.clear()
        graph.update_state(config, {"words": ["edited"]})
        captured.clear()
        graph.invoke(None, config)
        assert links(captured.find("Graph")) == before


def test_a_resume_in_another_process_says_its_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no link, for nothing is known; the checkpoint's id is on both spans."""
    graph = chain(ask, checkpointer=InMemorySaver())
    config = on_thread()
    with traced() as captured:
        graph.invoke(EMPTY, config)
        asked = dict(captured.find("Graph").attributes or {})
        captured.clear()
        _interrupts._interrupted.clear()  # as in a process that has just started
        graph.invoke(Command(resume="you"), config)
        resumed = captured.find("Graph")
        assert links(resumed) == []
        said = dict(resumed.attributes or {})
        assert said[semconv.RESUMED_CHECKPOINT_ID] == asked[semconv.CHECKPOINT_ID]
        assert said[semconv.CONVERSATION_ID] == asked[semconv.CONVERSATION_ID]


def test_few_interrupted_runs_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last so many; the others are resumed without a link."""
    monkeypatch.setattr(_interrupts, "REMEMBERED", 3)
    _interrupts._interrupted.clear()
    graph = chain(ask, checkpointer=InMemorySaver())
    configs = [on_thread() for _ in range(5)]
    with traced() as captured:
        for config in configs:
            graph.invoke(EMPTY, config)
        assert len(_interrupts._interrupted) == 3
        captured.clear()
        for config in configs:
            graph.invoke(Command(resume="you"), config)
        found = [len(span.links) for span in captured.find_all("Graph")]
        assert found == [0, 0, 1, 1, 1]
    assert not _interrupts._interrupted


def test_an_interrupt_without_a_checkpointer_is_shown_and_not_kept() -> None:
    """Nothing can resume it."""
    _interrupts._interrupted.clear()
    with traced() as captured:
        chain(say, interrupt_before=["say"], checkpointer=InMemorySaver()).invoke(
            EMPTY, on_thread()
        )
        captured.clear()
        kept = len(_interrupts._interrupted)

        def raises(state: Words) -> Any:
            raise GraphInterrupt(())

        chain(raises).invoke(EMPTY)
        span = captured.find("Graph")
        assert semconv.CHECKPOINT_ID not in (span.attributes or {})
        assert traces(captured) == ["Graph ~interrupted", "  raises ~interrupted"]
        assert len(_interrupts._interrupted) == kept


def test_a_consumer_that_stops_at_the_interrupt_was_interrupted() -> None:
    """As one that reads to the end; one that stops before has closed the stream."""
    graph = chain(say, ask, checkpointer=InMemorySaver())

    def until(key: str, config: Any) -> None:
        chunks = graph.stream(EMPTY, config, stream_mode="updates")
        for chunk in chunks:
            if key in chunk:
                break
        chunks.close()

    config = on_thread()
    with traced() as captured:
        until("__interrupt__", config)
        asked = captured.find("Graph")
        assert traces(captured) == ["Graph ~interrupted", "  say", "  ask ~interrupted"]
        graph.invoke(Command(resume="you"), config)
        assert links(captured.find("Graph")) == [asked.context.span_id]
        captured.clear()
        until("say", on_thread())
        assert traces(captured) == ["Graph ~closed", "  say"]


@needs_async_context
async def test_an_async_consumer_that_stops_at_the_interrupt_was_interrupted() -> None:
    """The same, async; and a cancelled consumer was cancelled."""
    graph = chain(say, ask, checkpointer=InMemorySaver())
    config = on_thread()
    with traced() as captured:
        chunks = graph.astream(EMPTY, config, stream_mode="updates")
        async for chunk in chunks:
            if "__interrupt__" in chunk:
                break
        await chunks.aclose()
        asked = captured.find("Graph")
        assert traces(captured) == ["Graph ~interrupted", "  say", "  ask ~interrupted"]
        await graph.ainvoke(Command(resume="you"), config)
        assert links(captured.find("Graph")) == [asked.context.span_id]


@every_way_with_context
def test_one_call_by_its_handler_is_interrupted_and_resumed(way: Way) -> None:
    """With the handler in each call."""
    graph = chain(ask, checkpointer=InMemorySaver())
    with traced_by_handler() as (captured, config):
        config |= on_thread()
        way(graph, EMPTY, config)
        asked = captured.find("Graph")
        assert traces(captured) == ["Graph ~interrupted", "  ask ~interrupted"]
        way(graph, Command(resume="you"), config)
        assert links(captured.find("Graph")) == [asked.context.span_id]


def test_sent_interrupts_are_resumed_by_their_ids() -> None:
    """``Send`` fan-out: each sent node asks, and is answered by itself."""

    def one(state: Words) -> Any:
        return {"words": [interrupt(state["words"][0])]}

    graph = StateGraph(Words)
    graph.add_node("one", one)
    graph.add_conditional_edges(
        START, lambda _: [Send("one", {"words": [w]}) for w in "ab"], ["one"]
    )
    compiled = graph.compile(checkpointer=InMemorySaver(), name="Graph")
    config = on_thread()
    with traced() as captured:
        asked = compiled.invoke(EMPTY, config)["__interrupt__"]
        assert (
            sorted(line for line in traces(captured) if "one" in line) == ["  one ~interrupted"] * 2
        )
        answers = {each.id: each.value.upper() for each in asked}
        assert sorted(compiled.invoke(Command(resume=answers), config)["words"]) == ["A", "B"]
        assert len(captured.find("Graph").links) == 1
        assert traces(captured) == ["Graph", "  one", "  one"]


def test_a_parent_command_is_known_by_its_class() -> None:
    """It is not taken for a question to somebody."""
    from otelbridge.langchain._runs import is_interrupt

    assert is_interrupt(GraphInterrupt(()))
    assert not is_interrupt(ParentCommand(Command()))
    assert not is_interrupt(ValueError())
