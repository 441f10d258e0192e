"""Which runs are agents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from graphs import ToolNode
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from opentelemetry.trace import SpanKind
from versions import installed

from otelbridge.langchain._genai import described


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return "sunny"


class Model(GenericFakeChatModel):
    def bind_tools(self, tools: Any, **words: Any) -> Any:
        return self


def model() -> Model:
    return Model(messages=iter([AIMessage("done")]))


def graph(name: str | None, *nodes: Any) -> Any:
    plan = StateGraph(MessagesState)
    for number, node in enumerate(nodes or (same,)):
        plan.add_node(str(number), node)
    plan.add_edge(START, "0")
    return plan.compile(name=name)


def same(state: Any) -> Any:
    return state


def unmarked() -> Any:
    """Return an agent as langchain made it before its config said so."""
    return create_agent(model()).copy({"config": None})


def model_node() -> Any:
    return StateGraph(MessagesState).add_node("model", same).add_edge(START, "model").compile()


def name_of(chain: Any, run_name: str | None = None) -> str | None:
    """Return the span's name of a graph's run, None where it is no agent."""
    found = described("chain", None, {"graph": chain, "name": run_name or chain.name})
    if found is None:
        return None
    agent = found.attributes.get("gen_ai.agent.name")
    expected = {"gen_ai.operation.name": "invoke_agent"}
    assert found.attributes == (
        expected if agent is None else {**expected, "gen_ai.agent.name": agent}
    )
    assert found.span_kind is SpanKind.INTERNAL
    return found.name


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: create_agent(model(), [weather], name="forecaster"), "invoke_agent forecaster"),
        (lambda: create_agent(model()), "invoke_agent"),
        (unmarked, "invoke_agent"),
        (model_node, None),
        (lambda: graph("counter", same, ToolNode([weather])), "invoke_agent counter"),
        (lambda: graph(None, same, ToolNode([weather])), "invoke_agent"),
        (lambda: graph("only tools", ToolNode([weather])), None),
        (lambda: graph("support_agent"), "invoke_agent support_agent"),
        (lambda: graph("ResearchAgent"), "invoke_agent ResearchAgent"),
        (lambda: graph("reagent mix"), None),
        (lambda: graph("agenda"), None),
        (lambda: graph("outer"), None),
        (lambda: graph(None), None),
    ],
)
def test_graph_is_an_agent(make: Callable[[], Any], name: str | None) -> None:
    """An agent is known by what create_agent leaves, by a node of tools, or by its name."""
    assert name_of(make()) == name


def test_unnamed_agent_has_its_runs_name() -> None:
    """Where the application names the run alone, that is the agent's name."""
    assert name_of(create_agent(model()), "tonight") == "invoke_agent tonight"


class Chains(BaseCallbackHandler):
    """Describes chains as LangChain tells of them, without the graphs."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str | None]] = []

    def on_chain_start(self, serialized: Any, inputs: Any, **words: Any) -> None:
        found = described("chain", serialized, words)
        self.all.append((words["name"], found and found.name))


@pytest.mark.parametrize(
    ("name", "span"), [("forecaster", "invoke_agent forecaster"), (None, "invoke_agent")]
)
def test_agent_is_known_by_metadata_alone(name: str | None, span: str) -> None:
    """By callbacks alone the outermost run of an agent is told from the runs of its nodes."""
    chains = Chains()
    question = {"messages": [("user", "?")]}
    create_agent(model(), [weather], name=name).invoke(question, {"callbacks": [chains]})
    langchain = installed("langchain")
    expected = [(name or "LangGraph", span if langchain >= (1, 2, 13) else None), ("model", None)]
    if langchain < (1, 0, 4):  # there what chooses the next node is a run
        expected.append(("model_to_tools", None))
    assert chains.all == expected


def test_agent_executor_is_an_agent() -> None:
    """The agent of langchain_classic is known by its name."""
    found = described("chain", None, {"name": "AgentExecutor"})
    assert found is not None
    assert found.name == "invoke_agent"
