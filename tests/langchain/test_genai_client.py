"""The real OpenAI client and a server that speaks its API, as a handler of LangChain sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI
from openai_server import MODEL, ApiError, Server, openai_server
from opentelemetry.trace import SpanKind
from versions import needs_model_events

from otelbridge.langchain._genai import Described, described
from otelbridge.langchain._genai_response import ended
from otelbridge.langchain._messages import answered, asked
from otelbridge.testing import Answer

Way = Callable[[Any, Any, dict[str, Any]], Any]


class Seen(BaseCallbackHandler):
    """What a handler is given of one model call after another, in the conventions' words."""

    def __init__(self) -> None:
        self.begun: list[Described | None] = []
        self.ended: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.answered: list[dict[str, Any]] = []
        self.kinds: dict[Any, str] = {}

    def on_chat_model_start(self, serialized: Any, messages: Any, **words: Any) -> None:
        self._begin("chat_model", serialized, messages, words)

    def on_llm_start(self, serialized: Any, prompts: Any, **words: Any) -> None:
        self._begin("llm", serialized, prompts, words)

    def _begin(self, kind: str, serialized: Any, inputs: Any, words: dict[str, Any]) -> None:
        self.kinds[words["run_id"]] = kind
        self.begun.append(described(kind, serialized, words))
        self.asked.append(asked(kind, inputs, words, "openai"))

    def on_llm_end(self, response: Any, **words: Any) -> None:
        kind = self.kinds[words["run_id"]]
        self.ended.append(ended(kind, response))
        self.answered.append(answered(kind, response))

    def on_llm_error(self, error: BaseException, **words: Any) -> None:
        self.ended.append(ended("chat_model", words.get("response")))


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return "sunny"


def invoke(model: Any, given: Any, config: dict[str, Any]) -> None:
    model.invoke(given, config)


def ainvoke(model: Any, given: Any, config: dict[str, Any]) -> None:
    asyncio.run(model.ainvoke(given, config))


def batch(model: Any, given: Any, config: dict[str, Any]) -> None:
    model.batch([given], config)


def stream(model: Any, given: Any, config: dict[str, Any]) -> None:
    for _chunk in model.stream(given, config):
        pass


def astream(model: Any, given: Any, config: dict[str, Any]) -> None:
    async def consume() -> None:
        async for _chunk in model.astream(given, config):
            pass

    asyncio.run(consume())


def events(model: Any, given: Any, config: dict[str, Any]) -> None:
    for _event in model.stream_events(given, config, version="v3"):
        pass


each_way = pytest.mark.parametrize(
    "way", [invoke, ainvoke, batch, stream, astream, pytest.param(events, marks=needs_model_events)]
)
STREAMS = (stream, astream, events)


def chat_model(server: Server, **settings: Any) -> ChatOpenAI:
    settings = {"temperature": 0.5, "max_retries": 0, "stream_usage": True, **settings}
    return ChatOpenAI(model="gpt-x", base_url=server.url, api_key="none", **settings)


def port_of(server: Server) -> int:
    return int(server.url.rsplit(":")[-1].partition("/")[0])


COUNTS: Any = {
    "input_tokens": 30,
    "output_tokens": 12,
    "input_token_details": {"cache_read": 8},
    "output_token_details": {"reasoning": 5},
}
SUNNY = Answer("It is sunny.", usage=COUNTS)
CALL: Any = {"id": "call_7", "name": "weather", "args": {"city": "Paris"}}


REQUEST = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-x",
    "gen_ai.request.temperature": 0.5,
    "server.address": "127.0.0.1",
}
TOKENS = {
    "gen_ai.usage.input_tokens": 30,
    "gen_ai.usage.output_tokens": 12,
    "gen_ai.usage.cache_read.input_tokens": 8,
    "gen_ai.usage.reasoning.output_tokens": 5,
}


@each_way
def test_chat_says_request_response_and_usage(way: Way) -> None:
    """A chat is described alike however it is called; a stream has no response id to tell."""
    seen = Seen()
    with openai_server([SUNNY]) as server:
        way(chat_model(server), "hi", {"callbacks": [seen]})
    (begun,) = seen.begun
    assert begun is not None
    assert (begun.name, begun.span_kind) == ("chat gpt-x", SpanKind.CLIENT)
    assert begun.attributes == {**REQUEST, "server.port": port_of(server)}
    response_id = {} if way in STREAMS else {"gen_ai.response.id": "chatcmpl-1"}
    assert seen.ended == [
        {
            "gen_ai.response.model": MODEL,
            "gen_ai.response.finish_reasons": ("stop",),
            **response_id,
            **TOKENS,
        }
    ]


