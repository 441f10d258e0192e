"""Message content as parts of the GenAI conventions, whatever form it was given in.

A message's content is a text, or a list of texts and blocks. Blocks come in LangChain's own form
(``langchain_core.messages.content``), in the one it had before 1.0 (``source_type``), and as each
provider's API takes them: OpenAI's two, Anthropic's, Google's and Bedrock's. What none of them
explains becomes a part of its own type. Tool calls are left to the message, which has them parsed.

Media are read in `_media`, which cuts them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from otelbridge.langchain import _media
from otelbridge.langchain._media import Part, without_media
from otelbridge.langchain._reading import mapping, text


def parts_of(content: Any) -> list[Part]:
    """Return the parts of a message's content."""
    if isinstance(content, str):
        return [_text_part(content)] if content else []
    if not isinstance(content, (list, tuple)):
        return [] if content is None else [{"type": "text", "content": content}]
    found = []
    for block in content:
        part = _text_part(block) if isinstance(block, str) else _part(block)
        if part is not None:
            found.append(part)
    return found


def _text_part(content: str) -> Part:
    return {"type": "text", "content": content}


def _part(block: Any) -> Part | None:
    if not isinstance(block, dict):
        return {"type": "text", "content": block}
    kind = block.get("type")
    if not isinstance(kind, str):
        kind = next((key for key in _UNTYPED if key in block), "unknown")
    read = _READ.get(kind)
    part = read(block, kind) if read else None
    return part if part is not None or kind in _TOOL_CALLS else _generic(block, kind)


def _generic(block: dict[str, Any], kind: str) -> Part:
    return {**without_media(block), "type": f"unknown_{kind}" if kind in _SHAPES else kind}


# The conventions' own types, which promise a shape that this block has not.
_SHAPES: Final = frozenset(
    ("text", "reasoning", "tool_call", "tool_call_response", "blob", "file", "uri")
    + ("server_tool_call", "server_tool_call_response")
)


def _text(block: dict[str, Any], kind: str) -> Part | None:
    found = block.get("text", block.get("refusal"))
    return None if found is None else {"type": "text", "content": found}


def _reasoning(block: dict[str, Any], kind: str) -> Part:
    found = text(block, ("reasoning", "thinking", "text"))
    if found is None:
        summary = block.get("summary") or mapping(block.get("reasoningContent")).get("text")
        if isinstance(summary, list):  # OpenAI's responses
            found = "\n".join(t for one in summary if (t := text(mapping(one), ("text",))))
        else:
            found = summary if isinstance(summary, str) else None
    if found is None and kind == "redacted_thinking":
        found = "[encrypted by the provider]"
    return {"type": "reasoning", "content": found or ""}


def _server_call(block: dict[str, Any], kind: str) -> Part:
    name = text(block, ("name",)) or kind
    arguments = without_media(block.get("args", block.get("input")))
    call = {"type": name, "arguments": arguments}
    return {
        "type": "server_tool_call",
        "id": block.get("id"),
        "name": name,
        "server_tool_call": call,
    }


def _server_result(block: dict[str, Any], kind: str) -> Part:
    call_id = text(block, ("tool_call_id", "tool_use_id"))
    rest = {k: v for k, v in block.items() if k not in ("type", "tool_call_id", "tool_use_id")}
    response = {"type": kind, **without_media(rest)}
    return {
        "type": "server_tool_call_response",
        "id": call_id,
        "server_tool_call_response": response,
    }


def _tool_result(block: dict[str, Any], kind: str) -> Part:
    answer = block.get("content", block.get("output"))
    if isinstance(answer, list):
        answer = parts_of(answer)
    call_id = text(block, ("tool_use_id", "call_id", "toolUseId"))
    return {"type": "tool_call_response", "id": call_id, "response": answer}


def _non_standard(block: dict[str, Any], kind: str) -> Part | None:
    value = mapping(block.get("value"))
    return _part(value) if value and value.get("type") != kind else None


_UNTYPED: Final = ("text", "image_url", "image", "document", "video", "reasoningContent")
# A message has these parsed, as its tool calls.
_TOOL_CALLS: Final = frozenset(
    ("tool_call", "tool_call_chunk", "invalid_tool_call", "tool_use", "toolUse", "function_call")
    + ("input_json_delta",)
)


_READ: Final[dict[str, Callable[[dict[str, Any], str], Part | None]]] = {
    "text": _text,
    "text-plain": _text,
    "input_text": _text,
    "output_text": _text,
    "refusal": _text,
    "reasoning": _reasoning,
    "reasoning_content": _reasoning,
    "reasoningContent": _reasoning,
    "thinking": _reasoning,
    "redacted_thinking": _reasoning,
    "image": _media.picture,
    "video": _media.picture,
    "document": _media.picture,
    "audio": _media.media,
    "media": _media.media,
    "image_url": _media.image_url,
    "input_image": _media.image_url,
    "input_audio": _media.input_audio,
    "file": _media.file,
    "input_file": _media.file,
    "server_tool_call": _server_call,
    "server_tool_use": _server_call,
    "server_tool_result": _server_result,
    "web_search_tool_result": _server_result,
    "code_execution_tool_result": _server_result,
    "tool_result": _tool_result,
    "function_call_output": _tool_result,
    "non_standard": _non_standard,
}
