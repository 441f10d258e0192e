"""Which runs are agents, and what they are called.

A graph of LangGraph is an agent where one of these holds, in this order:

- ``create_agent`` of langchain has made it (agents/factory.py): its own config names the
  integration ``langchain_create_agent``, or, as langchain wrote that from 1.2.13 on, its node
  ``model`` is a function of that module;
- it has a ``ToolNode`` beside other nodes, as in agents made by ``create_react_agent``, or by hand:
  a model that chooses tools is what the conventions call an agent;
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
_FACTORY: Final = "langchain.agents.factory"
_UNNAMED: Final = "LangGraph"  # what LangGraph calls a graph without a name
_START: Final = "__start__"
_EXECUTOR: Final = "AgentExecutor"
_TOOLS: Final = ("ToolNode", "_ToolNode")  # the second is langchain's own, in 1.0
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
    if _is_created(graph, own) or _has_tools(graph):
        return named
    return named if _SAYS_AGENT.search(named) else None


def may_be_agent(words: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    """Return False for what can be no agent where no graph is at hand: nearly every chain."""
    return metadata.get("ls_integration") == _INTEGRATION or words.get("name") == _EXECUTOR


def _without_graph(name: Any, metadata: Any) -> str | None:
    if name == _EXECUTOR:
        return ""
    if type(metadata) is not dict or metadata.get("ls_integration") != _INTEGRATION:
        return None
    if "langgraph_node" in metadata:
        return None
    named = metadata.get("lc_agent_name") or name
    return named if isinstance(named, str) and named != _UNNAMED else ""


def _is_created(graph: Any, own: Mapping[str, Any]) -> bool:
    if own.get("ls_integration") == _INTEGRATION:
        return True
    body = getattr(_nodes(graph).get("model"), "bound", None)
    return getattr(getattr(body, "func", None), "__module__", None) == _FACTORY


def _has_tools(graph: Any) -> bool:
    named = [node for name, node in _nodes(graph).items() if name != _START]
    tools = [node for node in named if type(getattr(node, "bound", None)).__name__ in _TOOLS]
    return 0 < len(tools) < len(named)


def _nodes(graph: Any) -> Mapping[str, Any]:
    nodes = getattr(graph, "nodes", None)
    return nodes if isinstance(nodes, Mapping) else {}
