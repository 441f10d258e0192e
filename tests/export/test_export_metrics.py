"""The account as metrics, by the names of the semantic conventions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.metrics import _internal
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from peers import QUICK, Peer, end, numbered, route

from otelbridge.export import _export_metrics
from otelbridge.export.batching import Batching
from otelbridge.export.channel import Delivered, Outcome, Refused, TryAgain
from otelbridge.export.pipeline import Pipeline


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> InMemoryMetricReader:
    """What a program collects that has a meter provider."""
    reader = InMemoryMetricReader()
    monkeypatch.setattr(
        _internal, "_METER_PROVIDER", MeterProvider([reader], shutdown_on_exit=False)
    )
    return reader


def collected(reader: InMemoryMetricReader) -> dict[tuple[str, str], tuple[int, dict[str, Any]]]:
    """Each figure and its attributes, by metric name and error type."""
    data: Any = reader.get_metrics_data()
    return {
        (metric.name, str(point.attributes.get("error.type", ""))): (
            point.value,
            dict(point.attributes),
        )
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


def test_account_is_observed(tmp_path: Path, reader: InMemoryMetricReader) -> None:
    """What was sent, rejected and dropped; what waits, is queued and in flight."""

    def answer(names: list[str]) -> Outcome:
        return Refused("no") if "bad" in names else Delivered()

    pipeline = Pipeline(route(Peer(answer), tmp_path), Batching(delay_s=60))
    _export_metrics.observe(lambda: [pipeline])
    end(pipeline, *numbered("s", 9), "bad")
    pipeline.force_flush(5_000)
    end(pipeline, "queued")
    found = collected(reader)
    values = {key: value for key, (value, _) in found.items()}
    assert values == {
        ("otel.sdk.exporter.span.exported", ""): 9,
        ("otel.sdk.exporter.span.exported", "rejected"): 1,
        ("otel.sdk.exporter.span.inflight", ""): 0,
        ("otel.sdk.processor.span.processed", ""): 10,
        ("otel.sdk.processor.span.queue.size", ""): 1,
        ("otel.sdk.processor.span.queue.capacity", ""): 2048,
        ("otelbridge.export.span.waiting", ""): 1,
        ("otelbridge.export.span.adopted", ""): 0,
        ("otelbridge.export.span.replayed", ""): 0,
    }
    _, exporter = found["otel.sdk.exporter.span.exported", ""]
    _, processor = found["otel.sdk.processor.span.processed", ""]
    assert exporter["otel.component.type"] == "otlp_http_span_exporter"
    assert processor["otel.component.type"] == "batching_span_processor"
    assert exporter["otel.component.name"] != processor["otel.component.name"]
    pipeline.shutdown()
    end(pipeline, "late")
    values = {key: value for key, (value, _) in collected(reader).items()}
    assert values["otel.sdk.exporter.span.exported", ""] == 10
    assert values["otel.sdk.processor.span.processed", "ended_after_shutdown"] == 1


def test_replayed_spans_are_observed(tmp_path: Path, reader: InMemoryMetricReader) -> None:
    """Those of an earlier process are adopted, and then replayed."""
    first = Pipeline(route(Peer(lambda names: TryAgain("away")), tmp_path), QUICK)
    end(first, *numbered("s", 7))
    first.shutdown()
    second = Pipeline(route(Peer(), tmp_path), QUICK)
    _export_metrics.observe(lambda: [second])
    while second.stats().sent < 7:
        second.force_flush(100)
    values = {key: value for key, (value, _) in collected(reader).items()}
    assert values["otelbridge.export.span.adopted", ""] == 7
    assert values["otelbridge.export.span.replayed", ""] == 7
    second.shutdown()
