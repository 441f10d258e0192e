"""What the end of a run says in the GenAI conventions."""

from __future__ import annotations

from typing import Any

import pytest
from genai_registry import NEWEST as NEWEST_REGISTRY
from genai_registry import PUBLISHED as PUBLISHED_REGISTRY
from genai_registry import faults
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult
from langgraph.types import Command
from test_genai_start import ODD

from otelbridge.langchain._genai_response import ended, tool_failed
from otelbridge.langchain._genai_semconv import NEWEST, PUBLISHED, Conventions


def result(message: AIMessage, **output: Any) -> LLMResult:
    return LLMResult(generations=[[ChatGeneration(message=message)]], llm_output=output or None)


USAGE: Any = {
    "input_tokens": 350,
    "output_tokens": 240,
    "total_tokens": 590,
    "input_token_details": {"audio": 10, "cache_creation": 200, "cache_read": 100},
    "output_token_details": {"audio": 10, "reasoning": 200},
}
TOKENS = {
    "gen_ai.usage.input_tokens": 350,
    "gen_ai.usage.output_tokens": 240,
    "gen_ai.usage.cache_read.input_tokens": 100,
    "gen_ai.usage.reasoning.output_tokens": 200,
}


@pytest.mark.parametrize(
    ("version", "written"),
    [
        (PUBLISHED, "gen_ai.usage.cache_creation.input_tokens"),
        (NEWEST, "gen_ai.usage.cache_write.input_tokens"),
    ],
)
def test_usage_metadata_gives_all_tokens(version: Conventions, written: str) -> None:
    """The tokens are LangChain's; those written to a cache have the version's name."""
    answer = result(AIMessage("", usage_metadata=USAGE))
    assert ended("chat_model", answer, version) == {**TOKENS, written: 200}


@pytest.mark.parametrize(
    "details",
    [
        {"cache_creation": 0, "ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 4},
        {"ephemeral_5m_input_tokens": 34},
    ],
)
def test_tokens_written_for_a_time_are_written_tokens(details: Any) -> None:
    """Anthropic tells them by how long they are kept: they count together."""
    usage: Any = {"input_tokens": 40, "output_tokens": 1, "total_tokens": 41}
    answer = result(AIMessage("", usage_metadata={**usage, "input_token_details": details}))
    assert ended("chat_model", answer) == {
        "gen_ai.usage.input_tokens": 40,
        "gen_ai.usage.output_tokens": 1,
        "gen_ai.usage.cache_creation.input_tokens": 34,
    }


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4}, (3, 4)),
        ({"input_tokens": 3, "output_tokens": 4}, (3, 4)),
        ({"inputTokens": 3, "outputTokens": 4}, (3, 4)),
    ],
)
@pytest.mark.parametrize("key", ["token_usage", "usage"])
def test_usage_in_a_providers_form_counts_too(
    usage: dict[str, int], tokens: tuple[int, int], key: str
) -> None:
    """Without usage_metadata the output of the model or the message's metadata is read."""
    expected = dict(zip(("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"), tokens))
    assert ended(
        "llm", LLMResult(generations=[[Generation(text="")]], llm_output={key: usage})
    ) == (expected)
    assert ended("chat_model", result(AIMessage("", response_metadata={key: usage}))) == expected


@pytest.mark.parametrize(
    ("message", "attributes"),
    [
        (
            AIMessage(
                "",
                id="msg_01",
                response_metadata={"model": "claude", "stop_reason": "end_turn", "id": "msg_01"},
            ),
            {"model": "claude", "finish_reasons": ("end_turn",), "id": "msg_01"},
        ),
        (
            AIMessage("", id="msg_02", response_metadata={"model_name": "m"}),
            {"model": "m", "id": "msg_02"},
        ),
        (
            AIMessage(
                "", id="run-1-0", response_metadata={"model": "llama", "done_reason": "length"}
            ),
            {"model": "llama", "finish_reasons": ("length",)},
        ),
        (
            AIMessage("", id="lc_run--1", response_metadata={"stopReason": "tool_use"}),
            {"finish_reasons": ("tool_use",)},
        ),
    ],
)
def test_response_is_read_in_each_providers_words(
    message: AIMessage, attributes: dict[str, Any]
) -> None:
    """Model, id and reason are found where each provider has them; LangChain's ids are not told."""
    assert ended("chat_model", result(message)) == {
        f"gen_ai.response.{key}": value for key, value in attributes.items()
    }


