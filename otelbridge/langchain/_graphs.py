"""What LangGraph has beyond LangChain: stream writers, interrupts and resumed runs."""

from __future__ import annotations

from types import ModuleType

from otelbridge.langchain._patch import Patches


def enter(main: ModuleType, patches: Patches) -> None:
    """Enter ``langgraph.pregel.main``."""
