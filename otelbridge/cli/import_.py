"""``otelbridge import``: OTLP JSON lines into the store."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO, cast

import typer

from otelbridge.cli._help import foot
from otelbridge.cli._options import StoreOption
from otelbridge.cli._traces import opened
from otelbridge.cli._values import counted
from otelbridge.errors import StoreError

FOOT = foot(
    "otelbridge import traces.jsonl",
    "otelbridge import collector/*.jsonl.gz",
    "ssh server otelbridge export | otelbridge import -",
    status="0; 1 a file or a span of it cannot be read: the others are kept; "
    "2 an option cannot be used.",
)


def import_(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="OTLP JSON lines, also as .gz; - is standard input."
        ),
    ],
    store: StoreOption = None,
) -> None:
    """Read traces that otelbridge export, or a Collector's file exporter, has written."""
    failed = False
    with opened(store) as traces:
        for name in files:
            try:
                with _lines(name) as lines:
                    added = traces.import_otlp(lines)
            except (OSError, UnicodeDecodeError, StoreError) as error:
                failed = True
                print(f"otelbridge import: {name}: {error}", file=sys.stderr)
                continue
            failed = failed or bool(added.rejected)
            told = f"{name}: {counted(added.accepted, 'span')} read"
            if added.rejected:
                told += f", {added.rejected:,} left out: {added.message}"
            print(told, file=sys.stderr)
    if failed:
        raise typer.Exit(1)


@contextmanager
def _lines(name: str) -> Iterator[TextIO]:
    if name == "-":
        yield sys.stdin
    elif name.endswith(".gz"):
        with gzip.open(name, "rt", encoding="utf-8") as packed:
            yield cast("TextIO", packed)
    else:
        with Path(name).open(encoding="utf-8") as plain:
            yield plain
