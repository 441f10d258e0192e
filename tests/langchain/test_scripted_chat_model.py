"""The scripted chat model: what it says in each form, and what LangChain may expect of it."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
    message_chunk_to_message,
)
from langchain_core.messages.tool import invalid_tool_call
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import tool
from pydantic import BaseModel

from otelbridge import ConfigurationError
from otelbridge.testing import Answer, ScriptedChatModel

USAGE = {
    "input_tokens": 30,
    "output_tokens": 9,
    "input_token_details": {"cache_read": 20},
    "output_token_details": {"reasoning": 5},
}
TOOL_CALLS = [
    {"name": "plus", "args": {"a": 1, "b": 2}},
    {"name": "times", "args": {}, "id": "mine"},
]


@tool
def plus(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def times(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


def invoked(model: Any) -> BaseMessage:
    return model.invoke("?")


def awaited(model: Any) -> BaseMessage:
    return asyncio.run(model.ainvoke("?"))


def batched(model: Any) -> BaseMessage:
    return model.batch(["?"])[0]


def abatched(model: Any) -> BaseMessage:
    return asyncio.run(model.abatch(["?"]))[0]


def streamed(model: Any) -> BaseMessage:
    return message_chunk_to_message(reduce(add, model.stream("?")))


def astreamed(model: Any) -> BaseMessage:
    return message_chunk_to_message(reduce(add, asyncio.run(chunks_of(model))))


async def chunks_of(model: Any) -> list[AIMessageChunk]:
    return [chunk async for chunk in model.astream("?")]


WAYS = [invoked, awaited, batched, abatched, streamed, astreamed]
in_every_way = pytest.mark.parametrize("ask", WAYS)


@in_every_way
def test_answers_come_in_their_order(ask: Callable[[Any], BaseMessage]) -> None:
    """Text, message, function: each form of calling gives one after the other."""
    model = ScriptedChatModel(
        ["one", AIMessage("two"), lambda messages: f"three {messages[-1].content}", Answer("four")]
    )
    assert [ask(model).content for _ in range(4)] == ["one", "two", "three ?", "four"]


@in_every_way
def test_whole_answer_is_the_same_in_every_form(ask: Callable[[Any], BaseMessage]) -> None:
    """Content, tool calls, usage and metadata: a stream's sum is what invoke returns."""
    answer = Answer("I add.", tool_calls=TOOL_CALLS, usage=USAGE, response_id="answer-1")
    assert ask(ScriptedChatModel([answer], model="m", provider="p")) == AIMessage(
        "I add.",
        tool_calls=[
            {"name": "plus", "args": {"a": 1, "b": 2}, "id": "call_1", "type": "tool_call"},
            {"name": "times", "args": {}, "id": "mine", "type": "tool_call"},
        ],
        usage_metadata={"total_tokens": 39, **USAGE},
        response_metadata={
            "finish_reason": "tool_calls",
            "model_name": "m",
            "model_provider": "p",
        },
        id="answer-1",
    )


@in_every_way
def test_message_is_given_whole(ask: Callable[[Any], BaseMessage]) -> None:
    """Content blocks, a call that cannot be parsed, and metadata of one's own are kept."""
    message = AIMessage(
        [{"type": "text", "text": "a"}, {"type": "reasoning", "reasoning": "b"}],
        additional_kwargs={"refusal": "no"},
        invalid_tool_calls=[invalid_tool_call(name="plus", args="no JSON", id="x")],
        response_metadata={
            "finish_reason": "length",
            "model_name": "gpt",
            "model_provider": "me",
            "service_tier": "flex",
        },
        id="mine",
    )
    before = message.model_copy(deep=True)
    assert ask(ScriptedChatModel([message])) == before
    assert message == before


@given(
    text=st.text(max_size=40),
    arguments=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=3),
    sizes=st.none() | st.integers(1, 9) | st.lists(st.integers(1, 9), min_size=1, max_size=4),
)
def test_chunks_add_up_to_the_answer(
    text: str, arguments: dict[str, Any], sizes: int | list[int] | None
) -> None:
    """However a text and the arguments of a tool call are cut, nothing is lost or changed."""
    calls = [{"name": "f", "args": arguments, "id": "c"}]
    answer = Answer(text, tool_calls=calls, usage=USAGE, chunk_size=sizes, response_id="r")
    whole = ScriptedChatModel([answer]).invoke("?")
    assert streamed(ScriptedChatModel([answer])) == whole
    assert (whole.content, whole.tool_calls[0]["args"]) == (text, arguments)


