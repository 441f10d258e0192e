"""A LangGraph agent with tools: it stops to ask a person, and goes on with the answer.

Needs: pip install 'otelbridge[langchain]' langgraph
"""

from __future__ import annotations

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt

import otelbridge.langchain
from otelbridge.testing import Answer, ScriptedChatModel, capture_runs


@tool
def find_flights(to: str) -> list[str]:
    """Find flights to a city."""
    get_stream_writer()({"type": "searching", "to": to})
    return ["OB 1 at 9:00", "OB 2 at 14:30"]


@tool
def book(flight: str) -> str:
    """Book a flight, once a person agrees."""
    if interrupt({"book": flight}) != "yes":
        return "The person said no."
    return f"{flight} is booked."


model = ScriptedChatModel(
    [
        Answer(tool_calls=[{"name": "find_flights", "args": {"to": "Oslo"}}]),
        Answer(tool_calls=[{"name": "book", "args": {"flight": "OB 1"}}]),
        "You fly with OB 1 at 9:00.",
    ]
).bind_tools([find_flights, book])


def think(state: MessagesState) -> dict[str, object]:
    return {"messages": [model.invoke(state["messages"])]}


graph = StateGraph(MessagesState)
graph.add_node("think", think)
graph.add_node("tools", ToolNode([find_flights, book]))
graph.add_edge(START, "think")
graph.add_conditional_edges("think", tools_condition)
graph.add_edge("tools", "think")
agent = graph.compile(checkpointer=InMemorySaver(), name="travel agent")

if __name__ == "__main__":
    otelbridge.langchain.instrument()
    config: RunnableConfig = {"configurable": {"thread_id": "trip-7"}}
    with capture_runs() as runs:
        wish = HumanMessage("Book me a flight to Oslo.")
        state = agent.invoke({"messages": [wish]}, config)
        print("asks:", state["__interrupt__"][0].value)
        print(runs.tree())
        stopped = runs.find("invoke_agent travel agent").get_span_context()
        runs.clear()

        state = agent.invoke(Command(resume="yes"), config)
        print("\nsays:", state["messages"][-1].content)
        print(runs.tree())
        resumed = runs.find("invoke_agent travel agent")
        print("linked to the run that stopped:", [it.context == stopped for it in resumed.links])
