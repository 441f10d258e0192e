"""Messages, arguments, results and documents in the shapes of the GenAI conventions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, Generation, LLMResult
from langgraph.types import Command
from test_genai_start import ODD

from otelbridge._attributes import Gate
from otelbridge.langchain._genai_semconv import NEWEST
from otelbridge.langchain._messages import answered, asked, message_of
from otelbridge.langchain._parts import parts_of

PICTURE = "iVBORw0KGgo" + "A" * 2_000
CUT = f"{PICTURE[:32]}… [cut: 2011 characters of base64]"
IMAGE = {"modality": "image", "mime_type": "image/png"}
BLOB = {"type": "blob", **IMAGE, "content": CUT}
URL = "https://example.com/cat.png"
URI = {"type": "uri", "modality": "image", "uri": URL}


def text(content: str) -> dict[str, str]:
    return {"type": "text", "content": content}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        # LangChain's own form
        ("hello", text("hello")),
        ({"type": "text", "text": "hello", "annotations": []}, text("hello")),
        ({"type": "text-plain", "text": "a page", "mime_type": "text/plain"}, text("a page")),
        ({"type": "image", "base64": PICTURE, "mime_type": "image/png"}, BLOB),
        ({"type": "image", "url": URL}, URI),
        (
            {"type": "image", "file_id": "file_1"},
            {"type": "file", "modality": "image", "file_id": "file_1"},
        ),
        (
            {"type": "audio", "base64": PICTURE, "mime_type": "audio/wav"},
            {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": CUT},
        ),
        (
            {"type": "video", "url": "gs://b/v.mp4"},
            {"type": "uri", "modality": "video", "uri": "gs://b/v.mp4"},
        ),
        (
            {"type": "file", "base64": PICTURE, "mime_type": "application/pdf"},
            {
                "type": "blob",
                "modality": "document",
                "mime_type": "application/pdf",
                "content": CUT,
            },
        ),
        ({"type": "reasoning", "reasoning": "so"}, {"type": "reasoning", "content": "so"}),
        (
            {"type": "server_tool_call", "id": "s1", "name": "web", "args": {"q": "x"}},
            {
                "type": "server_tool_call",
                "id": "s1",
                "name": "web",
                "server_tool_call": {"type": "web", "arguments": {"q": "x"}},
            },
        ),
        (
            {"type": "server_tool_result", "tool_call_id": "s1", "status": "success", "output": 1},
            {
                "type": "server_tool_call_response",
                "id": "s1",
                "server_tool_call_response": {
                    "type": "server_tool_result",
                    "status": "success",
                    "output": 1,
                },
            },
        ),
        ({"type": "non_standard", "value": {"type": "thinking", "thinking": "so"}},)
        + ({"type": "reasoning", "content": "so"},),
        # before 1.0
        (
            {"type": "image", "source_type": "base64", "data": PICTURE, "mime_type": "image/png"},
            BLOB,
        ),
        ({"type": "image", "source_type": "url", "url": URL}, URI),
        (
            {"type": "file", "source_type": "id", "id": "file_1"},
            {"type": "file", "modality": "document", "file_id": "file_1"},
        ),
        # OpenAI
        ({"type": "image_url", "image_url": {"url": URL, "detail": "low"}}, URI),
        ({"type": "image_url", "image_url": f"data:image/png;base64,{PICTURE}"}, BLOB),
        ({"image_url": {"url": f"data:image/png;base64,{PICTURE}"}}, BLOB),
        ({"type": "input_image", "image_url": URL}, URI),
        (
            {"type": "input_image", "file_id": "file_1"},
            {"type": "file", "modality": "image", "file_id": "file_1"},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": PICTURE, "format": "wav"}},
            {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": CUT},
        ),
        (
            {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PICTURE}"}},
            {
                "type": "blob",
                "modality": "document",
                "mime_type": "application/pdf",
                "content": CUT,
            },
        ),
        (
            {"type": "input_file", "file_data": PICTURE},
            {"type": "blob", "modality": "document", "content": CUT},
        ),
        (
            {"type": "file", "file": {"file_id": "file_1"}},
            {"type": "file", "modality": "document", "file_id": "file_1"},
        ),
        ({"type": "output_text", "text": "hello"}, text("hello")),
        ({"type": "refusal", "refusal": "no"}, text("no")),
        (
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "so"}]},
            {"type": "reasoning", "content": "so"},
        ),
        # Anthropic
        (
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": PICTURE},
            },
            BLOB,
        ),
        ({"type": "image", "source": {"type": "url", "url": URL}}, URI),
        (
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
            {"type": "file", "modality": "document", "file_id": "file_1"},
        ),
        ({"type": "document", "source": {"type": "text", "data": "a page"}}, text("a page")),
        (
            {"type": "thinking", "thinking": "so", "signature": "xyz"},
            {"type": "reasoning", "content": "so"},
        ),
        (
            {"type": "redacted_thinking", "data": PICTURE},
            {"type": "reasoning", "content": "[encrypted by the provider]"},
        ),
        (
            {
                "type": "tool_result",
                "tool_use_id": "t1",
                "content": [{"type": "text", "text": "4"}],
            },
            {"type": "tool_call_response", "id": "t1", "response": [text("4")]},
        ),
        # Google, Bedrock
        ({"type": "media", "mime_type": "image/png", "data": PICTURE}, BLOB),
        (
            {"type": "media", "mime_type": "video/mp4", "file_uri": "gs://b/v"},
            {"type": "uri", "modality": "video", "mime_type": "video/mp4", "uri": "gs://b/v"},
        ),
        (
            {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}},
            {"type": "blob", **IMAGE, "content": "[cut: 4 bytes]"},
        ),
        # of no known form
        (
            {"type": "cat", "nested": [{"data": PICTURE, "url": f"data:x/y;base64,{PICTURE}"}]},
            {"type": "cat", "nested": [{"data": CUT, "url": f"data:x/y;base64,{CUT}"}]},
        ),
        ({"cachePoint": {"type": "default"}},)
        + ({"type": "unknown", "cachePoint": {"type": "default"}},),
    ],
)
def test_block_becomes_a_part(block: Any, part: dict[str, Any]) -> None:
    """Each form of a block has its part, and no media leaves whole."""
    assert parts_of([block]) == [part]


def test_tool_calls_in_content_are_told_once() -> None:
    """The blocks of calls are left to the message's own tool calls."""
    content: Any = [
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "c1", "name": "weather", "input": {}},
    ]
    calls: Any = [{"id": "c1", "name": "weather", "args": {"city": "Paris"}}]
    wrong: Any = [{"id": "c2", "name": "weather", "args": "{", "error": "not JSON"}]
    message = AIMessage(content, tool_calls=calls, invalid_tool_calls=wrong, name="bot")
    assert message_of(message) == {
        "role": "assistant",
        "parts": [
            text("I look."),
            {"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}},
            {"type": "tool_call", "id": "c2", "name": "weather", "arguments": "{"},
        ],
        "name": "bot",
    }


@pytest.mark.parametrize(
    ("message", "shape"),
    [
        (HumanMessage("a"), {"role": "user", "parts": [text("a")]}),
        (SystemMessage("a"), {"role": "system", "parts": [text("a")]}),
        (AIMessageChunk("a"), {"role": "assistant", "parts": [text("a")]}),
        (ChatMessage("a", role="critic"), {"role": "critic", "parts": [text("a")]}),
        (AIMessage(""), {"role": "assistant", "parts": []}),
        (
            AIMessage("a", additional_kwargs={"reasoning_content": "so"}),
            {"role": "assistant", "parts": [{"type": "reasoning", "content": "so"}, text("a")]},
        ),
        (
            ToolMessage("4", tool_call_id="c1"),
            {
                "role": "tool",
                "parts": [{"type": "tool_call_response", "id": "c1", "response": "4"}],
            },
        ),
        (
            ToolMessage("no", tool_call_id="c1", status="error"),
            {
                "role": "tool",
                "parts": [
                    {"type": "tool_call_response", "id": "c1", "response": "no", "status": "error"}
                ],
            },
        ),
        (("user", "a"), {"role": "user", "parts": [text("a")]}),
        ("a", {"role": "user", "parts": [text("a")]}),
        (
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}],
            },
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": "{}"}],
            },
        ),
    ],
)
def test_message_has_role_and_parts(message: Any, shape: dict[str, Any]) -> None:
    """Messages of every kind, and what may stand for one, have the conventions' shape."""
    assert message_of(message) == shape


