"""The contestants of the export: ours, ours with ``durable``, and the SDK's with its exporter.

Each is a tracer provider with one processor, set up as ``otelbridge.configure`` or a careful
engineer would; sizes and delays are the defaults, which are the same on all sides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from benchmarks import by_hand
from benchmarks.workloads import TEXT
from otelbridge.export.arguments import Arguments
from otelbridge.export.outputs import outputs
from otelbridge.export.provider import Relay

OURS: Final = "otelbridge"
DURABLE: Final = "otelbridge, durable"
SDK: Final = "BatchSpanProcessor"

_SERVICE: Final = "benchmark"


@dataclass(frozen=True)
class Side:
    """One contestant.

    Attributes:
        tracer: makes the spans that it exports.
        flush: sends what has ended; returns when all of it is acknowledged, True if it is.
        close: ends its threads.
    """

    tracer: trace.Tracer
    flush: Callable[[], bool]
    close: Callable[[], None]

    def open_spans(self, count: int) -> list[trace.Span]:
        """Start so many runs of W1: two events and the attributes of a run, not yet ended."""
        return [_run(self.tracer) for _ in range(count)]


def sides(protocol: str, url: str, spool: Path) -> dict[str, Side]:
    """Make the contestants, which send to the same receiver.

    Args:
        protocol: "grpc" or "http".
        url: of the receiver, with no path.
        spool: folder of ours.
    """
    return {
        OURS: _side(_ours(protocol, url, spool / "plain", durable=False)),
        DURABLE: _side(_ours(protocol, url, spool / "durable", durable=True)),
        SDK: _side(BatchSpanProcessor(_official(protocol, url))),
    }


def _side(processor: SpanProcessor) -> Side:
    provider = TracerProvider(
        resource=Resource.create({"service.name": _SERVICE}), shutdown_on_exit=False
    )
    provider.add_span_processor(processor)
    return Side(provider.get_tracer("benchmarks"), processor.force_flush, provider.shutdown)


def _ours(protocol: str, url: str, spool: Path, *, durable: bool) -> SpanProcessor:
    named = "grpc" if protocol == "grpc" else "http/protobuf"
    arguments = Arguments(endpoint=url, protocol=named, durable=durable, spool=spool)
    relay = Relay()  # what `configure` adds to a provider
    relay.targets = tuple(
        output.make(_SERVICE) for output in outputs(arguments, environ={}, foreign=[]) or ()
    )
    return relay


def _official(protocol: str, url: str) -> SpanExporter:
    # One of the two at a time: what the other imports is not in the measured process.
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
            OTLPSpanExporter as GrpcExporter,
        )

        return GrpcExporter(endpoint=url, insecure=True)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
        OTLPSpanExporter as HttpExporter,
    )

    return HttpExporter(endpoint=f"{url}/v1/traces")


def _run(tracer: trace.Tracer) -> trace.Span:
    attributes: dict[str, Any] = {by_hand.RUN_ID: str(uuid4()), by_hand.RUN_TYPE: "chain"}
    span = tracer.start_span("reflect", attributes=attributes)
    span.add_event("event1", {"data.reversed": TEXT[::-1]})
    span.add_event("event2", {"data": 5})
    return span
