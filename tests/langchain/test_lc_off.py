"""Where no spans are wanted: handlers fire, results are the same, nothing is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from drawing import drawn
from langchain_core.callbacks import (
    BaseCallbackHandler,
    adispatch_custom_event,
    dispatch_custom_event,
)
from langchain_core.runnables import RunnableConfig, RunnableLambda
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from subjects import Chat, Completion, Retriever, Tool, graph, node

from otelbridge import _run_ids, langchain
from otelbridge.testing import capture_runs


class Hears(BaseCallbackHandler):
    """Notes every hook that it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []


def _noting(name: str) -> Any:
    def note(self: Hears, *args: Any, **kwargs: Any) -> None:
        self.heard.append(name)

    return note


for _name in (
    *(
        f"on_{kind}_{phase}"
        for kind in ("chain", "tool", "retriever")
        for phase in ("start", "end")
    ),
    *("on_chat_model_start", "on_llm_start", "on_llm_end", "on_llm_new_token", "on_custom_event"),
):
    setattr(Hears, _name, _noting(_name))


def _program(handler: Hears, ours: list[Any]) -> list[Any]:
    """Run one of each; return the results."""

    def body(value: Any, config: RunnableConfig) -> Any:
        dispatch_custom_event("e", {"n": 1}, config=config)
        return value

    async def abody(value: Any, config: RunnableConfig) -> Any:
        await adispatch_custom_event("e", {"n": 1}, config=config)
        return value

    config = {"callbacks": [*ours, handler]}
    steps = RunnableLambda(body, abody, name="says") | Tool()
    results: list[Any] = [
        steps.invoke("x", config),
        list(steps.stream("x", config)),
        Chat().invoke("x", config).content,
        [chunk.content for chunk in Chat().stream("x", config)],
        Completion().invoke("x", config),
        Retriever().invoke("x", config),
        graph(node("a")).invoke({"x": 0}, config),
    ]

    async def asynchronous() -> None:
        results.append(await steps.ainvoke("x", config))
        results.append((await Chat().ainvoke("x", config)).content)
        results.append([chunk.content async for chunk in Chat().astream("x", config)])
        results.append(await Retriever().ainvoke("x", config))
        results.append(await graph(node("a")).ainvoke({"x": 0}, config))

    asyncio.run(asynchronous())
    return results


@pytest.fixture(params=["instrument", "handler"])
def by(request: pytest.FixtureRequest) -> Iterator[Any]:
    """How it is traced: gives the handlers of a call."""

    def on(provider: Any) -> list[Any]:
        if request.param == "instrument":
            langchain.instrument(tracer_provider=provider)
            return []
        return [langchain.OtelCallbackHandler(tracer_provider=provider)]

    yield on
    langchain.uninstrument()


EVENTS = 3  # one for each time that ``says`` runs


def _alone() -> tuple[list[Any], list[str]]:
    hears = Hears()
    return _program(hears, []), sorted(hears.heard)


def test_sampled_out_runs_record_nothing(by: Any) -> None:
    """The sampler says no: no span, and every handler hears what it heard without us."""
    alone = _alone()
    with capture_runs(sampler=ALWAYS_OFF) as captured:
        hears = Hears()
        assert (_program(hears, by(captured.provider)), sorted(hears.heard)) == alone
        assert captured.spans == []
        assert _run_ids.live == {}
        captured.assert_clean()


def test_without_a_provider_nothing_is_recorded(by: Any) -> None:
    """No SDK: the same."""
    alone = _alone()
    hears = Hears()
    ours = by(trace.NoOpTracerProvider())
    assert (_program(hears, ours), sorted(hears.heard)) == alone
    assert _run_ids.live == {}


@pytest.mark.parametrize("key", ["suppress_instrumentation", "constant"])
def test_suppressed_instrumentation_makes_no_span(by: Any, key: str) -> None:
    """OTel's keys for suppression, the old and the new, are honoured."""
    if key == "constant":
        key = otel_context._SUPPRESS_INSTRUMENTATION_KEY
    alone = _alone()
    with capture_runs() as captured:
        hears = Hears()
        ours = by(captured.provider)
        token = otel_context.attach(otel_context.set_value(key, True))
        try:
            assert (_program(hears, ours), sorted(hears.heard)) == alone
        finally:
            otel_context.detach(token)
        assert captured.spans == []
        assert _run_ids.live == {}
        captured.assert_clean()


def test_traced_runs_change_neither_results_nor_handlers(by: Any) -> None:
    """Traced, the program has the same results, and its handlers hear the same."""
    alone = _alone()
    with capture_runs(capture_content=True) as captured:
        hears = Hears()
        assert (_program(hears, by(captured.provider)), sorted(hears.heard)) == alone
        assert drawn(captured).count("\n") + 1 == len(captured.spans) + EVENTS == 25
        assert _run_ids.live == {}
        captured.assert_clean()


def test_only_the_sampled_traces_are_recorded(by: Any) -> None:
    """Parents decide: below an unsampled span nothing is recorded, below a sampled one all is."""
    with capture_runs() as captured:
        ours = by(captured.provider)
        context = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(0))
        unsampled = trace.set_span_in_context(trace.NonRecordingSpan(context))
        token = otel_context.attach(unsampled)
        try:
            Tool().invoke("x", {"callbacks": ours})
        finally:
            otel_context.detach(token)
        assert captured.spans == []
        Tool().invoke("x", {"callbacks": ours})
        assert drawn(captured) == "tool"
