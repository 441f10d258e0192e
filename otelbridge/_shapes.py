"""What a Python value is to a trace: one leaf, named fields, or a row of items.

`read` looks at the real type (``type(value)``, never ``value.__class__``) and calls an object's own
methods only where it must, each call guarded. Containers are not walked here: `Many.take` hands out
a bounded part of them, so that a value of any size costs what the bounds say. Generators and other
iterators are never consumed. Exceptions that are no ``Exception`` (KeyboardInterrupt,
CancelledError, ...) pass through.

==========================================  ===================================================
str, int, float, bool, None                 the leaf itself (subclasses, enums with such a value and
                                            numpy scalars too, by their value)
bytes, bytearray, memoryview                UTF-8 text; other bytes written out (``\\xff``)
dict, Mapping, named tuple, dataclass,      fields; a field that its class keeps out of repr or of
pydantic model, attrs class, namespace      serialisation is ``[hidden]``
list, tuple, set, deque, range, Sequence,   items; a small set of leaves in sorted order
dict views, arrays
exception                                   ``Type: message``; type and arguments as fields where
                                            ``str()`` would write out large arguments
date, time, datetime                        ISO 8601
everything else                             ``str()``, or ``<module.Class>`` where that is no more
                                            than an address, or fails
==========================================  ===================================================
"""

from __future__ import annotations

import array
import builtins
import math
import sys
import types
from collections import UserString, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any, Final

from ._text import ELLIPSIS, Scalar, is_native

UNREADABLE: Final = "[unreadable]"
HIDDEN: Final = "[hidden]"

KEY_BYTES: Final = 256  # of one key; longer ones are cut
_SORTED_SETS: Final = 1000  # a set up to this size is put in order, so that traces compare
_HEAD: Final = 1 << 20  # of bytes and of string subclasses, which must be copied to be read
_GROUPS: Final = getattr(builtins, "BaseExceptionGroup", ())  # absent up to Python 3.10
_PRINTED: Final = 4096  # of an exception's arguments, where Python writes them out itself
_ROWS: Final = 512  # entries of a numpy array that are made Python objects at once
_FOREIGN: Final = 1000  # entries read of a container that is the user's code, each may cost a query


class Many:
    """A container that has not been walked yet: `Fields` or `Items`.

    Args:
        source: The container.
        open_: Makes an iterable of its entries.
        at_least: Entries it is known to have, where ``len(source)`` may not tell.
    """

    __slots__ = ("_at_least", "_open", "broken", "source")

    def __init__(
        self, source: object, open_: Callable[[Any], Iterable[Any]], at_least: int = 0
    ) -> None:
        self.source = source
        self.broken = False
        self._open = open_
        self._at_least = at_least

    def take(self, limit: int) -> list[Any]:
        """Return at most ``limit`` entries; ``broken`` is set where the container failed."""
        taken: list[Any] = []
        try:
            # extend() keeps what it had when the iterator raises, and over builtin containers no
            # other thread runs meanwhile.
            taken.extend(islice(self._open(self.source), limit))
        except Exception:
            self.broken = True
        return taken

    def beyond(self, used: int, taken: int) -> int:
        """Return how many entries are past the first ``used``, as far as can be known."""
        try:
            total = len(self.source)  # type: ignore[arg-type]
        except Exception:
            total = 0
        return max(total, self._at_least, taken + self.broken) - used


class Fields(Many):
    """A mapping, a dataclass, a model, a named tuple: entries are (key, value)."""

    __slots__ = ()


class Items(Many):
    """A list, a set, an array: entries are values."""

    __slots__ = ()


Shape = Scalar | Fields | Items


def read(value: Any) -> Shape:
    """Return what the value is: a leaf (an exact builtin), `Fields` or `Items`. Never raises."""
    kind = type(value)
    if kind is str or kind is int or kind is float or kind is bool or value is None:
        return value  # type: ignore[no-any-return]
    try:
        if kind is dict:
            return Fields(value, dict.items)
        if kind is list:
            return Items(value, list.__iter__)
        if kind is Fields or kind is Items:
            return value  # type: ignore[no-any-return]
        return _read_other(value, kind)
    except Exception:
        return text_of(value)


