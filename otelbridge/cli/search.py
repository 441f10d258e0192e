"""``otelbridge search``: words in names, events, attributes and errors."""

from __future__ import annotations

from typing import Annotated

import typer

from otelbridge.cli._help import foot
from otelbridge.cli._options import JsonOption, StoreOption, filtered
from otelbridge.cli._output import Output
from otelbridge.cli._traces import SHORT, opened, say_empty
from otelbridge.cli._values import clock
from otelbridge.store.records import Filter, Hit

FOOT = foot(
    "otelbridge search timeout",
    "otelbridge search 'connection refused' --since 1d",
    "otelbridge search '\"user-42\"' --service checkout --json",
    status="0 something was found; 1 nothing was; 2 an option cannot be used.",
)


@filtered
def search(
    filter: Filter,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="WORDS...",
            help="All of them occur in one span. In double quotes a word is taken literally.",
        ),
    ],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Find spans by words in their names, events, attributes and errors, the newest first."""
    output = Output()
    with opened(store) as traces:
        hits = traces.search(" ".join(words), filter, limit=limit)
        if not hits and not json:
            say_empty(output, traces, narrowed=True)
    for hit in hits:
        if json:
            output.json(hit)
        else:
            _print(output, hit)
    if not hits:
        raise typer.Exit(1)


def _print(output: Output, hit: Hit) -> None:
    output.line(
        ("event", hit.trace.trace_id[:SHORT]),
        ("dim", f"  {clock(hit.trace.start_ns)}  "),
        ("", f"{hit.trace.name} > " if hit.name != hit.trace.name else ""),
        ("name", hit.name),
    )
    output.line(("dim", f"          {hit.where}: "), ("", hit.excerpt))
