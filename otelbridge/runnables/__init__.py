"""Runnables: composable callables whose every invocation is a run.

Branches, routers, retries, fallbacks and listeners are imported where they are first asked for: not
every program has them, and importing the library must stay quick.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from otelbridge.config import (
    RunnableConfig,
    ensure_config,
    get_config_list,
    merge_configs,
    patch_config,
    run_in_executor,
)
from otelbridge.runnables import base
from otelbridge.runnables._addable import AddableDict, aadd, add
from otelbridge.runnables.base import (
    Runnable,
    RunnableLike,
    RunnableSerializable,
    coerce_to_runnable,
    forms,
)
from otelbridge.runnables.binding import RunnableBinding, RunnableBindingBase
from otelbridge.runnables.each import RunnableEach, RunnableEachBase
from otelbridge.runnables.generator import RunnableGenerator
from otelbridge.runnables.lambdas import RunnableLambda, chain
from otelbridge.runnables.parallel import RunnableMap, RunnableParallel
from otelbridge.runnables.passthrough import RunnableAssign, RunnablePassthrough, RunnablePick
from otelbridge.runnables.sequence import RunnableSequence

if TYPE_CHECKING:
    from otelbridge.runnables.branch import RunnableBranch
    from otelbridge.runnables.fallbacks import RunnableWithFallbacks
    from otelbridge.runnables.retry import ExponentialJitterParams, RunnableRetry
    from otelbridge.runnables.router import RouterInput, RouterRunnable

_LATER = {
    "ExponentialJitterParams": "retry",
    "RouterInput": "router",
    "RouterRunnable": "router",
    "RunnableBranch": "branch",
    "RunnableRetry": "retry",
    "RunnableWithFallbacks": "fallbacks",
    "listening": "listeners",
    "alistening": "listeners",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def _later(name: str) -> Callable[..., Any]:
    """Return a function that calls what goes by the name, imported by then."""
    return lambda *args, **kwargs: __getattr__(name)(*args, **kwargs)


forms.assign = RunnableAssign
forms.binding = RunnableBinding
forms.each = RunnableEach
forms.fallbacks = _later("RunnableWithFallbacks")
forms.function = RunnableLambda
forms.generator = RunnableGenerator
forms.parallel = RunnableParallel
forms.pick = RunnablePick
forms.retry = _later("RunnableRetry")
forms.sequence = RunnableSequence
forms.listening = _later("listening")
forms.alistening = _later("alistening")

# Upstream defines these in its ``runnables.base``, and programs import them from there.
for _form in (
    RunnableBinding,
    RunnableBindingBase,
    RunnableEach,
    RunnableEachBase,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnableSequence,
):
    setattr(base, _form.__name__, _form)
base.RunnableMap = RunnableParallel  # type: ignore[attr-defined]
base.chain = chain  # type: ignore[attr-defined]

__all__ = [
    "AddableDict",
    "ExponentialJitterParams",
    "RouterInput",
    "RouterRunnable",
    "Runnable",
    "RunnableAssign",
    "RunnableBinding",
    "RunnableBindingBase",
    "RunnableBranch",
    "RunnableConfig",
    "RunnableEach",
    "RunnableEachBase",
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
    "aadd",
    "add",
    "chain",
    "coerce_to_runnable",
    "ensure_config",
    "get_config_list",
    "merge_configs",
    "patch_config",
    "run_in_executor",
]
