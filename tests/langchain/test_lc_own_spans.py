"""Spans of the application's own: inside the bodies of runs, and around runs."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import pytest
from drawing import drawn
from forms import ASYNC, CORE, NO_CONTEXT, SYNC, Form, every_form, needs_context
from langchain_core._api.beta_decorator import LangChainBetaWarning
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from opentelemetry import context as otel_context
from opentelemetry import trace
from subjects import Chat, Completion, Retriever, Tool, chain, graph, node
from traced import Traced
from versions import needs_model_events

import otelbridge


def _opens(traced: Traced, inner: Any = None) -> Any:
    def opens() -> None:
        with traced.captured.tracer.start_as_current_span("own"):
            if inner is not None:
                inner.invoke("x")
        # What a body leaves open is nobody's but its own.

    return opens


# name of the subject: makes it, its input, the trace of a call; whether its body has a config
BODIES: dict[str, tuple[Any, Any, str, bool]] = {
    "chain": (lambda inside: chain(inside=inside), "x", "chain\n  own", True),
    "sequence": (
        lambda inside: (chain("one") | chain("two", inside)).with_config(run_name="steps"),
        "x",
        "steps\n  one\n  two\n    own",
        True,
    ),
    "tool": (lambda inside: Tool(inside=inside), "x", "tool\n  own", True),
    "node": (
        lambda inside: graph(node("n", inside)),
        {"x": 1},
        "graph\n  n\n    n body\n      own",
        True,
    ),
    "chat model": (lambda inside: Chat(inside=inside), "x", "model\n  own", False),
    "completion": (lambda inside: Completion(inside=inside), "x", "model\n  own", False),
    "retriever": (lambda inside: Retriever(inside=inside), "x", "Retriever\n  own", False),
}
STREAMING = {"chat model", "completion"}


def _cases() -> list[Any]:
    return [
        pytest.param(form, name, marks=needs_context if in_config and form in ASYNC else ())
        for name, (_, _, _, in_config) in BODIES.items()
        for form in SYNC + ASYNC
    ]


@pytest.mark.parametrize(("form", "name"), _cases())
def test_a_span_in_a_body_is_below_the_run(form: Form, name: str, traced_any_way: Traced) -> None:
    """What the body opens is a child of the run that the body is of."""
    make, value, tree, _ = BODIES[name]
    form(make(_opens(traced_any_way)), value, traced_any_way.config())
    if name in STREAMING and form.__name__ in ("stream", "astream"):  # once for each chunk
        tree += "\n  own" * 2
    assert drawn(traced_any_way.captured) == tree
    traced_any_way.check()


@pytest.mark.parametrize("form", SYNC)
@pytest.mark.parametrize("name", [name for name, case in BODIES.items() if case[3]])
def test_a_run_in_a_span_in_a_body_is_below_that_span(
    form: Form, name: str, traced: Traced
) -> None:
    """Run, the application's span, run: nested as they are called."""
    make, value, tree, _ = BODIES[name]
    form(make(_opens(traced, chain("inner"))), value, traced.config())
    indent = tree[tree.rindex("\n") + 1 :].removesuffix("own")
    assert drawn(traced.captured) == f"{tree}\n{indent}  inner"
    traced.check()


@needs_context
@pytest.mark.parametrize("form", ASYNC)
def test_a_run_in_a_span_in_an_async_body_is_below_that_span(form: Form, traced: Traced) -> None:
    """Also with awaits between, and with a span that is open across them."""

    async def opens(value: Any) -> Any:
        with traced.captured.tracer.start_as_current_span("own"):
            await asyncio.sleep(0)
            await chain("inner").ainvoke(value)
            await asyncio.sleep(0)
            await Chat().ainvoke("x")
            async for _ in Chat().astream("x"):
                with traced.captured.tracer.start_as_current_span("per chunk"):
                    await asyncio.sleep(0)
        await Tool().ainvoke("x")
        return value

    form(RunnableLambda(opens, name="opens"), "x", traced.config())
    chunks = 4 if CORE >= (1, 1) else 3  # later versions end a stream with an empty chunk
    assert drawn(traced.captured) == (
        "opens\n  own\n    inner\n    model\n    model" + "\n    per chunk" * chunks + "\n  tool"
    )
    traced.check()


@every_form
@pytest.mark.parametrize("name", BODIES)
def test_a_run_in_a_span_is_below_it(form: Form, name: str, traced: Traced) -> None:
    """A run is the child of the span that is current where it is called; threads have none."""
    make, value, tree, _ = BODIES[name]
    tree = "\n".join(line for line in tree.split("\n") if not line.endswith("own"))
    with traced.captured.tracer.start_as_current_span("outer") as outer:
        form(make(None), value, traced.config())
        assert trace.get_current_span() is outer
    if form.__name__ == "in_thread":
        expected = f"outer\n{tree}"
    else:
        expected = "outer\n  " + tree.replace("\n", "\n  ")
    assert sorted(drawn(traced.captured).split("\n")) == sorted(expected.split("\n"))
    assert drawn(traced.captured) == expected
    traced.check()


