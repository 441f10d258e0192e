"""Jaeger's query API: what is stored, as OTLP says it."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timezone
from typing import Any

Span = dict[str, Any]


def trace(page: str, trace_id: str) -> list[Span]:
    """Every span of one trace, as it is stored; none where it is not known."""
    return _spans(_get(f"{page}/api/v3/traces/{trace_id}?raw_traces=true"))


def traces(page: str, service: str) -> list[Span]:
    """Every span of every trace in which the service has a span."""
    now_ns = time.time_ns()
    return traces_between(page, service, now_ns - 3600 * 10**9, now_ns + 300 * 10**9)


def traces_between(page: str, service: str, begin_ns: int, end_ns: int) -> list[Span]:
    """Every span of the traces in which the service has a span that started in this time."""
    query = {
        "query.service_name": service,
        "query.start_time_min": _rfc3339(begin_ns),
        "query.start_time_max": _rfc3339(end_ns),
        "query.num_traces": "100000",
        "query.raw_traces": "true",
    }
    return _spans(_get(f"{page}/api/v3/traces?{urllib.parse.urlencode(query)}"))


def _rfc3339(time_ns: int) -> str:
    seconds = datetime.fromtimestamp(time_ns // 10**9, timezone.utc)
    return f"{seconds:%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9:09}Z"


def services(page: str) -> list[str]:
    """The names of the services that it has heard of."""
    return list((_get(f"{page}/api/v3/services") or {}).get("services", ()))


def _get(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                return None
            raise AssertionError(f"{url}: {error.code} {error.read(2000)!r}") from None


def _spans(answer: Any) -> list[Span]:
    return [
        _span(span, resource["resource"], scope["scope"])
        for resource in (answer or {"result": {}})["result"].get("resourceSpans", ())
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def _span(span: Any, resource: Any, scope: Any) -> Span:
    """One span in plain values, in the form of ``ledger.entry``."""
    status = span.get("status", {})
    return {
        "trace_id": _hex(span["traceId"]),
        "span_id": _hex(span["spanId"]),
        "parent_id": _hex(span.get("parentSpanId", "")),
        "name": span["name"],
        "kind": _number(span.get("kind", 0), "SPAN_KIND_", _KINDS),
        "start": int(span["startTimeUnixNano"]),
        "end": int(span["endTimeUnixNano"]),
        "status": [
            _number(status.get("code", 0), "STATUS_CODE_", _CODES),
            status.get("message", ""),
        ],
        "attributes": _attributes(span),
        "events": sorted(
            [int(event["timeUnixNano"]), event.get("name", ""), _attributes(event)]
            for event in span.get("events", ())
        ),
        "resource": _attributes(resource),
        "scope": [scope.get("name", ""), scope.get("version", "")],
    }


_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_CODES = ("UNSET", "OK", "ERROR")


def _number(value: Any, prefix: str, names: tuple[str, ...]) -> int:
    return value if isinstance(value, int) else names.index(value.removeprefix(prefix))


def _hex(identifier: str) -> str:
    """An id in hexadecimal: protobuf's own JSON has base64, OTLP's has hexadecimal already."""
    if len(identifier) in (16, 32):
        return identifier
    return base64.b64decode(identifier).hex()


def _attributes(holder: Any) -> dict[str, Any]:
    return {it["key"]: _value(it.get("value", {})) for it in holder.get("attributes", ())}


def _value(value: Any) -> Any:
    for kind, held in value.items():
        if kind == "intValue":
            return int(held)
        if kind == "arrayValue":
            return [_value(item) for item in held.get("values", ())]
        return float(held) if kind == "doubleValue" else held
    return None
