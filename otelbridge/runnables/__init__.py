"""Runnables: composable callables whose every invocation is a run."""

from __future__ import annotations

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
from otelbridge.runnables.branch import RunnableBranch
from otelbridge.runnables.each import RunnableEach, RunnableEachBase
from otelbridge.runnables.fallbacks import RunnableWithFallbacks
from otelbridge.runnables.generator import RunnableGenerator
from otelbridge.runnables.lambdas import RunnableLambda, chain
from otelbridge.runnables.listeners import alistening, listening
from otelbridge.runnables.parallel import RunnableMap, RunnableParallel
from otelbridge.runnables.passthrough import RunnableAssign, RunnablePassthrough, RunnablePick
from otelbridge.runnables.retry import ExponentialJitterParams, RunnableRetry
from otelbridge.runnables.router import RouterInput, RouterRunnable
from otelbridge.runnables.sequence import RunnableSequence

forms.assign = RunnableAssign
forms.binding = RunnableBinding
forms.each = RunnableEach
forms.fallbacks = RunnableWithFallbacks
forms.function = RunnableLambda
forms.generator = RunnableGenerator
forms.parallel = RunnableParallel
forms.pick = RunnablePick
forms.retry = RunnableRetry
forms.sequence = RunnableSequence
forms.listening = listening
forms.alistening = alistening

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
