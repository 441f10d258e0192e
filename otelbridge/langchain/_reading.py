"""Reads values that may be missing or of any type: what is not as expected is not there."""

from __future__ import annotations

from typing import Any, Final

_NOTHING: Final[dict[str, Any]] = {}


def mapping(value: object) -> dict[str, Any]:
    """Return a dict as it is, and an empty one, not to be changed, for everything else."""
    return value if isinstance(value, dict) else _NOTHING


def text(source: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    """Return the first text under one of the keys that is not empty."""
    for key in keys:
        value = source.get(key)
        if value and isinstance(value, str):
            return value
    return None


def double(value: object) -> float | None:
    """Return a number as a float."""
    kind = type(value)
    return float(value) if kind is float or kind is int else None  # type: ignore[arg-type]


def integer(value: object) -> int | None:
    """Return a whole number; a boolean is none."""
    return value if type(value) is int else None


def texts(value: object) -> tuple[str, ...] | None:
    """Return a text or a list of texts as a row of texts."""
    if isinstance(value, str):
        return (value,) if value else None
    if isinstance(value, (list, tuple)):
        return tuple(part for part in value if isinstance(part, str)) or None
    return None
