"""What the end of a model, tool or retriever says in the GenAI semantic conventions.

The counterpart of `_genai`, by the same rules. Usage is read from a message's ``usage_metadata``,
which is the same for all providers, else from the ``llm_output`` or the ``response_metadata``,
where each has its own form. An answer from LangChain's cache has used no tokens: it is said to be
cached.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from otelbridge import semconv as own_semconv
from otelbridge._attributes import AttributeValue
from otelbridge.langchain import _genai_semconv as semconv
from otelbridge.langchain._genai_semconv import PUBLISHED, Conventions
from otelbridge.langchain._reading import mapping, text

Attributes = dict[str, AttributeValue]
Source = dict[str, Any]


def ended(
    kind: str,
    response: Any,
    conventions: Conventions = PUBLISHED,
    *,
    first_chunk_s: float | None = None,
) -> Attributes:
    """Return the attributes that a run's result adds.

    Args:
        kind: as in the callback's name: chat_model, llm, tool, retriever or chain.
        response: what the end callback is given, also the partial one that an error callback of a
            model may have as ``response``.
        conventions: the version to speak.
        first_chunk_s: seconds from the run's start to its first chunk, where it streamed.
    """
    if kind == "chat_model" or kind == "llm":
        attributes = _model(response, conventions)
        if first_chunk_s is not None:
            attributes[semconv.REQUEST_STREAM] = True
            attributes[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] = first_chunk_s
        return attributes
    if kind == "tool":
        return _tool(response)
    if kind == "retriever":
        return _retriever(response)
    return {}


def tool_failed(response: Any) -> bool:
    """Tell whether a tool answered with an error in place of raising one."""
    return any(getattr(m, "status", None) == "error" for m in tool_messages(response))


def tool_messages(response: Any) -> list[Any]:
    """Return the tool messages in a tool's answer: itself, of a ``Command``, or in a list."""
    if isinstance(response, (list, tuple)):
        return [message for part in response for message in tool_messages(part)]
    update = getattr(response, "update", None)
    if isinstance(update, dict):  # a Command of LangGraph
        messages = update.get("messages")
        return tool_messages(messages) if isinstance(messages, (list, tuple)) else []
    return [response] if getattr(response, "type", None) == "tool" else []


def _tool(response: Any) -> Attributes:
    attributes: Attributes = {}
    messages = tool_messages(response)
    if len(messages) == 1:
        call_id = getattr(messages[0], "tool_call_id", None)
        if isinstance(call_id, str) and call_id:
            attributes[semconv.TOOL_CALL_ID] = call_id
    if any(getattr(message, "status", None) == "error" for message in messages):
        attributes[own_semconv.ERROR_TYPE] = semconv.TOOL_ERROR
    return attributes


_SCORE_KEYS: Final = (
    "score",
    "relevance_score",
    "similarity_score",
    "_score",
    "similarity",
    "@search.score",
)


def score_of(document: Any) -> float | None:
    """Return how well a document matched, where its metadata says so."""
    metadata = mapping(getattr(document, "metadata", None))
    for key in _SCORE_KEYS:
        value = metadata.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    return None


def _retriever(response: Any) -> Attributes:
    if not isinstance(response, (list, tuple)):
        return {}
    attributes: Attributes = {semconv.RETRIEVAL_COUNT: len(response)}
    scores = [score_of(document) for document in response]
    if scores and None not in scores:
        attributes[semconv.RETRIEVAL_SCORES] = tuple(s for s in scores if s is not None)
    return attributes


def _model(response: Any, version: Conventions) -> Attributes:
    sources: list[Source] = []  # what may tell of the response, the likeliest first
    reasons: list[str] = []
    message_id = usage = None
    for generation in generations_of(response):
        message = getattr(generation, "message", None)
        usage = usage or getattr(message, "usage_metadata", None)
        message_id = message_id or _provider_id(getattr(message, "id", None))
        own = _filled(
            getattr(message, "response_metadata", None),
            getattr(generation, "generation_info", None),
        )
        if own:
            sources += own
            if reason := _first(own, _REASON):
                reasons.append(reason)
    sources += _filled(getattr(response, "llm_output", None))
    attributes: Attributes = {}
    if model := _first(sources, _MODEL):
        attributes[semconv.RESPONSE_MODEL] = model
    if response_id := _first(sources, _ID) or message_id:
        attributes[semconv.RESPONSE_ID] = response_id
    if reasons:
        attributes[semconv.RESPONSE_FINISH_REASONS] = tuple(reasons)
    if usage or sources:
        _tokens(attributes, mapping(usage), sources, version)
    return attributes


