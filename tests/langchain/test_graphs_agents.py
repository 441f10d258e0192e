"""Agents of langchain 1.x: the tree is what the agent did, middleware and tools included."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from graphs import (
    every_way,
    every_way_with_context,
    traced,
    traced_by_handler,
    traces,
)
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import BaseModel

from otelbridge import semconv
from otelbridge.testing import CapturedRuns, ScriptedChatModel

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # langgraph 1.0 warns of itself when it is imported
    pytest.importorskip("langchain.agents")
    from langchain.agents import create_agent
    from langchain.agents.middleware import (
        AgentMiddleware,
        HumanInTheLoopMiddleware,
        after_model,
        before_model,
    )
    from langchain.agents.structured_output import ToolStrategy
    from langchain.tools import ToolRuntime

Way = Callable[..., Any]
HELLO: Any = {"messages": [HumanMessage("How is the weather?")]}


class Report(BaseModel):
    """The answer, structured."""

    city: str


@tool
def weather(city: str, runtime: ToolRuntime) -> str:
    """Tell the weather."""
    runtime.stream_writer({"type": "looking", "city": city})
    if city == "Atlantis":
        raise LookupError("no such city")
    return "sunny"


@before_model
def check(state: Any, runtime: Any) -> None:
    """Write what it does, as nodes do."""
    runtime.stream_writer("checking")


@after_model
def look(state: Any, runtime: Any) -> None:
    """Do nothing."""


class Careful(AgentMiddleware[Any, Any]):
    """Tries the model and answers for tools that fail, in every form."""

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        return handler(request)

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        return await handler(request)

    def wrap_tool_call(self, request: Any, handler: Any) -> Any:
        try:
            return handler(request)
        except LookupError as error:
            return _failed(request, error)

    async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
        try:
            return await handler(request)
        except LookupError as error:
            return _failed(request, error)


def _failed(request: Any, error: LookupError) -> ToolMessage:
    return ToolMessage(str(error), tool_call_id=request.tool_call["id"], status="error")


def calling(*calls: tuple[str, str]) -> AIMessage:
    """Return a model's answer that calls tools, each for a city."""
    return AIMessage(
        "",
        tool_calls=[
            {"name": name, "args": {"city": city}, "id": f"{name} {city}"} for name, city in calls
        ],
    )


def agent(*answers: Any, **options: Any) -> Any:
    return create_agent(ScriptedChatModel([*answers]), [weather], name="Agent", **options)


def steps(captured: CapturedRuns) -> list[str]:
    """Return the traces without the routes between nodes, which langchain 1.0 made runs."""
    return [line for line in traces(captured) if "_to_" not in line]


@every_way_with_context
def test_an_agent_is_its_models_and_tools_in_order(way: Way) -> None:
    """What the tools write is theirs."""
    with traced() as captured:
        way(agent(calling(("weather", "Paris")), "It is sunny."), HELLO)
        assert steps(captured) == [
            "invoke_agent Agent",
            "  model",
            "    chat scripted",
            "  tools",
            "    execute_tool weather *looking",
            "  model",
            "    chat scripted",
        ]


@every_way_with_context
def test_parallel_calls_are_spans_of_their_own(way: Way) -> None:
    """Told apart by the call's id."""
    with traced() as captured:
        way(agent(calling(("weather", "Paris"), ("weather", "Rome")), "Sunny."), HELLO)
        found = captured.find_all("execute_tool weather")
        calls = sorted(str((span.attributes or {})["gen_ai.tool.call.id"]) for span in found)
        assert calls == ["weather Paris", "weather Rome"]
        lines = steps(captured)
        assert lines.count("    execute_tool weather *looking") == 2
        assert lines.count("  tools") == 2


@every_way_with_context
def test_middleware_is_where_it_ran(way: Way) -> None:
    """Hooks are nodes; what wraps a call adds no span to it."""
    with traced() as captured:
        way(agent("Hello.", middleware=[check, look, Careful()]), HELLO)
        assert steps(captured) == [
            "invoke_agent Agent",
            "  check.before_model *langgraph.custom",
            "  model",
            "    chat scripted",
            "  look.after_model",
        ]


@every_way_with_context
def test_a_structured_answer_is_no_tool_that_ran(way: Way) -> None:
    """The model calls a tool that does not exist, and the agent ends."""
    with traced() as captured:
        way(agent(calling(("Report", "Paris")), response_format=ToolStrategy(Report)), HELLO)
        assert steps(captured) == ["invoke_agent Agent", "  model", "    chat scripted"]


@every_way_with_context
def test_a_tool_that_fails_and_is_answered_for_fails_alone(way: Way) -> None:
    """The tool's span has the error, and the agent goes on."""
    model = calling(("weather", "Atlantis"))
    with traced() as captured:
        way(agent(model, "No such city.", middleware=[Careful()]), HELLO)
        assert steps(captured) == [
            "invoke_agent Agent",
            "  model",
            "    chat scripted",
            "  tools",
            "    execute_tool weather *looking !LookupError",
            "  model",
            "    chat scripted",
        ]


