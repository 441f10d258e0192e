"""A span as OTLP's ``Span``, written straight to bytes.

What the official encoder takes is written as it does (``opentelemetry.exporter.otlp.proto.common``,
``trace_encoder``, the same in 1.28 and 1.45): flags say whether a parent or link is remote, and
leave out the trace flags; a link's trace state stays behind. Everything else raises: see
``_repair``. The field numbers are those of opentelemetry-proto, ``trace/v1/trace.proto``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, Final

from opentelemetry.trace import SpanKind, StatusCode

from otelbridge.encoding._ended import Bounded, Raw
from otelbridge.encoding._protobuf import VARINTS
from otelbridge.encoding._values import Odd, put_attributes

_times = struct.Struct("<BQBQ").pack  # 7 and 8, behind their tags
_time = struct.Struct("<BQ").pack  # 1 of an event
_KINDS: Final = {kind: bytes((0x30, kind.value + 1)) for kind in SpanKind}  # 6
_CODES: Final = {code: bytes((0x18, code.value)) for code in StatusCode}  # 3 of the status
_INTERNAL, _UNSET = SpanKind.INTERNAL, StatusCode.UNSET
_INTERNAL_KIND: Final = _KINDS[_INTERNAL]
_UNSET_STATUS = b"\x7a\x00"  # 15, with nothing in it
_LOCAL = b"\x85\x01" + struct.pack("<I", 0x100)  # 16: it is known whether the parent is remote
_REMOTE = b"\x85\x01" + struct.pack("<I", 0x300)


def span_bytes(facts: Raw) -> bytes:
    """Write a span of ``Facts``.

    Raises:
        Exception: any, where a part is not what its type says, or cannot leave as it is.
    """
    (
        name, context, parent, kind, start_time, end_time,
        attributes, lost, events, lost_events, links, lost_links, status,
    ) = facts  # fmt: skip
    text = str.encode(name)
    parts = [
        b"\x0a\x10",
        context.trace_id.to_bytes(16, "big"),
        b"\x12\x08",
        context.span_id.to_bytes(8, "big"),
        b"\x2a",
        VARINTS[len(text)],
        text,
        _INTERNAL_KIND if kind is _INTERNAL else _KINDS[kind],
        _times(0x39, start_time or 0, 0x41, end_time or 0),
    ]
    if context.trace_state:
        _put_state(parts, context.trace_state)
    if parent is None:
        parts.append(_LOCAL)
    else:
        remote = _REMOTE if parent.is_remote else _LOCAL
        parts += (b"\x22\x08", parent.span_id.to_bytes(8, "big"), remote)
    if attributes:
        put_attributes(parts, b"\x4a", attributes)
    if events:
        _put_events(parts, events)
    if links:
        _put_links(parts, links)
    if lost or lost_events or lost_links:
        for tag, number in ((b"\x50", lost), (b"\x60", lost_events), (b"\x70", lost_links)):
            parts.append(_count(tag, number))
    _put_status(parts, status)
    return b"".join(parts)


def _put_state(parts: list[bytes], state: Any) -> None:
    text = ",".join([f"{key}={value}" for key, value in state.items()]).encode()
    parts += (b"\x1a", VARINTS[len(text)], text)


def _put_events(parts: list[bytes], events: Iterable[Any]) -> None:
    for event in events:
        text = str.encode(event.name)
        body = [_time(0x09, event.timestamp), b"\x12", VARINTS[len(text)], text]
        attributes = event.attributes
        if type(attributes) is Bounded:
            attributes, lost = attributes._dict, attributes.dropped
        else:
            lost = event.dropped_attributes
        if attributes:
            put_attributes(body, b"\x1a", attributes)
        if lost:
            body.append(_count(b"\x20", lost))
        written = b"".join(body)
        parts += (b"\x5a", VARINTS[len(written)], written)


def _put_links(parts: list[bytes], links: Iterable[Any]) -> None:
    for link in links:
        context = link.context
        body = [
            b"\x0a\x10",
            context.trace_id.to_bytes(16, "big"),
            b"\x12\x08",
            context.span_id.to_bytes(8, "big"),
            b"\x35\x00\x03\x00\x00" if context.is_remote else b"\x35\x00\x01\x00\x00",
        ]
        if link.attributes:
            put_attributes(body, b"\x22", link.attributes)
        if link.dropped_attributes:
            body.append(_count(b"\x28", link.dropped_attributes))
        written = b"".join(body)
        parts += (b"\x6a", VARINTS[len(written)], written)


def _put_status(parts: list[bytes], status: Any) -> None:
    if status is None:
        return
    code, description = status.status_code, status.description
    if code is _UNSET and not description:
        parts.append(_UNSET_STATUS)
        return
    text = str.encode(description or "")
    body = b"\x12%b%b%b" % (VARINTS[len(text)], text, _CODES[code])
    parts += (b"\x7a", VARINTS[len(body)], body)


def _count(tag: bytes, number: int) -> bytes:
    if not 0 <= number <= 0xFFFF_FFFF:
        raise Odd
    return tag + VARINTS[number]
