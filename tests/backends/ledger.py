"""What a program made, written as its spans end and before they are sent: the truth for a test."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

Span = dict[str, Any]


class Ledger(SpanProcessor):
    """Writes one line for each span that ends, at once, so that kill -9 leaves it."""

    def __init__(self, path: Path, *, bare: bool = False) -> None:
        self._file = path.open("a", buffering=1)
        self._entry = _bare if bare else entry

    def on_end(self, span: ReadableSpan) -> None:
        self._file.write(json.dumps(self._entry(span)) + "\n")

    def shutdown(self) -> None:
        self._file.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


def read(path: Path) -> list[Span]:
    """The spans of a ledger; a line that was cut short by kill -9 is no entry."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def entry(span: ReadableSpan) -> Span:
    """One span in plain values."""
    assert span.context is not None
    assert span.instrumentation_scope is not None
    return {
        "trace_id": f"{span.context.trace_id:032x}",
        "span_id": f"{span.context.span_id:016x}",
        "parent_id": f"{span.parent.span_id:016x}" if span.parent else "",
        "name": span.name,
        "kind": span.kind.value + 1,
        "start": span.start_time,
        "end": span.end_time,
        "status": [span.status.status_code.value, span.status.description or ""],
        "attributes": _plain(span.attributes),
        "events": sorted(
            [event.timestamp, event.name, _plain(event.attributes)] for event in span.events
        ),
        "resource": _plain(span.resource.attributes),
        "scope": [span.instrumentation_scope.name, span.instrumentation_scope.version or ""],
    }


def _bare(span: ReadableSpan) -> Span:
    """Only what tells spans apart: cheap enough for thousands a second."""
    assert span.context is not None
    return {
        "trace_id": f"{span.context.trace_id:032x}",
        "span_id": f"{span.context.span_id:016x}",
        "start": span.start_time,
    }


def _plain(attributes: Any) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in (attributes or {}).items()
    }


def by_id(spans: Iterable[Span]) -> dict[tuple[str, str], list[Span]]:
    """Spans by what makes them distinct; a span that came twice is there twice."""
    found: dict[tuple[str, str], list[Span]] = {}
    for span in spans:
        found.setdefault((span["trace_id"], span["span_id"]), []).append(span)
    return found
