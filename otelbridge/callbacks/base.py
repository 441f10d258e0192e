"""Handlers, at langchain-core's import path."""

from __future__ import annotations

from otelbridge.handlers import AsyncCallbackHandler, BaseCallbackHandler
from otelbridge.manager import CallbackManager as BaseCallbackManager
from otelbridge.manager import Callbacks

__all__ = ["AsyncCallbackHandler", "BaseCallbackHandler", "BaseCallbackManager", "Callbacks"]
