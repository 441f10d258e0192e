"""A run's span: opened when the run begins, ended exactly once, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextvars import Context as OwnedContext
from time import time_ns
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanKind,
    Status,
    StatusCode,
    set_span_in_context,
)

from otelbridge import _run_ids, _tracing, semconv
from otelbridge._process import process
from otelbridge._run_config import ConfiguredRun
from otelbridge._span_events import SpanEvents, late_event
from otelbridge._tracing import Tracing, guard
from otelbridge.config import SHOWN_CONFIGURABLE
from otelbridge.context import RUN_KEY, SPAN_KEY

if TYPE_CHECKING:
    from otelbridge.run import Run

_INTERNAL = SpanKind.INTERNAL
_NO_CONTEXT = OwnedContext()
_PLAIN_NAME = 128  # a name of so many ASCII characters needs no cleaning


class RecordedRun(ConfiguredRun):
    """A run that has a span."""

    __slots__ = ()

    def _open_span(
        self,
        otel: Context,
        here: Run | None,
        now_ns: int,
    ) -> dict[str, Any]:
        """Open the span; return what the OTel Context of the body is to hold."""
        above, parent_id = self._above, self._parent_id
        base = otel
        if above is not None and above is here:
            tracing = self._tracing = above._tracing
        elif parent_id is not None and here is not None and parent_id is here._uuid:
            tracing = self._tracing = here._tracing
        elif above is None and parent_id is None:
            tracing = self._tracing = self._root_tracing()
        else:
            parent_span, tracing = self._parent(here)
            self._tracing = tracing
            if parent_span is not None:
                base = Context({**otel, SPAN_KEY: parent_span})
        described = self._described
        name, kind = (
            (self.name, _INTERNAL) if described is None else (described.name, described.span_kind)
        )
        recorded = False
        span: Span
        try:
            tracing.follow()
            if tracing.absent:  # as the API does by itself, in three layers
                span = INVALID_SPAN
                if SPAN_KEY in base and (context := _span_of(base).get_span_context()).is_valid:
                    span = NonRecordingSpan(context)
            else:
                if type(name) is not str or len(name) > _PLAIN_NAME or not name.isascii():
                    name = tracing.gate.name(name)
                describe = self._start_attributes
                span = tracing.start(name or "unnamed", base, describe, now_ns, kind)
                recorded = type(span) is not NonRecordingSpan and span.is_recording()
        except Exception:
            guard("start a span")
            span = NonRecordingSpan(_span_of(base).get_span_context())
        self.span = span
        self.recorded = recorded
        if recorded:
            self._events = []
        held = base.copy()  # as ``body_context`` does
        held[SPAN_KEY] = span
        held[RUN_KEY] = self
        return held

    def _start_attributes(self) -> dict[str, Any]:
        tracing, described = self._tracing, self._described
        own = {semconv.RUN_ID: self._id_text(), semconv.RUN_TYPE: self.run_type}
        attributes: dict[str, Any] = own
        if self.tags or self.metadata or not tracing.starts_plain:
            attributes = self._more_attributes(own)
        if described is not None:
            attributes = tracing.gate.more(attributes, described.attributes)
        return attributes

    def _root_tracing(self) -> Tracing:
        """Return what traces a run that has none above it."""
        return _tracing.current()

    def _more_attributes(self, own: dict[str, str]) -> dict[str, Any]:
        allowed = self._tracing.recording.configurable_keys
        configurable: Mapping[str, Any] = {}
        if allowed:
            held = self.shared_config().get("configurable") or {}
            configurable = {key: held[key] for key in allowed if key in held}
        metadata = self.metadata
        if not SHOWN_CONFIGURABLE.isdisjoint(metadata):
            metadata = self._without_configurable(metadata, allowed)
        return cast(
            "dict[str, Any]", self._tracing.gate.start(own, self.tags, metadata, configurable)
        )

    def _without_configurable(
        self, metadata: dict[str, Any], allowed: Collection[str]
    ) -> dict[str, Any]:
        """Leave out what the metadata has from the configurable, which stays in the process."""
        held = self.shared_config().get("configurable") or {}
        return {
            key: value
            for key, value in metadata.items()
            if key not in SHOWN_CONFIGURABLE or key in allowed or held.get(key) != value
        }

    def _parent(self, here: Run | None) -> tuple[Span | None, Tracing]:
        """Return the parent span where it is not the current one, and the tracing to use."""
        parent = cast("UUID", self.parent_run_id)
        if here is not None and here.is_named(parent):
            return None, here._tracing
        number = parent.int
        live = _run_ids.live.get(number)
        if live is not None:
            return live.span, live._tracing
        ended = _run_ids.ended_run(number)
        if ended is not None:
            return NonRecordingSpan(ended.span_context), ended.tracing
        return None, self._root_tracing()

    @property
    def event_limit(self) -> int | None:
        """How many events a span takes; None for any number."""
        return self._tracing.limits.events

    def start_page(self, number: int, at_ns: int) -> Span:
        """Start the child span that takes events for which the run's own span has no room."""
        return self._tracing.tracer().start_span(
            self._tracing.gate.name(semconv.PAGE_NAME.format(run=self.name)),
            set_span_in_context(self.span, Context()),
            attributes={semconv.RUN_ID: self._id_text(), semconv.PAGE: number},
            start_time=at_ns,
        )

    def _close(self, error: BaseException | None, output: Any) -> None:
        """End the span, once; ``output`` is recorded where content is."""
        if self.ended:
            return
        self.ended = True
        span, made = self.span, self._events
        if self._is_entered:
            number = self._said_id().int
            _run_ids.leave(self, number, self._shadowed)
            self._shadowed = None
            try:
                context = span.get_span_context()
                if context.is_valid:
                    _run_ids.remember(number, context, self._tracing, self.name)
            except Exception:
                guard("read a span's context")
        # The context holds the run: letting go of it here spares the garbage collector the cycle.
        self.context = _NO_CONTEXT
        self._events = None
        if self._host is self:
            self._host, self._backlogs = None, ()
        if self._process is not process.token:
            return  # inherited over a fork: the span is the parent's to export
        if made is None:
            if type(span) is not NonRecordingSpan:  # whose end does nothing
                self._end_span(0)
            return
        record = None
        try:
            if error is not None:
                record = self._say_failure(error)
            elif output is not None and self._tracing.recording.capture_content:
                self._set_content(semconv.RUN_OUTPUT, output)
            # Relies on ``Span._attributes.dropped`` of opentelemetry-sdk 1.x.
            if getattr(getattr(span, "_attributes", None), "dropped", 0):
                self._keep_id()
        except Exception:
            guard("complete a span")
        not_before = 0
        had_events = made or record is not None
        if had_events:
            try:
                not_before = self._first_of(made).finish(record)
            except Exception:
                guard("write the last events of a span")
        self._end_span(not_before)
        if made:
            events = made[0]
            if not had_events:  # another thread's first came meanwhile
                events.finish()
            if events.waiting:
                events.flush_late()

    def _end_span(self, not_before: int) -> None:
        try:
            # The clock may have stepped back since the last event.
            if not_before and not_before > time_ns():
                self.span.end(not_before)
            else:
                self.span.end()
        except Exception:
            guard("end a span")

    def _say_failure(self, error: BaseException) -> Mapping[str, Any] | None:
        """Set outcome or status; return the exception record where it is an error."""
        if (outcome := outcome_of(error)) is not None:
            self._set(semconv.RUN_OUTCOME, outcome)
            return None
        record = self._tracing.gate.exception(error)
        kind = str(record.get(semconv.EXCEPTION_TYPE) or type(error).__name__)
        self._set(semconv.ERROR_TYPE, kind)
        message = str(record.get(semconv.EXCEPTION_MESSAGE) or kind)
        self.span.set_status(Status(StatusCode.ERROR, message))
        return record

    def _set(self, key: str, value: str | tuple[str, ...]) -> None:
        if self._tracing.limits.span_attributes != 0 and self.span.is_recording():
            self.span.set_attribute(key, value)

    def _set_content(self, key: str, value: object) -> None:
        text, cut = self._tracing.gate.content(key, value)
        self._set(key, text)
        if cut:
            said = getattr(self.span, "attributes", None) or {}
            self._set(semconv.TRUNCATED, (*said.get(semconv.TRUNCATED, ()), *cut))

    def _keep_id(self) -> None:
        """Put the run id back where the application's own attributes have pushed it out."""
        if semconv.RUN_ID not in (getattr(self.span, "attributes", None) or ()):
            self._set(semconv.RUN_ID, self._id_text())

    @property
    def captures(self) -> bool:
        """Whether inputs and outputs are recorded."""
        return self.recorded and self._tracing.recording.capture_content

    def capture_input(self, inputs: Any) -> None:
        """Record the input."""
        if not self.recorded:
            return
        try:
            self._set_content(semconv.RUN_INPUT, inputs)
        except Exception:
            guard("record an input")

    def record(self, name: str, data: Any) -> None:
        """Give an event to the run's span alone, whatever state the run is in."""
        made = self._events
        if made is not None:
            (made[0] if made else self._first_of(made)).record(name, data)
        elif self.recorded:
            try:
                name, attributes, _ = self._tracing.gate.event(name, data)
                self.record_late(name, attributes, time_ns())
            except Exception:
                guard("record a custom event")

    def _first_of(self, made: list[SpanEvents]) -> SpanEvents:
        """Return what writes the events of the span; few runs have any, so it is made for one."""
        if not made:
            made.append(SpanEvents(self, self.span, self._tracing))
        return made[0]  # that of the thread, or signal handler, which was the first to append

    def record_late(self, name: str, attributes: Mapping[str, Any], at_ns: int) -> None:
        """Record an event that no longer fits into the span, as a span of its own."""
        late_event(
            self._tracing,
            self.span.get_span_context(),
            name,
            attributes,
            (self.name, self._id_text()),
            at_ns,
        )


def outcome_of(error: BaseException) -> str | None:
    """Return how a run ended that was stopped by ``error`` without failing; None for a failure.

    LangGraph's interrupts are known by name, so that nothing is imported.
    """
    if isinstance(error, asyncio.CancelledError):
        return semconv.OUTCOME_CANCELLED
    if isinstance(error, GeneratorExit):
        return semconv.OUTCOME_CLOSED
    return semconv.OUTCOME_INTERRUPTED if is_of_langgraph(error, "GraphBubbleUp") else None


def is_of_langgraph(error: BaseException, name: str) -> bool:
    """Return whether ``error`` is of this class of LangGraph's, which is not imported for it."""
    return any(
        kind.__name__ == name and kind.__module__ == "langgraph.errors"
        for kind in type(error).__mro__
    )


def _span_of(context: Context) -> Span:
    span = context.get(SPAN_KEY)
    return span if span is not None and isinstance(span, Span) else INVALID_SPAN
