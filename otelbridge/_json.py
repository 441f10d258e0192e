"""Any value as compact JSON that is always valid and never larger than it may be.

Written by hand because the standard encoder must first be given the whole value in memory, and
raises on cycles, odd keys and unknown objects. Where room runs out, the open lists and objects are
closed and say how many entries are missing.
"""

from __future__ import annotations

import json
from typing import Final

from ._redaction import REDACTED, Redactor
from ._shapes import Fields, Items, Many, Shape, read, text_of
from ._text import ELLIPSIS, Scalar, clean, float_text, is_native, scalar_text, utf8_len

CYCLE: Final = "[cycle]"
MAX_DEPTH: Final = 32

_quote: Final = json.JSONEncoder(ensure_ascii=False).encode
_ELLIPSIS: Final = _quote(ELLIPSIS)
_TAIL: Final = 48  # kept for each open container: its end, and the word on what is missing
_LEAST: Final = 8  # a shorter rest is not worth an entry
_KEY_BYTES: Final = 256
_NO_REDACTION: Final = Redactor()


def to_json(
    value: object, room: int, *, key: str = "", redactor: Redactor = _NO_REDACTION
) -> tuple[str, bool]:
    """Return the JSON text, at most ``room`` bytes, and whether anything was cut.

    Args:
        value: Anything; a container, mostly.
        room: Bytes of the result. Under 80 it may hold no more than an ellipsis.
        key: The attribute key it goes under; keys inside it are dotted on for the redactor.
        redactor: What is asked for each leaf.
    """
    if room < _TAIL + _LEAST * 4:
        return next(text for text in (_ELLIPSIS, '""', "") if utf8_len(text) <= room), True
    writer = _Writer(room, redactor)
    writer.write(read(value), key, ())
    return "".join(writer.parts), writer.cut


class _Writer:
    """One JSON text being written into ``parts`` while ``left`` bytes last."""

    __slots__ = ("_redactor", "cut", "left", "parts")

    def __init__(self, room: int, redactor: Redactor) -> None:
        self.parts: list[str] = []
        self.left = room
        self.cut = False
        self._redactor = redactor

    def write(self, shape: Shape, key: str, parents: tuple[int, ...]) -> bool:
        """Write one value; False where it has no room (then nothing was written)."""
        if not isinstance(shape, Many):
            return self._leaf(self._redactor(key, shape) if self._redactor.active else shape)
        if id(shape.source) in parents:
            return self._leaf(CYCLE)
        if len(parents) >= MAX_DEPTH:
            self.cut = True
            return self._leaf(ELLIPSIS)
        if self.left < _TAIL + _LEAST:
            return False
        return self._container(shape, key, (*parents, id(shape.source)))

    def _container(self, shape: Many, key: str, parents: tuple[int, ...]) -> bool:
        limit = self.left // 2 + 1  # an entry takes two bytes at least
        taken = shape.take(limit)
        if shape.broken and not taken:
            return self.write(text_of(shape.source), key, parents)
        keyed = isinstance(shape, Fields)
        self.left -= _TAIL
        self.parts.append("{" if keyed else "[")
        written = 0
        for entry in taken:
            mark = len(self.parts)
            before = self.left
            fits = self._pair(entry, key, parents, written) if keyed else self._item(
                entry, key, parents, written
            )
            if not fits:
                del self.parts[mark:]
                self.left = before
                break
            written += 1
        self._close(keyed, written, shape.beyond(written, len(taken)))
        return True

    def _close(self, keyed: bool, written: int, missing: int) -> None:
        if missing > 0:
            self.cut = True
            comma = "," if written else ""
            told = _quote(f"{ELLIPSIS} {min(missing, 10**12)} more")
            self.parts.append(comma + told + (":null" if keyed else ""))
        self.parts.append("}" if keyed else "]")
        self.left += _TAIL - 2

    def _item(self, entry: object, key: str, parents: tuple[int, ...], written: int) -> bool:
        if self.left < _LEAST:
            return False
        if written:
            self._put(",")
        return self.write(read(entry), key, parents)

    def _pair(
        self, entry: tuple[object, object], key: str, parents: tuple[int, ...], written: int
    ) -> bool:
        name = key_text(entry[0])
        shown, was_cut = clean(name, _KEY_BYTES)
        label = ("," if written else "") + _quote(shown) + ":"
        if self.left < utf8_len(label) + _LEAST:
            return False
        self._put(label)
        self.cut = self.cut or was_cut
        if self._redactor.active:
            if self._redactor.denies(f"{key}.{name}"):
                return self._leaf(REDACTED)
            key = f"{key}.{shown}"
        return self.write(read(entry[1]), key, parents)

    def _leaf(self, value: Scalar) -> bool:
        if type(value) is str:
            return self._string(value)
        if isinstance(value, float) and float_text(value)[-1] in "Ny":
            return self._string(float_text(value))
        text, was_cut = scalar_text(value)
        if isinstance(value, int) and not isinstance(value, bool) and not is_native(value):
            self.cut = self.cut or was_cut
            return self._string(text)
        if len(text) > self.left:
            return False
        self._put(text)
        return True

    def _string(self, value: str) -> bool:
        room = self.left - 2
        text, was_cut = clean(value, room)
        quoted = _quote(text)
        excess = utf8_len(quoted) - self.left
        if excess > 0:  # escapes made it longer: a byte less of text is at least a byte less of JSON
            text, was_cut = clean(value, max(utf8_len(text) - excess, 0))[0], True
            quoted = _quote(text)
        self.cut = self.cut or was_cut
        self._put(quoted)
        return True

    def _put(self, text: str) -> None:
        self.parts.append(text)
        self.left -= utf8_len(text)


def key_text(key: object) -> str:
    """Return a mapping's key as text, of any length: JSON's words for leaves, JSON for the rest."""
    if type(key) is str:
        return key or "(empty)"
    shape = read(key)
    if isinstance(shape, (Fields, Items)):
        return to_json(shape, _KEY_BYTES)[0]
    return scalar_text(shape)[0] or "(empty)"
