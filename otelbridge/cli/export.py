"""``otelbridge export``: traces as OTLP JSON lines, or for Perfetto."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from otelbridge.cli._complete import trace_ids
from otelbridge.cli._help import foot
from otelbridge.cli._options import StoreOption, filtered
from otelbridge.cli._output import reader_left
from otelbridge.cli._traces import opened
from otelbridge.cli._values import counted
from otelbridge.errors import StoreError
from otelbridge.store.records import Filter

FOOT = foot(
    "otelbridge export > traces.jsonl",
    "otelbridge export last --format perfetto --output trace.json",
    "otelbridge export --since 1d --status error --output errors.jsonl",
    status="0; 1 there is no such trace, or it cannot be written; 2 an option cannot be used.",
)
_MOST = 1_000  # traces in one document that a page has to read
_FORMATS = ("otlp", "perfetto")


def _checked(value: str) -> str:
    if value not in _FORMATS:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(_FORMATS)}")
    return value


@filtered
def export(
    filter: Filter,
    traces: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TRACE]...",
            help="Their ids; without one, all that fit the options.",
            autocompletion=trace_ids,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write here, not to standard output."),
    ] = None,
    format: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help="otlp or perfetto.", callback=_checked),
    ] = "otlp",
    include_running: Annotated[
        bool, typer.Option("--include-running", help="Spans that have not ended too, marked.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Write traces: as OTLP JSON lines, like the Collector's file exporter, or for Perfetto.

    What is written as otlp comes back whole by otelbridge import. Traces for Perfetto can be
    looked at on ui.perfetto.dev, and do not come back.
    """
    with opened(store) as held:
        ids = [held.find(trace) for trace in traces] if traces else None
        try:
            with nullcontext(sys.stdout) if output is None else output.open("w") as out:
                if format == "perfetto":
                    if ids is None:
                        ids = [it.trace_id for it in held.traces(filter, limit=_MOST)]
                    count = held.export_perfetto(out, trace_ids=ids)
                else:
                    count = held.export_otlp(
                        out, filter, trace_ids=ids, include_running=include_running
                    )
                out.flush()
        except BrokenPipeError:
            raise reader_left() from None
        except OSError as error:
            raise StoreError(
                f"{output} cannot be written ({error.strerror}): give another --output"
            ) from error
    where = "" if output is None else f" to {output}"
    print(f"{counted(count, 'span')} written{where}.", file=sys.stderr)