def test_chunk_sizes_are_those_asked_for() -> None:
    """One size for all, a size for each, or words."""
    text = "to be or not"
    for size, expected in [
        (None, ["to ", "be ", "or ", "not"]),
        (5, ["to be", " or n", "ot"]),
        ([1, 2, 7], ["t", "o ", "be or n", "ot"]),
    ]:
        chunks = ScriptedChatModel([Answer(text, chunk_size=size)]).stream("?")
        assert [chunk.content for chunk in chunks] == [*expected, ""]


def test_tool_calls_are_streamed_by_index() -> None:
    """Name and id first, then the arguments as JSON; usage and finish reason in the last chunk."""
    answer = Answer(tool_calls=TOOL_CALLS, usage=USAGE, chunk_size=6)
    *chunks, last = asyncio.run(chunks_of(ScriptedChatModel([answer])))
    assert [
        (it["index"], it["name"], it["id"], it["args"])
        for chunk in chunks
        for it in chunk.tool_call_chunks
    ] == [
        (0, "plus", "call_1", ""),
        (0, None, None, '{"a": '),
        (0, None, None, '1, "b"'),
        (0, None, None, ": 2}"),
        (1, "times", "mine", ""),
        (1, None, None, "{}"),
    ]
    assert [chunk.usage_metadata for chunk in chunks] == [None] * 6
    assert last.usage_metadata == {"total_tokens": 39, **USAGE}
    assert (last.response_metadata["finish_reason"], last.chunk_position) == ("tool_calls", "last")


@in_every_way
def test_error_is_raised(ask: Callable[[Any], BaseMessage]) -> None:
    """The very exception, as an answer or inside of one; then the script goes on."""
    errors = [TimeoutError("slow"), ConnectionError("gone")]
    model = ScriptedChatModel([errors[0], Answer("half", error=errors[1]), "fine"])
    for error in errors:
        with pytest.raises(type(error)) as caught:
            ask(model)
        assert caught.value is error
    assert ask(model).content == "fine"


def test_error_of_a_stream_comes_after_its_content() -> None:
    """What was said before the connection broke arrives."""
    stream = ScriptedChatModel([Answer("half an", error=ConnectionError("gone"))]).stream("?")
    assert [next(stream).content, next(stream).content] == ["half ", "an"]
    with pytest.raises(ConnectionError, match="gone"):
        next(stream)


def test_error_given_often_keeps_no_frames() -> None:
    """The traceback has the frames of one call only, however often the exception is raised."""
    error = ValueError("again")
    model = ScriptedChatModel(itertools.repeat(error))

    def depth() -> int:
        with pytest.raises(ValueError, match="again") as caught:
            model.invoke("?")
        return len(caught.traceback)

    assert depth() == depth() == depth()


def test_retry_and_fallback_go_on_with_the_script() -> None:
    """An error and then an answer: what an app's own retries do."""
    model = ScriptedChatModel([ConnectionError("gone"), "second", ConnectionError("gone")])
    retrying = model.with_retry(retry_if_exception_type=(ConnectionError,), stop_after_attempt=2)
    other = ScriptedChatModel(["other"])
    assert retrying.invoke("?").content == "second"
    assert model.with_fallbacks([other]).invoke("?").content == "other"
    assert (len(model.asked), len(other.asked)) == (3, 1)


def test_delays_take_their_time() -> None:
    """Before the answer, and between the chunks of a stream."""
    answer = Answer("a b", delay_s=0.02, chunk_delay_s=0.01)  # two words and the last chunk
    for ask, least_s in [(invoked, 0.02), (awaited, 0.02), (streamed, 0.04), (astreamed, 0.04)]:
        began = time.monotonic()
        ask(ScriptedChatModel([answer]))
        assert time.monotonic() - began >= least_s


