"""What a tool gives back for a tool call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class ToolMessage:
    """What a tool returns for a tool call: its output, under the call's id.

    Attributes:
        content: text, or a list of content blocks.
        artifact: the raw output beside it, where the tool's response format has one.
        status: ``success``, or ``error`` where a ``ToolException`` was handled.
    """

    content: Any
    tool_call_id: str | None = None
    name: str | None = None
    status: str = "success"
    artifact: Any = None
    type: str = "tool"


def content_of(output: Any) -> Any:
    """Return an output as a message's content: text, blocks, or else JSON."""
    if isinstance(output, str):
        return output
    if isinstance(output, (list, tuple)) and all(map(_is_block, output)):
        return list(output)
    try:
        return json.dumps(output, ensure_ascii=False)
    except Exception:  # whatever JSON has no form for
        return str(output)


def _is_block(item: Any) -> bool:
    return isinstance(item, str) or (isinstance(item, Mapping) and item.get("type") in _BLOCKS)


_BLOCKS = frozenset(
    ("text", "image_url", "image", "json", "search_result", "custom_tool_call_output")
    + ("document", "file")
)
