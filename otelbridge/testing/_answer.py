"""One answer of a scripted chat model: what it says, how it ends, and how long it takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from otelbridge.errors import ConfigurationError

_WORD = re.compile(r"\s*\S+\s*|\s+")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a ``ScriptedChatModel`` answers to one question.

    Attributes:
        content: the text, or LangChain's list of content blocks.
        tool_calls: each a mapping with ``name``, ``args`` (a mapping) and perhaps ``id``; without
            one the calls of a model are ``call_1``, ``call_2``, ...
        usage: ``input_tokens`` and ``output_tokens``, perhaps ``total_tokens`` (else their sum),
            ``input_token_details`` and ``output_token_details``, as LangChain's ``UsageMetadata``.
        finish_reason: why the answer ended; by default ``tool_calls`` where there are any, else
            ``stop``.
        response_id: the provider's id of the answer, which becomes the id of the message.
        error: raised in place of the answer; by a stream after all of ``content``.
        delay_s: seconds before the answer, or before the first chunk of a stream. With 0 an async
            call gives the event loop one turn, with None it gives none.
        chunk_delay_s: seconds between two chunks of a stream; 0 and None as for ``delay_s``.
        chunk_size: how a stream cuts texts and the arguments of tool calls: each chunk has so many
            characters; a sequence has a size for each chunk, the last for all that follow. By
            default each chunk is a word.

    Raises:
        ConfigurationError: a value cannot be used.
    """

    content: str | list[Any] = ""
    _: KW_ONLY
    tool_calls: Sequence[Mapping[str, Any]] = ()
    usage: Mapping[str, Any] | None = None
    finish_reason: str | None = None
    response_id: str | None = None
    error: BaseException | None = None
    delay_s: float | None = None
    chunk_delay_s: float | None = None
    chunk_size: int | Sequence[int] | None = None

    def __post_init__(self) -> None:
        for call in self.tool_calls:
            if not isinstance(call.get("name"), str) or not isinstance(call.get("args"), Mapping):
                raise ConfigurationError(
                    f"tool call {call!r}: give a text as 'name' and a mapping as 'args'"
                )
        if self.usage is not None and not {"input_tokens", "output_tokens"} <= set(self.usage):
            raise ConfigurationError(
                f"usage {self.usage!r}: give 'input_tokens' and 'output_tokens'"
            )
        for name in ("delay_s", "chunk_delay_s"):
            if (getattr(self, name) or 0) < 0:
                raise ConfigurationError(f"{name} {getattr(self, name)!r}: give 0 or more seconds")
        sizes = self.chunk_size
        if sizes is not None and min([sizes] if isinstance(sizes, int) else sizes, default=0) < 1:
            raise ConfigurationError(f"chunk_size {sizes!r}: give 1 or more characters a chunk")

    def pieces(self, text: str) -> list[str]:
        """Cut a text into what the chunks of a stream carry; joined, they are the text."""
        if self.chunk_size is None:
            return _WORD.findall(text)
        sizes = [self.chunk_size] if isinstance(self.chunk_size, int) else self.chunk_size
        pieces: list[str] = []
        start = 0
        while start < len(text):
            size = sizes[min(len(pieces), len(sizes) - 1)]
            pieces.append(text[start : start + size])
            start += size
        return pieces
