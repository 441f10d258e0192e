"""The two libraries behind one name each.

A program of this suite takes a `Library` and finds everything in it: ``lib.RunnableLambda``,
``lib.ensure_config``, ``lib.dispatch_custom_event``. It cannot tell which library it runs on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Library:
    """A library whose public names are looked up in the modules that upstream documents.

    Args:
        name: the name of its package.
        modules: where a name is looked for, first hit wins.
    """

    name: str
    modules: tuple[str, ...]

    def __getattr__(self, wanted: str) -> Any:
        if wanted.startswith("__"):
            raise AttributeError(wanted)
        return _look_up(self.modules, wanted)

    def owns(self, module_name: str) -> bool:
        """Whether a module of that name is part of this library."""
        return module_name == self.name or module_name.startswith(f"{self.name}.")


@cache
def _look_up(modules: tuple[str, ...], wanted: str) -> Any:
    for module in map(_import, modules):
        if hasattr(module, wanted):
            return getattr(module, wanted)
    raise AttributeError(f"none of {', '.join(modules)} has {wanted}")


@cache
def _import(name: str) -> ModuleType:
    return import_module(name)


def _documented_modules(package: str) -> tuple[str, ...]:
    paths = ("runnables", "runnables.config", "runnables.base", "callbacks", "callbacks.manager")
    return tuple(f"{package}.{path}" for path in (*paths, "tools"))


UPSTREAM = Library(
    "langchain_core",
    (
        *_documented_modules("langchain_core"),
        "langchain_core.runnables.retry",
        "langchain_core.runnables.utils",
    ),
)
OURS = Library("otelbridge", ("otelbridge", *_documented_modules("otelbridge")))
BOTH = (UPSTREAM, OURS)
