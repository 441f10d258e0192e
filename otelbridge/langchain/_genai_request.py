"""What a call of a model asks for: provider, parameters and server, in the conventions' words."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from otelbridge._attributes import AttributeValue
from otelbridge.langchain import _genai_semconv as semconv
from otelbridge.langchain._genai_semconv import Conventions
from otelbridge.langchain._reading import double, integer, mapping, text, texts

Attributes = dict[str, AttributeValue]
Source = dict[str, Any]  # what LangChain tells of something

# What LangChain's packages call their providers, where the conventions have another word.
_PROVIDERS: Final = {
    "amazon_bedrock": "aws.bedrock",
    "anthropic-bedrock": "aws.bedrock",
    "anthropic-mantle": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "openai-mantle": "aws.bedrock",
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
    "anthropicvertex": "gcp.vertex_ai",
    "ibm": "ibm.watsonx.ai",
    "watsonx": "ibm.watsonx.ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "openai-codex": "openai",
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
    "random_seed": (semconv.REQUEST_SEED, integer),
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


def add_request(
    attributes: Attributes, params: Source, metadata: Source, version: Conventions
) -> None:
    """Add the parameters of a call.

    Args:
        attributes: gets them.
        params: the callback's ``invocation_params``.
        metadata: the run's, which has some of them where a model hides the rest.
        version: of the conventions.
    """
    reading = _NEWEST_REQUEST if version.newest else _REQUEST
    for key, value in params.items():
        if value is not None and key in reading:
            attribute, read = reading[key]
            if (found := read(value)) is not None:
                attributes[attribute] = found
    for attribute, key, read in _METADATA:
        is_free = key in metadata and attribute not in attributes
        if is_free and (found := read(metadata[key])) is not None:
            attributes[attribute] = found
    if "ls_stop" in metadata and (stop := texts(metadata["ls_stop"])):
        attributes[semconv.REQUEST_STOP_SEQUENCES] = stop  # as this call has it


_METADATA: Final[tuple[tuple[str, str, Callable[[Any], AttributeValue | None]], ...]] = (
    (semconv.REQUEST_TEMPERATURE, "ls_temperature", double),
    (semconv.REQUEST_MAX_TOKENS, "ls_max_tokens", integer),
)


_URL_KEYS: Final = (
    "openai_api_base",
    "base_url",
    "azure_endpoint",
    "anthropic_api_url",
    "groq_api_base",
    "xai_api_base",
    "api_base",
    "endpoint_url",
    "endpoint",
)


def add_server(attributes: Attributes, kwargs: Source) -> None:
    """Add where a model is sent, by the URL among the arguments that it was made with."""
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
