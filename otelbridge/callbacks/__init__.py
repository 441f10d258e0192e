"""Handlers, managers and custom events, at langchain-core's import path."""

from __future__ import annotations

from otelbridge.callbacks.base import (
    AsyncCallbackHandler,
    BaseCallbackHandler,
    BaseCallbackManager,
    Callbacks,
)
from otelbridge.callbacks.manager import (
    AsyncCallbackManager,
    AsyncCallbackManagerForChainRun,
    AsyncCallbackManagerForToolRun,
    CallbackManager,
    CallbackManagerForChainRun,
    CallbackManagerForToolRun,
    adispatch_custom_event,
    dispatch_custom_event,
)
from otelbridge.handlers import CallbackHandler, as_handler

__all__ = [
    "AsyncCallbackHandler",
    "AsyncCallbackManager",
    "AsyncCallbackManagerForChainRun",
    "AsyncCallbackManagerForToolRun",
    "BaseCallbackHandler",
    "BaseCallbackManager",
    "CallbackHandler",
    "CallbackManager",
    "CallbackManagerForChainRun",
    "CallbackManagerForToolRun",
    "Callbacks",
    "adispatch_custom_event",
    "as_handler",
    "dispatch_custom_event",
]
