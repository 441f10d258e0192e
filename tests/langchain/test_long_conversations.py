"""Conversations that are longer than a span may hold: their end is in the trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, TypedDict

import pytest
from forms import Form, every_form
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from traced import Captured, Traced

from otelbridge.testing import ScriptedChatModel, capture_runs

ANSWER = "the answer " + "z" * 9_000
HISTORY: list[BaseMessage] = [
    SystemMessage("Be kind."),
    *(kind(f"{n}: " + "x" * 300) for n in range(40) for kind in (HumanMessage, AIMessage)),
    HumanMessage("the question"),
]


class Talk(TypedDict):
    messages: Annotated[list[Any], add_messages]


@pytest.fixture(name="talked")
def _talked() -> Iterator[Traced]:
    with capture_runs(capture_content=True) as captured:
        yield Traced("instrument", captured).on()


@pytest.fixture(autouse=True)
def _off() -> Iterator[None]:
    from otelbridge import langchain

    yield
    langchain.uninstrument()


def model() -> Any:
    return ScriptedChatModel([ANSWER])


def graph() -> Any:
    asked = model()

    def talk(state: Talk) -> Any:
        return {"messages": [asked.invoke(state["messages"])]}

    made = StateGraph(Talk)
    made.add_node("talk", talk)
    made.add_edge(START, "talk")
    return made.compile()


def check(texts: list[str], last: str) -> None:
    """The instructions are there, and the conversation from somewhere on, to its end."""
    assert texts[0] == "Be kind."
    assert texts[-1].startswith(last)
    numbers = [int(one.split(":")[0]) for one in texts if one[0].isdigit()]
    assert numbers == sorted(numbers)
    assert 8 < len(numbers) < 80
    assert numbers[-1] == 39


@every_form
def test_of_a_models_messages_the_last_stay(form: Form, talked: Traced) -> None:
    """In its question, with the instructions; of its answer the finish reason, too."""
    form(Captured(talked, model()), HISTORY, talked.config())
    about = dict(talked.captured.find("chat scripted").attributes or {})
    messages = json.loads(str(about["gen_ai.input.messages"]))
    check([one["parts"][0]["content"] for one in messages], "the question")
    (answer,) = json.loads(str(about["gen_ai.output.messages"]))
    assert answer["parts"][0]["content"].startswith("the answer zzz")
    assert answer["finish_reason"] == "stop"
    assert about["otelbridge.truncated"] == (
        "gen_ai.input.messages",
        f"gen_ai.input.messages: {len(HISTORY) - len(messages)} oldest messages dropped",
        "gen_ai.output.messages",
    )


@every_form
def test_of_a_graphs_state_the_last_messages_stay(form: Form, talked: Traced) -> None:
    """In what its nodes are given."""
    form(Captured(talked, graph()), {"messages": HISTORY}, talked.config())
    about = dict(talked.captured.find("talk").attributes or {})
    state = json.loads(str(about["otelbridge.run.input"]))
    check([one["content"] for one in state["messages"]], "the question")
    dropped = len(HISTORY) - len(state["messages"])
    notes = [str(one) for one in about["otelbridge.truncated"]]  # type: ignore[union-attr]
    assert notes[:2] == [
        "otelbridge.run.input",
        f"otelbridge.run.input: {dropped} oldest messages dropped",
    ]
    output = json.loads(str(about["otelbridge.run.output"]))
    assert output["messages"][-1]["content"].startswith("the answer zzz")


def test_what_is_cut_is_said_beside_what_was_cut_at_the_start(talked: Traced) -> None:
    """The notes of a run's start stay."""
    config = talked.config(metadata={"long": "m" * 9_000})
    with talked.captured.active():
        model().invoke(HISTORY, config)
    about = dict(talked.captured.find("chat scripted").attributes or {})
    notes = about["otelbridge.truncated"]
    assert isinstance(notes, tuple)
    assert notes[0] == "otelbridge.run.metadata.long"
    assert "gen_ai.input.messages" in notes
