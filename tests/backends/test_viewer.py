"""The viewer behind a real Collector: what a program made goes all the way, unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends import ledger
from backends.figures import note
from backends.fleet import Fleet, Program, differences
from backends.servers import Collector, until
from otelbridge.store import SpanRecord, Store
from otelbridge.view import Server, start

TOKEN = "a-token-for-the-collector"
_KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store(tmp_path / "traces.db") as made:
        yield made


@pytest.fixture
def viewer(store: Store) -> Iterator[Server]:
    """A viewer that a Collector on another host could reach."""
    with start(
        store, host="0.0.0.0", port=0, otlp_http_port=0, otlp_grpc_port=0, token=TOKEN
    ) as server:
        yield server


def agent(fleet: Fleet, viewer: Server, way: str, folder: Path) -> Collector:
    """A Collector that sends to the viewer, by gRPC or by HTTP in one of its encodings."""
    settings = {
        "OTELCOL_NEXT": str(viewer.served.otlp_grpc),
        "OTELCOL_NEXT_AUTHORIZATION": f"Bearer {TOKEN}",
    }
    if way == "grpc":
        return fleet.collector("viewer-grpc", "agent", **settings)
    over_http = {
        "exporters": {
            "otlp_http": {
                "endpoint": viewer.served.otlp_http,
                "encoding": way,
                "compression": "gzip",
                "headers": {"authorization": f"Bearer {TOKEN}"},
            }
        },
        "service": {"pipelines": {"traces": {"exporters": ["otlp_http"]}}},
    }
    (folder / "http.yaml").write_text(json.dumps(over_http))
    return fleet.collector(f"viewer-{way}", "agent", str(folder / "http"), **settings)


@pytest.mark.parametrize("way", ["grpc", "proto", "json"])
def test_everything_arrives_as_it_was_made(
    fleet: Fleet, store: Store, viewer: Server, way: str, tmp_path: Path
) -> None:
    """Spans, parents, status, attributes, resource; 10,000 events with attributes and times."""
    collector = agent(fleet, viewer, way, tmp_path)
    endpoint = f"http://{collector.address('GRPC')}"
    program = fleet.program("tour", f"tour-viewer-{way}", endpoint, "--events=10000")
    assert program.ended()["flushed"] is True
    took = until(lambda: _lost(store, program) == 0, 60, "every span is there", 0.5)
    stored = ledger.by_id(_spans(store))
    changed = [
        said
        for span in program.made
        for said in differences(span, stored[span["trace_id"], span["span_id"]][0])
    ]
    note(
        f"app, agent, viewer, {way}",
        spans=len(program.made),
        lost=0,
        changed=len(changed),
        wait_s=took,
    )
    assert changed == []
    assert len(stored) == len(program.made)


def test_a_viewer_that_is_away_for_a_while(fleet: Fleet, store: Store) -> None:
    """The Collector keeps what comes meanwhile, and sends it when the viewer is back."""
    with start(store, port=0, otlp_http_port=None, otlp_grpc_port=0) as first:
        url = str(first.served.otlp_grpc)
        collector = fleet.collector("agent-of-absent", "agent", OTELCOL_NEXT=url)
        endpoint = f"http://{collector.address('GRPC')}"
        fleet.program("load", "before", endpoint, "--rate=100", "--seconds=1").ended()
    program = fleet.program("load", "meanwhile", endpoint, "--rate=200", "--seconds=2")
    assert program.ended()["flushed"] is True
    assert _lost(store, program) == len(program.made)
    port = int(url.rpartition(":")[2])
    with start(store, port=0, otlp_http_port=None, otlp_grpc_port=port):
        took = until(lambda: _lost(store, program) == 0, 60, "every span is there", 0.5)
    note("a viewer that was away", spans=len(program.made), lost=0, wait_s=took)


def _lost(store: Store, program: Program) -> int:
    made = {(span["trace_id"], span["span_id"]) for span in program.made}
    return len(made - ledger.by_id(_spans(store)).keys())


def _spans(store: Store) -> list[dict[str, Any]]:
    traces = [store.get(it.trace_id) for it in store.traces(limit=10_000)]
    return [_entry(span) for trace in traces if trace is not None for span in trace.spans]


def _entry(span: SpanRecord) -> dict[str, Any]:
    """One span in plain values, in the form of ``ledger.entry``."""
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id or "",
        "name": span.name,
        "kind": _KINDS.index(span.kind),
        "start": span.start_ns,
        "end": span.end_ns,
        "status": [("unset", "ok", "error").index(span.status), span.status_message],
        "attributes": span.attributes,
        "events": sorted([it.time_ns, it.name, it.attributes] for it in span.events),
        "resource": span.resource,
        "scope": [span.scope, span.scope_version],
    }
