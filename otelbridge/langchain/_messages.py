"""What models, tools, retrievers and agents were given and gave, in the conventions' shapes.

Called only where content is recorded. Both functions return structured values, one an attribute:
the gate's ``content`` redacts each of their leaves and makes them bounded JSON text, which is the
form that a span's attributes have for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from otelbridge._conversation import MESSAGES, Conversation
from otelbridge.langchain import _genai_semconv as semconv
from otelbridge.langchain._genai_response import (
    finish_reason,
    generations_of,
    reason_of,
    score_of,
)
from otelbridge.langchain._genai_response import tool_messages as tool_messages_of
from otelbridge.langchain._genai_semconv import PUBLISHED, Conventions
from otelbridge.langchain._media import Part, without_media
from otelbridge.langchain._parts import parts_of
from otelbridge.langchain._reading import mapping, text

Content = dict[str, Any]  # attribute keys, and the structured values that they are to have
Message = dict[str, Any]

_ROLES: Final = {
    "human": "user",
    "HumanMessageChunk": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "system": "system",
    "SystemMessageChunk": "system",
    "developer": "system",
    "tool": "tool",
    "ToolMessageChunk": "tool",
    "function": "tool",
    "FunctionMessageChunk": "tool",
}
# Whose API takes the instructions apart from the history: LangChain moves them there.
_APART: Final = frozenset(("anthropic", "aws.bedrock", "gcp.gemini", "gcp.gen_ai", "gcp.vertex_ai"))


def asked(kind: str, inputs: Any, words: Mapping[str, Any], provider: Any = None) -> Content:
    """Return the content that a run begins with.

    Args:
        kind: as in the callback's name: chat_model, llm, tool, retriever, or chain for an agent.
        inputs: the callback's second argument: the messages (a list of lists), the prompts, the
            tool's input as text, the query, or the state.
        words: the callback's keyword arguments.
        provider: what the run's start has as ``gen_ai.provider.name``.
    """
    if kind == "chat_model":
        rows = inputs if isinstance(inputs, (list, tuple)) else ()
        found = _history(
            [m for row in rows if isinstance(row, (list, tuple)) for m in row], provider
        )
        return {**found, **_request(mapping(words.get("invocation_params")))}
    if kind == "llm":
        prompts = inputs if isinstance(inputs, (list, tuple)) else ()
        return _history([("user", prompt) for prompt in prompts], provider)
    if kind == "tool":
        given = words.get("inputs")
        return {semconv.TOOL_CALL_ARGUMENTS: without_media(inputs if given is None else given)}
    if kind == "retriever":
        return {semconv.RETRIEVAL_QUERY: inputs}
    return _history(_state_messages(inputs), provider)


def answered(kind: str, response: Any, conventions: Conventions = PUBLISHED) -> Content:
    """Return the content that a run ends with; ``response`` is what the end callback is given."""
    if kind == "chat_model" or kind == "llm":
        messages = [_choice(generation, conventions) for generation in generations_of(response)]
        return {semconv.OUTPUT_MESSAGES: messages} if messages else {}
    if kind == "tool":
        return {semconv.TOOL_CALL_RESULT: _result(response)}
    if kind == "retriever":
        documents = response if isinstance(response, (list, tuple)) else ()
        return {semconv.RETRIEVAL_DOCUMENTS: [_document(one) for one in documents]}
    last = [m for m in _state_messages(response) if _role(m) == "assistant"][-1:]
    if not last:
        return {}
    return {semconv.OUTPUT_MESSAGES: [_output(m, reason_of(m), conventions) for m in last]}


def _history(messages: list[Any], provider: Any) -> Content:
    found: Content = {}
    if provider in _APART:
        count = _instructions(messages)
        parts = [part for m in messages[:count] for part in parts_of(_content(m))]
        if parts:
            found[semconv.SYSTEM_INSTRUCTIONS] = parts
        messages = messages[count:]
    if messages:
        known = [message_of(message) for message in messages]
        found[semconv.INPUT_MESSAGES] = Conversation(known, _instructions(messages))
    return found


def _instructions(messages: list[Any]) -> int:
    """Return how many messages at the start are the system's."""
    return next((n for n, m in enumerate(messages) if _role(m) != "system"), len(messages))


def spoken(value: Any) -> Any:
    """Return a chain's input or output so that of its messages, if it has some, the last stay."""
    if type(value) is dict and type(said := value.get(MESSAGES)) is list:
        return {**value, MESSAGES: Conversation(said, _instructions(said))}
    if type(value) is list and value and all(hasattr(one, "content") for one in value):
        return Conversation(value, _instructions(value))
    return value


def _request(params: dict[str, Any]) -> Content:
    found: Content = {}
    if instructions := text(params, ("instructions",)):  # of OpenAI's responses
        found[semconv.SYSTEM_INSTRUCTIONS] = parts_of(instructions)
    tools = params.get("tools") or params.get("functions")
    if isinstance(tools, (list, tuple)) and tools:
        found[semconv.TOOL_DEFINITIONS] = [one for tool in tools for one in _definitions(tool)]
    return found