@pytest.mark.parametrize("name", BODIES)
def test_consumers_of_streams_keep_their_context(name: str, traced: Traced) -> None:
    """Between two chunks the current span is the consumer's, also when it opens more."""
    make, value, _, _ = BODIES[name]
    runnable, tracer = make(None), traced.captured.tracer
    with tracer.start_as_current_span("outer"):
        before = otel_context.get_current()
        for _ in runnable.stream(value, traced.config()):
            assert otel_context.get_current() is before
            with tracer.start_as_current_span("of consumer"):
                pass

        async def pull() -> None:
            outside = otel_context.get_current()
            async for _ in runnable.astream(value, traced.config()):
                assert otel_context.get_current() is outside
                with tracer.start_as_current_span("of consumer"):
                    await asyncio.sleep(0)

        asyncio.run(pull())
    below = {(span.name, span.parent and span.parent.span_id) for span in traced.captured.spans}
    outer = traced.captured.find("outer").context
    assert outer is not None
    assert {parent for called, parent in below if called == "of consumer"} == {outer.span_id}
    traced.check()


def test_several_prompts_each_have_their_body(traced: Traced) -> None:
    """With several prompts in one call, what each opens is below its own run."""
    chat = Chat(inside=_opens(traced))
    callbacks = traced.config().get("callbacks")
    chat.generate([[], []], callbacks=callbacks)
    asyncio.run(chat.agenerate([[], []], callbacks=callbacks))
    assert drawn(traced.captured) == "\n".join(["model\n  own"] * 4)
    traced.check()


@every_form
def test_native_runs_nest_in_langchains(form: Form, traced: Traced) -> None:
    """A native runnable in a LangChain body is its run's child, and inherits from its config."""
    native = otelbridge.RunnableLambda(lambda value: value).with_config(run_name="native")

    def calls(value: Any, config: RunnableConfig) -> Any:
        return native.invoke(value, config)

    async def acalls(value: Any, config: RunnableConfig) -> Any:
        return await native.ainvoke(value, config)

    config = traced.config(tags=["t"], metadata={"m": 1})
    form(RunnableLambda(calls, acalls, name="calls"), "x", config)
    assert drawn(traced.captured) == "calls\n  native"
    for span in traced.captured.spans:
        attributes = span.attributes or {}
        assert attributes["otelbridge.run.tags"] == ("t",)
        assert attributes["otelbridge.run.metadata.m"] == 1
    traced.check()


@pytest.mark.skipif(not NO_CONTEXT, reason="langchain-core passes async bodies their context here")
def test_async_bodies_without_context_nest_by_config(traced: Traced) -> None:
    """On Python 3.10 with langchain-core before 1.5, what gets the config nests all the same."""

    async def calls(value: Any, config: RunnableConfig) -> Any:
        await chain("inner").ainvoke(value, config)
        await Chat().ainvoke("x", config)
        return await Tool().ainvoke("x", config)

    asyncio.run(RunnableLambda(calls, name="calls").ainvoke("x", traced.config()))
    assert drawn(traced.captured) == "calls\n  inner\n  model\n  tool"
    traced.check()


@needs_model_events
@pytest.mark.parametrize("is_async", [False, True])
def test_spans_in_event_streams_of_version_3_are_below_the_run(
    is_async: bool, traced: Traced
) -> None:
    """What a model opens while its events are pulled is below its run, for each chunk."""
    warnings.simplefilter("ignore", LangChainBetaWarning)  # undone with the fixture's own
    chat = Chat(inside=_opens(traced))
    if is_async:

        async def pull() -> None:
            stream = await chat.astream_events("x", traced.config(), version="v3")
            assert [event async for event in stream]

        asyncio.run(pull())
    else:
        assert list(chat.stream_events("x", traced.config(), version="v3"))
    assert drawn(traced.captured) == "model" + "\n  own" * 3
    traced.captured.assert_clean()


@pytest.mark.parametrize("form", ["invoke", "stream", "ainvoke", "astream"])
def test_spans_of_a_checkpointer_are_below_the_graph(form: str, traced: Traced) -> None:
    """What a graph does between its nodes is the graph's, never its caller's."""
    tracer = traced.captured.tracer

    class Saver(InMemorySaver):
        def get_tuple(self, config: Any) -> Any:
            with tracer.start_as_current_span("reads"):
                return super().get_tuple(config)

        async def aget_tuple(self, config: Any) -> Any:
            return self.get_tuple(config)

    subject = graph(node("a"), checkpointer=Saver())
    config = traced.config(configurable={"thread_id": "1"})

    async def call() -> None:
        if form == "ainvoke":
            await subject.ainvoke({"x": 1}, config)
        else:
            async for _ in subject.astream({"x": 1}, config):
                pass

    with tracer.start_as_current_span("caller"):
        if form == "invoke":
            subject.invoke({"x": 1}, config)
        elif form == "stream":
            assert list(subject.stream({"x": 1}, config))
        else:
            asyncio.run(call())
    assert drawn(traced.captured) == "caller\n  graph\n    reads\n    a\n      a body"
    traced.check()
