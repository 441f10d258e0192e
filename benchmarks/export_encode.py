"""``python -m benchmarks.export_encode``: spans to request bytes, beside the official encoder.

Both encode the same spans, in one process, in turns; a request of 64 spans is the unit, so that
what is written once for a request is shared as it is in practice.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks.timing import Effort, Lap, race
from otelbridge.export.encode import Encoder
from otelbridge.export.units import request

SPANS: Final = 64
SHAPES: Final = {  # attributes of the span, its events, attributes of each
    "bare": (0, 0, 0),
    "a run: 5 attributes": (5, 0, 0),
    "5 attributes, 2 events of 3": (5, 2, 3),
    "10 attributes, 20 events of 4": (10, 20, 4),
    "20 attributes, 128 events of 4": (20, 128, 4),
    "lists: 5 attributes of 20 strings": (-5, 0, 0),
}


def measure(effort: Effort) -> Iterator[dict[str, Any]]:
    """Yield, for each shape, microseconds a span of ours and theirs, and the ratio of the two."""
    for name, shape in SHAPES.items():
        spans = _spans(*shape)
        times = race({"ours": _ours(spans), "official": _official(spans)}, effort)
        ours, theirs = times["ours"].seconds, times["official"].seconds
        yield {
            "shape": name,
            "ours_us": statistics.median(ours) / SPANS * 1e6,
            "official_us": statistics.median(theirs) / SPANS * 1e6,
            "times_faster": statistics.median(b / a for a, b in zip(ours, theirs)),
        }


def _ours(spans: list[ReadableSpan]) -> Lap:
    encoder = Encoder()

    def lap(times: int) -> None:
        for _ in range(times):
            request([encoder.item(span) for span in spans])

    return lap


def _official(spans: list[ReadableSpan]) -> Lap:
    def lap(times: int) -> None:
        for _ in range(times):
            encode_spans(spans).SerializeToString()

    return lap


def _spans(attributes: int, events: int, event_attributes: int) -> list[ReadableSpan]:
    exporter = InMemorySpanExporter()
    resource = Resource({"service.name": "benchmark"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("benchmark", "1.0")
    for number in range(SPANS):
        with tracer.start_as_current_span(f"span {number}") as span:
            for place in range(abs(attributes)):
                words = [f"word {each}" for each in range(20)]
                value = words if attributes < 0 else _value(number + place)
                span.set_attribute(f"benchmark.key.{place}", value)
            for event in range(events):
                data = {
                    f"data.key_{each}": _value(event + each) for each in range(event_attributes)
                }
                span.add_event("progress", data)
    return list(exporter.get_finished_spans())


def _value(number: int) -> str | int | float | bool:
    kinds: tuple[str | int | float | bool, ...] = (f"text {number}", number, number / 7, True)
    return kinds[number % len(kinds)]


if __name__ == "__main__":
    for row in measure(Effort(rounds=15, seconds=1.5)):
        print(
            f"{row['shape']:36}{row['ours_us']:9.2f} us{row['official_us']:9.2f} us"
            f"{row['times_faster']:7.2f}x"
        )
