"""Protobuf into OTLP JSON, as the Collector's file exporter writes it.

What is not set is left out, in the order of protobuf's definitions. What a later OTLP put into a
message has no name here, and JSON has no place for what has none: it is left out too.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otelbridge.encoding.units import Item, request
from otelbridge.store._otlp_fields import MESSAGES, Field

_FLAGS: Final = ("Span", "flags")  # number 16 stands behind 4 in the definition


def _place(name: str, it: Field) -> float:
    return 4.5 if (name, it.name) == _FLAGS else it.number


_ORDER: Final = {
    name: tuple((it, it.snake) for it in sorted(fields, key=partial(_place, name)))
    for name, fields in MESSAGES.items()
}
_ONE_OF: Final = {it.snake: it for it in MESSAGES["AnyValue"]}


def to_otlp_json(items: Sequence[Item]) -> str:
    """Return one request of these spans as one line, in ASCII and without the line break.

    Raises:
        ValueError: the bytes of a span are none.
    """
    try:
        made = ExportTraceServiceRequest.FromString(request(items))
    except DecodeError as error:
        raise ValueError("the bytes of a span are no OTLP") from error
    return json.dumps(_object(made, "Request"), separators=(",", ":"))


def _object(message: Any, name: str) -> dict[str, Any]:
    if name == "AnyValue":
        return _value(message)
    found: dict[str, Any] = {}
    for it, snake in _ORDER[name]:
        value = getattr(message, snake, None)  # None: the installed OTLP does not have it yet
        if it.repeated:
            if value:
                found[it.name] = [_one(entry, it) for entry in value]
        elif it.kind == "message":
            if message.HasField(snake):
                found[it.name] = _object(value, it.of)
        elif value:
            found[it.name] = _one(value, it)
    return found


def _value(message: Any) -> dict[str, Any]:
    kind = message.WhichOneof("value")
    it = _ONE_OF.get(kind)
    return {} if it is None else {it.name: _one(getattr(message, kind), it)}


def _one(value: Any, it: Field) -> Any:
    if it.kind == "message":
        return _object(value, it.of)
    write = _WRITERS.get(it.kind)
    return value if write is None else write(value)


def _double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


_WRITERS: Final[dict[str, Callable[[Any], Any]]] = {
    "id": bytes.hex,
    "bytes": lambda value: base64.b64encode(value).decode("ascii"),
    "int64": str,
    "fixed64": str,
    "double": _double,
}
