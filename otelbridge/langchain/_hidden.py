"""Runs without a span: the nearest run that has one stands for each, until it ends."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from opentelemetry.context import Context

from otelbridge import _run_ids
from otelbridge.context import RUN_KEY
from otelbridge.run import Run


def begin(run_id: UUID, parent_id: UUID | None, otel: Context) -> None:
    """Let the run above stand for this one: what begins below is its child, events are its own."""
    above = _run_ids.live.get(parent_id.int) if parent_id is not None else otel.get(RUN_KEY)
    if above is not None and run_id.int not in _run_ids.live:
        _run_ids.live[run_id.int] = cast("Run", above)


def end(run_id: UUID) -> None:
    """Forget that a run stood for this one; late children are still found to be its own."""
    stands_in = _run_ids.live.get(run_id.int)
    if stands_in is None or stands_in.is_named(run_id):
        return  # over already, or another run has this id now
    del _run_ids.live[run_id.int]
    context = stands_in.span.get_span_context()
    if context.is_valid:
        _run_ids.remember(run_id.int, context, stands_in._tracing, stands_in.name)
