"""The protobuf wire format, as much as OTLP needs: numbers written, fields read back.

The source is https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_KEPT: Final = 0x1000


class _Varints(dict[int, bytes]):
    """The varint of every number from 0 to 2 ** 64 - 1; the small ones are made once."""

    def __missing__(self, number: int) -> bytes:
        written = bytearray()
        rest = number
        while rest > 0x7F:
            written.append(rest & 0x7F | 0x80)
            rest >>= 7
        written.append(rest)
        made = bytes(written)
        if number < _KEPT:
            self[number] = made
        return made


VARINTS: Final = _Varints()
"""``VARINTS[number]`` writes a number from 0 to 2 ** 64 - 1; ValueError for one below 0."""

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10  # bytes of a 64-bit number


def field(tag: bytes, body: bytes) -> bytes:
    """Write a message, string or bytes field.

    Args:
        tag: the field's number and wire type 2, as one byte.
        body: what the field holds.
    """
    return b"%b%b%b" % (tag, VARINTS[len(body)], body)


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Read the fields of a message, one level deep.

    Yields:
        The number of a field, and its value: bytes where the length is written, else a number.

    Raises:
        ValueError: the bytes are no message.
    """
    place = 0
    while place < len(message):
        tag, place = _number(message, place)
        kind = tag & 7
        if kind == _VARINT:
            value, place = _number(message, place)
            yield tag >> 3, value
            continue
        if kind == _LENGTH:
            size, place = _number(message, place)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"protobuf wire type {kind} at byte {place} is unknown")
        body = message[place : place + size]
        if len(body) < size:
            raise ValueError(f"a protobuf field of {size} bytes ends after {len(body)}")
        place += size
        yield tag >> 3, body if kind == _LENGTH else int.from_bytes(body, "little")


def _number(message: bytes, place: int) -> tuple[int, int]:
    """Read the varint at a place; return it and the place after it."""
    number = 0
    for index, byte in enumerate(message[place : place + _LONGEST_VARINT]):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number, place + index + 1
    raise ValueError(f"the protobuf number at byte {place} has no end")
