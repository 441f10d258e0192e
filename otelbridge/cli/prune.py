"""``otelbridge prune``: old traces out of the store."""

from __future__ import annotations

from typing import Annotated

import typer

from otelbridge.cli._complete import trace_ids
from otelbridge.cli._help import foot
from otelbridge.cli._options import JsonOption, StoreOption
from otelbridge.cli._output import Output
from otelbridge.cli._traces import opened
from otelbridge.cli._values import counted, seconds, size_bytes, size_text

FOOT = foot(
    "otelbridge prune",
    "otelbridge prune --max-age 7d --max-size 200MB",
    "otelbridge prune 3f2a91 8c10",
    status="0; 1 there is no such trace; 2 an option cannot be used.",
)


def prune(
    traces: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TRACE]...",
            help="Delete these, and nothing else.",
            autocompletion=trace_ids,
        ),
    ] = None,
    max_age: Annotated[
        str | None, typer.Option("--max-age", metavar="TIME", help="Keep what is younger: 7d.")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option("--max-size", metavar="SIZE", help="Keep so much: 200MB.")
    ] = None,
    json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Delete old traces: by age and size, the store's own limits where none is given.

    A trace that is still running is never deleted.
    """
    output = Output()
    age_s = None if max_age is None else seconds(max_age)
    most = None if max_size is None else size_bytes(max_size)
    with opened(store) as held:
        if traces:
            count = held.delete([held.find(trace) for trace in traces])
            output.json({"traces": count}) if json else output.line(
                ("", f"{counted(count, 'trace')} deleted.")
            )
            return
        pruned = held.prune(max_age_s=age_s, max_bytes=most)
    if json:
        output.json(pruned)
    else:
        what = f"{counted(pruned.traces, 'trace')} ({counted(pruned.spans, 'span')}) deleted"
        output.line(("", f"{what}, {size_text(pruned.bytes_freed)} freed."))