@every_way_with_context
def test_a_tool_that_fails_fails_its_agent(way: Way) -> None:
    """Where nobody answers for it."""
    with traced() as captured:
        with pytest.raises(LookupError):
            way(agent(calling(("weather", "Atlantis"))), HELLO)
        assert steps(captured) == [
            "invoke_agent Agent !LookupError",
            "  model",
            "    chat scripted",
            "  tools !LookupError",
            "    execute_tool weather *looking !LookupError",
        ]


@every_way
def test_a_model_that_fails_fails_its_agent(way: Way) -> None:
    """Each span above has the error."""
    with traced() as captured:
        with pytest.raises(ConnectionError):
            way(agent(ConnectionError("no")), HELLO)
        assert steps(captured) == [
            "invoke_agent Agent !ConnectionError",
            "  model !ConnectionError",
            "    chat scripted !ConnectionError",
        ]


@every_way_with_context
def test_an_agent_that_asks_a_person_is_interrupted_and_resumed(way: Way) -> None:
    """Human in the loop: the run that goes on is linked to the one that asked."""
    asking = agent(
        calling(("weather", "Paris")),
        "It is sunny.",
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"weather": True})],
        checkpointer=InMemorySaver(),
    )
    config = {"configurable": {"thread_id": "1"}}
    hook = "HumanInTheLoopMiddleware.after_model"
    with traced() as captured:
        way(asking, HELLO, config)
        asked = captured.find("invoke_agent Agent")
        assert steps(captured) == [
            "invoke_agent Agent ~interrupted",
            "  model",
            "    chat scripted",
            f"  {hook} ~interrupted",
        ]
        way(asking, Command(resume={"decisions": [{"type": "approve"}]}), config)
        resumed = captured.find("invoke_agent Agent")
        assert [link.context.span_id for link in resumed.links] == [asked.context.span_id]
        assert steps(captured) == [
            "invoke_agent Agent",
            f"  {hook}",
            "  tools",
            "    execute_tool weather *looking",
            "  model",
            "    chat scripted",
            f"  {hook}",
        ]


@every_way_with_context
def test_an_agent_as_a_tool_of_another_is_below_its_tool(way: Way) -> None:
    """Agents nest as they call each other."""
    inner = create_agent(ScriptedChatModel(["Sunny."]), name="Inner agent")

    @tool
    def expert(city: str) -> str:
        """Ask the expert."""
        return str(inner.invoke(HELLO)["messages"][-1].content)

    outer = create_agent(
        ScriptedChatModel([calling(("expert", "Paris")), "Sunny."]), [expert], name="Outer"
    )
    with traced() as captured:
        way(outer, HELLO)
        assert steps(captured) == [
            "invoke_agent Outer",
            "  model",
            "    chat scripted",
            "  tools",
            "    execute_tool expert",
            "      invoke_agent Inner agent",
            "        model",
            "          chat scripted",
            "  model",
            "    chat scripted",
        ]


@every_way_with_context
def test_one_call_by_its_handler(way: Way) -> None:
    """The same tree with a handler for one call."""
    with traced_by_handler() as (captured, config):
        way(agent(calling(("weather", "Paris")), "Sunny."), HELLO, config)
        assert [line.strip() for line in steps(captured)] == [
            "invoke_agent Agent",
            "model",
            "chat scripted",
            "tools",
            "execute_tool weather *looking",
            "model",
            "chat scripted",
        ]


def test_a_conversation_is_on_every_span_of_it() -> None:
    """The thread's id, as OTel calls it."""
    config: Any = {"configurable": {"thread_id": "42"}}
    with traced() as captured:
        asked = agent(calling(("weather", "Paris")), "Sunny.", checkpointer=InMemorySaver())
        asked.invoke(HELLO, config)
        found = {(span.attributes or {}).get(semconv.CONVERSATION_ID) for span in captured.spans}
        assert found == {"42"}


async def test_an_agent_that_is_cancelled_in_its_tool_is_cancelled() -> None:
    """Tool, node and agent; the model's answer stays."""
    begun = asyncio.Event()

    @tool
    async def waits(city: str) -> str:
        """Wait for ever."""
        begun.set()
        await asyncio.sleep(60)
        return city

    waiting = create_agent(ScriptedChatModel([calling(("waits", "Paris"))]), [waits], name="Agent")
    with traced() as captured:
        run = asyncio.ensure_future(waiting.ainvoke(HELLO))
        await begun.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert steps(captured) == [
            "invoke_agent Agent ~cancelled",
            "  model",
            "    chat scripted",
            "  tools ~cancelled",
            "    execute_tool waits ~cancelled",
        ]
