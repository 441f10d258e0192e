"""Attributes as OTLP's ``KeyValue`` and ``AnyValue``, written straight to bytes.

What the official encoder takes is written as it does (``opentelemetry.exporter.otlp.proto.common``,
``_encode_value`` of 1.45: None is a value that is not set; every number, NaN included, stays what
it is). Everything else raises: see ``_repair``. The field numbers are those of opentelemetry-proto,
``common/v1/common.proto``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

from otelbridge._text import is_native
from otelbridge.encoding._protobuf import VARINTS

DEPTH: Final = 24  # of lists and mappings in one another: protobuf's readers stop at 100 messages
BYTES: Final = 4 << 20  # of a list or mapping: Jaeger and the Collector take no larger request

_COST: Final = 16  # counted for an entry beside its bytes, so that a million small ones end too
_KEPT_KEYS: Final = 2_000
_KEPT_CHARS: Final = 128
_KEPT_INTS: Final = 1_000
_64_BITS: Final = (1 << 64) - 1

_UNSET = b"\x00"
_TRUE, _FALSE = b"\x02\x10\x01", b"\x02\x10\x00"
_double = struct.Struct("<BBd").pack  # the length, the tag, the number
_ENTRY = b"\x0a"  # of a list or a mapping


class Odd(Exception):
    """A value that the official encoder refuses, or that no receiver would read."""


class _Keys(dict[str, bytes]):
    """A key, and the tag of the value that follows it; the keys of a program are few."""

    def __missing__(self, key: str) -> bytes:
        if not isinstance(key, str):
            raise Odd
        text = str.encode(key)
        made = b"\x0a%b%b\x12" % (VARINTS[len(text)], text)
        if len(made) <= _KEPT_CHARS and type(key) is str:
            if len(self) >= _KEPT_KEYS:
                self.clear()
            self[key] = made
        return made


class _Ints(dict[int, bytes]):
    """An integer as ``AnyValue``, behind its length."""

    def __missing__(self, value: int) -> bytes:
        if not is_native(value):
            raise Odd
        number = VARINTS[value & _64_BITS]
        made = b"%c\x18%b" % (len(number) + 1, number)
        if 0 <= value < _KEPT_INTS:
            self[value] = made
        return made


class _Texts(dict[int, bytes]):
    """What stands before the characters of a string: its lengths as ``AnyValue`` and as text."""

    def __missing__(self, size: int) -> bytes:
        text = VARINTS[size]
        made = b"%b\x0a%b" % (VARINTS[1 + len(text) + size], text)
        if size < _KEPT_INTS:
            self[size] = made
        return made


_keys, _ints, _texts = _Keys(), _Ints(), _Texts()


def put_attributes(parts: list[bytes], tag: bytes, attributes: Mapping[str, Any]) -> None:
    """Add one ``KeyValue`` field for each attribute.

    Args:
        parts: Where the bytes go.
        tag: Of the field that holds the attributes.
        attributes: Taken in their order.

    Raises:
        Odd: something of it is no attribute of OTel's, or is too deep or too large to be read.
        UnicodeEncodeError: a string with a lone surrogate.
    """
    keys, varints = _keys, VARINTS
    for key, value in attributes.items():
        start = keys[key]
        kind = type(value)
        # The four that nearly all attributes are stand here and not in a function: it is the
        # innermost loop of the export.
        if kind is str:
            text = value.encode()
            end = _texts[len(text)] + text
        elif kind is int:
            end = _ints[value]
        elif kind is bool:
            end = _TRUE if value else _FALSE
        elif kind is float:
            end = _double(9, 0x21, value)
        else:
            end = _Tree().value(value)
        parts += (tag, varints[len(start) + len(end)], start, end)


class _Tree:
    """One value, with what is in it, as ``AnyValue`` behind its length."""

    __slots__ = ("_depth", "_left")

    def __init__(self) -> None:
        self._depth = 0
        self._left = BYTES

    def value(self, value: Any) -> bytes:
        """Write a value of exact builtins."""
        kind = type(value)
        if kind is tuple or kind is list:
            return _framed(b"\x2a", self._list(value))
        if kind is dict:
            return _framed(b"\x32", self._mapping(value))
        return _UNSET if value is None else _leaf(value)

    def _list(self, values: Iterable[Any]) -> bytes:
        self._enter()
        parts: list[bytes] = []
        left = self._left
        for value in values:
            if type(value) is str:
                text = value.encode()
                written = _texts[len(text)] + text
            else:
                self._left = left
                written = self.value(value)
                left = self._left
            left -= len(written) + _COST
            if left < 0:
                raise Odd
            parts += (_ENTRY, written)
        self._left = left
        self._depth -= 1
        return b"".join(parts)

    def _mapping(self, values: Mapping[str, Any]) -> bytes:
        self._enter()
        parts: list[bytes] = []
        for key, value in values.items():
            start, end = _keys[key], self.value(value)
            self._left -= len(end) + _COST
            if self._left < 0:
                raise Odd
            parts += (_ENTRY, VARINTS[len(start) + len(end)], start, end)
        self._depth -= 1
        return b"".join(parts)

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > DEPTH:
            raise Odd


def any_value(value: Any) -> bytes:
    """Write one value, behind its length.

    Raises:
        Exception: as ``put_attributes`` does, and what a class's own methods raise.
    """
    return _Tree().value(value)


def _leaf(value: Any) -> bytes:
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, str):  # a subclass too, by its characters
        text = str.encode(value)
        return _texts[len(text)] + text
    if isinstance(value, int):
        return _ints[int.__int__(value)]
    if isinstance(value, float):
        return _double(9, 0x21, float.__float__(value))
    if isinstance(value, bytes):
        return _framed(b"\x3a", bytes.__getitem__(value, slice(None)))
    raise Odd


def _framed(tag: bytes, body: bytes) -> bytes:
    """Return an ``AnyValue`` of one field, behind its length."""
    size = VARINTS[len(body)]
    return b"%b%b%b%b" % (VARINTS[1 + len(size) + len(body)], tag, size, body)
