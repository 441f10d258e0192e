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
remote graph          the run's name                CLIENT    see `_remote`
everything else       the run's name                INTERNAL
====================  ============================  ========  ======================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from opentelemetry.trace import SpanKind

from otelbridge.langchain import _genai_semconv as semconv
from otelbridge.langchain._agent import agent_of
from otelbridge.langchain._genai_request import (
    Attributes,
    Source,
    add_request,
    add_server,
    provider_of,
)
from otelbridge.langchain._genai_semconv import PUBLISHED, Conventions
from otelbridge.langchain._reading import mapping, text

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
    add_request(attributes, params, metadata, version)
    if serialized.get("kwargs"):
        add_server(attributes, mapping(serialized["kwargs"]))
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


def _remote_graph(serialized: Source, words: Words, version: Conventions) -> Described:
    attributes: Attributes = {}
    add_server(attributes, words)
    return Described(str(words.get("name")), SpanKind.CLIENT, attributes)


_DESCRIBE: Final[dict[str, _Describe]] = {
    "chat_model": _chat_model,
    "llm": _llm,
    "tool": _tool,
    "retriever": _retriever,
    "remote_graph": _remote_graph,
}


def _joined(operation: str, name: str | None) -> str:
    return f"{operation} {name}" if name else operation
