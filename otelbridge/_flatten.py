"""Attributes being gathered under bounds: nested data in, flat OTel attributes out.

The rules, in order:

- A mapping becomes one attribute per key, nested ones dotted (``data.user.id``), down to the depth
  bound. An empty mapping, and what is deeper, becomes compact JSON.
- A list whose items are all strings, all booleans, all integers or all floats stays a list (a
  tuple, as OTel takes it). Every other list becomes compact JSON.
- A leaf stays what it is where OTel has a form for it. None is the string ``null``; NaN and the
  infinities are ``NaN``, ``Infinity``, ``-Infinity``; an integer over 64 bits is decimal text.
- Two keys that flatten to one: the first in the data's order keeps the name, the next gets ``#2``.
- While room runs out, one value of many takes at most half of what is left, so that the small ones
  behind a large one still fit.

``otelbridge.truncated`` is there when something was cut: a tuple of the keys whose value (or own
name) was cut, then ``+N cut`` for those that have no place in the tuple, then ``+N dropped`` for
entries that have no attribute at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from . import semconv
from ._json import CYCLE, key_text, to_json
from ._redaction import REDACTED, Redactor
from ._shapes import Fields, Items, Many, Shape, read, text_of
from ._text import Scalar, clean, is_native, scalar_text, utf8_len

AttributeValue = (
    str | bool | int | float
    | tuple[str, ...] | tuple[bool, ...] | tuple[int, ...] | tuple[float, ...]
)  # fmt: skip

KEY_BYTES: Final = 256  # of one key; longer ones are cut
ENTRY_BYTES: Final = 8  # what a number takes, and what an attribute costs beside key and value
NOTE_BYTES: Final = 512  # kept for otelbridge.truncated
_NOTE_KEYS: Final = 16
_LEAST: Final = 32  # a shorter rest of the event is not worth an attribute


class Flattener:
    """Gathers the attributes of one event or one span start.

    Args:
        redactor: Asked for each key and each leaf.
        places: How many attributes may be added.
        room: Bytes of all of them.
        string: Bytes of one value.
        chars: Characters of one string, where the SDK has such a limit.
        depth: Levels of nested mappings that become dotted keys.
    """

    __slots__ = (
        "_chars", "_cut", "_depth", "_dropped", "_left", "_places", "_redactor", "_string", "values"
    )  # fmt: skip

    def __init__(
        self,
        redactor: Redactor,
        *,
        places: int,
        room: int,
        string: int,
        chars: int | None,
        depth: int,
    ) -> None:
        self.values: dict[str, AttributeValue] = {}
        self._redactor = redactor
        self._places = places
        self._left = room - NOTE_BYTES
        self._string = string
        self._chars = chars
        self._depth = depth
        self._cut: list[str] = []
        self._dropped = 0

    @property
    def left(self) -> int:
        """Bytes that are left."""
        return self._left

    def note(self, key: str) -> None:
        """Say that what goes under this key was cut."""
        self._cut.append(key)

    def add(self, key: str, value: object) -> None:
        """Add one value under a key; a mapping spreads into the keys below it."""
        self._add(key, read(value), ())

    def spread(self, prefix: str, fields: Fields, parents: tuple[int, ...] = ()) -> bool:
        """Add each field as ``<prefix>.<key>``; False when it has none that can be read."""
        pairs = fields.take(self._places - len(self.values) + 1)
        if not pairs:
            return False
        inside = (*parents, id(fields.source))
        for done, (key, value) in enumerate(pairs):
            if len(self.values) >= self._places:
                self._dropped += fields.beyond(done, len(pairs))
                return True
            self._field(prefix, key_text(key), value, inside)
        self._dropped += fields.beyond(len(pairs), len(pairs))
        return True

    def _field(self, prefix: str, name: str, value: object, parents: tuple[int, ...]) -> None:
        whole = f"{prefix}.{name}"
        key, was_cut = clean(whole, KEY_BYTES)
        if self._redactor.active and self._redactor.denies(whole):
            shape: Shape = REDACTED
        else:
            shape = read(value)
        self._add(key, shape, parents, renamed=was_cut)

    def _add(
        self, key: str, shape: Shape, parents: tuple[int, ...], renamed: bool = False
    ) -> None:
        if isinstance(shape, Many):
            if id(shape.source) in parents:
                shape = CYCLE
            elif isinstance(shape, Fields) and len(parents) < self._depth:
                if self.spread(key, shape, parents):
                    return
                if shape.broken:
                    shape = text_of(shape.source)
        self._put(self._unique(key), shape, renamed)

    def _unique(self, key: str) -> str:
        if key not in self.values:
            return key
        number = 2
        while f"{key}#{number}" in self.values:
            number += 1
        return f"{key}#{number}"

    def _put(self, key: str, shape: Shape, renamed: bool) -> None:
        room = self._left - utf8_len(key) - ENTRY_BYTES
        if len(self.values) >= self._places or room < _LEAST:
            self._dropped += 1
            return
        room = min(self._string, room if self._places == 1 else room // 2)
        value, size, was_cut = self._value(key, shape, room)
        self.values[key] = value
        self._left -= utf8_len(key) + size + ENTRY_BYTES
        if was_cut or renamed:
            self._cut.append(key)

    def _value(self, key: str, shape: Shape, room: int) -> tuple[AttributeValue, int, bool]:
        """Return the attribute, its bytes, and whether it was cut."""
        if isinstance(shape, Items):
            return self._items(key, shape, room)
        if isinstance(shape, Fields):
            return self._json(key, shape, room, self._redactor)
        return self._leaf(self._redacted(key, shape), room)

    def _items(self, key: str, items: Items, room: int) -> tuple[AttributeValue, int, bool]:
        taken = items.take(room // 2 + 1)
        if items.broken and not taken:
            return self._leaf(self._redacted(key, text_of(items.source)), room)
        leaves, rest = self._leaves(taken, room)
        if rest and isinstance(rest[0], Many):
            row = Row((*leaves, *rest), items.beyond(0, len(taken)))
            return self._json(key, Items(row, iter), room, self._redactor)
        leaves = [self._redacted(key, leaf) for leaf in leaves]
        missing = items.beyond(len(leaves), len(taken))
        if _is_homogeneous(leaves):
            return self._row(leaves, room, missing)
        row = Row(leaves, missing + len(leaves))
        return self._json(key, Items(row, iter), room, NO_REDACTION)

    def _leaves(self, taken: list[object], room: int) -> tuple[list[Scalar], list[Shape]]:
        """Read items up to the first container, and no further than the room goes."""
        leaves: list[Scalar] = []
        spent = 0
        for place, item in enumerate(taken):
            shape = read(item)
            if isinstance(shape, Many):
                return leaves, [shape, *taken[place + 1 :]]  # type: ignore[list-item]
            leaves.append(shape)
            spent += len(shape) if type(shape) is str else 1
            if spent > room:
                break
        return leaves, []

    def _row(
        self, leaves: list[Scalar], room: int, missing: int
    ) -> tuple[AttributeValue, int, bool]:
        """A native list, as far as it fits."""
        row: list[AttributeValue] = []
        size = 0
        cut = missing > 0
        for leaf in leaves:
            value, cost, was_cut = self._leaf(leaf, max(room - size, 0))
            if size + cost > room or (was_cut and size):
                return tuple(row), size, True  # type: ignore[return-value]
            row.append(value)
            size += cost + (2 if type(leaf) is str else 0)
            cut = cut or was_cut
        return tuple(row), size, cut  # type: ignore[return-value]  # homogeneous, as asked

    def _leaf(self, value: Scalar, room: int) -> tuple[AttributeValue, int, bool]:
        kind = type(value)
        if kind is bool:
            return value, 1, False  # type: ignore[return-value]
        if is_number(value):
            return value, ENTRY_BYTES, False  # type: ignore[return-value]
        text, unsaid = scalar_text(value)
        text, was_cut = clean(text, room, self._chars)
        return text, utf8_len(text), was_cut or unsaid

    def _json(
        self, key: str, value: Shape, room: int, redactor: Redactor
    ) -> tuple[AttributeValue, int, bool]:
        if self._chars is not None:
            room = min(room, self._chars)
        text, was_cut = to_json(value, room, key=key, redactor=redactor)
        return text, utf8_len(text), was_cut

    def _redacted(self, key: str, value: Scalar) -> Scalar:
        return self._redactor(key, value) if self._redactor.active else value

    def finish(self, hard_limit: int | None) -> dict[str, AttributeValue]:
        """Return the attributes, ``otelbridge.truncated`` among them where it is due.

        Args:
            hard_limit: Attributes that may be there with the note; the last give way to it.
        """
        if not self._cut and not self._dropped:
            return self.values
        if hard_limit is not None:
            while self.values and len(self.values) >= hard_limit:
                key, _ = self.values.popitem()
                self._dropped += 1
                if key in self._cut:
                    self._cut.remove(key)
        self.values[semconv.TRUNCATED] = tuple(
            clean(entry, KEY_BYTES, self._chars)[0] for entry in self._note()
        )
        return self.values

    def _note(self) -> Iterable[str]:
        room = NOTE_BYTES - 64
        named = 0
        for key in self._cut[:_NOTE_KEYS]:
            room -= utf8_len(key)
            if room < 0:
                break
            named += 1
            yield key
        if named < len(self._cut):
            yield f"+{len(self._cut) - named} cut"
        if self._dropped:
            yield f"+{self._dropped} dropped"


NO_REDACTION: Final = Redactor()


class Row:
    """Items already read, of a list that may have more."""

    __slots__ = ("_items", "_total")

    def __init__(self, items: Iterable[object], total: int) -> None:
        self._items = tuple(items)
        self._total = total

    def __iter__(self) -> object:
        return iter(self._items)

    def __len__(self) -> int:
        return self._total


def is_number(value: object) -> bool:
    """Tell whether OTel has a native form for the number (an exact int or float)."""
    kind = type(value)
    if kind is int:
        return is_native(value)  # type: ignore[arg-type]
    return kind is float and math.isfinite(value)  # type: ignore[arg-type]


def _is_homogeneous(leaves: list[Scalar]) -> bool:
    kinds = {type(leaf) for leaf in leaves}
    if len(kinds) > 1 or type(None) in kinds:
        return False
    return kinds <= {str, bool} or all(is_number(leaf) for leaf in leaves)
