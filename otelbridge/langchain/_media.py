"""Images, audio, video and files in messages, as parts of the GenAI conventions.

Inline media never leaves whole: of a long base64 text the head stays, and a note of its size.
"""

from __future__ import annotations

from typing import Any, Final

from otelbridge.langchain._reading import mapping, text

Part = dict[str, Any]

_WHOLE: Final = 64  # characters of base64 that are kept as they are
_HEAD: Final = 32  # of longer ones: enough to see the kind of file
_DEPTH: Final = 16  # of a value that is searched for media
_MANY: Final = 1_000  # entries of a container that is not


def cut_media(data: Any) -> str:
    """Return base64 text (or bytes) for a trace: its head, and how much was left out."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return f"[cut: {len(data)} bytes]"
    if not isinstance(data, str):
        return "[cut]"
    if len(data) <= _WHOLE:
        return data
    return f"{data[:_HEAD]}… [cut: {len(data)} characters of base64]"


def without_media(value: Any, depth: int = _DEPTH) -> Any:
    """Return a value with inline media cut wherever it stands; other texts stay as they are."""
    if isinstance(value, str):
        head, comma, _ = value[:256].partition(",")
        if comma and head.startswith("data:") and head.endswith(";base64"):
            return f"{head},{cut_media(value[len(head) + 1 :])}"
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return cut_media(value)
    if depth <= 0 or not isinstance(value, (dict, list, tuple)) or len(value) > _MANY:
        return value  # the gate cuts what is large
    if isinstance(value, dict):
        return {
            key: cut_media(each)
            if key in _MEDIA_KEYS and _is_base64(each)
            else without_media(each, depth - 1)
            for key, each in value.items()
        }
    return [without_media(each, depth - 1) for each in value]


_MEDIA_KEYS: Final = frozenset(("base64", "data", "b64_json", "bytes", "file_data", "signature"))


def _is_base64(value: Any) -> bool:
    if not isinstance(value, str):
        return isinstance(value, (bytes, bytearray, memoryview))
    return len(value) > _WHOLE and not value.startswith("data:") and " " not in value[:_WHOLE]


def media(block: dict[str, Any], kind: str) -> Part | None:
    """Read a block of media in LangChain's form, now or before 1.0, Anthropic's or Google's."""
    source = block.get("source")
    if isinstance(source, dict):  # Anthropic, Bedrock
        block = {**source, **{key: each for key, each in block.items() if key != "source"}}
        if source.get("type") == "text":
            return {"type": "text", "content": source.get("data")}
        if isinstance(source.get("content"), (list, str)):
            return None
    mime = text(block, ("mime_type", "media_type"))
    modality = _modality(kind, mime)
    if (url := text(block, ("url", "file_uri", "file_url"))) is not None:
        return _located(url, modality, mime)
    data = block.get("base64", block.get("data", block.get("bytes")))
    if data is not None:
        return _blob(data, modality, mime)
    file_id = text(block, ("file_id", "id"))
    return None if file_id is None else _shaped("file", modality, mime, file_id=file_id)


def image_url(block: dict[str, Any], kind: str) -> Part | None:
    """Read an image as OpenAI takes it: a URL, or an object with one."""
    image = block.get("image_url")
    url = image if isinstance(image, str) else text(mapping(image), ("url",))
    if url is not None:
        return _located(url, "image", None)
    file_id = text(block, ("file_id",))
    return None if file_id is None else _shaped("file", "image", None, file_id=file_id)


def input_audio(block: dict[str, Any], kind: str) -> Part | None:
    """Read sound as OpenAI takes it."""
    audio = mapping(block.get("input_audio") or block.get("audio"))
    form = text(audio, ("format",))
    data = audio.get("data")
    return None if data is None else _blob(data, "audio", f"audio/{form}" if form else None)


def file(block: dict[str, Any], kind: str) -> Part | None:
    """Read a file: LangChain's form, or OpenAI's two."""
    source = mapping(block.get("file")) or block
    if (data := text(source, ("file_data",))) is not None:
        inline = data.startswith("data:")
        return _located(data, "document", None) if inline else _blob(data, "document", None)
    if kind == "file" and source is block:
        return media(block, kind)
    if (url := text(source, ("file_url",))) is not None:
        return _located(url, "document", None)
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


def picture(block: dict[str, Any], kind: str) -> Part | None:
    """Read a block whose kind is its type, or the only key that it has (Bedrock)."""
    return media(block, kind) if "type" in block else _bedrock(block, kind)


def _located(url: str, modality: str, mime: str | None) -> Part:
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
