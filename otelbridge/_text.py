"""Strings made fit to leave: valid UTF-8 and bounded, whatever they held.

A lone surrogate is written out (``\\udc80``), since protobuf refuses the whole batch that holds
one. What is cut ends in an ellipsis and is never cut inside a code point.
"""

from __future__ import annotations

import math
from typing import Final

ELLIPSIS: Final = "…"
_ELLIPSIS_BYTES: Final = 3

# What a leaf is before it is made an attribute. Strings may still be of any length here.
Scalar = str | int | float | bool | None

# Above 64 bits an integer travels as decimal text; above this many bits Python may refuse to write
# it in decimal (sys.set_int_max_str_digits goes down to 640 digits), and nobody reads it.
_DECIMAL_BITS: Final = 2048


def clean(text: str, max_bytes: int, max_chars: int | None = None) -> tuple[str, bool]:
    """Return the text made valid and short enough, and whether anything was cut.

    Args:
        text: An exact ``str`` of any length; only the head that can fit is copied.
        max_bytes: UTF-8 bytes of the result.
        max_chars: Characters of the result, where the SDK has a limit of its own.
    """
    chars = max_bytes if max_chars is None or max_chars > max_bytes else max_chars
    if len(text) <= chars:
        try:
            if text.isascii() or len(text.encode()) <= max_bytes:
                return text, False
        except UnicodeEncodeError:  # a lone surrogate
            pass
    head, whole = _head(text, max_bytes, chars)
    if whole or max_bytes < _ELLIPSIS_BYTES or chars < 1:
        return head, not whole
    room = max_bytes - _ELLIPSIS_BYTES
    return _head(text, room, min(chars - 1, room))[0] + ELLIPSIS, True


def _head(text: str, max_bytes: int, max_chars: int) -> tuple[str, bool]:
    """Return the longest head that fits, and whether it is all there is."""
    head = text[:max_chars]
    whole = len(head) == len(text)
    if head.isascii():
        return head, whole
    raw = head.encode("utf-8", "backslashreplace")
    if len(raw) > max_bytes:
        raw, whole = raw[:max_bytes], False
    head = raw.decode("utf-8", "ignore")  # drops only a code point that the cut went through
    if len(head) > max_chars:  # a surrogate grows to six characters
        head, whole = head[:max_chars], False
    return head, whole


def utf8_len(text: str) -> int:
    """Return the bytes that a clean text takes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "backslashreplace"))


def is_native(value: int) -> bool:
    """Tell whether an integer fits OTLP's signed 64 bits."""
    return -0x8000_0000_0000_0000 <= value <= 0x7FFF_FFFF_FFFF_FFFF


def scalar_text(value: Scalar) -> tuple[str, bool]:
    """Return a leaf as text, in JSON's words where it has some, and whether it was cut."""
    if isinstance(value, str):
        return value, False
    if value is None:
        return "null", False
    if isinstance(value, bool):
        return ("true" if value else "false"), False
    if isinstance(value, float):
        return _float_text(value), False
    bits = value.bit_length()
    return (str(value), False) if bits <= _DECIMAL_BITS else (f"<int of {bits} bits>", True)


def _float_text(value: float) -> str:
    """Return a float as JSON writes it; what is no number, as protobuf's JSON form names it."""
    if math.isfinite(value):
        return repr(value)
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
