"""What a Python value is to a trace: one leaf, named fields, or a row of items.

`read` looks at the real type (``type(value)``, never ``value.__class__``) and calls an object's own
methods only where it must, each call guarded. Containers are not walked here: `take` hands out a
bounded part of them, so that a value of any size costs what the bounds say. Exceptions that are not
``Exception`` (KeyboardInterrupt, CancelledError, ...) pass through.
"""

from __future__ import annotations

import array
import dataclasses
import datetime
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any, Final

from ._text import Scalar

UNREADABLE: Final = "[unreadable]"
HIDDEN: Final = "[hidden]"

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_SORTED_SETS: Final = 1000  # a set up to this size is put in order, so that traces compare
_TEXT_HEAD: Final = 1 << 20  # bytes of a bytes-like object that are decoded at most


class Many:
    """A container that has not been walked yet: `Fields` or `Items`."""

    __slots__ = ("_open", "broken", "source")

    def __init__(self, source: object, open_: Callable[[Any], Iterable[Any]]) -> None:
        self.source = source
        self.broken = False
        self._open = open_

    def take(self, limit: int) -> list[Any]:
        """Return at most ``limit`` entries; ``broken`` is set where the container failed."""
        taken: list[Any] = []
        try:
            # extend() keeps what it had when the iterator raises, and runs without a thread switch
            # over builtin containers.
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
        return max(total, taken + self.broken) - used


class Fields(Many):
    """A mapping, a dataclass, a model, a named tuple: entries are (key, value)."""

    __slots__ = ()


class Items(Many):
    """A list, a set, an array: entries are values."""

    __slots__ = ()


Shape = Scalar | Fields | Items


def read(value: object) -> Shape:
    """Return what the value is: a leaf (an exact builtin), `Fields` or `Items`. Never raises."""
    kind = type(value)
    if kind in _PLAIN or kind is Fields or kind is Items:
        return value  # type: ignore[return-value]
    opener = _EXACT.get(kind)
    if opener is not None:
        return opener(value)
    try:
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
        return str.__str__(str(value))
    except Exception:
        return class_name(kind)


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
    shape = _read_numpy(value, kind)
    if shape is not None:
        return shape
    names = _field_names(kind)
    if names is not None:
        return Fields(value, lambda source: _named(source, names))
    if issubclass(kind, Mapping):
        return Fields(value, _mapping_pairs)
    if issubclass(kind, (Sequence, AbstractSet, ValuesView)):
        return Items(value, iter)
    return text_of(value)


def _dict(value: object) -> Fields:
    return Fields(value, dict.items)


def _list(value: object) -> Items:
    return Items(value, list.__iter__)


def _tuple(value: Any) -> Shape:
    names = getattr(type(value), "_fields", None)
    if type(names) is tuple and all(type(name) is str for name in names):
        return Fields(value, lambda source: zip(names, tuple.__iter__(source)))
    return Items(value, tuple.__iter__)


def _set(value: object) -> Items:
    return Items(value, _in_order)


def _in_order(value: Any) -> Iterable[Any]:
    iterate = set.__iter__ if isinstance(value, set) else frozenset.__iter__
    members = list(islice(iterate(value), _SORTED_SETS + 1))
    if len(members) > _SORTED_SETS:
        return iterate(value)
    if all(type(member) in (str, int, float, bool) for member in members):
        members.sort(key=lambda member: (type(member).__name__, member))
    return members


def _bytes(value: Any) -> str:
    """UTF-8 text; bytes that are none are written out (``\\xff``)."""
    head = bytes(value[:_TEXT_HEAD])
    return head.decode("utf-8", "backslashreplace")


def _error(value: BaseException) -> str:
    try:
        message = str.__str__(str(value))
    except Exception:
        message = UNREADABLE
    name = type(value).__name__
    return f"{name}: {message}" if message else name


def _iso(value: Any) -> str:
    return str.__str__(value.isoformat())


def _mapping_pairs(value: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    for key in value:
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

    A field that its class keeps out of repr or of serialisation is not shown: it tends to be a
    secret or a back reference.
    """
    if hasattr(kind, "__pydantic_core_schema__"):
        # model_fields up to pydantic 2.9; from 2.10 on it is a property over the dunder.
        fields = getattr(kind, "__pydantic_fields__", None) or kind.model_fields
    elif hasattr(kind, "__dataclass_fields__"):
        fields = {field.name: field for field in dataclasses.fields(kind)}
    elif hasattr(kind, "__attrs_attrs__"):
        fields = {field.name: field for field in kind.__attrs_attrs__}
    else:
        return None
    return [(name, bool(f.repr) and not getattr(f, "exclude", None)) for name, f in fields.items()]


def _read_numpy(value: Any, kind: type) -> Shape | Any:
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    if issubclass(kind, numpy.generic):
        # A datetime64 in nanoseconds would become a bare integer, a long double stays what it is.
        item = text_of(value) if value.dtype.kind in "mM" else value.item()
        return text_of(value) if isinstance(item, numpy.generic) else read(item)
    if issubclass(kind, numpy.ndarray):
        return Items(value, iter) if value.ndim else read(value[()])
    return None


_BASES: Final[tuple[tuple[Any, Callable[[Any], Shape]], ...]] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (dict, _dict),
    (tuple, _tuple),
    (list, _list),
    ((set, frozenset), _set),
    ((bytes, bytearray, memoryview), _bytes),
    (BaseException, _error),
    ((datetime.date, datetime.time), _iso),
    ((deque, range, array.array), lambda value: Items(value, iter)),
)
_EXACT: Final[dict[type, Callable[[Any], Shape]]] = {
    dict: _dict,
    list: _list,
    tuple: lambda value: Items(value, tuple.__iter__),
    set: _set,
    frozenset: _set,
}
