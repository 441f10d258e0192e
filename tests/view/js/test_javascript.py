"""OpenTelemetry for JavaScript: what a program made arrives whole."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from otelbridge.store import SpanRecord, Store
from otelbridge.view import Server
from view.asking import PATIENCE_S


@pytest.mark.parametrize(
    "way", ["json", "json-gzip", "proto", "proto-gzip", "grpc", "grpc-gzip", "json-viewer"]
)
def test_what_a_program_made_arrives_whole(
    viewer: Server, store: Store, program: Path, way: str
) -> None:
    """Every span with everything that it holds, as the SDK itself writes it down."""
    told = viewer.served
    url = told.otlp_grpc if way.startswith("grpc") else told.otlp_http
    if way.endswith("viewer"):
        way, url = "json", viewer.url.rstrip("/")
    ran = subprocess.run(
        ["node", str(program), way, str(url)],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
        check=True,
    )
    assert ran.stderr == ""
    made = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(made) == 6
    (summary,) = store.traces()
    trace = store.get(summary.trace_id)
    assert trace is not None
    assert by_id(map(drawn, trace.spans)) == by_id(made)


def by_id(spans: Any) -> dict[str, Any]:
    """Spans by their ids."""
    return {it["span_id"]: it for it in spans}


def drawn(span: SpanRecord) -> dict[str, Any]:
    """A span as the program prints it."""
    same = ("trace_id", "span_id", "parent_id", "name", "kind", "status", "status_message", "scope")
    return {
        **{it: getattr(span, it) for it in (*same, "scope_version")},
        "start_ns": str(span.start_ns),
        "end_ns": str(span.end_ns),
        "resource": span.resource,
        "attributes": span.attributes,
        "events": [[str(it.time_ns), it.name, it.attributes] for it in span.events],
        "links": [[it.trace_id, it.span_id, it.attributes] for it in span.links],
    }