def text_of(value: object) -> str:
    """Return ``str(value)`` where the type has a form of its own and it works, else its class."""
    kind = type(value)
    try:
        # object's own form is an address, different in every process.
        if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
            return class_name(kind)
        return _str(str(value))
    except Exception:
        return class_name(kind)


def error_text(error: BaseException) -> str | None:
    """Return ``str(error)``, or None where that would write out arguments of any size."""
    try:
        return _str(str(error)) if _is_printable(error) else None
    except Exception:
        return UNREADABLE


def _is_printable(value: Any) -> bool:
    if isinstance(value, BaseException):
        # Only the form that Python itself gives to an exception is made of its arguments.
        if type(type(value).__str__) is not types.WrapperDescriptorType:
            return True
        args = value.args[:1] if isinstance(value, _GROUPS) else value.args
        return all(map(_is_printable, args))
    if isinstance(value, (bytes, bytearray)):
        return len(value) <= _PRINTED
    return not isinstance(read(value), Many) or small(value, _PRINTED, 8) >= 0


def small(value: Any, room: int, depth: int) -> int:
    """Return the room that is left behind a small value of exact builtins; -1 for all others."""
    kind = type(value)
    if kind is str:
        return room - len(value)
    if kind is int:
        return room - 1 if is_native(value) else -1
    if kind is float:
        return room - 1 if math.isfinite(value) else -1
    if kind is bool or value is None:
        return room - 4
    if depth and kind is dict and len(value) * 5 <= room:
        for key, entry in list(value.items()):
            if type(key) is not str or not 0 < len(key) <= KEY_BYTES // 4:
                return -1
            room = small(entry, room - len(key), depth - 1)
            if room < 0:
                return -1
        return room - 2
    if depth and (kind is list or kind is tuple) and len(value) * 2 <= room:
        for entry in value:
            room = small(entry, room, depth - 1)
            if room < 0:
                return -1
        return room - 2
    return -1


def class_name(kind: type) -> str:
    """Return ``<module.Class>``."""
    try:
        return f"<{kind.__module__}.{kind.__qualname__}>"
    except Exception:  # a metaclass may do anything
        return "<object>"


def _read_other(value: Any, kind: type) -> Shape:
    for base, reader in _BASES:
        if issubclass(kind, base):
            return reader(value)
    # What nobody has imported, no value is of.
    times = sys.modules.get("datetime")
    if times is not None and issubclass(kind, (times.date, times.time)):
        return _str(value.isoformat())
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if issubclass(kind, numpy.ndarray):
            return _array(value)
        if issubclass(kind, numpy.generic):
            return _number(value, numpy.generic)
    names = _field_names(kind)
    if names is not None:
        return Fields(value, lambda source: _named(source, names), len(names))
    if issubclass(kind, Mapping):
        return Fields(value, _mapping_pairs)
    if issubclass(kind, (Sequence, AbstractSet, ValuesView)):
        return Items(value, _foreign)
    return text_of(value)


def _str(value: Any) -> str:
    """Return a plain string, of a subclass too, by its characters and not by its methods."""
    if type(value) is str:
        return value
    length = str.__len__(value)
    if length <= _HEAD:
        return str.__str__(value)
    return f"{str.__getitem__(value, slice(_HEAD))}{ELLIPSIS} {length - _HEAD} more characters"


def _bytes(value: Any) -> str:
    text = bytes(value[:_HEAD]).decode("utf-8", "backslashreplace")
    return text if len(value) <= _HEAD else f"{text}{ELLIPSIS} {len(value) - _HEAD} more bytes"


