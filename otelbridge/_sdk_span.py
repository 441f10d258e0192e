"""The inside of the SDK's spans: the events they hold, and the short way in.

The lines relied on, of ``opentelemetry.sdk.trace`` (1.28 to 1.45): ``Span._events``, a
``BoundedList`` whose ``_dq`` is the deque of its events; and ``Event(name, attributes,
timestamp)``, which ``add_event`` makes after cleaning the attributes a second time. An event
appended to the deque takes no lock, so it may come from a signal handler that interrupts one. Where
a span has these not, events go by ``add_event``, once the locks that it takes are seen to be free.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.trace import Span

_MODULE = "opentelemetry.sdk.trace"

Event = Callable[[str, Mapping[str, Any], int], Any]
# A plain tuple, since one is made for every run: the events that the span holds, to be counted and
# appended to; what makes an event of a name, clean attributes and a time in ns since the epoch
# (None where events go by ``add_event``, and are counted beside it); and the locks that are to be
# asked before that.
SpanInside = tuple[Any, Event | None, tuple[Any, ...]]


def look_inside(span: Span) -> SpanInside:
    """Return what can be known of ``span``: see ``SpanInside``."""
    kind = type(span)
    event = _EVENTS.get(kind, _UNSEEN)
    if event is _UNSEEN:
        event = _EVENTS[kind] = _event_type(kind)
    try:
        held = span._events._dq  # type: ignore[attr-defined]
    except AttributeError:
        return [], None, ()
    if event is not None and type(held) is deque:
        return held, event, ()
    locks = (getattr(span, "_lock", None), getattr(span._events, "_lock", None))  # type: ignore[attr-defined]
    return [], None, tuple(lock for lock in locks if hasattr(lock, "locked"))


_UNSEEN: Any = object()
_EVENTS: dict[type, Any] = {}


def _event_type(kind: type) -> Any:
    """Return the class of the events of a type of span, where the short way in works."""
    function = getattr(kind, "add_event", None)
    made: Any = getattr(function, "__globals__", {}).get("Event")
    if getattr(function, "__module__", None) != _MODULE:
        return None
    try:
        event = made("name", {"key": 1}, 5)
        works = (event.name, dict(event.attributes), event.timestamp) == ("name", {"key": 1}, 5)
    except Exception:
        return None
    return made if works else None