HISTORY = [SystemMessage("Be kind."), HumanMessage("Hi")]
QUESTION = {"role": "user", "parts": [text("Hi")]}


@pytest.mark.parametrize("provider", ["openai", None])
def test_instructions_stay_in_the_history(provider: str | None) -> None:
    """Where the provider's API has them in the history they are told there."""
    assert asked("chat_model", [HISTORY], {}, provider) == {
        "gen_ai.input.messages": [{"role": "system", "parts": [text("Be kind.")]}, QUESTION]
    }


@pytest.mark.parametrize("provider", ["anthropic", "aws.bedrock", "gcp.gemini"])
def test_instructions_are_apart_where_the_api_has_them_apart(provider: str) -> None:
    """The leading system messages are the instructions of such a provider."""
    assert asked("chat_model", [HISTORY], {}, provider) == {
        "gen_ai.system_instructions": [text("Be kind.")],
        "gen_ai.input.messages": [QUESTION],
    }


def test_request_gives_instructions_and_tools() -> None:
    """Tools of every provider's form are definitions; the API's own have their type."""
    schema = {"type": "object", "properties": {}}
    tools = [
        {"type": "function", "function": {"name": "a", "description": "A.", "parameters": schema}},
        {"name": "b", "input_schema": schema},
        {"type": "web_search"},
        {"function_declarations": [{"name": "c", "parameters": schema}]},
    ]
    words = {"invocation_params": {"tools": tools, "instructions": "Be kind."}}
    assert asked("chat_model", [[]], words) == {
        "gen_ai.system_instructions": [text("Be kind.")],
        "gen_ai.tool.definitions": [
            {"type": "function", "name": "a", "description": "A.", "parameters": schema},
            {"type": "function", "name": "b", "parameters": schema},
            {"type": "web_search", "name": "web_search"},
            {"type": "function", "name": "c", "parameters": schema},
        ],
    }


