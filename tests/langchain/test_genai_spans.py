"""Models, tools, retrievers and agents as the spans and metrics that an application gets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai_server import MODEL, ApiError, Server, openai_server
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import SpanKind, StatusCode
from versions import installed, needs_model_events

from otelbridge import langchain
from otelbridge.testing import Answer, CapturedRuns, capture_runs

COUNTS: Any = {
    "input_tokens": 30,
    "output_tokens": 12,
    "input_token_details": {"cache_read": 8},
    "output_token_details": {"reasoning": 5},
}
TOKENS = {
    "gen_ai.usage.input_tokens": 30,
    "gen_ai.usage.output_tokens": 12,
    "gen_ai.usage.cache_read.input_tokens": 8,
    "gen_ai.usage.reasoning.output_tokens": 5,
}
CALL: Any = {"id": "call_7", "name": "weather", "args": {"city": "Paris"}}


@pytest.fixture
def captured() -> Iterator[CapturedRuns]:
    with capture_runs() as found:
        try:
            yield found
        finally:
            langchain.uninstrument()


def model(server: Server) -> ChatOpenAI:
    return ChatOpenAI(
        model="gpt-x", base_url=server.url, api_key="none", max_retries=0, stream_usage=True
    )


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def conventional(span: Any) -> dict[str, Any]:
    """Return what a span says in the conventions' words."""
    prefixes = ("gen_ai.", "server.", "error.", "otelbridge.re")
    return {key: value for key, value in span.attributes.items() if key.startswith(prefixes)}


def request(server: Server) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "server.address": "127.0.0.1",
        "server.port": int(server.url.split(":")[2].partition("/")[0]),
    }


@pytest.mark.parametrize("is_async", [False, True])
def test_agent_with_a_tool_is_a_tree_of_the_conventions(
    captured: CapturedRuns, is_async: bool
) -> None:
    """Agent, model calls and tool have their names, kinds and attributes, each in its place."""
    langchain.instrument(tracer_provider=captured.provider)
    answers = [Answer(tool_calls=[CALL], usage=COUNTS), Answer("Sunny.", usage=COUNTS)]
    question: Any = {"messages": [("user", "Paris?")]}
    with openai_server(answers) as server:
        agent = create_agent(model(server), [weather], name="forecaster")
        if is_async:
            asyncio.run(agent.ainvoke(question))
        else:
            agent.invoke(question)
    spans = {span.name: span for span in captured.spans}
    expected = [
        "chat gpt-x",
        "chat gpt-x",
        "execute_tool weather",
        "invoke_agent forecaster",
        "model",
        "model",
        "tools",
    ]
    if installed("langchain") < (1, 0, 4):  # there what chooses the next node is a run
        expected += ["model_to_tools", "model_to_tools", "tools_to_model"]
    assert sorted(span.name for span in captured.spans) == sorted(expected)
    assert {name: span.kind for name, span in spans.items() if span.kind != SpanKind.INTERNAL} == {
        "chat gpt-x": SpanKind.CLIENT
    }
    assert conventional(spans["invoke_agent forecaster"]) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "forecaster",
    }
    assert conventional(spans["execute_tool weather"]) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "weather",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "The weather in a city.",
        "gen_ai.tool.call.id": "call_7",
    }
    chats = [conventional(span) for span in captured.spans if span.kind is SpanKind.CLIENT]
    assert chats == [
        {
            **request(server),
            "gen_ai.response.model": MODEL,
            "gen_ai.response.id": f"chatcmpl-{number}",
            "gen_ai.response.finish_reasons": (reason,),
            **TOKENS,
        }
        for number, reason in ((1, "tool_calls"), (2, "stop"))
    ]


def test_content_is_there_where_it_is_captured() -> None:
    """Messages, arguments and results are JSON on the spans, and redacted leaf by leaf."""

    def redact(key: str, value: Any) -> Any:
        return None if value == "Paris" else value

    with (
        capture_runs(capture_content=True, redact=redact) as captured,
        langchain.instrumented(tracer_provider=captured.provider),
        openai_server([Answer(tool_calls=[CALL]), "Sunny."]) as server,
    ):
        create_agent(model(server), [weather]).invoke({"messages": [("user", "Where?")]})
    content = {
        (span.name, key): value
        for span in captured.spans
        for key, value in span.attributes.items()
        if key.startswith(("gen_ai.input", "gen_ai.output.messages", "gen_ai.tool.call."))
    }
    hidden = {"city": "[redacted]"}
    call = {"type": "tool_call", "id": "call_7", "name": "weather", "arguments": hidden}
    question = {"role": "user", "parts": [{"type": "text", "content": "Where?"}]}
    result = {"type": "tool_call_response", "id": "call_7", "response": "sunny in Paris"}
    answer = {"role": "assistant", "parts": [{"type": "text", "content": "Sunny."}]}
    assert {
        where: value if where[1].endswith(("id", "result")) else json.loads(str(value))
        for where, value in content.items()
    } == {
        ("chat gpt-x", "gen_ai.input.messages"): [
            question,
            {"role": "assistant", "parts": [call]},
            {"role": "tool", "parts": [result], "name": "weather"},
        ],
        ("chat gpt-x", "gen_ai.output.messages"): [{**answer, "finish_reason": "stop"}],
        ("execute_tool weather", "gen_ai.tool.call.id"): "call_7",
        ("execute_tool weather", "gen_ai.tool.call.arguments"): hidden,
        ("execute_tool weather", "gen_ai.tool.call.result"): "sunny in Paris",
        ("invoke_agent", "gen_ai.input.messages"): [question],
        ("invoke_agent", "gen_ai.output.messages"): [{**answer, "finish_reason": "stop"}],
    }


