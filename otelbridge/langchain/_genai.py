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

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.trace import SpanKind

from otelbridge._attributes import AttributeValue
from otelbridge.langchain import _genai_semconv as semconv
from otelbridge.langchain._agent import agent_of
from otelbridge.langchain._genai_semconv import PUBLISHED, Conventions

Attributes = dict[str, AttributeValue]


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
    serialized: Any,
    words: Mapping[str, Any],
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
    describe = _DESCRIBE.get(kind)
    return describe(_mapping(serialized), words, conventions) if describe else None


def _model(
    operation: str, serialized: Mapping[str, Any], words: Mapping[str, Any], version: Conventions
) -> Described:
    metadata = _mapping(words.get("metadata"))
    params = _mapping(words.get("invocation_params"))
    attributes: Attributes = {semconv.OPERATION_NAME: operation}
    provider = provider_of(serialized, metadata, params)
    if provider:
        attributes[semconv.PROVIDER_NAME] = provider
    model = _first_text(metadata, ("ls_model_name",)) or _first_text(params, _MODEL_KEYS)
    name = operation
    if model:
        attributes[semconv.REQUEST_MODEL] = model
        name = f"{operation} {model}"
    for key, value in params.items():
        if value is not None and key in _REQUEST:
            attribute, read = _REQUEST[key]
            if (found := read(value)) is not None:
                attributes[attribute] = found
    _complete(attributes, metadata)
    if semconv.REQUEST_TOP_K in attributes or version.newest:
        _version_differences(attributes, params, version)
    _server(attributes, serialized.get("kwargs"))
    return Described(name, SpanKind.CLIENT, attributes)


def _chat_model(
    serialized: Mapping[str, Any], words: Mapping[str, Any], version: Conventions
) -> Described:
    return _model(semconv.CHAT, serialized, words, version)


def _llm(
    serialized: Mapping[str, Any], words: Mapping[str, Any], version: Conventions
) -> Described:
    return _model(semconv.TEXT_COMPLETION, serialized, words, version)


def _tool(
    serialized: Mapping[str, Any], words: Mapping[str, Any], version: Conventions
) -> Described:
    attributes: Attributes = {semconv.OPERATION_NAME: semconv.EXECUTE_TOOL}
    name = _first_text(serialized, ("name",)) or _first_text(words, ("name",))
    if name:
        attributes[semconv.TOOL_NAME] = name
    attributes[semconv.TOOL_TYPE] = semconv.FUNCTION
    if description := _first_text(serialized, ("description",)):
        attributes[semconv.TOOL_DESCRIPTION] = description
    if call_id := _first_text(words, ("tool_call_id",)):
        attributes[semconv.TOOL_CALL_ID] = call_id
    return Described(_joined(semconv.EXECUTE_TOOL, name), SpanKind.INTERNAL, attributes)


def _retriever(
    serialized: Mapping[str, Any], words: Mapping[str, Any], version: Conventions
) -> Described:
    metadata = _mapping(words.get("metadata"))
    name = _first_text(words, ("name",)) or _first_text(metadata, ("ls_retriever_name",))
    attributes: Attributes = {semconv.OPERATION_NAME: semconv.RETRIEVAL}
    return Described(_joined(semconv.RETRIEVAL, name), SpanKind.CLIENT, attributes)


def _chain(
    serialized: Mapping[str, Any], words: Mapping[str, Any], version: Conventions
) -> Described | None:
    agent = agent_of(words)
    if agent is None:
        return None
    attributes: Attributes = {semconv.OPERATION_NAME: semconv.INVOKE_AGENT}
    if agent:
        attributes[semconv.AGENT_NAME] = agent
    return Described(_joined(semconv.INVOKE_AGENT, agent), SpanKind.INTERNAL, attributes)