def test_answer_has_the_conventions_reason() -> None:
    """Each provider's reason has the convention's word; the newest version wants none."""
    generations = [
        [
            ChatGeneration(message=AIMessage("a", response_metadata={"stop_reason": "end_turn"})),
            ChatGeneration(message=AIMessage("b"), generation_info={"finish_reason": "MAX_TOKENS"}),
            Generation(text="c"),
        ]
    ]
    answer = LLMResult(generations=generations)  # type: ignore[arg-type]
    messages = [{"role": "assistant", "parts": [text(t)]} for t in "abc"]
    reasons = ("stop", "length", "unknown")
    assert answered("chat_model", answer) == {
        "gen_ai.output.messages": [
            {**message, "finish_reason": reason} for message, reason in zip(messages, reasons)
        ]
    }
    assert answered("chat_model", answer, NEWEST) == {"gen_ai.output.messages": messages}


def test_tool_has_arguments_and_result() -> None:
    """Arguments are structured where LangChain has them; results are the message's content."""
    arguments = {"city": "Paris", "photo": {"data": PICTURE}}
    assert asked("tool", str(arguments), {"inputs": arguments}) == {
        "gen_ai.tool.call.arguments": {"city": "Paris", "photo": {"data": CUT}}
    }
    assert asked("tool", "Paris", {}) == {"gen_ai.tool.call.arguments": "Paris"}
    message = ToolMessage("sunny", tool_call_id="c1", artifact={"raw": 1})
    blocks = ToolMessage([{"type": "image", "url": URL}], tool_call_id="c2")
    for answer, expected in (
        ("sunny", "sunny"),
        (message, "sunny"),
        (Command(update={"messages": [message]}), "sunny"),
        ([message, blocks], ["sunny", [URI]]),
        ({"degrees": 21}, {"degrees": 21}),
    ):
        assert answered("tool", answer) == {"gen_ai.tool.call.result": expected}


def test_retrieval_has_query_and_documents() -> None:
    """Documents have their id, else what they are known by, their score and their content."""
    documents = [
        Document("one", id="d1", metadata={"score": 0.9, "source": "a.txt"}),
        Document("two", metadata={"source": "b.txt"}),
        Document("three"),
    ]
    assert asked("retriever", "what?", {}) == {"gen_ai.retrieval.query.text": "what?"}
    assert answered("retriever", documents) == {
        "gen_ai.retrieval.documents": [
            {
                "id": "d1",
                "score": 0.9,
                "content": "one",
                "metadata": {"score": 0.9, "source": "a.txt"},
            },
            {"id": "b.txt", "content": "two", "metadata": {"source": "b.txt"}},
            {"content": "three"},
        ]
    }


