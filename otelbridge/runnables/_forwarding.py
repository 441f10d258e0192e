"""Attributes that a runnable takes from the one that it wraps."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable
from typing import Any

from otelbridge.runnables.base import Runnable


def forwarded(wrapper: Any, wrapped: str, name: str) -> Any:
    """Return the attribute ``name`` of the runnable that ``wrapper`` has under ``wrapped``.

    Raises:
        AttributeError: it has none, or the name is one of Python's own.
    """
    # Copying and unpickling ask a half-made instance for its attributes.
    if name == wrapped or (name.startswith("__") and name.endswith("__")):
        raise AttributeError(f"{type(wrapper).__name__!r} object has no attribute {name!r}")
    return getattr(getattr(wrapper, wrapped), name)


def config_position(function: Callable[..., Any]) -> int | None:
    """Return where ``function`` takes its ``config`` by position, or None where it takes none.

    A keyword-only ``config`` has a position past all others.
    """
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    config = parameters.get("config")
    if config is None:
        return None
    if config.kind is config.POSITIONAL_OR_KEYWORD:
        return list(parameters).index("config")
    return sys.maxsize if config.kind is config.KEYWORD_ONLY else None


def returns_runnable(attribute: Any) -> bool:
    """Return whether a method says that it returns a runnable: it is then called on each."""
    if not callable(attribute):
        return False
    try:
        return _is_runnable_type(typing.get_type_hints(attribute).get("return"))
    except (NameError, TypeError):  # annotations that cannot be resolved here
        return False


def _is_runnable_type(hint: Any) -> bool:
    origin = typing.get_origin(hint) or hint
    if origin is typing.Union or origin is types.UnionType:
        return all(map(_is_runnable_type, typing.get_args(hint)))
    return inspect.isclass(origin) and issubclass(origin, Runnable)
