"""Any value as compact JSON that is always valid and never larger than it may be.

Written by hand because the standard encoder must first be given the whole value in memory, and
raises on cycles, odd keys and unknown objects; it is used for small values that need none of this.
Where room runs out, the open lists and objects are closed and say how many entries are missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from functools import cache
from typing import Any, Final

from ._redaction import REDACTED, Redactor
from ._shapes import KEY_BYTES, Fields, Many, Shape, read, small, text_of
from ._text import ELLIPSIS, Scalar, clean, is_native, scalar_text, utf8_len

CYCLE: Final = "[cycle]"
EMPTY_KEY: Final = "(empty)"
MAX_DEPTH: Final = 32  # levels inside one text
NO_REDACTION: Final = Redactor()

_SHORT: Final = ('"…"', '""', "")  # what is left of a value for which there is no room
_TAIL: Final = 48  # kept for each open container: its end, and the word on what is missing
_LEAST: Final = 8  # a shorter rest is not worth an entry
_KEY_CHARS: Final = 10_000  # of a longer key the middle is left out before it is looked at


@cache
def _encoder() -> Callable[[object], str]:
    import json  # Here: it takes two milliseconds, and only where spans are recorded is it needed.

    return json.JSONEncoder(
        ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
    ).encode


def to_json(
    value: object,
    room: int,
    *,
    key: str = "",
    redactor: Redactor = NO_REDACTION,
    parents: tuple[int, ...] = (),
) -> tuple[str, bool]:
    """Return the JSON text, at most ``room`` bytes, and whether anything was cut.

    Args:
        value: Anything; a container, mostly.
        room: Bytes of the result. Under 80 it may hold no more than an ellipsis.
        key: The attribute key it goes under; keys inside it are dotted on for the redactor.
        redactor: What is asked for each key and leaf.
        parents: Ids of the containers around the value, to know a cycle by.
    """
    shape = read(value)
    if not redactor.active and isinstance(shape, Many):
        text = _short_way(shape, room)
        if text is not None:
            return text, False
    if room < _TAIL + _LEAST * 4:
        return next(text for text in _SHORT if utf8_len(text) <= room), True
    writer = _Writer(room, redactor, len(parents) + MAX_DEPTH)
    writer.write(shape, key, parents)
    return "".join(writer.parts), writer.cut


def key_text(key: object) -> str:
    """Return a mapping's key as text: JSON's words for leaves, JSON for everything else."""
    if type(key) is str and 0 < len(key) <= KEY_BYTES:
        return key
    shape = read(key)
    text = to_json(shape, KEY_BYTES)[0] if isinstance(shape, Many) else scalar_text(shape)[0]
    if len(text) > _KEY_CHARS:
        half = _KEY_CHARS // 2  # the end stays, for the denylist
        return f"{text[:half]}{ELLIPSIS}{text[-half:]}"
    return text or EMPTY_KEY


def unique(key: str, taken: Container[str]) -> str:
    """Return the key, with ``#2``, ``#3``, ... behind it where it is taken."""
    if key not in taken:
        return key
    number = 2
    while f"{key}#{number}" in taken:
        number += 1
    return f"{key}#{number}"


def _short_way(shape: Many, room: int) -> str | None:
    """Encode a small value of exact builtins by the standard encoder; None for any other."""
    value: Any = shape.source
    try:
        if small(value, room, MAX_DEPTH) < 0 or shape.beyond(len(value), 0) > 0:
            return None
        text = _encoder()(value)
        return text if len(text.encode()) <= room else None
    except Exception:  # a lone surrogate; changed by another thread meanwhile
        return None