@pytest.mark.parametrize(
    "state",
    [
        {"messages": [("user", "Hi")]},
        {"messages": HumanMessage("Hi")},
        [HumanMessage("Hi")],
        HumanMessage("Hi"),
        "Hi",
    ],
)
def test_agent_is_asked_by_its_messages(state: Any) -> None:
    """The messages of an agent's state are its input, in whatever form they are given."""
    assert asked("chain", state, {}) == {"gen_ai.input.messages": [QUESTION]}


def test_agent_answers_with_its_last_message() -> None:
    """Of the state that an agent ends with, its own last message is the answer."""
    last = AIMessage("Bye", response_metadata={"finish_reason": "stop"})
    assert answered("chain", {"messages": [*HISTORY, AIMessage("?"), last]}) == {
        "gen_ai.output.messages": [
            {"role": "assistant", "parts": [text("Bye")], "finish_reason": "stop"}
        ]
    }
    assert answered("chain", {"other": 1}) == {}
    assert asked("chain", Command(resume="yes"), {}) == {}


def test_gate_redacts_each_leaf_and_gives_json() -> None:
    """A redactor sees every leaf by its key, before the text is made."""
    seen: list[tuple[str, Any]] = []

    def redact(key: str, value: Any) -> Any:
        seen.append((key, value))
        return None if value == "4111" else value

    gate = Gate(redact=redact, denied_keys=["password"])
    calls: Any = [{"id": "c1", "name": "pay", "args": {"card": "4111", "password": "p"}}]
    content = asked("chat_model", [[AIMessage("", tool_calls=calls)]], {})
    key = "gen_ai.input.messages"
    (message,) = json.loads(gate.content(key, content[key])[0])
    assert message["parts"] == [
        {
            "type": "tool_call",
            "id": "c1",
            "name": "pay",
            "arguments": {"card": "[redacted]", "password": "[redacted]"},
        }
    ]
    assert (f"{key}.parts.arguments.card", "4111") in seen


REQUIRED = {
    "text": {"content"},
    "reasoning": {"content"},
    "tool_call": {"name"},
    "tool_call_response": {"response"},
    "server_tool_call": {"name", "server_tool_call"},
    "server_tool_call_response": {"server_tool_call_response"},
    "blob": {"modality", "content"},
    "file": {"modality", "file_id"},
    "uri": {"modality", "uri"},
}
KINDS = st.sampled_from(
    "text image image_url audio file document reasoning thinking tool_use server_tool_call "
    "server_tool_result tool_result non_standard input_audio input_file media cat".split()
)
KEYS = st.sampled_from(
    "text url base64 data image_url input_audio source file id name args summary content value "
    "mime_type tool_call_id format".split()
)
BLOCKS = st.builds(
    lambda kind, rest: {**rest, "type": kind},
    KINDS,
    st.dictionaries(KEYS, ODD | st.dictionaries(KEYS, ODD, max_size=3), max_size=4),
)


@given(st.lists(BLOCKS | ODD, max_size=4))
def test_any_block_becomes_a_part_of_the_schema(blocks: list[Any]) -> None:
    """Whatever a message holds, its parts have what the conventions' schema requires of them."""
    for part in parts_of(blocks):
        assert isinstance(part["type"], str)
        assert REQUIRED.get(part["type"], set()) <= set(part), part


@given(
    kind=st.sampled_from("chat_model llm tool retriever chain".split()),
    inputs=ODD | st.lists(st.lists(ODD | BLOCKS)),
    words=st.dictionaries(st.sampled_from(["invocation_params", "inputs"]), ODD),
)
def test_content_never_raises_and_is_json(kind: str, inputs: Any, words: dict[str, Any]) -> None:
    """Whatever is given or answered, the gate makes it a text."""
    gate = Gate()
    for content in (asked(kind, inputs, words), answered(kind, inputs)):
        assert all(isinstance(gate.content(key, value)[0], str) for key, value in content.items())
