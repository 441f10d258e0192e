"""The spans that each workload leaves, ours beside those of its hand-made twin.

``python -m benchmarks.twins`` runs each workload once on each side with an in-memory exporter and
prints JSON: a list of ``{"name", "ours", "by_hand"}``, each side with its spans and the handler's
calls. Ids and times are left out, since two runs never share them; a parent is told by its name.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks import by_hand, with_runnables
from benchmarks.contests import RECORDING, Workload
from benchmarks.listeners import AsyncRecorder, Recorder
from benchmarks.workloads import LABELLED, PLAIN, Labels, Programs


class Twins:
    """Runs workloads on both sides and tells what each left."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(span_limits=SpanLimits())
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        trace.set_tracer_provider(provider)
        self._loop = asyncio.new_event_loop()

    def all(self) -> list[dict[str, Any]]:
        """Every workload, with and without tags and metadata."""
        return [
            {"name": workload.name + suffix, **self._both(workload, labels)}
            for workload in RECORDING
            for labels, suffix in ((PLAIN, ""), (LABELLED, ", tags and metadata"))
        ]

    def close(self) -> None:
        """Close the event loop."""
        self._loop.close()

    def _both(self, workload: Workload, labels: Labels) -> dict[str, Any]:
        return {
            "ours": self._left_by(workload, labels, _ours),
            "by_hand": self._left_by(workload, labels, _by_hand),
        }

    def _left_by(self, workload: Workload, labels: Labels, side: Any) -> dict[str, Any]:
        recorder, async_recorder = Recorder(), AsyncRecorder()
        program = getattr(side(labels, recorder, async_recorder), workload.program)
        self._exporter.clear()
        workload.drive(self._loop, program)(1)
        calls = [*recorder.seen, *async_recorder.seen]
        return {
            "spans": _comparable(self._exporter.get_finished_spans()),
            "calls": sorted([name, repr(data)] for name, data in calls),
        }


def _ours(labels: Labels, recorder: Recorder, async_recorder: AsyncRecorder) -> Programs:
    return with_runnables.programs(with_runnables.otelbridge(), labels, recorder, async_recorder)


def _by_hand(labels: Labels, recorder: Recorder, async_recorder: AsyncRecorder) -> Programs:
    return by_hand.programs(trace.get_tracer("benchmarks"), labels, recorder, async_recorder)


def _comparable(spans: Sequence[ReadableSpan]) -> list[dict[str, Any]]:
    """The spans as plain data, in an order that does not depend on threads."""
    names = {span.context.span_id: span.name for span in spans if span.context}
    told = [_told(span, names) for span in spans]
    return sorted(told, key=lambda span: json.dumps(span, sort_keys=True))


def _told(span: ReadableSpan, names: dict[int, str]) -> dict[str, Any]:
    return {
        "name": span.name,
        "kind": span.kind.name,
        "parent": names.get(span.parent.span_id) if span.parent else None,
        "status": span.status.status_code.name,
        "attributes": {
            key: _value(key, value) for key, value in sorted((span.attributes or {}).items())
        },
        "events": [
            {"name": event.name, "attributes": dict(event.attributes or {})}
            for event in span.events
        ],
        "dropped": [span.dropped_attributes, span.dropped_events],
    }


def _value(key: str, value: Any) -> Any:
    """``value``, with "a UUID" for a run id that is one."""
    if key != by_hand.RUN_ID:
        return value
    return "a UUID" if str(UUID(value)) == value else value


def main() -> None:
    """Print what each workload left on both sides as JSON."""
    twins = Twins()
    try:
        json.dump(twins.all(), sys.stdout)
    finally:
        twins.close()


if __name__ == "__main__":
    main()