def _filled(*sources: Any) -> list[Source]:
    return [source for source in sources if source and isinstance(source, dict)]


def _first(sources: Iterable[Source], keys: tuple[str, ...]) -> str | None:
    for source in sources:
        if found := text(source, keys):
            return found
    return None


_ID: Final = ("id",)
_MODEL: Final = ("model_name", "model", "model_id")
_REASON: Final = ("finish_reason", "stop_reason", "stopReason", "done_reason")


def generations_of(response: Any) -> list[Any]:
    """Return the generations of a model's result, which has a row of them for each prompt."""
    rows = getattr(response, "generations", None)
    if not isinstance(rows, list):
        return []
    if len(rows) == 1 and isinstance(rows[0], list):
        return rows[0]
    return [generation for row in rows if isinstance(row, list) for generation in row]


def finish_reason(generation: Any) -> str | None:
    """Return why a generation ended, in the provider's own word."""
    info = mapping(getattr(generation, "generation_info", None))
    return reason_of(getattr(generation, "message", None)) or text(info, _REASON)


def reason_of(message: Any) -> str | None:
    """Return why a message ended, in the provider's own word."""
    return text(mapping(getattr(message, "response_metadata", None)), _REASON)


def _provider_id(found: Any) -> str | None:
    """Return a message's id where it is the provider's: LangChain's own begin otherwise."""
    if not isinstance(found, str) or found.startswith(("run-", "lc_", "lc-")):
        return None
    return found or None


def _tokens(
    attributes: Attributes, usage: Source, sources: Iterable[Source], version: Conventions
) -> None:
    if usage.get("total_cost") == 0:
        attributes[semconv.RESPONSE_CACHED] = True
    elif usage:
        _usage(attributes, usage, version)
    else:
        _raw_usage(attributes, sources, version)


def _usage(attributes: Attributes, usage: Source, version: Conventions) -> None:
    """Add what a ``usage_metadata`` says."""
    _count(attributes, semconv.USAGE_INPUT_TOKENS, usage.get("input_tokens"))
    _count(attributes, semconv.USAGE_OUTPUT_TOKENS, usage.get("output_tokens"))
    read = mapping(usage.get("input_token_details"))
    _count(attributes, semconv.USAGE_CACHE_READ, read.get("cache_read"))
    written = read.get("cache_creation")
    if not written:  # Anthropic's, by how long it is kept
        parts = [
            read.get(key) for key in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
        ]
        written = sum(part for part in parts if type(part) is int) or written
    _count(attributes, version.cache_write, written)
    reasoning = mapping(usage.get("output_token_details")).get("reasoning")
    _count(attributes, semconv.USAGE_REASONING, reasoning)


_ANTHROPIC_WRITTEN: Final = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


def _raw_usage(attributes: Attributes, sources: Iterable[Source], version: Conventions) -> None:
    """Add what a provider's own form of usage says."""
    for source in sources:
        usage = mapping(source.get("token_usage")) or mapping(source.get("usage"))
        if not usage:
            continue
        for attribute, keys in _RAW_USAGE:
            _count(attributes, attribute, next((usage[key] for key in keys if key in usage), None))
        read = mapping(usage.get("prompt_tokens_details"))
        _count(attributes, semconv.USAGE_CACHE_READ, read.get("cached_tokens"))
        _count(attributes, version.cache_write, read.get("cache_write_tokens"))
        written = mapping(usage.get("completion_tokens_details"))
        _count(attributes, semconv.USAGE_REASONING, written.get("reasoning_tokens"))
        return


_RAW_USAGE: Final = (
    (semconv.USAGE_INPUT_TOKENS, ("prompt_tokens", "input_tokens", "inputTokens")),
    (semconv.USAGE_OUTPUT_TOKENS, ("completion_tokens", "output_tokens", "outputTokens")),
)


def _count(attributes: Attributes, key: str, value: Any) -> None:
    if type(value) is int and value >= 0:
        attributes[key] = value
