"""Which runs are agents, and what they are called.

A graph of LangGraph is an agent where one of these holds, in this order:

- its own config names the integration ``langchain_create_agent``, as ``create_agent`` of langchain
  does from 1.1 (agents/factory.py);
- one of its nodes is a ``ToolNode``, as in agents made by ``create_react_agent``, by langchain 1.0,
  or by hand: a model that chooses tools is what the conventions call an agent;
- its name says so, such as ``"support agent"``.

The graph's own config is asked and not the run's metadata: metadata is inherited, so that in an
agent's tool every graph would look like that agent. Where no graph is at hand, the metadata decides
for runs that are in no node. ``AgentExecutor`` of langchain_classic is known by its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_INTEGRATION: Final = "langchain_create_agent"
_UNNAMED: Final = "LangGraph"  # what LangGraph calls a graph without a name
_EXECUTOR: Final = "AgentExecutor"
_SAYS_AGENT: Final = re.compile(
    r"(?<![A-Za-z])(?:[Aa]gents?|AGENT)(?![a-z])|(?<=[a-z])Agent(?![a-z])"
)


def agent_of(words: Mapping[str, Any]) -> str | None:
    """Return the name of the agent that a chain's run is; "" for one without, None for no agent.

    Args:
        words: the callback's keyword arguments, with the graph as ``graph`` where the run is one.
    """
    graph = words.get("graph")
    name = words.get("name")
    if graph is None:
        return _without_graph(name, words.get("metadata"))
    own = getattr(graph, "config", None)
    own = own.get("metadata") if isinstance(own, dict) else None
    own = own if isinstance(own, dict) else {}
    names = (own.get("lc_agent_name"), getattr(graph, "name", None), name)
    named = next((n for n in names if isinstance(n, str) and n and n != _UNNAMED), "")
    if own.get("ls_integration") == _INTEGRATION or _has_tools(graph):
        return named
    return named if _SAYS_AGENT.search(named) else None


def _without_graph(name: Any, metadata: Any) -> str | None:
    if name == _EXECUTOR:
        return ""
    if type(metadata) is not dict or metadata.get("ls_integration") != _INTEGRATION:
        return None
    if "langgraph_node" in metadata:
        return None
    named = metadata.get("lc_agent_name") or name
    return named if isinstance(named, str) and named != _UNNAMED else ""


def _has_tools(graph: Any) -> bool:
    nodes = getattr(graph, "nodes", None)
    if not isinstance(nodes, Mapping):
        return False
    return any(type(getattr(n, "bound", None)).__name__ == "ToolNode" for n in nodes.values())
