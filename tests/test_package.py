"""The package as its users meet it: what it exports, and what importing it costs."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from importlib.metadata import version

import otelbridge

EXPORTED = [
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
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(otelbridge.__path__, "otelbridge.")
    if not module.name.endswith("__main__")
)


def is_definition(exported: object) -> bool:
    return inspect.isclass(exported) or inspect.isroutine(exported)


def run_python(code: str) -> str:
    """What the code prints in a fresh process."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def test_exported_names_are_these_and_exist() -> None:
    """``__all__`` changes only on purpose, and each of its names can be had."""
    assert list(otelbridge.__all__) == EXPORTED
    assert [name for name in EXPORTED if not hasattr(otelbridge, name)] == []


def test_exported_names_are_documented() -> None:
    """Every exported class and function says what it is."""
    exported = {name: getattr(otelbridge, name) for name in otelbridge.__all__}
    assert [name for name, it in exported.items() if is_definition(it) and not it.__doc__] == []


def test_version_is_that_of_the_distribution() -> None:
    """The code and its installed metadata agree."""
    assert otelbridge.__version__ == version("otelbridge")


def test_every_module_says_what_it_is() -> None:
    """Each module can be imported and opens with a docstring."""
    assert [name for name in MODULES if not importlib.import_module(name).__doc__] == []


def test_import_brings_in_neither_the_sdk_nor_what_is_needed_later() -> None:
    """Importing the core loads no SDK, exporter, tenacity or rich, nor what few programs use."""
    later = ["opentelemetry.sdk", "opentelemetry.exporter", "tenacity", "langchain_core", "rich"]
    own = ("branch", "fallbacks", "listeners", "retry", "router", "tool")
    later += [f"otelbridge.runnables.{name}" for name in own]
    loaded = run_python("import otelbridge, sys; print(*sys.modules)").split()
    assert [name for name in later if name in loaded] == []