def _tuple(value: Any) -> Shape:
    names = getattr(type(value), "_fields", None)
    if type(names) is tuple and all(type(name) is str for name in names):
        return Fields(value, lambda source: zip(names, tuple.__iter__(source)))
    return Items(value, tuple.__iter__)


def _in_order(value: Any) -> Iterable[Any]:
    iterate: Callable[[Any], Iterator[Any]] = (
        set.__iter__ if issubclass(type(value), set) else frozenset.__iter__
    )
    members = list(islice(iterate(value), _SORTED_SETS + 1))
    if len(members) > _SORTED_SETS:
        return iterate(value)
    kinds = [type(member) for member in members]
    if all(kind is str or kind is int or kind is float or kind is bool for kind in kinds):
        members.sort(key=lambda member: (type(member).__name__, member))
    return members


def _error(value: BaseException) -> Shape:
    name = type(value).__name__
    message = error_text(value)
    if message is None:
        return Fields(value, lambda source: (("type", name), ("args", source.args)), 2)
    return f"{name}: {message}" if message else name


def _foreign(value: Iterable[Any]) -> Iterator[Any]:
    for place, entry in enumerate(value):
        if place >= _FOREIGN:
            raise ValueError("the rest is not read")  # so that the container is known to have more
        yield entry


def _mapping_pairs(value: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    for key in _foreign(value):
        try:
            entry = value[key]
        except Exception:
            entry = UNREADABLE
        yield key, entry


def _named(value: Any, names: Iterable[tuple[str, bool]]) -> Iterator[tuple[str, Any]]:
    for name, shown in names:
        try:
            entry = getattr(value, name) if shown else HIDDEN
        except Exception:
            entry = UNREADABLE
        yield name, entry
    yield from (getattr(value, "__pydantic_extra__", None) or {}).items()


def _field_names(kind: Any) -> list[tuple[str, bool]] | None:
    """Return (name, shown) for each field of a pydantic model, dataclass or attrs class.

    What its class hides tends to be a secret or a back reference.
    """
    if hasattr(kind, "__pydantic_core_schema__"):
        # model_fields up to pydantic 2.9; from 2.10 on it is a property over the dunder.
        fields = getattr(kind, "__pydantic_fields__", None) or kind.model_fields
    elif hasattr(kind, "__dataclass_fields__"):
        import dataclasses  # loaded already, by whoever made the class

        fields = {field.name: field for field in dataclasses.fields(kind)}
    elif hasattr(kind, "__attrs_attrs__"):
        fields = {field.name: field for field in kind.__attrs_attrs__}
    else:
        return None
    return [(name, bool(f.repr) and not getattr(f, "exclude", None)) for name, f in fields.items()]


def _array(value: Any) -> Shape:
    if not value.ndim:
        return read(value[()])
    # What numpy itself makes exact Python objects of; times would lose their unit.
    return Items(value, _in_rows if value.ndim == 1 and value.dtype.kind in "biufOSU" else iter)


def _in_rows(value: Any) -> Iterator[Any]:
    for start in range(0, len(value), _ROWS):
        yield from value[start : start + _ROWS].tolist()


def _number(value: Any, generic: type) -> Shape:
    # A datetime64 in nanoseconds would become a bare integer; a long double stays what it is.
    item = value.item() if value.dtype.kind not in "mM" else value
    return text_of(value) if isinstance(item, generic) else read(item)


_BASES: Final[tuple[tuple[Any, Callable[[Any], Shape]], ...]] = (
    (str, _str),
    (int, int.__int__),
    (float, float.__float__),
    (dict, lambda value: Fields(value, dict.items)),
    (tuple, _tuple),
    (list, lambda value: Items(value, list.__iter__)),
    ((set, frozenset), lambda value: Items(value, _in_order)),
    ((bytes, bytearray, memoryview), _bytes),
    (BaseException, _error),
    ((deque, range, array.array), lambda value: Items(value, iter)),
    (UserString, text_of),  # a Sequence, of itself
    (types.SimpleNamespace, lambda value: Fields(value, lambda source: vars(source).items())),
)
