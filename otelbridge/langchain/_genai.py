"""What the start of a model, tool, retriever or agent says in the GenAI semantic conventions.

Read from what LangChain gives to its handlers, never from its classes, so nothing of it is
imported. Whatever is missing or of an unexpected type is left out: nothing here raises for a value.
The version of the conventions is chosen in `_genai_semconv`.

====================  ============================  ========  ======================================
what LangChain runs   span                          kind      known by
====================  ============================  ========  ======================================
chat model            ``chat {model}``              CLIENT    the callback
completion            ``text_completion {model}``   CLIENT    the callback
tool                  ``execute_tool {name}``       INTERNAL  the callback
retriever             ``retrieval {run's name}``    CLIENT    the callback
agent                 ``invoke_agent {name}``       INTERNAL  see `_agent`
everything else       the run's name                INTERNAL
====================  ============================  ========  ======================================
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.trace import SpanKind

from otelbridge._attributes import AttributeValue
from otelbridge.langchain import _genai_semconv as semconv
from otelbridge.langchain._agent import agent_of
from otelbridge.langchain._genai_semconv import PUBLISHED, Conventions
from otelbridge.langchain._reading import double, integer, mapping, text, texts

Attributes = dict[str, AttributeValue]
Source = dict[str, Any]  # what a callback calls ``serialized``
Words = dict[str, Any]  # a callback's keyword arguments


class Described:
    """A run in the words of the conventions.

    Attributes:
        name: of the span; the run keeps its own.
        span_kind: CLIENT for what usually leaves the process.
        attributes: what a sampler should see; the gate is still to be passed.
    """

    __slots__ = ("attributes", "name", "span_kind")

    def __init__(self, name: str, span_kind: SpanKind, attributes: Attributes) -> None:
        self.name = name
        self.span_kind = span_kind
        self.attributes = attributes


def described(
    kind: str,
    serialized: Source | None,
    words: Words,
    conventions: Conventions = PUBLISHED,
) -> Described | None:
    """Return what a run is that begins; None for a plain chain.

    Args:
        kind: as in the callback's name: chat_model, llm, tool, retriever or chain.
        serialized: the callback's first argument, a mapping or None.
        words: the callback's keyword arguments (``metadata``, ``invocation_params``, ``name``,
            ``tool_call_id``, ...); ``graph`` is LangGraph's graph, where the run is one.
        conventions: the version to speak.
    """
    if kind == "chain":
        return _chain(words)
    describe = _DESCRIBE.get(kind)
    return describe(mapping(serialized), words, conventions) if describe else None


def _model(operation: str, serialized: Source, words: Words, version: Conventions) -> Described:
    metadata = mapping(words.get("metadata"))
    params = mapping(words.get("invocation_params"))
    attributes: Attributes = {semconv.OPERATION_NAME: operation}
    if provider := provider_of(serialized, metadata, params):
        attributes[semconv.PROVIDER_NAME] = provider
    name = operation
    if model := text(metadata, _METADATA_MODEL) or text(params, _MODEL):
        attributes[semconv.REQUEST_MODEL] = model
        name = f"{operation} {model}"
    reading = _NEWEST_REQUEST if version.newest else _REQUEST
    for key, value in params.items():
        if value is not None and key in reading:
            attribute, read = reading[key]
            if (found := read(value)) is not None:
                attributes[attribute] = found
    _complete(attributes, metadata)
    if "kwargs" in serialized:
        _server(attributes, mapping(serialized["kwargs"]))
    return Described(name, SpanKind.CLIENT, attributes)


def _chat_model(serialized: Source, words: Words, version: Conventions) -> Described:
    return _model(semconv.CHAT, serialized, words, version)


def _llm(serialized: Source, words: Words, version: Conventions) -> Described:
    return _model(semconv.TEXT_COMPLETION, serialized, words, version)


def _tool(serialized: Source, words: Words, version: Conventions) -> Described:
    attributes: Attributes = {semconv.OPERATION_NAME: semconv.EXECUTE_TOOL}
    if name := text(serialized, _NAME) or text(words, _NAME):
        attributes[semconv.TOOL_NAME] = name
    attributes[semconv.TOOL_TYPE] = semconv.FUNCTION
    if description := text(serialized, ("description",)):
        attributes[semconv.TOOL_DESCRIPTION] = description
    if call_id := text(words, ("tool_call_id",)):
        attributes[semconv.TOOL_CALL_ID] = call_id
    return Described(_joined(semconv.EXECUTE_TOOL, name), SpanKind.INTERNAL, attributes)


def _retriever(serialized: Source, words: Words, version: Conventions) -> Described:
    name = text(words, _NAME) or text(mapping(words.get("metadata")), ("ls_retriever_name",))
    attributes: Attributes = {semconv.OPERATION_NAME: semconv.RETRIEVAL}
    return Described(_joined(semconv.RETRIEVAL, name), SpanKind.CLIENT, attributes)


def _chain(words: Words) -> Described | None:
    agent = agent_of(words)
    if agent is None:
        return None
    attributes: Attributes = {semconv.OPERATION_NAME: semconv.INVOKE_AGENT}
    if agent:
        attributes[semconv.AGENT_NAME] = agent
    return Described(_joined(semconv.INVOKE_AGENT, agent), SpanKind.INTERNAL, attributes)


_NAME: Final = ("name",)
_MODEL: Final = ("model", "model_name", "model_id", "deployment_name")
_METADATA_MODEL: Final = ("ls_model_name",)

_Describe = Callable[[Source, Words, Conventions], "Described | None"]
_DESCRIBE: Final[dict[str, _Describe]] = {
    "chat_model": _chat_model,
    "llm": _llm,
    "tool": _tool,
    "retriever": _retriever,
}

# What LangChain's packages call their providers, where the conventions have another word.
_PROVIDERS: Final = {
    "amazon_bedrock": "aws.bedrock",
    "amazon_bedrock_converse": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "bedrockconverse": "aws.bedrock",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azureopenai": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azureaichatcompletionsmodel": "azure.ai.inference",
    "google": "gcp.gen_ai",
    "google_genai": "gcp.gemini",
    "googlegenerativeai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "google_anthropic_vertex": "gcp.vertex_ai",
    "ibm": "ibm.watsonx.ai",
    "watsonx": "ibm.watsonx.ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
    "moonshot": "moonshot_ai",
}


def provider_of(serialized: Source, metadata: Source, params: Source) -> str | None:
    """Return the provider, in the conventions' word where they have one."""
    name = text(metadata, ("ls_provider",))
    if name is None:  # ``generate`` of a completion model has no such metadata
        path = serialized.get("id")
        if isinstance(path, list) and len(path) > 3 and isinstance(path[2], str):
            name = path[2]
        elif kind := text(params, ("_type",)):
            name = kind.partition("-")[0]
        else:
            return None
    name = name.lower()
    return _PROVIDERS.get(name, name)


