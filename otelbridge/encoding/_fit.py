"""What the official encoder refuses, made into what OTLP can hold. Nothing here raises.

==============================  ==================================================================
a lone surrogate                written out, ``\\udc80``
an integer over 64 bits         decimal text
an entry of a list or mapping   each by these rules; the list or mapping stays one
too deep, too large, cyclic     compact JSON, cut to 64 KiB
a key that is no string         its text; where it meets another key, ``#2`` behind it
every other object              what the gate makes of it (``_shapes``): its text, or compact JSON
==============================  ==================================================================
"""

from __future__ import annotations

from collections import UserString
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from otelbridge._json import to_json, unique
from otelbridge._shapes import UNREADABLE, Many, read, text_of
from otelbridge._text import is_native, scalar_text
from otelbridge.encoding._values import DEPTH, Odd, any_value

_JSON_BYTES: Final = 64 << 10
_ALL_JSON_BYTES: Final = 256 << 10  # of all JSON texts in one value
_NAME_BYTES: Final = 1024
_ENTRIES: Final = 100_000  # of all lists and mappings in one value


def text(value: Any) -> str:
    """Return a name or a message: a string as it is, but for surrogates; of the rest, its text."""
    if value is None:
        return ""
    try:
        shape = read(value) if type(value) is not str else value
        if isinstance(shape, Many):
            return to_json(shape, _NAME_BYTES)[0]
        return _valid(scalar_text(shape)[0])
    except Exception:
        return UNREADABLE


def attributes(given: Any) -> dict[str, Any]:
    """Return attributes that can be written; none where they cannot even be listed."""
    found: dict[str, Any] = {}
    for key, entry in _pairs(given):
        found[unique(_key(key), found)] = value(entry)
    return found


def value(given: Any) -> Any:
    """Return a value that can be written: as it is where it can be."""
    try:
        any_value(given)
        return given
    except Exception:
        pass
    try:
        fit = _Fitting().value(given, 0)
        any_value(fit)
        return fit
    except Exception:
        return _json(given)


def _json(given: Any) -> str:
    try:
        return to_json(given, _JSON_BYTES)[0]
    except Exception:  # such as a stack with no room for another call
        return UNREADABLE


def _pairs(given: Any) -> list[tuple[Any, Any]]:
    try:
        return list(islice(given.items(), _ENTRIES))
    except Exception:
        return []


def _key(key: Any) -> str:
    try:
        return _valid(key if type(key) is str else text_of(key))
    except Exception:
        return UNREADABLE


def _valid(given: str) -> str:
    return str.encode(given, "utf-8", "backslashreplace").decode()


class _Fitting:
    """One value with what is in it."""

    __slots__ = ("_json_left", "_left")

    def __init__(self) -> None:
        self._left = _ENTRIES
        self._json_left = _ALL_JSON_BYTES

    def value(self, given: Any, depth: int) -> Any:
        kind = type(given)
        if issubclass(kind, Mapping) and depth < DEPTH:
            return self._mapping(given, depth)
        if issubclass(kind, Sequence) and not issubclass(kind, (str, bytes, UserString)):
            if depth < DEPTH:
                return [self.value(entry, depth + 1) for entry in self._taken(given)]
        elif given is None or issubclass(kind, bytes):
            return given
        shape = read(given)
        if isinstance(shape, Many):
            return self._json(shape)
        if isinstance(shape, float) or (isinstance(shape, int) and is_native(shape)):
            return shape
        return _valid(scalar_text(shape)[0])

    def _mapping(self, given: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, entry in self._taken(given.items()):
            found[unique(_key(key), found)] = self.value(entry, depth + 1)
        return found

    def _json(self, shape: Many) -> str:
        made = _json(shape)
        self._json_left -= len(made)
        if self._json_left < 0:
            raise Odd
        return made

    def _taken(self, entries: Iterable[Any]) -> list[Any]:
        taken = list(islice(entries, self._left + 1))
        self._left -= len(taken)
        if self._left < 0:
            raise Odd
        return taken
