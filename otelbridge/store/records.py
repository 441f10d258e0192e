"""What readers of the store get: traces, spans and events, as plain frozen data.

Ids are lower-case hex (32 characters for a trace, 16 for a span); times are ns since the epoch;
attribute values are str, bool, int, float, bytes, lists of such values, dicts of them, or None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Attributes = Mapping[str, Any]
State = Literal["running", "ended", "lost"]
"""``lost``: it was running when its process died."""
Status = Literal["unset", "ok", "error"]
Kind = Literal["unspecified", "internal", "server", "client", "producer", "consumer"]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event of a span: a custom event, an exception record, or one that the app added."""

    time_ns: int
    name: str
    attributes: Attributes = field(default_factory=dict)
    dropped_attributes: int = 0


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """A link from a span to another, of this trace or another."""

    trace_id: str
    span_id: str
    attributes: Attributes = field(default_factory=dict)
    trace_state: str = ""
    flags: int = 0
    dropped_attributes: int = 0


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """One span, ended or not.

    Attributes:
        parent_id: None for a root.
        end_ns: None while it runs, and for one that was lost.
        service: ``service.name`` of the resource.
        resource: the resource's attributes.
        scope: name of the instrumentation scope.
        outcome: ``cancelled``, ``closed`` or ``interrupted``, else None.
        run_id: of the run that the span is of; None for a span that no run made. Pages and late
            events carry the id of their run.
        run_type: of the run; None for every other span, pages included.
        page: its number where the span only carries events of the run above it.
        changed: the store's count of changes when this was last written; see ``Store.follow``.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: Kind
    start_ns: int
    end_ns: int | None
    state: State
    status: Status
    status_message: str
    service: str
    scope: str
    scope_version: str
    resource: Attributes
    attributes: Attributes
    events: tuple[EventRecord, ...]
    links: tuple[LinkRecord, ...]
    trace_state: str
    flags: int
    dropped_attributes: int
    dropped_events: int
    dropped_links: int
    outcome: str | None
    run_id: str | None
    run_type: str | None
    page: int | None
    changed: int


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """A trace as a list shows it.

    Attributes:
        name: of the root span; of the earliest one where the root is not here (yet).
        service: of that span.
        start_ns: of the earliest span.
        end_ns: of the latest; None while any span runs.
        state: ``running`` while any span runs; ``lost`` when none runs but some were lost.
        status: ``error`` where the root failed, or where there is no root and any span did.
        outcome: of the root.
        run_id: of the root.
        spans: how many, pages not counted.
        events: how many, those of pages included.
        errors: spans whose status is error.
        input_tokens: sum over spans that tell; None where none does.
        output_tokens: likewise.
        changed: as in ``SpanRecord``; the newest of its spans.
    """

    trace_id: str
    name: str
    service: str
    start_ns: int
    end_ns: int | None
    state: State
    status: Status
    outcome: str | None
    run_id: str | None
    spans: int
    events: int
    errors: int
    input_tokens: int | None
    output_tokens: int | None
    changed: int


@dataclass(frozen=True, slots=True)
class Trace:
    """One trace whole: its summary, and its spans by start time."""

    summary: TraceSummary
    spans: tuple[SpanRecord, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which traces are wanted; every field that is set must hold.

    Attributes:
        text: words that all occur in one span of the trace: in its name, its events' names, its
            attributes, its status message. A word in double quotes is taken literally; the last
            letters may be left out.
        service: the service's name.
        status: of the trace.
        state: of the trace.
        event: name of an event on any span of it.
        name: name of any span of it.
        tag: one of the run tags on any span of it.
        metadata: key and value of run metadata on any span of it; value None: any value.
        run_id: of any run in it.
        since_ns: it started at this time or later.
        until_ns: it started before this time.
        min_duration_ns: it took at least so long.
    """

    text: str | None = None
    service: str | None = None
    status: Status | None = None
    state: State | None = None
    event: str | None = None
    name: str | None = None
    tag: str | None = None
    metadata: tuple[str, str | None] | None = None
    run_id: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    min_duration_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One span that a search found.

    Attributes:
        trace: the trace's summary.
        span_id: of the span found.
        name: of that span.
        where: what matched, for a person: ``name``, ``event foo``, ``attribute data.file``,
            ``status``.
        excerpt: the text around the match.
    """

    trace: TraceSummary
    span_id: str
    name: str
    where: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Change:
    """What ``Store.follow`` yields: something that became visible.

    Attributes:
        kind: ``started`` (a span is there, running), ``event`` (it has a new event), ``ended`` (it
            has ended, or arrived whole), ``lost`` (its process died).
        span: the span as it is now; for ``event`` without its other events.
        event: the new event, for ``event``.
        cursor: give it as ``after`` to go on behind this change.
    """

    kind: Literal["started", "event", "ended", "lost"]
    span: SpanRecord
    event: EventRecord | None
    cursor: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """What ``Store.prune`` removed."""

    traces: int
    spans: int
    bytes_freed: int


@dataclass(frozen=True, slots=True)
class Added:
    """What became of spans that ``Store.add`` or an import took.

    Attributes:
        accepted: spans that are stored now, or were already.
        rejected: spans that cannot be stored.
        message: why those were rejected; empty where none was.
    """

    accepted: int
    rejected: int
    message: str


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What is in the store.

    Attributes:
        path: of its file; None for one in memory.
        bytes: what its file takes, with what is not yet merged into it.
        traces: how many.
        spans: how many, pages included.
        running: spans that have not ended.
        oldest_ns: when the oldest trace started; None where there is none.
        schema: the version of its tables.
    """

    path: str | None
    bytes: int
    traces: int
    spans: int
    running: int
    oldest_ns: int | None
    schema: int
