"""The official Python exporters: what a program made arrives whole."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, set_span_in_context

from otelbridge.store import Store, otlp_json_to_request
from otelbridge.view import Server


class Kept(SpanProcessor):
    """What a program made."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def everything(provider: TracerProvider) -> None:
    """One of everything that a span can hold."""
    tracer = provider.get_tracer("everything", "1.2", "https://schema.example/1", {"in": "scope"})
    root = tracer.start_span(
        "root 🐎",
        attributes={
            "text": "žluťoučký kůň",
            "whole": -(2**63),
            "real": 0.1,
            "flag": True,
            "texts": ["a", ""],
            "wholes": [1, 2**62],
            "reals": [0.5, float("inf")],
            "flags": [True, False],
            "empty": [],
        },
    )
    context = set_span_in_context(root)
    for number, kind in enumerate(SpanKind):
        child = tracer.start_span(
            f"child {number}",
            context=context,
            kind=kind,
            links=[Link(root.get_span_context(), {"why": number})],
        )
        for event in range(3):
            child.add_event(f"event {event}", {"data.number": event, "data.all": ["x"]})
        child.set_status(Status(list(StatusCode)[number % 3], "said" if number % 3 == 2 else None))
        child.end()
    try:
        raise ValueError("no good")
    except ValueError as error:
        root.record_exception(error)
    root.end()
    provider.get_tracer("other").start_span("alone").end()


EXPORTERS: dict[str, Callable[[Server], Any]] = {
    "http": lambda it: HttpExporter(endpoint=f"{it.served.otlp_http}/v1/traces"),
    "http, gzip": lambda it: HttpExporter(
        endpoint=f"{it.served.otlp_http}/v1/traces", compression=Compression.Gzip
    ),
    "http, deflate": lambda it: HttpExporter(
        endpoint=f"{it.served.otlp_http}/v1/traces", compression=Compression.Deflate
    ),
    "http, the viewer's own port": lambda it: HttpExporter(endpoint=f"{it.url}v1/traces"),
    "grpc": lambda it: GrpcExporter(endpoint=it.served.otlp_grpc, insecure=True),
    "grpc, gzip": lambda it: GrpcExporter(
        endpoint=it.served.otlp_grpc, insecure=True, compression=grpc.Compression.Gzip
    ),
}


@pytest.mark.parametrize("way", EXPORTERS)
def test_what_a_program_made_arrives_whole(viewer: Server, store: Store, way: str) -> None:
    """Every span with everything that it holds, its resource and its scope."""
    kept = Kept()
    resource = Resource({"service.name": "sent", "more": (1, 2)}, "https://schema.example/r")
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(kept)
    provider.add_span_processor(SimpleSpanProcessor(EXPORTERS[way](viewer)))
    everything(provider)
    provider.shutdown()
    written = io.StringIO()
    assert store.export_otlp(written) == 7
    lines = written.getvalue().splitlines()
    stored = [
        ExportTraceServiceRequest.FromString(otlp_json_to_request(json.loads(line)))
        for line in lines
    ]
    assert spans(*stored) == spans(encode_spans(kept.spans))


def spans(*requests: Any) -> dict[str, tuple[Any, ...]]:
    """Every span of requests, with what its resource and its scope say."""
    return {
        span.span_id.hex(): (
            str(span),
            str(of.resource),
            of.schema_url,
            str(scope.scope),
            scope.schema_url,
        )
        for request in requests
        for of in request.resource_spans
        for scope in of.scope_spans
        for span in scope.spans
    }
