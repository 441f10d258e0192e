"""``otelbridge tail``: what happens, line by line, while it happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from otelbridge import semconv
from otelbridge.cli._help import foot
from otelbridge.cli._options import JsonOption, StoreOption
from otelbridge.cli._output import Output
from otelbridge.cli._story import Story
from otelbridge.cli._traces import SHORT, opened
from otelbridge.cli._values import clock, failure
from otelbridge.export.terminal import Part
from otelbridge.export.tree import duration
from otelbridge.store.records import Change, EventRecord, SpanRecord

FOOT = foot(
    "otelbridge tail",
    "otelbridge tail --event progress",
    "otelbridge tail --error --json | jq .span.status_message",
    status="130 it was interrupted, its usual end; 0 --count lines came, or its reader has left.",
)
_LONGEST_NAME = 24


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which changes are told of; every field that is set must hold.

    Attributes:
        service: of the span.
        name: of the span.
        event: of the change; starts and ends are left out.
        errors: only what failed: ends with an error, exceptions, and spans that were lost.
    """

    service: str | None = None
    name: str | None = None
    event: str | None = None
    errors: bool = False

    def holds(self, change: Change) -> bool:
        """Tell whether a change is wanted."""
        span, event = change.span, change.event
        return (
            self.service in (None, span.service)
            and self.name in (None, span.name)
            and (self.event is None or (event is not None and event.name == self.event))
            and (not self.errors or _is_bad(change))
        )


def tail(
    service: Annotated[
        str | None, typer.Option("--service", metavar="NAME", help="Of this service.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Of spans of this name.")
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", metavar="NAME", help="Only events of this name.")
    ] = None,
    error: Annotated[bool, typer.Option("--error", help="Only what failed.")] = False,
    count: Annotated[
        int | None, typer.Option("--count", "-c", min=1, help="End after so many lines.")
    ] = None,
    json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Follow what happens: starts, custom events and ends, of every process that writes here."""
    output = Output()
    wanted = Wanted(service, name, event, error)
    told = 0
    with opened(store) as traces:
        if output.is_terminal and not json:
            output.line(("dim", f"Following {traces.path}. Ctrl-C ends it."))
        story = Story()
        for change in (it for found in traces.follow() for it in story.of(found)):
            if not wanted.holds(change):
                continue
            if json:
                output.json(change)
            else:
                output.line(*_parts(change))
            told += 1
            if told == count:
                return


def _parts(change: Change) -> Iterator[Part]:
    span = change.span
    yield "dim", f"{clock(_time(change), fractions=True)}  "
    yield "event", f"{span.trace_id[:SHORT]}  "
    yield "name", f"{span.name[:_LONGEST_NAME]:<{_LONGEST_NAME}}  "
    if change.kind == "started":
        yield "dim", "started"
    elif change.kind == "lost":
        yield "error", "lost: its process has died"
    elif change.event is not None:
        yield from _event(change.event)
    else:
        yield from _end(span)


def _event(event: EventRecord) -> Iterator[Part]:
    if _is_exception(event):
        kind = str(event.attributes.get(semconv.EXCEPTION_TYPE, ""))
        told = str(event.attributes.get(semconv.EXCEPTION_MESSAGE, ""))
        yield "error", f"exception  {failure(kind, told)}"
        return
    yield "event", event.name
    for key, value in event.attributes.items():
        yield "dim", f"  {key.removeprefix(semconv.DATA_PREFIX)}="
        yield "", repr(value)


def _end(span: SpanRecord) -> Iterator[Part]:
    took = "" if span.end_ns is None else f" after {duration(span.end_ns - span.start_ns)}"
    if span.status == "error":
        kind = str(span.attributes.get(semconv.ERROR_TYPE, ""))
        yield "error", f"failed{took}: {failure(kind, span.status_message)}"
    elif span.outcome:
        yield "outcome", f"{span.outcome}{took}"
    else:
        yield "dim", f"ended{took}"


def _time(change: Change) -> int:
    if change.event is not None:
        return change.event.time_ns
    return change.span.start_ns if change.kind == "started" else change.span.end_ns or 0


def _is_bad(change: Change) -> bool:
    if change.event is not None:
        return _is_exception(change.event)
    return change.kind == "lost" or (change.kind == "ended" and change.span.status == "error")


def _is_exception(event: EventRecord) -> bool:
    return event.name == semconv.EXCEPTION
