"""Starting a span of the SDK whose attributes are clean already: the one seam to its tracer.

``Tracer.start_span`` cleans every attribute by recursion, which is a third of what it costs for two
of them and more than half for five. Those of a run come out of the gate. So where the tracer is as
it is known here, a span is made by the same calls in the same order, and gets its attributes as
they are, before any span processor sees it. They are made only where somebody wants them: a
sampler that looks at them, or the span. Its ``SpanContext`` is made past the class's own
``__new__``, which is a tenth of what a span costs that is not sampled.

Relied on, of ``opentelemetry.sdk.trace`` 1.45: the body of ``Tracer.start_span``, recognised by all
the names that it uses, and what `_sdk_blank` and `_sdk_sampling` name; of the API, ``SpanContext``,
a tuple of its five values and whether they are valid. Of any other tracer ``start_span`` is called.
"""

from __future__ import annotations

from collections.abc import Callable
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

from otelbridge._sdk_blank import maker_of
from otelbridge._sdk_sampling import UNKNOWN, foresee
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


Describe = Callable[[], dict[str, Any]]
"""Makes the clean attributes that a span starts with."""


class Start(Protocol):
    """Starts a span below the span of ``context``, at a time in ns."""

    def __call__(
        self,
        name: str,
        context: Context,
        describe: Describe,
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
        describe: Describe,
        now_ns: int,
        kind: SpanKind = _INTERNAL,
    ) -> Span:
        return tracer.start_span(name, context, kind, attributes=describe(), start_time=now_ns)

    return start


def _is_known(tracer: Any) -> bool:
    function = type(tracer).start_span
    if getattr(function, "__module__", None) != _MODULE or "start_span" in vars(tracer):
        return False
    if frozenset(function.__code__.co_names) != _NAMES:
        return False
    made = maker_of(tracer)("trial", SpanContext(1, 1, False), None, None, {"key": 1}, _INTERNAL)
    if dict(made.attributes) != {"key": 1} or made._attributes.dropped:
        return False
    known = _new(SpanContext, (1, 2, False, _FLAGS[1], _NO_STATE, True))
    return known == SpanContext(1, 2, False, _FLAGS[1], None)


_new = tuple.__new__
_NO_STATE = TraceState()


class _ShortWay:
    """Starts spans as ``Tracer.start_span`` does, but for the cleaning of attributes."""

    __slots__ = ("_foreseen", "_make", "_sampler", "_tracer")

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer
        self._make = maker_of(tracer)
        self._sampler: Any = None
        self._foreseen = UNKNOWN

    def start(
        self,
        name: str,
        context: Context,
        describe: Describe,
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
        sampler = tracer.sampler
        if sampler is not self._sampler:
            self._foreseen, self._sampler = foresee(sampler), sampler
        ids = tracer.id_generator
        if parent is not None and parent.is_valid:
            # Each of them by name is a call.
            trace_id, _, is_remote, above_flags, state, _ = parent
            is_random = above_flags & _RANDOM
            decision = self._foreseen[(1 if is_remote else 3) + (not above_flags & _SAMPLED)]
        else:
            parent, state = None, _NO_STATE
            trace_id = ids.generate_trace_id()
            is_random = ids.is_trace_id_random()
            decision = self._foreseen[0]
        attributes = own = None
        if decision is None:
            attributes = describe()
            sampled = sampler.should_sample(context, trace_id, name, kind, attributes, ())
            decision, own = sampled.decision, sampled.attributes
            state = _NO_STATE if sampled.trace_state is None else sampled.trace_state
        is_recording = decision.is_recording()
        bits = _SAMPLED if is_recording and decision.is_sampled() else 0
        span_id = ids.generate_span_id()
        flags = _FLAGS[bits | _RANDOM if is_random else bits]
        is_valid = 0 < trace_id < 1 << 128 and 0 < span_id < 1 << 64
        made = _new(SpanContext, (trace_id, span_id, False, flags, state, is_valid))
        at_end = tracer._tracer_metrics.start_span(parent, decision)
        if not is_recording:
            return NonRecordingSpan(made)
        if attributes is None:
            attributes = describe()
        elif own == attributes:
            attributes = {**attributes}  # the sampler may have kept those that it was shown
        else:
            attributes = {}
        span: Any = self._make(name, made, parent, at_end, attributes, kind)
        if own and not attributes:
            span.set_attributes(own)  # nobody has cleaned those that a sampler adds
        span.start(now_ns, context)
        return span  # type: ignore[no-any-return]  # the SDK may not be there