class _Writer:
    """One JSON text being written into ``parts`` while ``left`` bytes last."""

    __slots__ = ("_max_depth", "_redactor", "cut", "left", "parts")

    def __init__(self, room: int, redactor: Redactor, max_depth: int) -> None:
        self.parts: list[str] = []
        self.left = room
        self.cut = False
        self._redactor = redactor
        self._max_depth = max_depth

    def write(self, shape: Shape, key: str, parents: tuple[int, ...]) -> bool:
        """Write one value; False where it has no room."""
        if not isinstance(shape, Many):
            return self._leaf(self._redactor(key, shape) if self._redactor.active else shape)
        if id(shape.source) in parents:
            return self._leaf(CYCLE)
        if len(parents) >= self._max_depth:
            self.cut = True
            return self._leaf(ELLIPSIS)
        if self.left < _TAIL + _LEAST:
            return False
        return self._container(shape, key, (*parents, id(shape.source)))

    def _container(self, shape: Many, key: str, parents: tuple[int, ...]) -> bool:
        taken = shape.take(self.left // 2 + 1)  # an entry takes two bytes at least
        if shape.broken and not taken:
            return self.write(text_of(shape.source), key, parents)
        keyed = isinstance(shape, Fields)
        self.left -= _TAIL
        self._put("{" if keyed else "[")
        names: set[str] = set()
        written = 0
        for entry in taken:
            mark, left = len(self.parts), self.left
            if not self._entry(entry, key, parents, names if keyed else None, written):
                del self.parts[mark:]
                self.left = left
                break
            written += 1
        self.left += _TAIL
        self._missing(shape.beyond(written, len(taken)), names if keyed else None, written)
        self._put("}" if keyed else "]")
        return True

    def _entry(
        self,
        entry: Any,
        key: str,
        parents: tuple[int, ...],
        names: set[str] | None,
        written: int,
    ) -> bool:
        if self.left < _LEAST:
            return False
        if written:
            self._put(",")
        if names is not None:
            return self._pair(entry[0], entry[1], key, parents, names)
        return self.write(read(entry), key, parents)

    def _pair(
        self, name: object, value: object, key: str, parents: tuple[int, ...], names: set[str]
    ) -> bool:
        whole = key_text(name)
        shown, was_cut = clean(whole, KEY_BYTES)
        shown = unique(shown, names)
        label = _encoder()(shown) + ":"
        if self.left < utf8_len(label) + _LEAST:
            return False
        names.add(shown)
        self._put(label)
        self.cut = self.cut or was_cut
        if self._redactor.active:
            if self._redactor.denies(f"{key}.{whole}"):
                return self._leaf(REDACTED)
            key = f"{key}.{shown}"
        return self.write(read(value), key, parents)

    def _missing(self, count: int, names: set[str] | None, written: int) -> None:
        if count <= 0:
            return
        self.cut = True
        words = f"{ELLIPSIS} {min(count, 10**12)} more"
        end = "" if names is None else ":null"
        self._put(("," if written else "") + _encoder()(unique(words, names or ())) + end)

    def _leaf(self, value: Scalar) -> bool:
        text, was_cut = scalar_text(value)
        if type(value) is str or not _is_literal(value):
            self.cut = self.cut or was_cut
            return self._string(text)
        if len(text) > self.left:
            return False
        self._put(text)
        return True

    def _string(self, value: str) -> bool:
        text, was_cut = clean(value, self.left - 2)
        quoted = _encoder()(text)
        excess = utf8_len(quoted) - self.left
        if (
            excess > 0
        ):  # escapes made it longer: a byte less of text is at least a byte less of JSON
            text, was_cut = clean(value, max(utf8_len(text) - excess, 0))[0], True
            quoted = _encoder()(text)
        self.cut = self.cut or was_cut
        self._put(quoted)
        return True

    def _put(self, text: str) -> None:
        self.parts.append(text)
        self.left -= utf8_len(text)


def _is_literal(value: Scalar) -> bool:
    """Tell whether JSON, and those who read it, have a form for what is no string."""
    if isinstance(value, int):
        return is_native(value)
    return value is None or (isinstance(value, float) and math.isfinite(value))