def stream(chat: ChatOpenAI) -> None:
    for _chunk in chat.stream("hi"):
        pass


def astream(chat: ChatOpenAI) -> None:
    async def consume() -> None:
        async for _chunk in chat.astream("hi"):
            pass

    asyncio.run(consume())


def events(chat: ChatOpenAI) -> None:
    """Stream by events: the model tells of each chunk, and LangChain of events as well."""
    for _event in chat.stream_events("hi", version="v3"):
        pass


@pytest.mark.parametrize("way", [stream, astream, pytest.param(events, marks=needs_model_events)])
def test_stream_is_measured_when_it_has_ended(captured: CapturedRuns, way: Any) -> None:
    """A stream says when its first chunk came; tokens and times are in the metrics."""
    reader = InMemoryMetricReader()
    langchain.instrument(tracer_provider=captured.provider, meter_provider=MeterProvider([reader]))
    slow = Answer("one two three", usage=COUNTS, delay_s=0.02, chunk_delay_s=0.02)
    with openai_server([slow]) as server:
        way(model(server))
    (span,) = captured.spans
    said = conventional(span)
    first_s = said.pop("gen_ai.response.time_to_first_chunk")
    assert said == {
        **request(server),
        "gen_ai.request.stream": True,
        "gen_ai.response.model": MODEL,
        "gen_ai.response.finish_reasons": ("stop",),
        **TOKENS,
    }
    data = reader.get_metrics_data()
    assert data is not None
    (scope,) = data.resource_metrics[0].scope_metrics
    points = {metric.name: list(metric.data.data_points) for metric in scope.metrics}
    assert sorted(points) == [
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_per_output_chunk",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.token.usage",
    ]
    assert [point.sum for point in points["gen_ai.client.token.usage"]] == [30, 12]
    (duration,) = points["gen_ai.client.operation.duration"]
    (first,) = points["gen_ai.client.operation.time_to_first_chunk"]
    (between,) = points["gen_ai.client.operation.time_per_output_chunk"]
    assert first.sum == pytest.approx(first_s)
    assert 0.02 <= first.sum < first.sum + between.sum <= duration.sum
    assert between.sum >= 0.04
    # The server's six chunks, and where LangChain streams by itself a last one of its own.
    assert between.count == (5 if way is events else 6)


def test_refused_call_is_measured_with_its_error(captured: CapturedRuns) -> None:
    """A call that fails is an error on its span, and a duration by the same kind of error."""
    reader = InMemoryMetricReader()
    langchain.instrument(tracer_provider=captured.provider, meter_provider=MeterProvider([reader]))
    with openai_server([ApiError(429, "slow down")]) as server:
        with pytest.raises(Exception, match="slow down"):
            model(server).invoke("hi")
    (span,) = captured.spans
    assert span.status.status_code is StatusCode.ERROR
    said = conventional(span)
    error = said["error.type"]
    assert said == {**request(server), "error.type": error}
    data = reader.get_metrics_data()
    assert data is not None
    (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
    assert metric.name == "gen_ai.client.operation.duration"
    assert [dict(point.attributes or {}) for point in metric.data.data_points] == [said]


def test_retrieval_says_its_scores(captured: CapturedRuns) -> None:
    """A retriever's span is a client's, with the number of documents and how near they are."""

    class Shelf(BaseRetriever):
        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
            return [Document("a", metadata={"score": 0.9}), Document("b", metadata={"score": 0.5})]

    langchain.instrument(tracer_provider=captured.provider)
    Shelf().invoke("what?")
    (span,) = captured.spans
    assert (span.name, span.kind) == ("retrieval Shelf", SpanKind.CLIENT)
    assert conventional(span) == {
        "gen_ai.operation.name": "retrieval",
        "otelbridge.retrieval.count": 2,
        "otelbridge.retrieval.scores": (0.9, 0.5),
    }


def test_newest_conventions_are_spoken_where_they_are_asked_for(
    captured: CapturedRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable chooses the version when the instrumentation is switched on."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
    reader = InMemoryMetricReader()
    langchain.instrument(tracer_provider=captured.provider, meter_provider=MeterProvider([reader]))
    with openai_server([Answer("yes", usage=COUNTS)]) as server:
        model(server).bind(reasoning_effort="low").invoke("hi")
    (span,) = captured.spans
    assert conventional(span)["gen_ai.request.reasoning.level"] == "low"
    data = reader.get_metrics_data()
    assert data is not None
    assert sorted(m.name for m in data.resource_metrics[0].scope_metrics[0].metrics) == [
        "gen_ai.client.inference.duration",
        "gen_ai.client.inference.operation.input_tokens",
        "gen_ai.client.inference.operation.output_tokens",
    ]
