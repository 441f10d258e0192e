"""What the start of a run says in the GenAI conventions."""

from __future__ import annotations

from typing import Any

import pytest
from genai_registry import NEWEST as NEWEST_REGISTRY
from genai_registry import PUBLISHED as PUBLISHED_REGISTRY
from genai_registry import faults
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from opentelemetry.trace import SpanKind

from otelbridge.langchain._genai import Described, described
from otelbridge.langchain._genai_semconv import NEWEST, PUBLISHED, Conventions


class Starts(BaseCallbackHandler):
    """Describes tools and retrievers as LangChain tells of them."""

    def __init__(self) -> None:
        self.all: list[Described | None] = []

    def on_tool_start(self, serialized: Any, input_str: str, **words: Any) -> None:
        self.all.append(described("tool", serialized, words))

    def on_retriever_start(self, serialized: Any, query: str, **words: Any) -> None:
        self.all.append(described("retriever", serialized, words))


def chat(metadata: Any = None, params: Any = None, version: Conventions = PUBLISHED) -> Described:
    words = {"metadata": metadata, "invocation_params": params}
    found = described("chat_model", None, words, version)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("openai", "openai"),
        ("azure", "azure.ai.openai"),
        ("anthropic", "anthropic"),
        ("amazon_bedrock", "aws.bedrock"),
        ("anthropic-bedrock", "aws.bedrock"),
        ("google_genai", "gcp.gemini"),
        ("google_vertexai", "gcp.vertex_ai"),
        ("mistral", "mistral_ai"),
        ("xai", "x_ai"),
        ("ibm", "ibm.watsonx.ai"),
        ("Ollama", "ollama"),
    ],
)
def test_provider_has_the_conventions_word(theirs: str, ours: str) -> None:
    """LangChain's name of a provider becomes the well-known one; others stay."""
    found = chat({"ls_provider": theirs, "ls_model_name": "m"})
    assert found.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": ours,
        "gen_ai.request.model": "m",
    }


def test_metadata_gives_what_the_parameters_lack() -> None:
    """Temperature, tokens and stop words come from the metadata where a model hides the rest."""
    metadata = {"ls_temperature": 0, "ls_max_tokens": 9, "ls_stop": ["x"], "ls_model_name": "m"}
    assert chat(metadata, {"max_tokens": 5}).attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.request.max_tokens": 5,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.stop_sequences": ("x",),
    }


def test_completion_without_metadata_is_known_by_its_class_or_type() -> None:
    """``generate`` gives no metadata: the provider is in the path of the class, or in the type."""
    params = {"_type": "openai-chat", "model_name": "m"}
    path = {"id": ["langchain", "llms", "mistralai", "MistralAI"]}
    providers = []
    for serialized in (path, None):
        found = described("llm", serialized, {"invocation_params": params})
        assert found is not None
        providers.append(found.attributes["gen_ai.provider.name"])
    assert providers == ["mistral_ai", "openai"]


def test_model_without_a_name_is_its_operation() -> None:
    """A model that says nothing of itself is a chat."""
    found = chat()
    assert (found.name, found.attributes) == ("chat", {"gen_ai.operation.name": "chat"})


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://api.example.com/v1", {"server.address": "api.example.com", "server.port": 443}),
        ("http://[::1]:8080/v1", {"server.address": "::1", "server.port": 8080}),
        ("http://host:port/", {}),
        ("", {}),
        (None, {}),
    ],
)
def test_server_is_where_the_model_is_sent(url: Any, place: dict[str, Any]) -> None:
    """Address and port come from the URL in the model's arguments; an odd one gives none."""
    serialized = {"kwargs": {"base_url": url}, "id": ["langchain", "chat_models", "x", "ChatX"]}
    found = described("chat_model", serialized, {})
    assert found is not None
    assert found.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "x",
        **place,
    }