@pytest.mark.parametrize(("delay_s", "turns"), [(None, 0), (0, 1)])
async def test_delay_of_zero_is_one_turn_of_the_loop(delay_s: float | None, turns: int) -> None:
    """So that a test can cancel at an exact place."""
    model = ScriptedChatModel([Answer("a b", delay_s=delay_s, chunk_delay_s=delay_s)])
    loops = 0

    async def count() -> None:
        nonlocal loops
        while True:
            await asyncio.sleep(0)
            loops += 1

    stream = model.astream("?")
    first = asyncio.ensure_future(anext(stream))
    await first
    counter = asyncio.create_task(count())
    await asyncio.sleep(0)
    before = loops
    await anext(stream)
    assert loops - before == turns
    counter.cancel()
    await stream.aclose()


async def test_cancel_during_the_delay_ends_the_call() -> None:
    """The answer is given up, the next one is for the next question."""
    model = ScriptedChatModel([Answer("never", delay_s=60), "next"])
    asking = asyncio.create_task(model.ainvoke("?"))
    while not model.asked:
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await model.ainvoke("?")).content == "next"


def test_questions_are_recorded() -> None:
    """The messages, and the options that came with them."""
    model = ScriptedChatModel(["a", "b"])
    model.invoke([("system", "Be brief."), ("human", "Why?")], stop=["."])
    bound = model.bind_tools([plus], tool_choice="any", temperature=0.5)
    list(bound.stream("How?"))
    assert [[it.content for it in asked.messages] for asked in model.asked] == [
        ["Be brief.", "Why?"],
        ["How?"],
    ]
    first, second = (asked.options for asked in model.asked)
    assert first == {"stop": ["."]}
    assert [it["function"]["name"] for it in second["tools"]] == ["plus"]
    assert (second["tool_choice"], second["temperature"]) == ("any", 0.5)


def test_tool_call_makes_the_round() -> None:
    """The call that the model makes runs the tool; its result answers the same call."""
    model = ScriptedChatModel([Answer(tool_calls=TOOL_CALLS[:1]), "3"])
    asking = model.bind_tools([plus, times])
    question: list[BaseMessage] = [HumanMessage("1 + 2?")]
    answer = asking.invoke(question)
    result = plus.invoke(answer.tool_calls[0])
    assert (result.content, result.tool_call_id) == ("3", "call_1")
    assert asking.invoke([*question, answer, result]).content == "3"
    assert model.asked[1].messages == [*question, answer, result]


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


@pytest.mark.parametrize("include_raw", [False, True])
def test_structured_output_is_parsed(include_raw: bool) -> None:
    """A tool call named as the schema; with_structured_output is LangChain's own."""
    words = {"setup": "Knock.", "punchline": "Who?"}
    model = ScriptedChatModel(
        itertools.repeat(Answer(tool_calls=[{"name": "Joke", "args": words}]))
    )
    structured = model.with_structured_output(Joke, include_raw=include_raw)
    for found in (structured.invoke("?"), asyncio.run(structured.ainvoke("?"))):
        assert (found["parsed"] if include_raw else found) == Joke(**words)
    as_dicts = model.with_structured_output(Joke.model_json_schema())
    assert list(as_dicts.stream("?"))[-1] == words
    assert model.asked[0].options["tool_choice"] == "any"


def test_concurrent_questions_share_the_script() -> None:
    """Threads get each answer once, and each has a tool call id of its own."""
    count = 200
    answers = [Answer(str(n), tool_calls=TOOL_CALLS[:1]) for n in range(count)]
    model = ScriptedChatModel(iter(answers))
    found = model.batch(["?"] * count, {"max_concurrency": 8})
    assert sorted(int(str(it.content)) for it in found) == list(range(count))
    assert len({it.tool_calls[0]["id"] for it in found}) == count


@in_every_way
def test_script_that_is_over_says_so(ask: Callable[[Any], BaseMessage]) -> None:
    """How many answers there were, and what was asked."""
    model = ScriptedChatModel(["a", "b"])
    ask(model), ask(model)
    with pytest.raises(AssertionError, match=r"over after 2 answers.*'\?'.*itertools\.repeat"):
        ask(model)


