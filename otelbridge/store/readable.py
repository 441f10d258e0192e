"""A stored span as the SDK's ``ReadableSpan``, so that what draws those draws stored ones too."""

from __future__ import annotations

import re
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from otelbridge._json import to_json
from otelbridge.store.records import Attributes, SpanRecord

_CODES: Final = {"unset": StatusCode.UNSET, "ok": StatusCode.OK, "error": StatusCode.ERROR}
_JSON_BYTES: Final = 64 << 10
_NATIVE: Final = (str, bool, int, float)
_MEMBER: Final = re.compile(  # of a trace state; the SDK logs a line for each other one
    r"([a-z][-_0-9a-z*/]{0,240}(?:@[a-z][-_0-9a-z*/]{0,13})?)=([\x21-\x2b\x2d-\x3c\x3e-\x7e]{1,255})"
)


def to_readable(span: SpanRecord) -> ReadableSpan:
    """Return a stored span in the SDK's form; ``end_time`` is None for one that has not ended.

    The SDK has no place for some of what OTLP holds: kind ``unspecified`` becomes INTERNAL, a
    message stays only with status ERROR, and values other than str, bool, int, float and lists of
    one of these become compact JSON.
    """
    failed = span.status == "error"
    return ReadableSpan(
        span.name,
        context=_context(span.trace_id, span.span_id, span.flags, span.trace_state),
        parent=_context(span.trace_id, span.parent_id, span.flags) if span.parent_id else None,
        resource=Resource(_native(span.resource)),
        attributes=_native(span.attributes),
        events=[Event(it.name, _native(it.attributes), it.time_ns) for it in span.events],
        links=[
            Link(
                _context(it.trace_id, it.span_id, it.flags, it.trace_state), _native(it.attributes)
            )
            for it in span.links
        ],
        kind=SpanKind.INTERNAL if span.kind == "unspecified" else SpanKind[span.kind.upper()],
        status=Status(_CODES[span.status], (span.status_message or None) if failed else None),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=InstrumentationScope(span.scope, span.scope_version or None),
    )


def _context(trace_id: str, span_id: str, flags: int, trace_state: str = "") -> SpanContext:
    return SpanContext(
        int(trace_id or "0", 16),
        int(span_id or "0", 16),
        is_remote=False,
        trace_flags=TraceFlags(flags & 0xFF),
        trace_state=TraceState(_members(trace_state)),
    )


def _members(trace_state: str) -> list[tuple[str, str]]:
    matches = [_MEMBER.fullmatch(member.strip()) for member in trace_state.split(",")]
    return list({match[1]: match[2] for match in matches if match}.items())[:32]


def _native(attributes: Attributes) -> dict[str, Any]:
    # Empty keys and other values would each have the SDK log a line.
    return {key: _value(value) for key, value in attributes.items() if key}


def _value(value: Any) -> Any:
    if type(value) in _NATIVE:
        return value
    if isinstance(value, list) and _is_plain(value):
        return tuple(value)
    return to_json(value, _JSON_BYTES)[0]


def _is_plain(values: list[Any]) -> bool:
    kinds = {type(value) for value in values}
    return not kinds or (len(kinds) == 1 and kinds <= {*_NATIVE})
