"""The SDK's own span limits, read from the provider: the one seam to them.

The SDK keeps the newest entries, throws the oldest away and logs a warning for each. The gate and
the event pages must therefore know its limits before they hand anything over.

Relied on in opentelemetry-sdk: ``TracerProvider._span_limits`` (a ``SpanLimits``) and the fields
named in `_FIELDS`. Where they are missing, the rule of ``SpanLimits.__init__`` is followed on the
``OTEL_*`` variables, and past those its defaults hold.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from ._record import Record

_MISSING: Final = object()

_EVENTS: Final = "OTEL_SPAN_EVENT_COUNT_LIMIT"
_ATTRIBUTES: Final = "OTEL_ATTRIBUTE_COUNT_LIMIT"
_SPAN_ATTRIBUTES: Final = "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"
_EVENT_ATTRIBUTES: Final = "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"
_LENGTH: Final = "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"
_SPAN_LENGTH: Final = "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"

# Our field: the field of the SDK's SpanLimits. The SDK cuts the values of events by the general
# length limit; only a span's own attributes have one of their own.
_FIELDS: Final = {
    "span_attributes": "max_span_attributes",
    "event_attributes": "max_event_attributes",
    "events": "max_events",
    "span_value_length": "max_span_attribute_length",
    "event_value_length": "max_attribute_length",
}


class Limits(Record):
    """What the SDK keeps of one span; None is no limit.

    ``span_attributes`` and ``events`` count per span, ``event_attributes`` per event; the two
    lengths are characters of one string value.
    """

    __slots__ = (
        "span_attributes",
        "event_attributes",
        "events",
        "span_value_length",
        "event_value_length",
    )

    def __init__(
        self,
        span_attributes: int | None = 128,
        event_attributes: int | None = 128,
        events: int | None = 128,
        span_value_length: int | None = None,
        event_value_length: int | None = None,
    ) -> None:
        self.span_attributes = span_attributes
        self.event_attributes = event_attributes
        self.events = events
        self.span_value_length = span_value_length
        self.event_value_length = event_value_length


def limits_of(provider: object, environ: Mapping[str, str] = os.environ) -> Limits:
    """Return the limits that spans of this provider will have. Never raises."""
    found = _from_environment(environ)
    own = _read(provider, "_span_limits")
    if own is not _MISSING and own is not None:
        for name, theirs in _FIELDS.items():
            value = _read(own, theirs)
            if _is_limit(value):
                found[name] = value  # type: ignore[assignment]  # _is_limit has checked it
    return Limits(**found)


def _from_environment(environ: Mapping[str, str]) -> dict[str, int | None]:
    # As the SDK has it: a specific variable that is there but empty lifts its limit; the general
    # count variable, empty, leaves the default of 128 in force.
    general = _variable(environ, _ATTRIBUTES, None)
    count = 128 if general is None else general
    length = _variable(environ, _LENGTH, None)
    return {
        "span_attributes": _variable(environ, _SPAN_ATTRIBUTES, count),
        "event_attributes": _variable(environ, _EVENT_ATTRIBUTES, count),
        "events": _variable(environ, _EVENTS, 128),
        "span_value_length": _variable(environ, _SPAN_LENGTH, length),
        "event_value_length": length,
    }


def _variable(environ: Mapping[str, str], name: str, default: int | None) -> int | None:
    """Read one variable: absent, the default; empty, no limit, which is the SDK's reading.

    A value that the SDK refuses counts as absent: no provider of the SDK's can then be there.
    """
    try:
        text = environ.get(name)
        if text is None:
            return default
        if not text.strip():
            return None
        value = int(text)
    except Exception:
        return default
    return value if value >= 0 else default


def _read(thing: object, name: str) -> object:
    try:
        return getattr(thing, name, _MISSING)
    except Exception:  # a foreign provider's property may raise anything
        return _MISSING


def _is_limit(value: object) -> bool:
    return value is None or (type(value) is int and value >= 0)