@each_way
def test_chat_content_has_messages_tools_and_calls(way: Way) -> None:
    """The question, the tools and the call that the model chose are in the conventions' shapes."""
    seen = Seen()
    with openai_server([Answer(tool_calls=[CALL])]) as server:
        way(chat_model(server).bind_tools([weather]), "hi", {"callbacks": [seen]})
    assert seen.asked == [
        {
            "gen_ai.input.messages": [
                {"role": "user", "parts": [{"type": "text", "content": "hi"}]}
            ],
            "gen_ai.tool.definitions": [
                {
                    "type": "function",
                    "name": "weather",
                    "description": "The weather in a city.",
                    "parameters": {
                        "properties": {"city": {"type": "string"}},
                        "required": ["city"],
                        "type": "object",
                    },
                }
            ],
        }
    ]
    call = {
        "type": "tool_call",
        "id": "call_7",
        "name": "weather",
        "arguments": {"city": "Paris"},
    }
    assert seen.answered == [
        {
            "gen_ai.output.messages": [
                {"role": "assistant", "parts": [call], "finish_reason": "tool_call"}
            ]
        }
    ]


def test_chat_says_every_request_parameter_that_is_set() -> None:
    """Parameters of the model and of the call are attributes, by the conventions' types."""
    seen = Seen()
    with openai_server([SUNNY]) as server:
        model = chat_model(
            server,
            temperature=1,
            top_p=0.9,
            max_tokens=7,
            seed=3,
            frequency_penalty=0.1,
            presence_penalty=-1,
            stop=["END"],
        )
        bound = model.bind(stop=["NOW", "THEN"], n=2, response_format={"type": "json_object"})
        bound.invoke("hi", {"callbacks": [seen]})
    (begun,) = seen.begun
    assert begun is not None
    assert begun.attributes == {
        **REQUEST,
        "server.port": port_of(server),
        "gen_ai.output.type": "json",
        "gen_ai.request.temperature": 1.0,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.max_tokens": 7,
        "gen_ai.request.seed": 3,
        "gen_ai.request.frequency_penalty": 0.1,
        "gen_ai.request.presence_penalty": -1.0,
        "gen_ai.request.stop_sequences": ("NOW", "THEN"),
        "gen_ai.request.choice.count": 2,
    }
    assert server.requests[0]["stop"] == ["NOW", "THEN"]


def test_chat_with_several_choices_says_each_finish_reason() -> None:
    """Several generations of one prompt give a reason each, and the usage once."""
    seen = Seen()
    with openai_server([SUNNY]) as server:
        chat_model(server, n=2).generate([[HumanMessage("hi")]], callbacks=[seen])
    assert seen.ended == [
        {
            "gen_ai.response.model": MODEL,
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.response.finish_reasons": ("stop", "stop"),
            **TOKENS,
        }
    ]
    part = {"type": "text", "content": "It is sunny."}
    message = {"role": "assistant", "parts": [part], "finish_reason": "stop"}
    assert seen.answered == [{"gen_ai.output.messages": [message, message]}]


def test_chat_that_the_server_refuses_has_no_response() -> None:
    """An error's partial response adds nothing."""
    seen = Seen()
    with openai_server([ApiError(429)]) as server, pytest.raises(Exception, match="429"):
        chat_model(server).invoke("hi", {"callbacks": [seen]})
    assert seen.ended == [{}]


@pytest.mark.parametrize("way", [invoke, ainvoke])
def test_completion_says_request_response_and_usage(way: Way) -> None:
    """A completion model is told from a chat model; its usage is the provider's own form."""
    seen = Seen()
    with openai_server([Answer(" upon", usage=COUNTS, finish_reason="length")]) as server:
        model = OpenAI(model="gpt-i", base_url=server.url, api_key="none", temperature=0.7)
        way(model, "Once", {"callbacks": [seen]})
    (begun,) = seen.begun
    assert begun is not None
    assert (begun.name, begun.span_kind) == ("text_completion gpt-i", SpanKind.CLIENT)
    assert begun.attributes == {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-i",
        "gen_ai.request.temperature": 0.7,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.max_tokens": 256,
        "gen_ai.request.frequency_penalty": 0.0,
        "gen_ai.request.presence_penalty": 0.0,
        "server.address": "127.0.0.1",
        "server.port": port_of(server),
    }
    assert seen.ended == [
        {
            "gen_ai.response.model": "gpt-i",
            "gen_ai.response.finish_reasons": ("length",),
            "gen_ai.usage.input_tokens": 30,
            "gen_ai.usage.output_tokens": 12,
        }
    ]
    question = {"role": "user", "parts": [{"type": "text", "content": "Once"}]}
    answer = {"role": "assistant", "parts": [{"type": "text", "content": " upon"}]}
    assert seen.asked == [{"gen_ai.input.messages": [question]}]
    assert seen.answered == [{"gen_ai.output.messages": [{**answer, "finish_reason": "length"}]}]


def test_completion_of_several_prompts_counts_the_usage_once() -> None:
    """One request for two prompts is two runs, of which the first has the usage."""
    seen = Seen()
    with openai_server([SUNNY]) as server:
        model = OpenAI(model="gpt-i", base_url=server.url, api_key="none")
        model.generate(["one", "two"], callbacks=[seen])
    assert [b and b.attributes["gen_ai.provider.name"] for b in seen.begun] == ["openai"] * 2
    assert [e.get("gen_ai.usage.input_tokens") for e in seen.ended] == [30, None]
