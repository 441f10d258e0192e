"""Classes of langchain-core by which it and LangGraph know things, where the app has imported it.

====================================================  ==============================================
class                                                 relied on
====================================================  ==============================================
``callbacks.base.BaseCallbackManager``                LangGraph merges callbacks of no other class,
                                                      and event streams take none
``runnables.base.Runnable``                            an abstract class, with which others may be
                                                      registered: LangChain's chains take these
``tracers._streaming._StreamingCallbackHandler``      LangGraph streams nodes where a handler has it
                                                      among its bases
====================================================  ==============================================

Nothing is imported here, and where a class is missing there is nothing to be known by.
"""

from __future__ import annotations

import sys
from typing import Any, cast


def base_of_managers() -> type[Any] | None:
    """Return the class of callback managers."""
    return _class("langchain_core.callbacks.base", "BaseCallbackManager")


def base_of_runnables() -> type[Any] | None:
    """Return the class of runnables."""
    return _class("langchain_core.runnables.base", "Runnable")


def base_of_listeners() -> type[Any] | None:
    """Return the class of handlers that want the chunks of every stream."""
    return _class("langchain_core.tracers._streaming", "_StreamingCallbackHandler")


def _class(module: str, name: str) -> type[Any] | None:
    return cast("type[Any] | None", getattr(sys.modules.get(module), name, None))
