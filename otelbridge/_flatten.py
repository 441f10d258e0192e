"""Attributes being gathered under bounds: nested data in, flat OTel attributes out.

The rules, in order:

- A mapping becomes one attribute per key, nested ones dotted (``data.user.id``), down to the depth
  bound. An empty mapping, and what is deeper, becomes compact JSON.
- A list whose items are all strings, all booleans, all integers or all floats stays a list (a
  tuple, as OTel takes it). Every other list becomes compact JSON.
- A leaf stays what it is where OTel has a form for it. None is the string ``null``; NaN and the
  infinities are ``NaN``, ``Infinity``, ``-Infinity``; an integer over 64 bits is decimal text.
- An empty key is ``(empty)``. Two keys that flatten to one: the first in the data's order keeps the
  name, the next gets ``#2``.
- One value of many takes at most half of the room that is left, so that the small ones behind a
  large one still fit.

``otelbridge.truncated`` is there when something was cut: a tuple of the keys whose value (or own
name) was cut, then ``+N cut`` for those that have no place in the tuple, then ``+N dropped`` for
entries that have no attribute at all.
"""

from __future__ import annotations

import math
from typing import Any, Final

from . import semconv
from ._json import CYCLE, NO_REDACTION, key_text, to_json, unique
from ._record import Record
from ._redaction import REDACTED, Redactor
from ._shapes import KEY_BYTES, Fields, Items, Many, Shape, read, text_of
from ._text import Scalar, clean, is_native, scalar_text, utf8_len

AttributeValue = (
    str | bool | int | float
    | tuple[str, ...] | tuple[bool, ...] | tuple[int, ...] | tuple[float, ...]
)  # fmt: skip

PLAIN_CHARS: Final = 256  # of a string that needs no further look
ENTRY_BYTES: Final = 8  # what a number takes, and what an attribute costs beside key and value
NOTE_BYTES: Final = 512  # kept for otelbridge.truncated
_NOTE_KEYS: Final = 16
_ROOMY: Final = 4096  # with so much left, a plain value fits without further reckoning
_LEAST: Final = 32  # a shorter rest of the event is not worth an attribute


class Rules(Record):
    """What one gate asks of every event, or of every span start.

    Args:
        redactor: Asked for each key and each leaf.
        room: Bytes of all attributes.
        string: Bytes of one value.
        chars: Characters of one string, where the SDK has such a limit.
        depth: Levels of nested mappings that become dotted keys.
    """

    __slots__ = ("redactor", "room", "string", "chars", "depth")

    def __init__(
        self, redactor: Redactor, room: int, string: int, chars: int | None, depth: int
    ) -> None:
        self.redactor = redactor
        self.room = room
        self.string = string
        self.chars = chars
        self.depth = depth

    @property
    def takes_plain(self) -> bool:
        """Tell whether what `is_plain` may leave as it is."""
        length = self.string if self.chars is None else min(self.string, self.chars)
        return not self.redactor.active and length >= PLAIN_CHARS


