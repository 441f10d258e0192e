"""Data that is compared and shown by its fields.

Written out, and no dataclasses: the code that those generate costs a millisecond each, at every
import of the library.
"""

from __future__ import annotations

from typing import Any, TypeVar

Self = TypeVar("Self", bound="Record")


class Record:
    """A base for data classes: the fields are the ``__slots__``, and ``__init__`` takes them.

    Nobody changes a record once it is made; ``replaced`` makes another one.
    """

    __slots__: tuple[str, ...] = ()

    def replaced(self: Self, **changes: Any) -> Self:
        """Return a record like this one with some fields changed."""
        return type(self)(**{**self._fields(), **changes})

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(tuple(self._fields().values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._fields().items())
        return f"{type(self).__name__}({fields})"
