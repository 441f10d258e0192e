"""Managers and custom events, at langchain-core's import path.

A run is its own run manager, so the names of upstream's run managers all mean ``Run``.
"""

from __future__ import annotations

from otelbridge.events import adispatch_custom_event, dispatch_custom_event
from otelbridge.manager import AsyncCallbackManager, CallbackManager
from otelbridge.run import Run
from otelbridge.run_managers import AsyncRunManager
from otelbridge.scopes import atrace_group, trace_group

AsyncCallbackManagerForChainRun = AsyncRunManager
AsyncCallbackManagerForToolRun = AsyncRunManager
CallbackManagerForChainRun = Run
CallbackManagerForToolRun = Run
atrace_as_chain_group = atrace_group
trace_as_chain_group = trace_group

__all__ = [
    "AsyncCallbackManager",
    "AsyncCallbackManagerForChainRun",
    "AsyncCallbackManagerForToolRun",
    "CallbackManager",
    "CallbackManagerForChainRun",
    "CallbackManagerForToolRun",
    "adispatch_custom_event",
    "atrace_as_chain_group",
    "dispatch_custom_event",
    "trace_as_chain_group",
]
