"""Spans that are still open, looked at from another thread.

Nothing tells of an event when it comes: whoever wants it in the store looks into the span. The
lines relied on are those of ``otelbridge.encoding._ended``: ``Span._events._dq``, and the fields of
``ReadableSpan``. No lock of the span's is taken, since a program may fork while it is held; a
container that changes while it is copied is copied again.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan, Span

from otelbridge.encoding._protobuf import field, fields
from otelbridge.encoding.encode import Encoder
from otelbridge.store._facts import Facts, record_facts
from otelbridge.store.codec import to_record

_EVENTS: Final = 11
_EVENT_TAG: Final = b"\x5a"
_TRIES: Final = 5


class LiveSpan:
    """One open span, and how far it is written.

    Args:
        span: the SDK's own.
    """

    __slots__ = ("_attributes", "_events", "_facts", "_told", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self._facts: Facts | None = None
        self._events = 0
        self._attributes: Any = None
        self._told: Any = None

    @property
    def has_ended(self) -> bool:
        """Whether it is no longer open."""
        return self.span.end_time is not None

    def news(self, encoder: Encoder) -> Facts | None:
        """Return what to write of it; None where it is as it was.

        Raises:
            Exception: any, where it is not as spans of the SDK are.
        """
        span: Any = self.span
        events, count = self._events_of(span)
        told = (len(span._attributes), span._name, span._status)
        attributes = None
        if told != self._told:
            attributes = _copied(lambda: dict(span.attributes))
        if attributes is None and count == self._events:
            return None
        facts = self._facts
        body = b""
        if attributes is not None or facts is None:
            facts, body = self._described(encoder, attributes)
        fresh = events[-(count - self._events) :] if count > self._events else []
        written = facts._replace(body=body, events=count, new_events=_written(encoder, span, fresh))
        self._told, self._events, self._facts = told, count, facts
        return written

    def unwritten(self) -> None:
        """Have all of it written again: the store is another."""
        self._told, self._events, self._facts = None, 0, None

    def _described(self, encoder: Encoder, attributes: Any) -> tuple[Facts, bytes]:
        span: Any = self.span
        item = encoder.item(_readable(span, attributes, ()))
        record = to_record(item.span, item.group, state="running")
        return record_facts(item, record), item.span

    @staticmethod
    def _events_of(span: Any) -> tuple[list[Any], int]:
        held = span._events
        events: list[Any] = _copied(lambda: list(held._dq))
        return events, len(events) + held.dropped


def _copied(copy: Any) -> Any:
    for _ in range(_TRIES):
        try:
            return copy()
        except RuntimeError:  # it changed in the midst
            continue
    return copy()


def _readable(span: Any, attributes: Any, events: Any) -> ReadableSpan:
    return ReadableSpan(
        name=span._name,
        context=span._context,
        parent=span._parent,
        resource=span.resource,
        attributes=attributes,
        events=events,
        links=tuple(span.links),
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=span._status,
        start_time=span._start_time,
        end_time=None,
    )


def _written(encoder: Encoder, span: Any, events: list[Any]) -> tuple[bytes, ...]:
    """Return events as fields of ``Span``; the encoder makes whatever they hold fit to be read."""
    if not events:
        return ()
    item = encoder.item(_readable(span, {}, events))
    return tuple(
        field(_EVENT_TAG, value)
        for number, value in fields(item.span)
        if number == _EVENTS and isinstance(value, bytes)
    )
