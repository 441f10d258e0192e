"""What the end of a model, tool or retriever says in the GenAI semantic conventions.

The counterpart of `_genai`, by the same rules. Usage is read from a message's ``usage_metadata``,
which is the same for all providers, else from the ``llm_output`` or the ``response_metadata``, where
each has its own form. An answer from LangChain's cache has used no tokens: it is said to be cached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from otelbridge import semconv as own_semconv
from otelbridge._attributes import AttributeValue
from otelbridge.langchain import _genai_semconv as semconv
from otelbridge.langchain._genai_semconv import PUBLISHED, Conventions

Attributes = dict[str, AttributeValue]


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
    if isinstance(update, Mapping):  # a Command of LangGraph
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
    metadata = _mapping(getattr(document, "metadata", None))
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
    rows = getattr(response, "generations", None)
    if not isinstance(rows, (list, tuple)):
        return {}
    generations = [one for row in rows if isinstance(row, (list, tuple)) for one in row]
    output = _mapping(getattr(response, "llm_output", None))
    messages = [getattr(one, "message", None) for one in generations]
    metadatas = [_mapping(getattr(message, "response_metadata", None)) for message in messages]
    attributes: Attributes = {}
    sources = (*metadatas, *(_mapping(_info(one)) for one in generations), output)
    if model := _first_text(sources, _MODEL_KEYS):
        attributes[semconv.RESPONSE_MODEL] = model
    if response_id := _first_text(sources, ("id",)) or _message_id(messages):
        attributes[semconv.RESPONSE_ID] = response_id
    reasons = [
        _first_text((_mapping(_info(g)), m), _REASON_KEYS) for g, m in zip(generations, metadatas)
    ]
    if any(reasons):
        attributes[semconv.RESPONSE_FINISH_REASONS] = tuple(reason for reason in reasons if reason)
    usage = next((u for m in messages if (u := _mapping(getattr(m, "usage_metadata", None)))), None)
    if usage is not None and usage.get("total_cost") == 0:
        attributes[semconv.RESPONSE_CACHED] = True
    elif usage is not None:
        _usage(attributes, usage, version)
    else:
        _raw_usage(attributes, (output, *metadatas), version)
    return attributes


_MODEL_KEYS: Final = ("model_name", "model", "model_id")
_REASON_KEYS: Final = ("finish_reason", "stop_reason", "stopReason", "done_reason")


def _info(generation: Any) -> Any:
    return getattr(generation, "generation_info", None)


def _message_id(messages: Iterable[Any]) -> str | None:
    """Return the provider's id of a message; LangChain's own begin with ``run-``."""
    for message in messages:
        found = getattr(message, "id", None)
        if isinstance(found, str) and found and not found.startswith(("run-", "lc_", "lc-")):
            return found
    return None


def _usage(attributes: Attributes, usage: Mapping[str, Any], version: Conventions) -> None:
    """Add what a ``usage_metadata`` says."""
    _count(attributes, semconv.USAGE_INPUT_TOKENS, usage.get("input_tokens"))
    _count(attributes, semconv.USAGE_OUTPUT_TOKENS, usage.get("output_tokens"))
    read = _mapping(usage.get("input_token_details"))
    _count(attributes, semconv.USAGE_CACHE_READ, read.get("cache_read"))
    written = read.get("cache_creation")
    if not written:  # Anthropic's, by how long it is kept
        parts = [
            read.get(key) for key in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
        ]
        written = sum(part for part in parts if type(part) is int) or written
    _count(attributes, version.cache_write, written)
    reasoning = _mapping(usage.get("output_token_details")).get("reasoning")
    _count(attributes, semconv.USAGE_REASONING, reasoning)


def _raw_usage(
    attributes: Attributes, sources: Iterable[Mapping[str, Any]], version: Conventions
) -> None:
    """Add what a provider's own form of usage says."""
    for source in sources:
        usage = _mapping(source.get("token_usage")) or _mapping(source.get("usage"))
        if not usage:
            continue
        for attribute, keys in _RAW_USAGE:
            _count(attributes, attribute, next((usage[key] for key in keys if key in usage), None))
        read = _mapping(usage.get("prompt_tokens_details"))
        _count(attributes, semconv.USAGE_CACHE_READ, read.get("cached_tokens"))
        _count(attributes, version.cache_write, read.get("cache_write_tokens"))
        written = _mapping(usage.get("completion_tokens_details"))
        _count(attributes, semconv.USAGE_REASONING, written.get("reasoning_tokens"))
        return


_RAW_USAGE: Final = (
    (semconv.USAGE_INPUT_TOKENS, ("prompt_tokens", "input_tokens", "inputTokens")),
    (semconv.USAGE_OUTPUT_TOKENS, ("completion_tokens", "output_tokens", "outputTokens")),
)


def _count(attributes: Attributes, key: str, value: Any) -> None:
    if type(value) is int and value >= 0:
        attributes[key] = value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else _NOTHING


_NOTHING: Final[Mapping[str, Any]] = {}


def _first_text(sources: Iterable[Mapping[str, Any]], keys: tuple[str, ...]) -> str | None:
    for source in sources:
        for key in keys:
            value = source.get(key)
            if isinstance(value, str) and value:
                return value
    return None
