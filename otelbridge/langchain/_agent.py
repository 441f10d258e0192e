"""Which runs are agents, and what they are called.

A graph of LangGraph is an agent where one of these holds, in this order:

- its own config names the integration ``langchain_create_agent``, as ``create_agent`` of langchain
  writes it (agents/factory.py);
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
    named = [node for name, node in nodes.items() if name != _START]
    tools = [node for node in named if type(getattr(node, "bound", None)).__name__ in _TOOLS]
    return 0 < len(tools) < len(named)