_Describe = Callable[[Mapping[str, Any], Mapping[str, Any], Conventions], "Described | None"]
_DESCRIBE: Final[dict[str, _Describe]] = {
    "chat_model": _chat_model,
    "llm": _llm,
    "tool": _tool,
    "retriever": _retriever,
    "chain": _chain,
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


def provider_of(
    serialized: Mapping[str, Any], metadata: Mapping[str, Any], params: Mapping[str, Any]
) -> str | None:
    """Return the provider, in the conventions' word where they have one."""
    name = _first_text(metadata, ("ls_provider",))
    if name is None:  # ``generate`` of a completion model has no such metadata
        path = serialized.get("id")
        if isinstance(path, list) and len(path) > 3 and isinstance(path[2], str):
            name = path[2]
        elif kind := _first_text(params, ("_type",)):
            name = kind.partition("-")[0]
    if name is None:
        return None
    name = name.lower()
    return _PROVIDERS.get(name, name)


_MODEL_KEYS: Final = ("model", "model_name", "model_id", "deployment_name")


def _double(value: Any) -> float | None:
    kind = type(value)
    return float(value) if kind is float or kind is int else None


def _integer(value: Any) -> int | None:
    return value if type(value) is int else None


def _choices(value: Any) -> int | None:
    return value if type(value) is int and value != 1 else None


def _texts(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return (value,) if value else None
    if isinstance(value, (list, tuple)):
        return tuple(part for part in value if isinstance(part, str)) or None
    return None


def _yes(value: Any) -> bool | None:
    return True if value is True else None


def _output_type(value: Any) -> str | None:
    kind = value.get("type") if isinstance(value, Mapping) else None
    if isinstance(value, type) or kind in ("json_object", "json_schema"):
        return "json"
    return "text" if kind == "text" else None


_REQUEST: Final[dict[str, tuple[str, Callable[[Any], AttributeValue | None]]]] = {
    "temperature": (semconv.REQUEST_TEMPERATURE, _double),
    "top_p": (semconv.REQUEST_TOP_P, _double),
    "top_k": (semconv.REQUEST_TOP_K, _double),
    "max_tokens": (semconv.REQUEST_MAX_TOKENS, _integer),
    "max_completion_tokens": (semconv.REQUEST_MAX_TOKENS, _integer),
    "max_output_tokens": (semconv.REQUEST_MAX_TOKENS, _integer),
    "max_new_tokens": (semconv.REQUEST_MAX_TOKENS, _integer),
    "num_predict": (semconv.REQUEST_MAX_TOKENS, _integer),
    "frequency_penalty": (semconv.REQUEST_FREQUENCY_PENALTY, _double),
    "presence_penalty": (semconv.REQUEST_PRESENCE_PENALTY, _double),
    "seed": (semconv.REQUEST_SEED, _integer),
    "n": (semconv.REQUEST_CHOICE_COUNT, _choices),
    "candidate_count": (semconv.REQUEST_CHOICE_COUNT, _choices),
    "stop": (semconv.REQUEST_STOP_SEQUENCES, _texts),
    "stop_sequences": (semconv.REQUEST_STOP_SEQUENCES, _texts),
    "stream": (semconv.REQUEST_STREAM, _yes),
    "streaming": (semconv.REQUEST_STREAM, _yes),
    "response_format": (semconv.OUTPUT_TYPE, _output_type),
}


def _complete(attributes: Attributes, metadata: Mapping[str, Any]) -> None:
    """Take from the metadata what the parameters have not, or have as it is without this call."""
    if semconv.REQUEST_TEMPERATURE not in attributes and "ls_temperature" in metadata:
        if (temperature := _double(metadata["ls_temperature"])) is not None:
            attributes[semconv.REQUEST_TEMPERATURE] = temperature
    if semconv.REQUEST_MAX_TOKENS not in attributes and "ls_max_tokens" in metadata:
        if (most := _integer(metadata["ls_max_tokens"])) is not None:
            attributes[semconv.REQUEST_MAX_TOKENS] = most
    if "ls_stop" in metadata and (stop := _texts(metadata["ls_stop"])):
        attributes[semconv.REQUEST_STOP_SEQUENCES] = stop


def _version_differences(
    attributes: Attributes, params: Mapping[str, Any], version: Conventions
) -> None:
    if not version.newest:
        return
    top_k = _integer(params.get("top_k"))
    attributes.pop(semconv.REQUEST_TOP_K, None)
    if top_k is not None:
        attributes[semconv.REQUEST_TOP_K] = top_k
    effort = _first_text(params, ("reasoning_effort",))
    effort = effort or _first_text(_mapping(params.get("reasoning")), ("effort",))
    if effort:
        attributes[semconv.REQUEST_REASONING_LEVEL] = effort
    if previous := _first_text(params, ("previous_response_id",)):
        attributes[semconv.REQUEST_PREVIOUS_RESPONSE_ID] = previous


_URL_KEYS: Final = (
    "openai_api_base",
    "base_url",
    "azure_endpoint",
    "anthropic_api_url",
    "endpoint_url",
    "endpoint",
)


def _server(attributes: Attributes, kwargs: Any) -> None:
    if type(kwargs) is not dict:
        return
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


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else _NOTHING


_NOTHING: Final[Mapping[str, Any]] = {}


def _first_text(source: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = source.get(key)
        if isinstance(value, str) and value:
            return value
    return None


def _joined(operation: str, name: str | None) -> str:
    return f"{operation} {name}" if name else operation
