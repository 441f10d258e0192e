"""What the SDK's own samplers decide without looking at a span: the one seam to them.

Those that always say the same, and those that say what was said of the parent, need neither the
name nor the attributes of a span. So a span that is dropped need not be described, and one that is
recorded costs no question. Every other sampler is asked.

Relied on, of ``opentelemetry.sdk.trace.sampling`` 1.28 to 1.45: the bodies of ``should_sample`` of
``StaticSampler`` and of ``ParentBased``, recognised by all the names that they use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_MODULE = "opentelemetry.sdk.trace.sampling"
_STATIC = ("Decision DROP SamplingResult _decision _get_parent_trace_state").split()
_BY_PARENT = (
    "_local_parent_not_sampled _local_parent_sampled _remote_parent_not_sampled "
    "_remote_parent_sampled _root get_current_span get_span_context is_remote is_valid sampled "
    "should_sample trace_flags"
).split()

Foreseen = tuple[Any, Any, Any, Any, Any]
"""Decisions of a sampler, None where it has to be asked: of a root span, and of the child of a
remote parent that is sampled, a remote one that is not, a local one that is, a local one that is
not."""

UNKNOWN: Foreseen = (None, None, None, None, None)


def foresee(sampler: Any) -> Foreseen:
    """Return what ``sampler`` will decide, whatever it is asked. Never raises."""
    try:
        if _is_known(sampler, _BY_PARENT):
            return (
                _always(sampler._root),
                _always(sampler._remote_parent_sampled),
                _always(sampler._remote_parent_not_sampled),
                _always(sampler._local_parent_sampled),
                _always(sampler._local_parent_not_sampled),
            )
        same = _always(sampler)
        return (same, same, same, same, same)
    except Exception:  # a sampler that is not as it looks
        return UNKNOWN


def _always(sampler: Any) -> Any:
    return sampler._decision if _is_known(sampler, _STATIC) else None


def _is_known(sampler: Any, names: Sequence[str]) -> bool:
    function = type(sampler).should_sample
    return (
        function.__module__ == _MODULE
        and "should_sample" not in vars(sampler)
        and sorted(function.__code__.co_names) == sorted(names)
    )
