"""Tools, at langchain-core's import path."""

from __future__ import annotations

from otelbridge.runnables.tool import BaseTool, Tool, ToolException, tool

__all__ = ["BaseTool", "Tool", "ToolException", "tool"]
