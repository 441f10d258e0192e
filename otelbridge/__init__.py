"""Every runnable invocation is an OpenTelemetry span, every custom event a span event.

Where to start: ``RunnableLambda`` and ``chain`` make runnables of functions, ``|`` composes them;
``dispatch_custom_event`` and ``adispatch_custom_event`` say what a function is doing; ``traced``
and ``start_run`` are for code without runnables; ``configure`` says where the traces go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otelbridge._backlog import drain
from otelbridge._version import __version__
from otelbridge.config import (
    RunnableConfig,
    ensure_config,
    get_config,
    get_config_list,
    merge_configs,
    patch_config,
    run_in_executor,
)
from otelbridge.context import current_run
from otelbridge.errors import ConfigurationError, NoActiveRunError, OtelbridgeError
from otelbridge.events import adispatch_custom_event, dispatch_custom_event
from otelbridge.handlers import (
    AsyncCallbackHandler,
    BaseCallbackHandler,
    CallbackHandler,
    as_handler,
)
from otelbridge.manager import AsyncCallbackManager, CallbackManager
from otelbridge.run import Run
from otelbridge.run_managers import AsyncRunManager
from otelbridge.runnables import (
    AddableDict,
    RouterInput,
    RouterRunnable,
    Runnable,
    RunnableAssign,
    RunnableBinding,
    RunnableBranch,
    RunnableEach,
    RunnableGenerator,
    RunnableLambda,
    RunnableLike,
    RunnableMap,
    RunnableParallel,
    RunnablePassthrough,
    RunnablePick,
    RunnableRetry,
    RunnableSequence,
    RunnableSerializable,
    RunnableWithFallbacks,
    chain,
    coerce_to_runnable,
)
from otelbridge.scopes import atrace_group, start_run, trace_group
from otelbridge.stream_events import StreamEvent
from otelbridge.traced import traced

if TYPE_CHECKING:
    from otelbridge.export.configure import configure
    from otelbridge.runnables.tool import BaseTool, Tool, ToolException, tool

__all__ = [
    "AddableDict",
    "AsyncCallbackHandler",
    "AsyncCallbackManager",
    "AsyncRunManager",
    "BaseCallbackHandler",
    "BaseTool",
    "CallbackHandler",
    "CallbackManager",
    "ConfigurationError",
    "NoActiveRunError",
    "OtelbridgeError",
    "RouterInput",
    "RouterRunnable",
    "Run",
    "Runnable",
    "RunnableAssign",
    "RunnableBinding",
    "RunnableBranch",
    "RunnableConfig",
    "RunnableEach",
    "RunnableGenerator",
    "RunnableLambda",
    "RunnableLike",
    "RunnableMap",
    "RunnableParallel",
    "RunnablePassthrough",
    "RunnablePick",
    "RunnableRetry",
    "RunnableSequence",
    "RunnableSerializable",
    "RunnableWithFallbacks",
    "StreamEvent",
    "Tool",
    "ToolException",
    "__version__",
    "adispatch_custom_event",
    "as_handler",
    "atrace_group",
    "chain",
    "coerce_to_runnable",
    "configure",
    "current_run",
    "dispatch_custom_event",
    "drain",
    "ensure_config",
    "get_config",
    "get_config_list",
    "merge_configs",
    "patch_config",
    "run_in_executor",
    "start_run",
    "tool",
    "trace_group",
    "traced",
]


_TOOLS = frozenset({"BaseTool", "Tool", "ToolException", "tool"})


def __getattr__(name: str) -> object:
    # configure() brings the SDK and its exporters, and not every program has tools; importing the
    # library must stay quick.
    if name == "configure":
        from otelbridge.export.configure import configure

        return configure
    if name in _TOOLS:
        from otelbridge.runnables import tool as tools

        return getattr(tools, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
