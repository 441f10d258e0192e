"""The exporter for SDKs that others have set up."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, StatusCode, format_trace_id

from otelbridge.store import Store, StoreError, to_readable
from otelbridge.store.exporter import StoreExporter


def provided(*exporters: SpanExporter, batched: bool = False) -> TracerProvider:
    """Return a provider whose spans go to these."""
    provider = TracerProvider(shutdown_on_exit=False)
    for exporter in exporters:
        made = BatchSpanProcessor(exporter) if batched else SimpleSpanProcessor(exporter)
        provider.add_span_processor(made)
    return provider


@pytest.mark.parametrize("batched", [False, True], ids=["simple", "batch"])
def test_spans_come_out_as_they_went_in(tmp_path: Path, batched: bool) -> None:
    """All of them, with all that they hold."""
    path, kept = tmp_path / "traces.db", InMemorySpanExporter()
    provider = provided(StoreExporter(path), kept, batched=batched)
    tracer = provider.get_tracer("tests", "1.0")
    with tracer.start_as_current_span("root", kind=SpanKind.SERVER) as root:
        link = Link(root.get_span_context(), {"n": 1})
        with tracer.start_as_current_span("child", links=[link], attributes={"k": [1, 2]}) as child:
            child.add_event("progress", {"done": 0.5})
            child.set_status(StatusCode.ERROR, "why")
    assert provider.force_flush()
    provider.shutdown()
    with Store(path) as store:
        found = store.get(format_trace_id(root.get_span_context().trace_id))
    assert found is not None
    stored = {span.name: to_readable(span).to_json() for span in found.spans}
    assert stored == {span.name: span.to_json() for span in kept.get_finished_spans()}


def test_store_that_fails_is_said_once_in_a_row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The application goes on; the next spans are stored when it can be written again."""
    path, kept = tmp_path / "folder" / "traces.db", InMemorySpanExporter()
    path.parent.mkdir()
    exporter = StoreExporter(path)
    tracer = provided(kept).get_tracer("tests")
    tracer.start_span("span").end()
    spans = kept.get_finished_spans()
    aside = path.parent.rename(tmp_path / "aside")
    path.parent.write_text("a file in its place")
    for _ in range(3):
        assert exporter.export(spans) is SpanExportResult.FAILURE
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"1 spans are not stored: the store {path} cannot be opened")
    path.parent.unlink()
    aside.rename(path.parent)
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    assert exporter.force_flush()
    exporter.shutdown()
    with Store(path) as store:
        assert [trace.name for trace in store.traces()] == ["span"]


def test_file_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """When it is made, with the cure."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="by OTELBRIDGE_STORE"):
        StoreExporter(tmp_path / "file" / "traces.db")