@pytest.mark.parametrize("wrong", [3, None, {"content": "a"}, HumanMessage("a"), ValueError])
def test_answer_of_a_wrong_type_is_told(wrong: Any) -> None:
    """At once in a list; else when it is reached, from an iterator or a function."""
    with pytest.raises(TypeError, match=r"answer 2 is .*: an answer is a text"):
        ScriptedChatModel(["a", wrong])
    for answers in (iter([wrong]), [lambda messages: wrong]):
        with pytest.raises(TypeError, match="an answer is a text"):
            ScriptedChatModel(answers).invoke("?")


@pytest.mark.parametrize("answers", ["text", Answer("a"), AIMessage("a"), 3])
def test_single_answer_in_place_of_a_list_is_told(answers: Any) -> None:
    """A text would else be a script of letters."""
    with pytest.raises(TypeError, match="give a list of answers"):
        ScriptedChatModel(answers)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tool_calls": [{"name": "f"}]},
        {"tool_calls": [{"name": "f", "args": "{}"}]},
        {"usage": {"input_tokens": 3}},
        {"delay_s": -1},
        {"chunk_delay_s": -0.5},
        {"chunk_size": 0},
        {"chunk_size": []},
        {"chunk_size": [3, 0]},
    ],
)
def test_value_that_cannot_be_used_is_told(wrong: dict[str, Any]) -> None:
    """Where it is written, not where it would fail."""
    with pytest.raises(ConfigurationError, match=r"give "):
        Answer("a", **wrong)


