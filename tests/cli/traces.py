"""Three traces with fixed ids and times, as OTLP JSON lines."""

from __future__ import annotations

import json
from typing import Any

BEGIN_NS = 1_795_435_200_000_000_000  # 2026-11-23 12:00:00 UTC
MS = 1_000_000
INDEX = "1a" * 16
CHECKOUT = "2b" * 16
HOSTILE = "2c" * 16
EVIL = "\u202eevil\x1b[2J\x1b]0;title\x07"
STACK = 'Traceback (most recent call last):\n  File "pay.py", line 3\nValueError: card \x1b[31m17\n'


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": value}


def _attributes(**values: Any) -> list[dict[str, Any]]:
    return [
        {"key": key.replace("__", "."), "value": _value(value)} for key, value in values.items()
    ]


def _event(at_ms: int, name: str, **data: Any) -> dict[str, Any]:
    when = str(BEGIN_NS + at_ms * MS)
    return {"timeUnixNano": when, "name": name, "attributes": _attributes(**data)}


def _span(
    trace: str, number: int, parent: int, name: str, start_ms: int, end_ms: int, **more: Any
) -> dict[str, Any]:
    above = {"parentSpanId": f"{parent:016x}"} if parent else {}
    return {
        "traceId": trace,
        "spanId": f"{number:016x}",
        **above,
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(BEGIN_NS + start_ms * MS),
        "endTimeUnixNano": str(BEGIN_NS + end_ms * MS),
        **more,
    }


def _line(service: str, *spans: dict[str, Any]) -> str:
    scope = {"scope": {"name": "otelbridge", "version": "0.1.0"}, "spans": list(spans)}
    resource = {"attributes": _attributes(service__name=service)}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]})


def lines() -> list[str]:
    """The lines: a pipeline with progress, a checkout that fails, and one with hostile text."""
    run = {"otelbridge__run__type": "chain"}
    index = _line(
        "library",
        _span(INDEX, 1, 0, "index", 0, 2500, attributes=_attributes(**run)),
        _span(
            *(INDEX, 2, 1, "load", 100, 1600),
            attributes=_attributes(**run, otelbridge__run__tags=["night"]),
            events=[
                _event(500, "progress", data__completed=1, data__total=2),
                _event(1500, "progress", data__completed=2, data__total=2),
                _event(1550, "file_skipped", data__file="a.bin"),
            ],
        ),
    )
    failure = {"exception__type": "ValueError", "exception__message": "card 17"}
    checkout = _line(
        "shop",
        _span(CHECKOUT, 3, 0, "checkout", 60_000, 60_250, status={"code": 1}),
        _span(
            *(CHECKOUT, 4, 3, "pay", 60_010, 60_200),
            attributes=_attributes(error__type="ValueError"),
            events=[_event(60_190, "exception", **failure, exception__stacktrace=STACK)],
            status={"code": 2, "message": "ValueError: card 17"},
        ),
    )
    hostile = _line(
        EVIL,
        _span(
            *(HOSTILE, 5, 0, EVIL, 120_000, 120_001),
            events=[_event(120_000, EVIL, data__x=EVIL)],
            status={"code": 2, "message": EVIL},
        ),
    )
    return [index, checkout, hostile]
