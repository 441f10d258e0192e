"""A span of the SDK's, not yet started, made without its constructors: the one seam to them.

Five of them run for each span, with twenty arguments, and cost as much as all else that starting
and ending a span costs. What they leave behind is plain: the values that they were given, and three
empty containers. So a span is put together here, once a trial has shown that nothing of it differs
from what the constructors make; else they are called.

Relied on, of ``opentelemetry.sdk.trace`` 1.45: all the attributes of a ``_Span``, and of its
``BoundedAttributes`` and its two ``BoundedList``. The trial compares them by name, type and value.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from opentelemetry.trace import SpanContext, SpanKind

Make = Callable[
    [str, SpanContext, "SpanContext | None", Any, "dict[str, Any]", SpanKind],
    Any,
]
"""Makes a span of its name, own context, parent, what is to be called at its end, its attributes,
which are clean and become its own, and its kind."""

_object = object.__new__


def maker_of(tracer: Any) -> Make:
    """Return what makes spans of ``tracer``: by hand where that gives the same, else as it does."""
    constructed = _Constructed(tracer)
    trial: Any = (
        "trial",
        SpanContext(1, 2, False),
        SpanContext(1, 3, True),
        int,
        {},
        SpanKind.CLIENT,
    )
    known = constructed.make(*trial)
    try:
        put_together = _PutTogether(tracer, known)
        if _is_same(put_together.make(*trial), known):
            return put_together.make
    except Exception:  # a span that is not as it looks
        pass
    return constructed.make


class _Constructed:
    """Calls the constructor, as ``Tracer.start_span`` does."""

    __slots__ = ("_span", "_tracer")

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer
        self._span = type(tracer).start_span.__globals__["_Span"]

    def make(
        self,
        name: str,
        own: SpanContext,
        parent: SpanContext | None,
        at_end: Any,
        attributes: dict[str, Any],
        kind: SpanKind,
    ) -> Any:
        tracer = self._tracer
        span = self._span(
            name=name,
            context=own,
            parent=parent,
            sampler=tracer.sampler,
            resource=tracer.resource,
            attributes=None,
            span_processor=tracer.span_processor,
            kind=kind,
            links=(),
            instrumentation_info=tracer.instrumentation_info,
            limits=tracer._span_limits,
            instrumentation_scope=tracer._instrumentation_scope,
            record_end_metrics=at_end,
        )
        span._attributes._dict.update(attributes)
        return span


class _PutTogether:
    """Sets what the constructors set."""

    __slots__ = ("_attributes", "_list", "_span", "_status", "_tracer")

    def __init__(self, tracer: Any, known: Any) -> None:
        self._tracer = tracer
        self._span = type(known)
        self._attributes = type(known._attributes)
        self._list = type(known._events)
        self._status = known._status  # one for all: a span is given another, this one stays

    def make(
        self,
        name: str,
        own: SpanContext,
        parent: SpanContext | None,
        at_end: Any,
        attributes: dict[str, Any],
        kind: SpanKind,
    ) -> Any:
        tracer = self._tracer
        limits = tracer._span_limits
        held: Any = _object(self._attributes)
        held._dict = attributes
        held.maxlen = limits.max_span_attributes
        held.dropped = 0
        held.max_value_len = limits.max_span_attribute_length
        held._lock = threading.Lock()
        held._immutable = False
        events: Any = _object(self._list)
        events.dropped = 0
        events._dq = deque(maxlen=limits.max_events)
        events._lock = threading.Lock()
        links: Any = _object(self._list)
        links.dropped = 0
        links._dq = deque(maxlen=limits.max_links)
        links._lock = threading.Lock()
        # In the order of the constructors, so that all spans share one table of names.
        span: Any = _object(self._span)
        span._name = name
        span._context = own
        span._kind = kind
        span._instrumentation_info = tracer.instrumentation_info
        span._instrumentation_scope = tracer._instrumentation_scope
        span._parent = parent
        span._start_time = None
        span._end_time = None
        span._attributes = held
        span._events = events
        span._links = links
        span._resource = tracer.resource
        span._status = self._status
        span._sampler = tracer.sampler
        span._trace_config = None
        span._record_exception = True
        span._set_status_on_exception = True
        span._span_processor = tracer.span_processor
        span._limits = limits
        span._lock = threading.Lock()
        span._record_end_metrics = at_end
        return span


def _is_same(mine: Any, known: Any) -> bool:
    """Return whether two spans have the same attributes, with the same or like values."""
    return _names(mine) == _names(known) and all(
        _is_alike(value, vars(known)[name]) for name, value in vars(mine).items()
    )


def _is_alike(mine: Any, known: Any) -> bool:
    if type(mine) is not type(known):
        return False
    if type(mine) is deque:
        return not known and mine.maxlen == known.maxlen
    if type(mine) is type(threading.Lock()):
        return mine is not known
    if mine is known or not hasattr(mine, "_lock"):
        return bool(mine == known)
    return _is_same(mine, known)


def _names(thing: Any) -> list[str]:
    slots = [name for kind in type(thing).__mro__ for name in vars(kind).get("__slots__", ())]
    return [*slots, *vars(thing)]
