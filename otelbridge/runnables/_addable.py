"""A dict of chunks that can be added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AddableDict(dict[str, Any]):
    """A dict whose ``+`` adds the values of a key that both have; None counts as nothing."""

    def __add__(self, other: Mapping[str, Any]) -> AddableDict:
        return _added(self, other)

    def __radd__(self, other: Mapping[str, Any]) -> AddableDict:
        return _added(other, self)


def _added(first: Mapping[str, Any], second: Mapping[str, Any]) -> AddableDict:
    total = AddableDict(first)
    for key, value in second.items():
        if total.get(key) is None:
            total[key] = value
        elif value is not None:
            try:
                total[key] = total[key] + value
            except TypeError as error:
                raise TypeError(
                    f"The values under {key!r} cannot be added: "
                    f"{type(total[key]).__name__} and {type(value).__name__}."
                ) from error
    return total


def add(chunks: Any) -> Any:
    """Return the sum of an iterable of chunks; None when there is none."""
    total = None
    for chunk in chunks:
        total = chunk if total is None else total + chunk
    return total


async def aadd(chunks: Any) -> Any:
    """Return the sum of an async iterable of chunks; None when there is none."""
    total = None
    async for chunk in chunks:
        total = chunk if total is None else total + chunk
    return total