def test_versions_differ_where_the_conventions_do() -> None:
    """The newest has top_k as an int and knows reasoning and earlier responses."""
    params = {
        "top_k": 40,
        "reasoning": {"effort": "high"},
        "previous_response_id": "resp_1",
        "response_format": {"type": "json_schema"},
    }
    both = {"gen_ai.operation.name": "chat", "gen_ai.output.type": "json"}
    assert chat(None, params).attributes == {**both, "gen_ai.request.top_k": 40.0}
    assert chat(None, params, NEWEST).attributes == {
        **both,
        "gen_ai.request.top_k": 40,
        "gen_ai.request.reasoning.level": "high",
        "gen_ai.request.previous_response.id": "resp_1",
    }


@pytest.mark.parametrize(
    ("value", "version"),
    [
        (None, PUBLISHED),
        ("", PUBLISHED),
        ("http,database", PUBLISHED),
        ("gen_ai_latest_experimental", NEWEST),
        ("http, GEN_AI_latest_experimental ", NEWEST),
    ],
)
def test_version_is_chosen_by_the_opt_in(value: str | None, version: Conventions) -> None:
    """The published conventions are spoken unless the variable asks for the newest."""
    environ = {} if value is None else {"OTEL_SEMCONV_STABILITY_OPT_IN": value}
    assert Conventions.from_env(environ) == version


def test_tool_is_an_execution() -> None:
    """A tool's run has its name and description, and the call's id where it is told."""

    @tool
    def weather(city: str) -> str:
        """The weather in a city."""
        return "sunny"

    starts = Starts()
    call = {"type": "tool_call", "id": "call_7", "name": "weather", "args": {"city": "Paris"}}
    weather.invoke(call, {"callbacks": [starts]})
    (found,) = starts.all
    assert found is not None
    assert (found.name, found.span_kind) == ("execute_tool weather", SpanKind.INTERNAL)
    known = {"gen_ai.tool.call.id", *found.attributes}  # core 1.0 tells it at the end alone
    assert {**found.attributes, "gen_ai.tool.call.id": "call_7"} == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "weather",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "The weather in a city.",
        "gen_ai.tool.call.id": "call_7",
    }
    assert len(known) == 5


def test_retriever_is_a_retrieval() -> None:
    """A retriever's run is a client's, with the run's name."""

    class Shelf(BaseRetriever):
        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
            return []

    starts = Starts()
    Shelf().invoke("q", {"callbacks": [starts]})
    (found,) = starts.all
    assert found is not None
    assert (found.name, found.span_kind) == ("retrieval Shelf", SpanKind.CLIENT)
    assert found.attributes == {"gen_ai.operation.name": "retrieval"}


def test_chain_keeps_its_name() -> None:
    """A plain chain is nothing of the conventions', nor is an unknown kind of run."""
    assert described("chain", None, {"name": "RunnableSequence", "metadata": {}}) is None
    assert described("embedding", None, {}) is None


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.builds(object),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
PARAMETERS = st.dictionaries(
    st.sampled_from(
        "model model_name temperature top_p top_k max_tokens max_completion_tokens seed n stop "
        "stream response_format frequency_penalty reasoning reasoning_effort "
        "previous_response_id".split()
    ),
    ODD,
)
METADATA = st.dictionaries(
    st.sampled_from(
        "ls_provider ls_model_name ls_temperature ls_max_tokens ls_stop ls_integration "
        "lc_agent_name".split()
    ),
    ODD,
)
SERIALIZED = st.dictionaries(st.sampled_from("name description id kwargs".split()), ODD)


@given(
    kind=st.sampled_from("chat_model llm tool retriever chain".split()),
    serialized=SERIALIZED | ODD,
    metadata=METADATA | ODD,
    params=PARAMETERS | ODD,
    others=st.dictionaries(st.sampled_from("name tool_call_id graph".split()), ODD),
    newest=st.booleans(),
)
def test_start_never_raises_and_speaks_the_registry(
    kind: str, serialized: Any, metadata: Any, params: Any, others: Any, newest: bool
) -> None:
    """Whatever LangChain gives, the attributes are of the version's registry and its types."""
    words = {**others, "metadata": metadata, "invocation_params": params}
    found = described(kind, serialized, words, NEWEST if newest else PUBLISHED)
    if found is not None:
        registry = NEWEST_REGISTRY if newest else PUBLISHED_REGISTRY
        assert faults(found.attributes, registry) == []
        assert found.name.startswith(str(found.attributes["gen_ai.operation.name"]))
