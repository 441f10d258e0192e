"""``otelbridge show``: one trace, whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from otelbridge import semconv
from otelbridge.cli._complete import trace_ids
from otelbridge.cli._help import foot
from otelbridge.cli._options import JsonOption, StoreOption
from otelbridge.cli._output import Output
from otelbridge.cli._traces import opened, state, took
from otelbridge.cli._values import clock, counted
from otelbridge.export import render
from otelbridge.export.terminal import Part
from otelbridge.store import to_readable
from otelbridge.store.records import EventRecord, SpanRecord, Trace

FOOT = foot(
    "otelbridge show last",
    "otelbridge show 3f2a91 --stacks",
    "otelbridge show last --json | jq '.spans[] | .name'",
    status="0; 1 there is no such trace, or the id fits several; 2 an option cannot be used.",
)

TraceArgument = Annotated[
    str,
    typer.Argument(
        metavar="TRACE",
        help="Its id, or the first digits of it, or last for the newest.",
        autocompletion=trace_ids,
    ),
]


def show(
    trace: TraceArgument = "last",
    stacks: Annotated[
        bool, typer.Option("--stacks", help="The stack of each exception below the tree.")
    ] = False,
    json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Show a trace as a tree: spans, their events, durations and errors, in the order of time."""
    output = Output()
    with opened(store) as traces:
        whole_id = traces.find(trace)
        found = traces.get(whole_id)
    if found is None:  # deleted since
        raise typer.Exit(1)
    if json:
        output.json(found, indent=2)
        return
    output.line(*_title(found))
    output.text(
        render([to_readable(it) for it in found.spans], colour=output.colour, width=output.width)
    )
    if stacks:
        for span, event in _exceptions(found):
            output.line()
            output.line(("error", f"{span.name} at {clock(event.time_ns, fractions=True)}"))
            output.lines(str(event.attributes.get(semconv.EXCEPTION_STACKTRACE, "")))


def _title(trace: Trace) -> Iterator[Part]:
    summary = trace.summary
    style, word = state(summary)
    yield "name", summary.name
    yield "", "  "
    yield style, word
    yield "", f" {took(summary)}" if took(summary) else ""
    yield "dim", f"  {clock(summary.start_ns)}  {summary.service}"
    if summary.input_tokens is not None or summary.output_tokens is not None:
        given, got = summary.input_tokens or 0, summary.output_tokens or 0
        yield "dim", f"  {given:,} + {counted(got, 'token')}"
    if summary.run_id:
        yield "dim", f"  run {summary.run_id}"


def _exceptions(trace: Trace) -> Iterator[tuple[SpanRecord, EventRecord]]:
    for span in trace.spans:
        for event in span.events:
            if semconv.EXCEPTION_STACKTRACE in event.attributes:
                yield span, event
