"""Message content as parts of the GenAI conventions, whatever form it was given in.

A message's content is a text, or a list of texts and blocks. Blocks come in LangChain's own form
(``langchain_core.messages.content``), in the one it had before 1.0 (``source_type``), and as each
provider's API takes them: OpenAI's two, Anthropic's, Google's and Bedrock's. What none of them
explains becomes a part of its own type. Tool calls are left to the message, which has them parsed.

Inline media never leaves whole: of a long base64 text the head stays, and a note of its size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from otelbridge.langchain._reading import mapping, text

Part = dict[str, Any]

_WHOLE: Final = 64  # characters of base64 that are kept as they are
_HEAD: Final = 32  # of longer ones: enough to see the kind of file
_DEPTH: Final = 16  # of an unknown block that is searched for media


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


def cut_media(data: Any) -> str:
    """Return base64 text (or bytes) for a trace: its head, and how much was left out."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return f"[cut: {len(data)} bytes]"
    if not isinstance(data, str):
        return "[cut]"
    if len(data) <= _WHOLE:
        return data
    return f"{data[:_HEAD]}… [cut: {len(data)} characters of base64]"


def _text_part(content: str) -> Part:
    return {"type": "text", "content": content}


def _part(block: Any) -> Part | None:
    if not isinstance(block, Mapping):
        return {"type": "text", "content": block}
    block = dict(block)
    kind = block.get("type")
    if not isinstance(kind, str):
        kind = next((key for key in _UNTYPED if key in block), "unknown")
    read = _READ.get(kind)
    part = read(block, kind) if read else None
    return part if part is not None or kind in _TOOL_CALLS else _generic(block, kind)


def _generic(block: dict[str, Any], kind: str) -> Part:
    return {**without_media(block, _DEPTH), "type": kind}


def without_media(value: Any, depth: int = _DEPTH) -> Any:
    """Return a value with inline media cut wherever it stands; other texts stay as they are."""
    if isinstance(value, str):
        head, comma, _ = value[:256].partition(",")
        if comma and head.startswith("data:") and head.endswith(";base64"):
            return f"{head},{cut_media(value[len(head) + 1 :])}"
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return cut_media(value)
    if depth > 0 and isinstance(value, Mapping):
        return {
            key: cut_media(each)
            if key in _MEDIA_KEYS and _is_base64(each)
            else without_media(each, depth - 1)
            for key, each in value.items()
        }
    if depth > 0 and isinstance(value, (list, tuple)):
        return [without_media(each, depth - 1) for each in value]
    return value


_MEDIA_KEYS: Final = frozenset(("base64", "data", "b64_json", "bytes", "file_data", "signature"))


def _is_base64(value: Any) -> bool:
    if not isinstance(value, str):
        return isinstance(value, (bytes, bytearray, memoryview))
    return len(value) > _WHOLE and not value.startswith("data:") and " " not in value[:_WHOLE]


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


def _media(block: dict[str, Any], kind: str) -> Part | None:
    """Read a block of media in LangChain's form, now or before 1.0, Anthropic's or Google's."""
    source = block.get("source")
    if isinstance(source, dict):  # Anthropic, Bedrock
        block = {**source, **{key: each for key, each in block.items() if key != "source"}}
        if source.get("type") == "text":
            return {"type": "text", "content": source.get("data")}
        if isinstance(source.get("content"), (list, str)):
            return _generic(block, kind)
    mime = text(block, ("mime_type", "media_type"))
    modality = _modality(kind, mime)
    if (url := text(block, ("url", "file_uri", "file_url"))) is not None:
        return located(url, modality, mime)
    data = block.get("base64", block.get("data", block.get("bytes")))
    if data is not None:
        return _blob(data, modality, mime)
    file_id = text(block, ("file_id", "id"))
    return None if file_id is None else _shaped("file", modality, mime, file_id=file_id)


def _image_url(block: dict[str, Any], kind: str) -> Part | None:
    """Read an image as OpenAI takes it: a URL, or an object with one."""
    image = block.get("image_url")
    url = image if isinstance(image, str) else text(mapping(image), ("url",))
    if url is not None:
        return located(url, "image", None)
    file_id = text(block, ("file_id",))
    return None if file_id is None else _shaped("file", "image", None, file_id=file_id)


def _input_audio(block: dict[str, Any], kind: str) -> Part | None:
    audio = mapping(block.get("input_audio") or block.get("audio"))
    form = text(audio, ("format",))
    data = audio.get("data")
    return None if data is None else _blob(data, "audio", f"audio/{form}" if form else None)


def _file(block: dict[str, Any], kind: str) -> Part | None:
    """Read a file: LangChain's form, or OpenAI's two."""
    source = mapping(block.get("file")) or block
    if (data := text(source, ("file_data",))) is not None:
        return located(data, "document", None)
    if kind == "file" and source is block:
        return _media(block, kind)
    if (url := text(source, ("file_url",))) is not None:
        return located(url, "document", None)
    file_id = text(source, ("file_id",))
    return None if file_id is None else _shaped("file", "document", None, file_id=file_id)


def _bedrock(block: dict[str, Any], kind: str) -> Part | None:
    """Read Bedrock's blocks, which are named by a key in place of a type."""
    inner = mapping(block.get(kind))
    form = text(inner, ("format",))
    data = mapping(inner.get("source")).get("bytes")
    modality = _modality(kind, None)
    if data is None:
        return None
    return _blob(data, modality, f"{modality}/{form}" if form and kind != "document" else None)


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
    value = block.get("value")
    return _part(value) if isinstance(value, dict) else None


def located(url: str, modality: str, mime: str | None) -> Part:
    """Return the part of what a URL gives; a data URL holds it inline."""
    if not url.startswith("data:"):
        return _shaped("uri", modality, mime, uri=url)
    head, _, data = url.partition(",")
    return _blob(data, modality, head[5:].partition(";")[0] or mime)


def _blob(data: Any, modality: str, mime: str | None) -> Part:
    return _shaped("blob", modality, mime, content=cut_media(data))


def _shaped(kind: str, modality: str, mime: str | None, **place: str) -> Part:
    if mime is not None:
        return {"type": kind, "modality": modality, "mime_type": mime, **place}
    return {"type": kind, "modality": modality, **place}


def _modality(kind: str, mime: str | None) -> str:
    if kind in ("image", "audio", "video"):
        return kind
    general = (mime or "").partition("/")[0]
    return general if general in ("image", "audio", "video") else "document"


_UNTYPED: Final = ("text", "image_url", "image", "document", "video", "reasoningContent")
# A message has these parsed, as its tool calls.
_TOOL_CALLS: Final = frozenset(
    ("tool_call", "tool_call_chunk", "invalid_tool_call", "tool_use", "toolUse", "function_call")
    + ("input_json_delta",)
)


def _picture(block: dict[str, Any], kind: str) -> Part | None:
    return _media(block, kind) if "type" in block else _bedrock(block, kind)


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
    "image": _picture,
    "video": _picture,
    "document": _picture,
    "audio": _media,
    "media": _media,
    "image_url": _image_url,
    "input_image": _image_url,
    "input_audio": _input_audio,
    "file": _file,
    "input_file": _file,
    "server_tool_call": _server_call,
    "server_tool_use": _server_call,
    "server_tool_result": _server_result,
    "web_search_tool_result": _server_result,
    "code_execution_tool_result": _server_result,
    "tool_result": _tool_result,
    "function_call_output": _tool_result,
    "non_standard": _non_standard,
}
