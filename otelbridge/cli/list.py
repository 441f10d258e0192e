"""``otelbridge list``: the traces in the store, newest first."""

from __future__ import annotations

from typing import Annotated

import typer

from otelbridge.cli._help import foot
from otelbridge.cli._options import JsonOption, StoreOption, filtered
from otelbridge.cli._output import Output
from otelbridge.cli._traces import SHORT, list_traces, opened, say_empty
from otelbridge.store.records import Filter

FOOT = foot(
    "otelbridge list",
    "otelbridge list --status error --since 1h",
    "otelbridge list --event progress --json | jq .name",
    status="0, also where no trace fits; 1 the store cannot be read; 2 an option cannot be used.",
)


@filtered
def list_(
    filter: Filter,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    before: Annotated[
        str | None, typer.Option("--before", metavar="TRACE", help="Older than this one.")
    ] = None,
    json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """List traces, the newest first."""
    output = Output()
    with opened(store) as traces:
        after = None if before is None else traces.find(before)
        found = traces.traces(filter, limit=limit + 1, before=after)
        shown = found[:limit]
        if json:
            for trace in shown:
                output.json(trace)
        elif not shown:
            say_empty(output, traces, narrowed=filter != Filter() or before is not None)
        else:
            list_traces(output, shown)
            if len(found) > limit and output.is_terminal:
                last = shown[-1].trace_id[:SHORT]
                output.line(("dim", f"There are older ones: otelbridge list --before {last}"))
