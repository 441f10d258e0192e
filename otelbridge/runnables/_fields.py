"""Runnables that are equal when what they are made of is equal."""

from __future__ import annotations

from typing import Any, ClassVar


class ByFields:
    """Equality and repr by the attributes that ``_fields`` names.

    Such a runnable is not hashable: its fields (configs, lists) may be changed.
    """

    _fields: ClassVar[tuple[str, ...]] = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{field}={getattr(self, field)!r}" for field in self._fields)
        return f"{type(self).__name__}({shown})"

    def _values(self) -> list[Any]:
        return [getattr(self, field, None) for field in ("name", *self._fields)]