def message_of(message: Any) -> Message:
    """Return a message in the conventions' shape; a tuple, dict or text may stand for one."""
    role = _role(message)
    content = _content(message)
    found: Message = {"role": role}
    name = _field(message, "name")
    if isinstance(name, str) and name:
        found["name"] = name
    if role == "tool":
        answer = parts_of(content) if isinstance(content, (list, tuple)) else content
        call_id = _field(message, "tool_call_id")
        part: Part = {"type": "tool_call_response", "id": call_id, "response": answer}
        if _field(message, "status") == "error":
            part["status"] = "error"
        found["parts"] = [part]
    else:
        found["parts"] = [*_thoughts(message), *parts_of(content), *_tool_calls(message)]
    return found


def _field(message: Any, name: str) -> Any:
    return message.get(name) if isinstance(message, dict) else getattr(message, name, None)


def _content(message: Any) -> Any:
    if isinstance(message, str):
        return message
    if isinstance(message, (tuple, list)):
        return message[1] if len(message) == 2 else None
    return _field(message, "content")


def _role(message: Any) -> str:
    if isinstance(message, str):
        return "user"
    if isinstance(message, (tuple, list)):
        kind = message[0] if message else None
    else:
        kind = _field(message, "type")
        if kind == "chat" or not isinstance(kind, str):
            kind = _field(message, "role")
    return _ROLES.get(kind, kind) if isinstance(kind, str) else "user"


def _thoughts(message: Any) -> list[Part]:
    """Return the reasoning that some providers put beside the content."""
    extra = mapping(_field(message, "additional_kwargs"))
    found = text(extra, ("reasoning_content",))
    return [{"type": "reasoning", "content": found}] if found else []


def _tool_calls(message: Any) -> list[Part]:
    found = []
    for calls in (_field(message, "tool_calls"), _field(message, "invalid_tool_calls")):
        for call in calls if isinstance(calls, (list, tuple)) else ():
            found.append(_tool_call(mapping(call)))
    return found


def _tool_call(call: dict[str, Any]) -> Part:
    function = mapping(call.get("function")) or call  # OpenAI's form in a message given as a dict
    arguments = function.get("args", function.get("arguments"))
    name = text(function, ("name",)) or ""
    return {"type": "tool_call", "id": call.get("id"), "name": name, "arguments": arguments}


def _definitions(tool: Any) -> Iterable[dict[str, Any]]:
    tool = mapping(tool)
    function = mapping(tool.get("function")) or tool
    declared = tool.get("function_declarations")  # Google
    if isinstance(declared, (list, tuple)):
        for each in declared:
            yield from _definitions(each)
        return
    kind = text(tool, ("type",)) or semconv.FUNCTION
    name = text(function, ("name",)) or kind
    found: dict[str, Any] = {"type": kind, "name": name}
    if description := text(function, ("description",)):
        found["description"] = description
    schema = function.get("parameters") or function.get("input_schema")
    if isinstance(schema, dict):
        found["parameters"] = schema
    yield found


def _choice(generation: Any, conventions: Conventions) -> Message:
    message = getattr(generation, "message", None)
    if message is None:
        message = ("assistant", getattr(generation, "text", None))
    return _output(message, finish_reason(generation), conventions)


# The conventions' words for the reasons that providers give in their own.
_REASONS: Final = {
    "end_turn": "stop",
    "eos": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "tool_calls": "tool_call",
    "tool_use": "tool_call",
    "function_call": "tool_call",
    "safety": "content_filter",
    "refusal": "content_filter",
    "content_filtered": "content_filter",
}


def _output(message: Any, reason: str | None, conventions: Conventions) -> Message:
    found = message_of(message)
    if conventions.newest:  # where it is deprecated
        return found
    folded = (reason or "unknown").lower()
    # Before the parts, which may leave no room for what comes behind them.
    return {"role": found["role"], "finish_reason": _REASONS.get(folded, folded), **found}


def _result(response: Any) -> Any:
    messages = tool_messages_of(response)
    if not messages:
        return without_media(response)
    results = [_content_of_result(message) for message in messages]
    return results[0] if len(results) == 1 else results


def _content_of_result(message: Any) -> Any:
    content = _content(message)
    return parts_of(content) if isinstance(content, (list, tuple)) else content


def _document(document: Any) -> dict[str, Any]:
    metadata = mapping(getattr(document, "metadata", None))
    found: dict[str, Any] = {}
    own = getattr(document, "id", None)
    if isinstance(own, str) and own:
        found["id"] = own
    elif named := text(metadata, ("id", "_id", "doc_id", "source")):
        found["id"] = named
    if (score := score_of(document)) is not None:
        found["score"] = score
    found["content"] = getattr(document, "page_content", None)
    if metadata:
        found["metadata"] = metadata
    return found


def _state_messages(state: Any) -> list[Any]:
    """Return the messages of a graph's state, or of a list of them."""
    messages = (
        state.get("messages") if isinstance(state, dict) else getattr(state, "messages", state)
    )
    if isinstance(messages, (list, tuple)):
        return list(messages)
    return [messages] if isinstance(messages, str) or hasattr(messages, "content") else []