class Flattener:
    """Gathers at most ``places`` attributes by the rules."""

    __slots__ = ("_cut", "_dropped", "_left", "_places", "_plain", "_redactor", "_rules", "values")

    def __init__(self, rules: Rules, places: int) -> None:
        self.values: dict[str, AttributeValue] = {}
        self._rules = rules
        self._redactor = rules.redactor
        self._plain = rules.takes_plain
        self._places = places
        self._left = rules.room - NOTE_BYTES
        self._cut: list[str] = []
        self._dropped = 0

    def note(self, key: str) -> None:
        """Say that what goes under this name was cut."""
        self._cut.append(key)

    def add(self, key: str, value: object) -> None:
        """Add one value under a key; a mapping spreads into the keys below it."""
        denied = self._redactor.active and self._redactor.denies(key)
        self._add(key, REDACTED if denied else read(value), (), False)

    def size(self) -> int:
        """Return the bytes that the attributes take, roughly."""
        noted = NOTE_BYTES // 4 if self._cut or self._dropped else 0
        return self._rules.room - NOTE_BYTES - self._left + noted

    def finish(self, hard_limit: int | None) -> dict[str, AttributeValue]:
        """Return the attributes, ``otelbridge.truncated`` among them where it is due.

        Args:
            hard_limit: Attributes that may be there with the note; the last give way to it.
        """
        if not self._cut and not self._dropped:
            return self.values
        while hard_limit is not None and self.values and len(self.values) >= hard_limit:
            key, _ = self.values.popitem()
            self._dropped += 1
            if key in self._cut:
                self._cut.remove(key)
        self.values[semconv.TRUNCATED] = note_of(self._cut, self._dropped, self._rules.chars)
        return self.values

    def _add(self, key: str, shape: Shape, parents: tuple[int, ...], renamed: bool) -> None:
        if isinstance(shape, Many):
            if id(shape.source) in parents:
                shape = CYCLE
            elif isinstance(shape, Fields) and len(parents) < self._rules.depth:
                if self._spread(key, shape, (*parents, id(shape.source))):
                    return
                if shape.broken:
                    shape = text_of(shape.source)
        self._put(unique(key, self.values), shape, parents, renamed)

    def _spread(self, prefix: str, fields: Fields, parents: tuple[int, ...]) -> bool:
        """Add each field as ``<prefix>.<key>``; False when it has none that can be read."""
        limit = self._places - len(self.values) + 1
        pairs = fields.take(limit)
        if not pairs:
            return False
        done = 0
        for name, value in pairs:
            if len(self.values) >= self._places:
                break
            self._field(f"{prefix}.{key_text(name)}", value, parents)
            done += 1
        if done < len(pairs) or len(pairs) == limit or fields.broken:
            self._dropped += fields.beyond(done, len(pairs))
        return True

    def _field(self, whole: str, value: Any, parents: tuple[int, ...]) -> None:
        if (
            self._plain
            and self._left > _ROOMY
            and is_plain(value)
            and len(whole) <= KEY_BYTES
            and whole.isascii()
            and whole not in self.values
        ):
            self.values[whole] = value
            size = len(value) if type(value) is str else ENTRY_BYTES
            self._left -= len(whole) + size + ENTRY_BYTES
            return
        key, was_cut = clean(whole, KEY_BYTES)
        denied = self._redactor.active and self._redactor.denies(whole)
        self._add(key, REDACTED if denied else read(value), parents, was_cut)

    def _put(self, key: str, shape: Shape, parents: tuple[int, ...], renamed: bool) -> None:
        key_bytes = utf8_len(key) + ENTRY_BYTES
        room = self._left - key_bytes
        if len(self.values) >= self._places or room < _LEAST:
            # Full, also for shorter ones: else data of many levels could be walked without end.
            self._places = len(self.values)
            self._dropped += 1
            return
        room = min(self._rules.string, room if self._places == 1 else room // 2)
        value, size, was_cut = self._value(key, shape, room, parents)
        self.values[key] = value
        self._left -= key_bytes + size
        if was_cut or renamed:
            self._cut.append(key)

    def _value(
        self, key: str, shape: Shape, room: int, parents: tuple[int, ...]
    ) -> tuple[AttributeValue, int, bool]:
        """Return the attribute, its bytes, and whether it was cut."""
        if isinstance(shape, Items):
            return self._items(key, shape, room, parents)
        if isinstance(shape, Fields):
            return self._json(key, shape, room, self._redactor, parents)
        return self._leaf(self._redacted(key, shape), room)

    def _items(
        self, key: str, items: Items, room: int, parents: tuple[int, ...]
    ) -> tuple[AttributeValue, int, bool]:
        taken = items.take(room // 2 + 1)
        if items.broken and not taken:
            return self._leaf(self._redacted(key, text_of(items.source)), room)
        total = items.beyond(0, len(taken))
        if not self._redactor.active:
            numbers = _numbers(taken, room // ENTRY_BYTES)
            if numbers is not None:
                return numbers, len(numbers) * ENTRY_BYTES, len(numbers) < total
        leaves, whole = _leaves(taken, room)
        if not whole:
            rest = Items(items.source, lambda _: [*leaves, *taken[len(leaves) :]], total)
            return self._json(key, rest, room, self._redactor, parents)
        leaves = [self._redacted(key, leaf) for leaf in leaves]
        if _is_homogeneous(leaves):
            return self._row(leaves, room, total)
        row = Items(leaves, iter, total)
        return self._json(key, row, room, NO_REDACTION, parents)

    def _row(self, leaves: list[Scalar], room: int, total: int) -> tuple[AttributeValue, int, bool]:
        """Return a native list, as far as it fits."""
        row: list[Any] = []
        size = 0
        cut = len(leaves) < total
        for leaf in leaves:
            value, cost, was_cut = self._leaf(leaf, self._rules.string)
            if size + cost > room:
                if not row:  # a part of the first is more than nothing
                    value, size, _ = self._leaf(leaf, room)
                    row.append(value)
                return tuple(row), size, True
            row.append(value)
            size += cost + 2
            cut = cut or was_cut
        return tuple(row), size, cut

    def _leaf(self, value: Scalar, room: int) -> tuple[AttributeValue, int, bool]:
        if isinstance(value, bool) or _is_number(value):
            return value, ENTRY_BYTES, False  # type: ignore[return-value]
        text, unsaid = scalar_text(value)
        text, was_cut = clean(text, room, self._rules.chars)
        return text, utf8_len(text), was_cut or unsaid

    def _json(
        self, key: str, shape: Many, room: int, redactor: Redactor, parents: tuple[int, ...]
    ) -> tuple[AttributeValue, int, bool]:
        room = room if self._rules.chars is None else min(room, self._rules.chars)
        text, was_cut = to_json(shape, room, key=key, redactor=redactor, parents=parents)
        return text, utf8_len(text), was_cut

    def _redacted(self, key: str, value: Scalar) -> Scalar:
        return self._redactor(key, value) if self._redactor.active else value


def is_plain(value: Any) -> bool:
    """Tell whether a value is an exact builtin that may leave as it is, within 256 bytes."""
    kind = type(value)
    if kind is str:
        return len(value) <= PLAIN_CHARS and str.isascii(value)
    if kind is int:
        return is_native(value)
    if kind is float:
        return math.isfinite(value)
    return kind is bool


def note_of(cut: list[str], dropped: int, chars: int | None) -> tuple[str, ...]:
    """Return the value of ``otelbridge.truncated``, in the form that the module describes."""
    entries: list[str] = []
    room = NOTE_BYTES - 64
    for key in cut[:_NOTE_KEYS]:
        room -= utf8_len(key)
        if room < 0:
            break
        entries.append(key)
    if len(entries) < len(cut):
        entries.append(f"+{len(cut) - len(entries)} cut")
    if dropped:
        entries.append(f"+{dropped} dropped")
    return tuple(clean(entry, NOTE_BYTES, chars)[0] for entry in entries)


def _leaves(taken: list[object], room: int) -> tuple[list[Scalar], bool]:
    """Read items as far as the room goes; False when one of them is no leaf."""
    leaves: list[Scalar] = []
    for item in taken:
        shape = read(item)
        if isinstance(shape, Many):
            return leaves, False
        leaves.append(shape)
        room -= len(shape) if type(shape) is str else 1
        if room < 0:
            break
    return leaves, True


def _numbers(taken: list[Any], most: int) -> tuple[Any, ...] | None:
    """Return the first of a list of numbers of one kind; None for any other list."""
    kind = type(taken[0]) if taken else None
    if kind is not int and kind is not float and kind is not bool:
        return None
    head = taken[: most + 1]
    if not all(type(item) is kind for item in head):
        return None
    fits = all(map(math.isfinite, head)) if kind is float else all(map(is_native, head))
    return tuple(head[:most]) if fits else None


def _is_number(value: Scalar) -> bool:
    """Tell whether OTel has a native form for the number."""
    if type(value) is int:
        return is_native(value)
    return type(value) is float and math.isfinite(value)


def _is_homogeneous(leaves: list[Scalar]) -> bool:
    kinds = {type(leaf) for leaf in leaves}
    if len(kinds) > 1 or type(None) in kinds:
        return False
    return kinds <= {str, bool} or all(map(_is_number, leaves))
