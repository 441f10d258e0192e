"""Starting a span of the SDK whose attributes are clean already: the one seam to its tracer.

``Tracer.start_span`` cleans every attribute by recursion, which is a third of what it costs for two
of them and more than half for five. Those of a run come out of the gate. So where the tracer is as
it is known here, a span is made by the same calls in the same order, and gets its attributes as
they are, before any span processor sees it. Its ``SpanContext`` is made past the class's own
``__new__``, which is a tenth of what a span costs that is not sampled.

Relied on, of ``opentelemetry.sdk.trace`` 1.45: the body of ``Tracer.start_span``, recognised by all
the names that it uses; the parameters of ``_Span``; and ``Span._attributes``, a
``BoundedAttributes`` whose ``_dict`` holds them; of the API, ``SpanContext``, a tuple of its five
values and whether they are valid. Of any other tracer ``start_span`` is called.
"""

from __future__ import annotations

from typing import Any, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    Tracer,
    TraceState,
)

from otelbridge.context import SPAN_KEY

_INTERNAL = SpanKind.INTERNAL
_MODULE = "opentelemetry.sdk.trace"
_FLAGS = tuple(map(TraceFlags, range(4)))
_SAMPLED = int(TraceFlags.SAMPLED)
_RANDOM = int(getattr(TraceFlags, "RANDOM_TRACE_ID", 2))
_NAMES = frozenset(
    """
    DEFAULT NonRecordingSpan RANDOM_TRACE_ID SAMPLED SpanContext TraceFlags TypeError _Span
    _instrumentation_scope _is_enabled _span_limits _tracer_metrics attributes decision
    generate_span_id generate_trace_id get_current_span get_span_context id_generator
    instrumentation_info is_recording is_sampled is_trace_id_random is_valid isinstance
    random_trace_id resource sampler should_sample span_processor start start_span trace_api
    trace_flags trace_id trace_state
    """.split()
)


class Start(Protocol):
    """Starts a span below the span of ``context``, with clean attributes, at a time in ns."""

    def __call__(
        self,
        name: str,
        context: Context,
        attributes: dict[str, Any],
        now_ns: int,
        kind: SpanKind = ...,
        /,
    ) -> Span: ...


def starter_of(tracer: Tracer) -> Start:
    """Return what starts spans of ``tracer``: the short way where that works, else its own."""
    try:
        if _is_known(tracer):
            return _ShortWay(tracer).start
    except Exception:  # a tracer that is not as it looks
        pass

    def start(
        name: str,
        context: Context,
        attributes: dict[str, Any],
        now_ns: int,
        kind: SpanKind = _INTERNAL,
    ) -> Span:
        return tracer.start_span(name, context, kind, attributes=attributes, start_time=now_ns)

    return start


def _is_known(tracer: Any) -> bool:
    function = type(tracer).start_span
    if getattr(function, "__module__", None) != _MODULE or "start_span" in vars(tracer):
        return False
    if frozenset(function.__code__.co_names) != _NAMES or not _takes_attributes(tracer):
        return False
    known = _new(SpanContext, (1, 2, False, _FLAGS[1], _NO_STATE, True))
    return known == SpanContext(1, 2, False, _FLAGS[1], None)


def _takes_attributes(tracer: Any) -> bool:
    """Tell whether attributes can be put into a span as they are."""
    made = _ShortWay(tracer).blank("trial", SpanContext(1, 1, False), None, None, None, _INTERNAL)
    made._attributes._dict.update({"key": 1})
    return dict(made.attributes) == {"key": 1} and made._attributes.dropped == 0


_new = tuple.__new__
_NO_STATE = TraceState()


class _ShortWay:
    """Starts spans as ``Tracer.start_span`` does, but for the cleaning of attributes."""

    __slots__ = ("_made", "_tracer")

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer
        self._made = type(tracer).start_span.__globals__["_Span"]

    def blank(
        self,
        name: str,
        own: SpanContext,
        parent: SpanContext | None,
        at_end: Any,
        attributes: Any,
        kind: SpanKind,
    ) -> Any:
        """Make a span that is still to be started."""
        tracer = self._tracer
        return self._made(
            name=name,
            context=own,
            parent=parent,
            sampler=tracer.sampler,
            resource=tracer.resource,
            attributes=attributes,
            span_processor=tracer.span_processor,
            kind=kind,
            links=(),
            instrumentation_info=tracer.instrumentation_info,
            limits=tracer._span_limits,
            instrumentation_scope=tracer._instrumentation_scope,
            record_end_metrics=at_end,
        )

    def start(
        self,
        name: str,
        context: Context,
        attributes: dict[str, Any],
        now_ns: int,
        kind: SpanKind = _INTERNAL,
    ) -> Span:
        """Start a span."""
        tracer = self._tracer
        above = context.get(SPAN_KEY)
        parent: SpanContext | None = None
        if above is not None:
            parent = above.get_span_context()  # type: ignore[attr-defined]
        if not tracer._is_enabled():
            return NonRecordingSpan(parent or INVALID_SPAN_CONTEXT)
        ids = tracer.id_generator
        if parent is not None and parent.is_valid:
            trace_id = parent.trace_id
            is_random = parent.trace_flags.random_trace_id
        else:
            parent = None
            trace_id = ids.generate_trace_id()
            is_random = ids.is_trace_id_random()
        sampled = tracer.sampler.should_sample(context, trace_id, name, kind, attributes, ())
        decision = sampled.decision
        is_recording = decision.is_recording()
        bits = _SAMPLED if is_recording and decision.is_sampled() else 0
        span_id = ids.generate_span_id()
        flags = _FLAGS[bits | _RANDOM if is_random else bits]
        state = _NO_STATE if sampled.trace_state is None else sampled.trace_state
        is_valid = 0 < trace_id < 1 << 128 and 0 < span_id < 1 << 64
        own = _new(SpanContext, (trace_id, span_id, False, flags, state, is_valid))
        at_end = tracer._tracer_metrics.start_span(parent, decision)
        if not is_recording:
            return NonRecordingSpan(own)
        span: Span
        if sampled.attributes == attributes:
            span = made = self.blank(name, own, parent, at_end, None, kind)
            made._attributes._dict.update(attributes)
        else:  # the sampler has its own, which nobody has cleaned
            span = made = self.blank(name, own, parent, at_end, sampled.attributes, kind)
        made.start(now_ns, context)
        return span
