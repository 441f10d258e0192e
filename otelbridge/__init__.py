"""Every runnable invocation is an OpenTelemetry span, every custom event a span event.

Where to start: ``RunnableLambda`` and ``chain`` make runnables of functions, ``|`` composes them;
``dispatch_custom_event`` and ``adispatch_custom_event`` say what a function is doing; ``traced``
and ``start_run`` are for code without runnables; ``configure`` says where the traces go.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    Runnable,
    RunnableAssign,
    RunnableBinding,
    RunnableEach,
    RunnableGenerator,
    RunnableLambda,
    RunnableLike,
    RunnableMap,
    RunnableParallel,
    RunnablePassthrough,
    RunnablePick,
    RunnableSequence,
    RunnableSerializable,
    chain,
    coerce_to_runnable,
)
from otelbridge.scopes import atrace_group, start_run, trace_group
from otelbridge.traced import traced

if TYPE_CHECKING:
    from otelbridge.export.configure import configure
    from otelbridge.runnables.branch import RunnableBranch
    from otelbridge.runnables.fallbacks import RunnableWithFallbacks
    from otelbridge.runnables.retry import RunnableRetry
    from otelbridge.runnables.router import RouterInput, RouterRunnable
    from otelbridge.runnables.tool import BaseTool, Tool, ToolException, tool
    from otelbridge.stream_events import StreamEvent

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

# Importing the library must stay quick: configure() brings the SDK and its exporters, and not every
# program has branches, retries, tools or event streams.
_LATER = {
    "BaseTool": "otelbridge.runnables.tool",
    "RouterInput": "otelbridge.runnables.router",
    "RouterRunnable": "otelbridge.runnables.router",
    "RunnableBranch": "otelbridge.runnables.branch",
    "RunnableRetry": "otelbridge.runnables.retry",
    "RunnableWithFallbacks": "otelbridge.runnables.fallbacks",
    "StreamEvent": "otelbridge.stream_events",
    "Tool": "otelbridge.runnables.tool",
    "ToolException": "otelbridge.runnables.tool",
    "configure": "otelbridge.export.configure",
    "tool": "otelbridge.runnables.tool",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
