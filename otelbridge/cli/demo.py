"""``otelbridge demo``: a pipeline to watch."""

from __future__ import annotations

from typing import Annotated

import typer

from otelbridge.cli._help import foot

FOOT = foot(
    "otelbridge demo",
    "otelbridge demo ~/notes",
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 otelbridge demo",
    status="0 it ran; 2 the folder cannot be used.",
)


def demo(
    folder: Annotated[
        str | None,
        typer.Argument(help="Folder of text files; without one, Python's own standard library."),
    ] = None,
) -> None:
    """Index and search a folder of text, and show the trace of it."""
    from otelbridge import demo as pipeline

    raise typer.Exit(pipeline.run(folder))