def _choices(value: Any) -> int | None:
    return value if type(value) is int and value != 1 else None


def _yes(value: Any) -> bool | None:
    return True if value is True else None


def _text(value: Any) -> str | None:
    return value if value and isinstance(value, str) else None


def _effort(value: Any) -> str | None:
    return text(mapping(value), ("effort",))


def _output_type(value: Any) -> str | None:
    kind = mapping(value).get("type")
    if isinstance(value, type) or kind in ("json_object", "json_schema"):
        return "json"
    return "text" if kind == "text" else None


# Which attribute a parameter becomes, and how it is read.
_Reading = dict[str, tuple[str, Callable[[Any], "AttributeValue | None"]]]
_REQUEST: Final[_Reading] = {
    "temperature": (semconv.REQUEST_TEMPERATURE, double),
    "top_p": (semconv.REQUEST_TOP_P, double),
    "top_k": (semconv.REQUEST_TOP_K, double),
    "max_tokens": (semconv.REQUEST_MAX_TOKENS, integer),
    "max_completion_tokens": (semconv.REQUEST_MAX_TOKENS, integer),
    "max_output_tokens": (semconv.REQUEST_MAX_TOKENS, integer),
    "max_new_tokens": (semconv.REQUEST_MAX_TOKENS, integer),
    "num_predict": (semconv.REQUEST_MAX_TOKENS, integer),
    "frequency_penalty": (semconv.REQUEST_FREQUENCY_PENALTY, double),
    "presence_penalty": (semconv.REQUEST_PRESENCE_PENALTY, double),
    "seed": (semconv.REQUEST_SEED, integer),
    "n": (semconv.REQUEST_CHOICE_COUNT, _choices),
    "candidate_count": (semconv.REQUEST_CHOICE_COUNT, _choices),
    "stop": (semconv.REQUEST_STOP_SEQUENCES, texts),
    "stop_sequences": (semconv.REQUEST_STOP_SEQUENCES, texts),
    "stream": (semconv.REQUEST_STREAM, _yes),
    "streaming": (semconv.REQUEST_STREAM, _yes),
    "response_format": (semconv.OUTPUT_TYPE, _output_type),
}
_NEWEST_REQUEST: Final[_Reading] = {
    **_REQUEST,
    "top_k": (semconv.REQUEST_TOP_K, integer),
    "reasoning": (semconv.REQUEST_REASONING_LEVEL, _effort),
    "reasoning_effort": (semconv.REQUEST_REASONING_LEVEL, _text),
    "previous_response_id": (semconv.REQUEST_PREVIOUS_RESPONSE_ID, _text),
}


_METADATA: Final[tuple[tuple[str, str, Callable[[Any], AttributeValue | None]], ...]] = (
    (semconv.REQUEST_TEMPERATURE, "ls_temperature", double),
    (semconv.REQUEST_MAX_TOKENS, "ls_max_tokens", integer),
)


def _complete(attributes: Attributes, metadata: Source) -> None:
    """Take from the metadata what the parameters have not, or not as this call has it."""
    for attribute, key, read in _METADATA:
        if attribute not in attributes and (found := read(metadata.get(key))) is not None:
            attributes[attribute] = found
    if "ls_stop" in metadata and (stop := texts(metadata["ls_stop"])):
        attributes[semconv.REQUEST_STOP_SEQUENCES] = stop


_URL_KEYS: Final = (
    "openai_api_base",
    "base_url",
    "azure_endpoint",
    "anthropic_api_url",
    "endpoint_url",
    "endpoint",
)


def _server(attributes: Attributes, kwargs: Source) -> None:
    for key in _URL_KEYS:
        if key in kwargs:
            url = kwargs[key]
            address, port = _address(url) if isinstance(url, str) else (None, None)
            if address is not None:
                attributes[semconv.SERVER_ADDRESS] = address
                if port is not None:
                    attributes[semconv.SERVER_PORT] = port
                return


@lru_cache(maxsize=256)
def _address(url: str) -> tuple[str | None, int | None]:
    """Return host and port of a URL."""
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return None, None


def _joined(operation: str, name: str | None) -> str:
    return f"{operation} {name}" if name else operation
