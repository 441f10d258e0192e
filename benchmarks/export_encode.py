"""Ended spans to the bytes of a request, beside the official encoder.

``python -m benchmarks.export_encode 40 2`` times all shapes of spans, each in 40 rounds or, if that
takes longer, for 2 seconds, and prints JSON. Both sides encode the same spans; the unit is a
request, so that what is written once for a request is shared as it is in practice.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks.comparison import comparison
from benchmarks.timing import Effort, Lap, race
from otelbridge.encoding.encode import Encoder
from otelbridge.encoding.units import request

OURS: Final = "otelbridge"
OFFICIAL: Final = "the official encoder"
SPANS: Final = 64
SHAPES: Final = {  # attributes of the span, its events, attributes of each
    "bare": (0, 0, 0),
    "5 attributes": (5, 0, 0),
    "5 attributes, 2 events of 3": (5, 2, 3),
    "10 attributes, 20 events of 4": (10, 20, 4),
    "20 attributes, 128 events of 4": (20, 128, 4),
    "5 lists of 20 strings": (-5, 0, 0),
}


def results(effort: Effort) -> list[dict[str, Any]]:
    """What each shape of span costs on both sides, ready for JSON."""
    return [_result(name, _spans(*shape), effort) for name, shape in SHAPES.items()]


def _result(name: str, spans: list[ReadableSpan], effort: Effort) -> dict[str, Any]:
    times = race({OURS: _ours(spans), OFFICIAL: _official(spans)}, effort)
    return comparison(f"encode: {name}", times, OFFICIAL, {OURS: None}, parts=SPANS)


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


def main(arguments: list[str]) -> None:
    """Time every shape and print the results as JSON."""
    effort = Effort(rounds=int(arguments[0]), seconds=float(arguments[1]))
    json.dump(results(effort), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
