"""Any value as plain data that two libraries can be compared by.

Values are frozen when they are seen, because a program may change them later. What differs between
the libraries by nature (generated ids, classes, the wording of their own errors) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any
from uuid import UUID

from .libraries import BOTH

SMALL_ID = 1 << 32
"""Ids below this were chosen by a program, so they are compared; others were generated."""

_PLAIN = (bool, int, float, str, bytes, type(None))


def freeze(value: Any) -> Any:
    """Plain data that equals that of the other library where the two mean the same."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, UUID):
        return str(value) if value.int < SMALL_ID else "<generated id>"
    if isinstance(value, BaseException):
        return freeze_error(value)
    if isinstance(value, Mapping):
        frozen = {freeze(key): freeze(item) for key, item in value.items()}
        return frozen if type(value) is dict else (type(value).__name__, frozen)
    if isinstance(value, list):
        return [freeze(item) for item in value]
    if isinstance(value, tuple):
        return tuple(freeze(item) for item in value)
    if isinstance(value, (set, frozenset)):
        return {freeze(item) for item in value}
    if hasattr(value, "inheritable_handlers"):
        return _freeze_manager(value)
    return ("object", _public_name(type(value)))


def freeze_error(error: BaseException) -> tuple[str, str, str | None]:
    """The kind of an error, and its text where that is the program's own."""
    text = None if _raised_by_a_library(error.__traceback__) else str(error)
    return ("error", _public_name(type(error)), text)


def sort_key(value: Any) -> str:
    """A text that orders frozen values, the same for dictionaries filled in another order."""
    if isinstance(value, dict):
        items = sorted((sort_key(key), sort_key(item)) for key, item in value.items())
        return f"dict{items}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}{[sort_key(item) for item in value]}"
    return repr(value)


def _freeze_manager(manager: Any) -> tuple[Any, ...]:
    linked = "child" if manager.parent_run_id is not None else "root"
    told = (len(manager.handlers), sorted(manager.tags), freeze(manager.metadata))
    return ("manager", linked, *told)


def _public_name(kind: type) -> str:
    """The name of the nearest class that does not belong to one of the libraries' own trees."""
    if issubclass(kind, BaseException):
        known = (base for base in kind.__mro__ if not _from_a_library(base.__module__))
        return next(known).__name__
    return kind.__name__


def _from_a_library(module_name: str) -> bool:
    return any(library.owns(module_name) for library in BOTH)


def _raised_by_a_library(traceback: TracebackType | None) -> bool:
    if traceback is None:
        return False
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return not _is_of_a_program(str(traceback.tb_frame.f_globals.get("__name__", "")))


def _is_of_a_program(module_name: str) -> bool:
    return __package__.rpartition(".")[2] in module_name.split(".")
