"""The real client of langchain-openai and the server that the other tests put before it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, message_chunk_to_message
from openai_server import MODEL, ApiError, Server, openai_server
from versions import installed

from otelbridge.testing import Answer

ChatOpenAI = pytest.importorskip(
    "langchain_openai", reason="langchain-openai is not installed"
).ChatOpenAI
openai = pytest.importorskip("openai")

USAGE = {
    "input_tokens": 30,
    "output_tokens": 9,
    "input_token_details": {"cache_read": 20},
    "output_token_details": {"reasoning": 5},
}
PLUS = {
    "type": "function",
    "function": {"name": "plus", "parameters": {"type": "object", "properties": {}}},
}
CALLS = [
    {"name": "plus", "args": {"a": 1, "b": "two words"}, "id": "call_a", "type": "tool_call"},
    {"name": "plus", "args": {}, "id": "call_b", "type": "tool_call"},
]


def client(server: Server, **options: Any) -> Any:
    return ChatOpenAI(
        model="gpt-4o-mini",
        base_url=server.url,
        api_key="none",
        stream_usage=True,
        **{"max_retries": 0, **options},
    )


def invoked(model: Any) -> BaseMessage:
    return model.invoke("?")


def awaited(model: Any) -> BaseMessage:
    return asyncio.run(model.ainvoke("?"))


def streamed(model: Any) -> BaseMessage:
    return message_chunk_to_message(reduce(add, model.stream("?")))


def astreamed(model: Any) -> BaseMessage:
    async def chunks() -> list[Any]:
        return [chunk async for chunk in model.astream("?")]

    return message_chunk_to_message(reduce(add, asyncio.run(chunks())))


in_every_way = pytest.mark.parametrize("ask", [invoked, awaited, streamed, astreamed])


@in_every_way
def test_client_reads_the_whole_answer(ask: Callable[[Any], BaseMessage]) -> None:
    """Text, tool calls, usage with its details, model, id and finish reason."""
    with openai_server([Answer("I add.", tool_calls=CALLS, usage=USAGE)]) as server:
        answer = ask(client(server).bind_tools([PLUS]))
    assert (answer.content, answer.tool_calls) == ("I add.", CALLS)
    usage = answer.usage_metadata
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (30, 9, 39)
    assert usage["input_token_details"]["cache_read"] == 20
    assert usage["output_token_details"]["reasoning"] == 5
    assert answer.response_metadata["model_name"] == MODEL
    assert answer.response_metadata["finish_reason"] == "tool_calls"


@in_every_way
def test_requests_are_recorded(ask: Callable[[Any], BaseMessage]) -> None:
    """The body as the client wrote it, and its headers."""
    with openai_server(["a"]) as server:
        assert ask(client(server, temperature=0.5).bind_tools([PLUS])).content == "a"
    (body,), (headers,) = server.requests, server.headers
    assert body["messages"] == [{"role": "user", "content": "?"}]
    assert (body["model"], body["temperature"]) == ("gpt-4o-mini", 0.5)
    assert body["tools"] == [PLUS]
    assert headers["authorization"] == "Bearer none"


@in_every_way
def test_refusals_are_the_clients_errors(ask: Callable[[Any], BaseMessage]) -> None:
    """HTTP 429 and 500, and 500 once the script is over."""
    with openai_server([ApiError(429, "slow down", "rate_limit"), ApiError(500)]) as server:
        for error, text in [
            (openai.RateLimitError, "slow down"),
            (openai.InternalServerError, "refused"),
            (openai.InternalServerError, "script .* is over"),
        ]:
            with pytest.raises(error, match=text):
                ask(client(server))


def test_client_tries_again_by_itself() -> None:
    """A refusal that the client retries: two requests, one answer."""
    with openai_server([ApiError(500), "at last"]) as server:
        assert client(server, max_retries=1).invoke("?").content == "at last"
    assert len(server.requests) == 2


@in_every_way
def test_broken_connection_is_the_clients_error(ask: Callable[[Any], BaseMessage]) -> None:
    """In a stream after some chunks."""
    broken = pytest.raises(openai.APIConnectionError)
    if ask in (streamed, astreamed) and installed("openai") < (3, 14):
        # There a stream raises what its HTTP client does.
        broken = pytest.raises(Exception, match="peer closed connection")
    with openai_server([Answer("half an", error=ConnectionError())]) as server, broken:
        ask(client(server))


def test_delays_are_kept() -> None:
    """Before the answer and between chunks; an app that does not wait is left alone."""
    slow = Answer("a b", delay_s=0.03, chunk_delay_s=0.01)
    with openai_server([slow, slow, Answer("never", delay_s=0.5)]) as server:
        for ask, least_s in [(invoked, 0.03), (streamed, 0.06)]:
            began = time.monotonic()
            ask(client(server))
            assert time.monotonic() - began >= least_s
        with pytest.raises(openai.APITimeoutError):
            client(server, timeout=0.05).invoke("?")
