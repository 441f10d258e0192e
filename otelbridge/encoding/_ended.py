"""What an ended span holds, read from inside the SDK's spans where that is possible.

``ReadableSpan`` copies its events, links and attributes each time they are asked for, which costs
more than encoding them. The lines relied on, of ``opentelemetry.sdk.trace`` (1.28 to 1.45): the
fields of ``ReadableSpan.__init__`` and ``BoundedList._dq``; of ``opentelemetry.attributes``:
``BoundedAttributes._dict``. Spans of another class, or with other fields, are read by the public
properties.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util import BoundedList

Bounded: Final[Any] = BoundedAttributes if hasattr(BoundedAttributes(), "_dict") else None
"""The class of attributes whose ``_dict`` may be read; None where there is no such field."""
_List: Final[Any] = BoundedList


class Facts(NamedTuple):
    """What a backend is told of a span. Nothing of it has been looked at yet."""

    name: Any
    context: Any
    parent: Any
    kind: Any
    start_time: Any
    end_time: Any
    attributes: Any
    dropped_attributes: Any
    events: Any
    dropped_events: Any
    links: Any
    dropped_links: Any
    status: Any


Raw = tuple[Any, ...]
"""What ``Facts`` holds, as a plain tuple: a named one costs more than any of its fields."""


def facts_of(span: ReadableSpan) -> Raw:
    """Return what the span holds; the containers are its own. A part that fails is None."""
    if type(span) is ReadableSpan:
        try:
            return _inside(span)
        except Exception:
            pass
    return tuple([part(span, name) for name in Facts._fields])


def producer_of(span: ReadableSpan) -> tuple[Any, Any]:
    """Return the span's resource and instrumentation scope; one that fails is None."""
    try:
        return span.resource, span.instrumentation_scope
    except Exception:
        return part(span, "resource"), part(span, "instrumentation_scope")


def _inside(span: Any) -> Raw:
    attributes, events, links = span._attributes, span._events, span._links
    lost = lost_events = lost_links = 0
    if type(attributes) is Bounded:
        attributes, lost = attributes._dict, attributes.dropped
    elif type(attributes) is not dict:
        lost = span.dropped_attributes
    if type(events) is _List:
        events, lost_events = events._dq, events.dropped
    elif type(events) is not tuple:
        events = span.events
    if type(links) is _List:
        links, lost_links = links._dq, links.dropped
    elif type(links) is not tuple:
        links = span.links
    return (
        span._name, span._context, span._parent, span._kind, span._start_time, span._end_time,
        attributes, lost, events, lost_events, links, lost_links, span._status,
    )  # fmt: skip


def part(whole: Any, name: str) -> Any:
    """Return a property; None where it fails."""
    try:
        return getattr(whole, name)
    except Exception:
        return None