class Recorder(BaseCallbackHandler):
    """What a tracer sees."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        known = {k: v for k, v in kwargs["metadata"].items() if k != "ls_integration"}
        self.seen.append(("start", (known, kwargs["invocation_params"])))

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.seen.append(("token", token))

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.seen.append(("end", response.generations[0][0].message.usage_metadata))


@pytest.mark.parametrize("ask", [streamed, astreamed])
def test_tracers_see_the_parameters_and_each_chunk_once(ask: Callable[[Any], BaseMessage]) -> None:
    """Provider, model and temperature at the start, usage at the end of a stream."""
    recorder = Recorder()
    model = ScriptedChatModel(
        [Answer("a b", usage=USAGE)],
        model="m",
        provider="p",
        temperature=0.2,
        max_tokens=9,
        callbacks=[recorder],
    )
    ask(model)
    (_, (metadata, params)), *rest = recorder.seen
    metadata.pop("lc_versions", None)
    assert metadata == {
        "ls_provider": "p",
        "ls_model_type": "chat",
        "ls_model_name": "m",
        "ls_temperature": 0.2,
        "ls_max_tokens": 9,
    }
    assert {k: params[k] for k in ("model", "temperature", "max_tokens", "_type")} == {
        "model": "m",
        "temperature": 0.2,
        "max_tokens": 9,
        "_type": "scripted-chat-model",
    }
    usage = {"total_tokens": 39, **USAGE}
    assert rest == [("token", "a "), ("token", "b"), ("token", ""), ("end", usage)]


def test_cached_answer_takes_none_from_the_script() -> None:
    """LangChain's cache answers in the model's place."""
    model = ScriptedChatModel(["once", "twice"], cache=InMemoryCache())
    assert [model.invoke(it).content for it in "aab"] == ["once", "once", "twice"]


def test_copies_share_one_script() -> None:
    """Also the copy that LangChain makes for a configurable field."""
    model = ScriptedChatModel(["a", "b", "c"])
    copy = model.model_copy()
    other = model.configurable_fields(model=ConfigurableField("model"))
    assert [it.invoke("?").content for it in (model, copy)] == ["a", "b"]
    answer = other.invoke("?", {"configurable": {"model": "large"}})
    assert (answer.content, answer.response_metadata["model_name"]) == ("c", "large")
    assert len(model.asked) == 3


def agent_model() -> ScriptedChatModel:
    """Two tools at once, then one, then the answer."""
    return ScriptedChatModel(
        [
            Answer(
                "Let me see.",
                tool_calls=[
                    {"name": "plus", "args": {"a": 1, "b": 2}},
                    {"name": "times", "args": {"a": 3, "b": 4}},
                ],
                usage=USAGE,
            ),
            Answer(tool_calls=[{"name": "plus", "args": {"a": 3, "b": 12}}]),
            Answer("It is 15.", usage=USAGE),
        ]
    )


def conversation(messages: list[BaseMessage]) -> list[tuple[str, Any]]:
    return [
        (type(it).__name__, it.tool_call_id if isinstance(it, ToolMessage) else "", it.content)
        for it in messages
    ]


THE_CONVERSATION = [
    ("HumanMessage", "", "1+2+3*4?"),
    ("AIMessage", "", "Let me see."),
    ("ToolMessage", "call_1", "3"),
    ("ToolMessage", "call_2", "12"),
    ("AIMessage", "", ""),
    ("ToolMessage", "call_3", "15"),
    ("AIMessage", "", "It is 15."),
]


@pytest.mark.parametrize("form", ["sync", "async"])
def test_langchains_agent_works_with_it(form: str) -> None:
    """``create_agent`` binds the tools, runs the calls, and asks again with the results."""
    agents = pytest.importorskip("langchain.agents", reason="langchain is not installed")
    model = agent_model()
    agent = agents.create_agent(model, [plus, times])
    question = {"messages": [("human", "1+2+3*4?")]}
    if form == "sync":
        result = agent.invoke(question)
    else:
        result = asyncio.run(agent.ainvoke(question))
    assert conversation(result["messages"]) == THE_CONVERSATION
    assert conversation(model.asked[2].messages) == THE_CONVERSATION[:-1]
    assert [len(asked.options["tools"]) for asked in model.asked] == [2, 2, 2]


@pytest.mark.parametrize("form", ["sync", "async"])
def test_agents_messages_are_streamed(form: str) -> None:
    """With ``stream_mode="messages"`` each chunk arrives, and adds up to what was said."""
    agents = pytest.importorskip("langchain.agents", reason="langchain is not installed")
    agent = agents.create_agent(agent_model(), [plus, times])
    question = {"messages": [("human", "1+2+3*4?")]}

    async def acollect() -> list[BaseMessage]:
        return [it async for it, _ in agent.astream(question, stream_mode="messages")]

    if form == "sync":
        parts = [it for it, _ in agent.stream(question, stream_mode="messages")]
    else:
        parts = asyncio.run(acollect())
    said = conversation(list(summed(parts)))
    said[1:3] = sorted(said[1:3])  # the two tools run side by side
    # In async nodes a model hears of its graph from Python 3.11 on; before, messages come whole.
    is_whole = form == "async" and sys.version_info < (3, 11)
    answer = "AIMessage" if is_whole else "AIMessageChunk"
    assert said == [
        (name.replace("AIMessage", answer), call_id, content)
        for name, call_id, content in THE_CONVERSATION[1:]
    ]
    usages = [it.usage_metadata for it in summed(parts) if isinstance(it, AIMessage)]
    assert usages == [{"total_tokens": 39, **USAGE}, None, {"total_tokens": 39, **USAGE}]


def summed(parts: list[BaseMessage]) -> Iterator[BaseMessage]:
    """The chunks of each message added up, in the order of their first chunks."""
    for _, chunks in itertools.groupby(parts, key=lambda it: it.id):
        yield reduce(add, chunks)


def test_testing_needs_no_langchain() -> None:
    """Importing it imports no LangChain; asking for the model without it says what to install."""
    program = """
import sys
sys.modules["langchain_core"] = None
from otelbridge.testing import *
capture_runs, Answer
try:
    from otelbridge.testing import ScriptedChatModel
except ImportError as error:
    print(error)
del sys.modules["langchain_core"]
import otelbridge.testing
print([it for it in sys.modules if it.startswith("lang")])
otelbridge.testing.ScriptedChatModel
print("langchain_core" in sys.modules)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines() == [
        "ScriptedChatModel needs langchain-core: pip install 'otelbridge[langchain]'",
        "[]",
        "True",
    ]
    with pytest.raises(AttributeError, match="has no attribute 'ScriptedModel'"):
        _ = __import__("otelbridge.testing").testing.ScriptedModel
