"""The inside of the SDK's spans: how many events they hold, which locks, and the short way in.

The lines relied on, of ``opentelemetry.sdk.trace`` (1.28 to 1.45): ``Span._lock``;
``Span._events``, a ``BoundedList`` with ``_dq`` and ``_lock``; ``Span._add_event(event)``, which
checks the span's end and appends under the lock; and ``Event(name, attributes, timestamp)``, which
``add_event`` makes after cleaning the attributes a second time. Where a span has these not, events
go by ``add_event`` and no lock is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.trace import Span

_MODULE = "opentelemetry.sdk.trace"


class _Lock:
    """A lock that nobody ever holds."""

    def locked(self) -> bool:
        return False


class _Held(list[None]):
    """Counts the events of a span that does not show how many it holds."""


Event = Callable[[str, Mapping[str, Any], int], Any]
# A plain tuple, since one is made for every run: the events that the span holds, to be counted;
# the lock of the span and the lock of its list of events, which adding an event takes, to be asked
# whether they are free; what makes an event of a name, clean attributes and a time in ns since the
# epoch (None where events go by ``add_event``); and what adds it.
SpanInside = tuple[Any, Any, Any, Event | None, Callable[[Any], None]]


def look_inside(span: Span) -> SpanInside:
    """Return what can be known of ``span``: see ``SpanInside``."""
    kind = type(span)
    event = _EVENTS.get(kind, _UNSEEN)
    if event is _UNSEEN:
        event = _EVENTS[kind] = _event_type(kind)
    try:
        events: Any = span._events  # type: ignore[attr-defined]
        held, list_lock, span_lock = events._dq, events._lock, span._lock  # type: ignore[attr-defined]
        append = None if event is None else span._add_event  # type: ignore[attr-defined]
    except AttributeError:
        held = _Held()
        return held, _FREE, _FREE, None, held.append
    return held, span_lock, list_lock, event, append or _nothing


def _nothing(_: Any) -> None:
    """Stand for ``append`` where ``add_event`` has counted the event itself."""


_UNSEEN: Any = object()
_FREE = _Lock()
_EVENTS: dict[type, Any] = {}


def _event_type(kind: type) -> Any:
    """Return the class of the events of a type of span, where the short way in works."""
    function = getattr(kind, "add_event", None)
    made: Any = getattr(function, "__globals__", {}).get("Event")
    if getattr(function, "__module__", None) != _MODULE or not hasattr(kind, "_add_event"):
        return None
    try:
        event = made("name", {"key": 1}, 5)
        works = (event.name, dict(event.attributes), event.timestamp) == ("name", {"key": 1}, 5)
    except Exception:
        return None
    return made if works else None
