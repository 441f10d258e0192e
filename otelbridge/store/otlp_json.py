"""OTLP JSON into protobuf: ids in hex, 64-bit integers as decimal text, enums by number.

The source is https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding and, for what that
leaves to it, https://protobuf.dev/programming-guides/json/: names in lowerCamelCase or snake_case,
null for what is not there, numbers as text where they fit, enums by name too, unknown fields passed
over. ``to_otlp_json`` is the other way.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Callable
from typing import Any, Final, NoReturn

from otelbridge.encoding._protobuf import VARINTS, field
from otelbridge.store._otlp_fields import ENUMS, MESSAGES, Field

_DEPTH: Final = 90  # protobuf's readers stop at 100 messages in one another
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_WIRE: Final = {
    "bool": _VARINT, "int64": _VARINT, "uint32": _VARINT, "int32": _VARINT, "enum": _VARINT,
    "double": _FIXED64, "fixed64": _FIXED64, "fixed32": _FIXED32,
}  # fmt: skip
_64_BITS: Final = (1 << 64) - 1
_DEFAULTS: Final = {_LENGTH: b"", _VARINT: b"\x00", _FIXED32: bytes(4), _FIXED64: bytes(8)}


def otlp_json_to_request(data: Any) -> bytes:
    """Return the ``ExportTraceServiceRequest`` that a decoded JSON document holds.

    Ids of a wrong length are left as they are: see ``split_request``. Lone surrogates in a text are
    written out, as ``otelbridge.encoding`` does.

    Args:
        data: what ``json.loads`` made of it.

    Raises:
        ValueError: it is no OTLP JSON; the message says where in the document, and why.
    """
    return _message(data, "Request", "the document", 0)


def _message(data: Any, name: str, path: str, depth: int) -> bytes:
    if not isinstance(data, dict):
        _refuse(path, data, "an object")
    if depth > _DEPTH:
        raise ValueError(f"{path[:200]}... is nested deeper than {_DEPTH} messages")
    written: list[tuple[Field, bytes]] = []
    together = False
    for it in MESSAGES[name]:
        given = data.get(it.name, data.get(it.snake))
        if it.repeated:
            bodies = _bodies(given, it, path, depth)
            written += [(it, _tagged(it, body)) for body in bodies]
            continue
        if given is None and (it.presence == "set" or it.kind == "message"):
            continue
        default = _default(it)
        body = default
        if given is not None:
            body = _WRITERS[it.kind](given, it, _under(path, it), depth)
        told = it.kind == "message" or name == "AnyValue" or body != default
        together |= it.presence == "together" and told
        if told or it.presence != "set":
            written.append((it, _tagged(it, body)))
    if name == "AnyValue" and len(written) > 1:
        raise ValueError(f"{path} has {len(written)} values: give it one")
    return b"".join([body for it, body in written if it.presence != "together" or together])


def _bodies(given: Any, it: Field, path: str, depth: int) -> list[bytes]:
    if given is None:
        return []
    path = _under(path, it)
    if not isinstance(given, list):
        _refuse(path, given, "an array")
    write = _WRITERS[it.kind]
    return [write(entry, it, f"{path}[{index}]", depth) for index, entry in enumerate(given)]


def _under(path: str, it: Field) -> str:
    return it.name if path == "the document" else f"{path}.{it.name}"


def _tagged(it: Field, body: bytes) -> bytes:
    wire = _WIRE.get(it.kind, _LENGTH)
    tag = VARINTS[it.number << 3 | wire]
    return field(tag, body) if wire == _LENGTH else tag + body


def _default(it: Field) -> bytes:
    return _DEFAULTS[_WIRE.get(it.kind, _LENGTH)]


def _nested(given: Any, it: Field, path: str, depth: int) -> bytes:
    return _message(given, it.of, path, depth + 1)


def _text(given: Any, it: Field, path: str, depth: int) -> bytes:
    if not isinstance(given, str):
        _refuse(path, given, "a string")
    return given.encode("utf-8", "backslashreplace")


def _id(given: Any, it: Field, path: str, depth: int) -> bytes:
    if not isinstance(given, str):
        _refuse(path, given, "an id in hex")
    try:
        return bytes.fromhex(given)
    except ValueError:
        _refuse(path, given, "an id in hex, which OTLP JSON has in place of base64")


def _bytes(given: Any, it: Field, path: str, depth: int) -> bytes:
    if not isinstance(given, str):
        _refuse(path, given, "bytes in base64")
    text = given.translate({0x2D: 0x2B, 0x5F: 0x2F}).rstrip("=")  # the alphabet of URLs too
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        _refuse(path, given, "bytes in base64")


def _bool(given: Any, it: Field, path: str, depth: int) -> bytes:
    if not isinstance(given, bool):
        _refuse(path, given, "true or false")
    return VARINTS[int(given)]


def _whole(lowest: int, highest: int, write: Callable[[int], bytes]) -> Callable[..., bytes]:
    wanted = f"an integer from {lowest} to {highest}"

    def writer(given: Any, it: Field, path: str, depth: int) -> bytes:
        number = _integer(given)
        if number is None or not lowest <= number <= highest:
            _refuse(path, given, wanted)
        return write(number)

    return writer


def _integer(given: Any) -> int | None:
    """Return a JSON number or decimal text as an integer; None where it is none."""
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        return None
    if isinstance(given, int):
        return given
    if isinstance(given, float):
        return int(given) if given.is_integer() else None
    digits = given[1:] if given.startswith("-") else given
    return int(given) if digits.isascii() and digits.isdigit() and len(digits) < 25 else None


def _varint(number: int) -> bytes:
    return VARINTS[number & _64_BITS]


def _enum(given: Any, it: Field, path: str, depth: int) -> bytes:
    prefix = f"{it.of}_"
    if isinstance(given, str) and given.startswith(prefix):
        name = given.removeprefix(prefix)
        if name in ENUMS[it.of]:
            return VARINTS[ENUMS[it.of].index(name)]
    number = _integer(given)
    if number is None or not -(1 << 31) <= number < 1 << 31:
        _refuse(
            path, given, f"an integer or one of {', '.join(prefix + it for it in ENUMS[it.of])}"
        )
    return _varint(number)


def _double(given: Any, it: Field, path: str, depth: int) -> bytes:
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        _refuse(path, given, "a number")
    try:
        number = float(given)
    except (ValueError, OverflowError):
        _refuse(path, given, "a number, 'NaN', 'Infinity' or '-Infinity'")
    return struct.pack("<d", math.nan if math.isnan(number) else number)


def _refuse(path: str, given: Any, wanted: str) -> NoReturn:
    shown = "null" if given is None else repr(given)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    raise ValueError(f"{path} is {shown}: it must be {wanted}")


_WRITERS: Final[dict[str, Callable[[Any, Field, str, int], bytes]]] = {
    "message": _nested,
    "text": _text,
    "id": _id,
    "bytes": _bytes,
    "bool": _bool,
    "double": _double,
    "enum": _enum,
    "int64": _whole(-(1 << 63), (1 << 63) - 1, _varint),
    "int32": _whole(-(1 << 31), (1 << 31) - 1, _varint),
    "uint32": _whole(0, (1 << 32) - 1, _varint),
    "fixed64": _whole(0, _64_BITS, struct.Struct("<Q").pack),
    "fixed32": _whole(0, (1 << 32) - 1, struct.Struct("<I").pack),
}