def test_stream_says_when_its_first_chunk_came() -> None:
    """A stream is known by its chunks."""
    assert ended("chat_model", result(AIMessage("")), first_chunk_s=0.25) == {
        "gen_ai.request.stream": True,
        "gen_ai.response.time_to_first_chunk": 0.25,
    }


def test_answer_from_the_cache_used_no_tokens() -> None:
    """A call that LangChain's cache answers says so, and counts nothing twice."""

    class Ends(BaseCallbackHandler):
        def __init__(self) -> None:
            self.all: list[dict[str, Any]] = []

        def on_llm_end(self, response: LLMResult, **words: Any) -> None:
            self.all.append(dict(ended("chat_model", response)))

    ends = Ends()
    answers = iter([AIMessage("yes", usage_metadata=USAGE)])
    model = GenericFakeChatModel(messages=answers, cache=InMemoryCache())
    for _call in range(2):
        model.invoke("?", {"callbacks": [ends]})
    written = "gen_ai.usage.cache_creation.input_tokens"
    assert ends.all == [{**TOKENS, written: 200}, {"otelbridge.response.cached": True}]


FAILED = ToolMessage("no such city", tool_call_id="call_7", status="error")
DONE = ToolMessage("sunny", tool_call_id="call_8")


@pytest.mark.parametrize(
    ("answer", "attributes"),
    [
        (DONE, {"gen_ai.tool.call.id": "call_8"}),
        (FAILED, {"gen_ai.tool.call.id": "call_7", "error.type": "tool_error"}),
        (
            Command(update={"messages": [FAILED]}),
            {"gen_ai.tool.call.id": "call_7", "error.type": "tool_error"},
        ),
        ([FAILED, Command(update={"messages": [DONE]})], {"error.type": "tool_error"}),
        (Command(goto="end"), {}),
        ("sunny", {}),
        (None, {}),
    ],
)
def test_tool_that_answers_with_an_error_has_failed(
    answer: Any, attributes: dict[str, Any]
) -> None:
    """A tool's message tells its call and, where it is one, the error, in a Command too."""
    assert ended("tool", answer) == attributes
    assert tool_failed(answer) == ("error.type" in attributes)


@pytest.mark.parametrize(
    ("metadatas", "scores"),
    [
        ([{"score": 0.9}, {"score": 1}], (0.9, 1.0)),
        ([{"relevance_score": 0.5}], (0.5,)),
        ([{"score": 0.9}, {}], None),
        ([{"score": "high"}, {"score": True}], None),
        ([], None),
    ],
)
def test_retrieval_says_how_many_and_how_near(
    metadatas: list[dict[str, Any]], scores: tuple[float, ...] | None
) -> None:
    """The number of documents is told, and the scores where every document has one."""
    expected: dict[str, Any] = {"otelbridge.retrieval.count": len(metadatas)}
    if scores is not None:
        expected["otelbridge.retrieval.scores"] = scores
    documents = [Document("text", metadata=metadata) for metadata in metadatas]
    assert ended("retriever", documents) == expected


class Odd:
    """An object with any values where a result has its own."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.__dict__.update(fields)


def odd(names: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(Odd, st.dictionaries(st.sampled_from(names.split()), values)) | ODD


METADATA = st.dictionaries(
    st.sampled_from("model_name model id finish_reason token_usage usage score".split()), ODD
)
USAGES = st.dictionaries(
    st.sampled_from(
        "input_tokens output_tokens total_cost input_token_details output_token_details "
        "prompt_tokens completion_tokens".split()
    ),
    ODD | st.dictionaries(st.sampled_from(["cache_read", "cache_creation", "reasoning"]), ODD),
)
MESSAGES = odd(
    "id type status tool_call_id response_metadata usage_metadata update metadata",
    METADATA | USAGES | ODD,
)
GENERATIONS = odd("message generation_info text", MESSAGES | METADATA)
RESULTS = odd("generations llm_output update", st.lists(st.lists(GENERATIONS)) | METADATA)


@given(
    kind=st.sampled_from("chat_model llm tool retriever chain".split()),
    response=RESULTS | MESSAGES | st.lists(MESSAGES),
    newest=st.booleans(),
)
def test_end_never_raises_and_speaks_the_registry(kind: str, response: Any, newest: bool) -> None:
    """Whatever a run gives, the attributes are of the version's registry and its types."""
    found = dict(ended(kind, response, NEWEST if newest else PUBLISHED))
    assert faults(found, NEWEST_REGISTRY if newest else PUBLISHED_REGISTRY) == []
