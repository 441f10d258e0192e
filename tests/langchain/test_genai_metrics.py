"""The metrics of model calls."""

from __future__ import annotations

import inspect
import logging
from typing import Any

import pytest
from opentelemetry import metrics as api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otelbridge.langchain._genai_semconv import NEWEST, PUBLISHED
from otelbridge.langchain._metrics import Metrics

STARTED: Any = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-x",
    "gen_ai.request.temperature": 0.5,
    "server.address": "127.0.0.1",
    "server.port": 8080,
}
ENDED: Any = {
    "gen_ai.response.model": "gpt-x-2026",
    "gen_ai.response.id": "1",
    "gen_ai.usage.input_tokens": 30,
    "gen_ai.usage.output_tokens": 12,
    "gen_ai.usage.cache_read.input_tokens": 8,
}
SHARED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-x",
    "server.address": "127.0.0.1",
    "server.port": 8080,
    "gen_ai.response.model": "gpt-x-2026",
}
ADVISED = (
    "explicit_bucket_boundaries_advisory"
    in inspect.signature(api.Meter.create_histogram).parameters
)
# Where the API cannot pass boundaries on, the SDK takes its own.
OWN = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)
SECONDS = (
    (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
    if ADVISED
    else OWN
)
TOKENS = tuple(4**power for power in range(14)) if ADVISED else OWN
MS = 1_000_000


def recorded(reader: InMemoryMetricReader) -> dict[str, Any]:
    """Return each metric's unit, and each point's attributes, count, sum and boundaries."""
    found: dict[str, Any] = {}
    data = reader.get_metrics_data()
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            assert scope.scope.name == "otelbridge"
            for metric in scope.metrics:
                points = [
                    (
                        dict(point.attributes or {}),
                        point.count,
                        round(point.sum, 6),
                        tuple(point.explicit_bounds),
                    )
                    for point in metric.data.data_points
                ]
                found[metric.name] = (metric.unit, points)
    return found


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


def test_stream_gives_tokens_duration_and_chunks(reader: InMemoryMetricReader) -> None:
    """A call that streamed gives each metric of the conventions once, with their buckets."""
    metrics = Metrics(MeterProvider([reader]))
    chunks = [MS * each for each in (1_250, 1_300, 1_500)]
    metrics.record(STARTED, ENDED, (1_000 * MS, 2_000 * MS), chunks)
    assert recorded(reader) == {
        "gen_ai.client.operation.duration": ("s", [(SHARED, 1, 1.0, SECONDS)]),
        "gen_ai.client.token.usage": (
            "{token}",
            [
                ({**SHARED, "gen_ai.token.type": "input"}, 1, 30, TOKENS),
                ({**SHARED, "gen_ai.token.type": "output"}, 1, 12, TOKENS),
            ],
        ),
        "gen_ai.client.operation.time_to_first_chunk": ("s", [(SHARED, 1, 0.25, SECONDS)]),
        "gen_ai.client.operation.time_per_output_chunk": ("s", [(SHARED, 2, 0.25, SECONDS)]),
    }


def test_newest_conventions_have_other_metrics(reader: InMemoryMetricReader) -> None:
    """The version that is asked for names the metrics; tokens are two there."""
    metrics = Metrics(MeterProvider([reader]), NEWEST)
    metrics.record(STARTED, ENDED, (0, 2_000 * MS), [500 * MS, 600 * MS])
    prefix = "gen_ai.client.inference"
    assert recorded(reader) == {
        f"{prefix}.duration": ("s", [(SHARED, 1, 2.0, SECONDS)]),
        f"{prefix}.operation.input_tokens": ("{token}", [(SHARED, 1, 30, TOKENS)]),
        f"{prefix}.operation.output_tokens": ("{token}", [(SHARED, 1, 12, TOKENS)]),
        f"{prefix}.time_to_first_chunk": ("s", [(SHARED, 1, 0.5, SECONDS)]),
        f"{prefix}.time_per_output_chunk": ("s", [(SHARED, 1, 0.1, SECONDS)]),
    }


def test_failed_call_gives_its_duration_with_the_error(reader: InMemoryMetricReader) -> None:
    """A call that fails has a duration by the kind of its error, and no tokens."""
    metrics = Metrics(MeterProvider([reader]))
    metrics.record(STARTED, {}, (0, 40 * MS), error_type="TimeoutError")
    started = {key: value for key, value in SHARED.items() if "response" not in key}
    failed = {**started, "error.type": "TimeoutError"}
    assert recorded(reader) == {
        "gen_ai.client.operation.duration": ("s", [(failed, 1, 0.04, SECONDS)])
    }


@pytest.mark.parametrize("given", [None, api.NoOpMeterProvider()])
def test_without_a_meter_provider_nothing_is_made(given: Any) -> None:
    """No provider, or one that does nothing: nobody need gather a stream's times."""
    metrics = Metrics(given)
    assert not metrics.active
    metrics.record(STARTED, ENDED, (0, 1))


def test_global_provider_is_found_when_it_is_set_later(
    reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that the application sets after the instrumentation counts from then on."""
    metrics = Metrics()
    metrics.record(STARTED, ENDED, (0, MS))
    monkeypatch.setattr("opentelemetry.metrics._internal._METER_PROVIDER", MeterProvider([reader]))
    metrics.record(STARTED, ENDED, (0, MS))
    assert metrics.active
    duration = recorded(reader)["gen_ai.client.operation.duration"]
    assert duration == ("s", [(SHARED, 1, 0.001, SECONDS)])


def test_old_api_without_boundaries_still_counts() -> None:
    """A meter that takes no boundaries makes the metrics without them."""

    class Histogram:
        def __init__(self, name: str) -> None:
            self.name = name

        def record(self, amount: float, attributes: Any) -> None:
            made.append((self.name, amount))

    class Meter:
        def create_histogram(self, name: str, unit: str = "", description: str = "") -> Histogram:
            return Histogram(name)

    class Provider:
        def get_meter(self, *args: Any, **words: Any) -> Meter:
            return Meter()

    made: list[Any] = []
    provider: Any = Provider()
    Metrics(provider, PUBLISHED).record(STARTED, ENDED, (0, 1_000 * MS))
    assert made == [
        ("gen_ai.client.operation.duration", 1.0),
        ("gen_ai.client.token.usage", 30),
        ("gen_ai.client.token.usage", 12),
    ]


def test_failing_meter_is_logged_and_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    """A provider that raises costs the metrics, never the call."""

    class Broken:
        def get_meter(self, *args: Any, **words: Any) -> Any:
            raise OSError("no meter")

    broken: Any = Broken()
    with caplog.at_level(logging.WARNING, "otelbridge"):
        metrics = Metrics(broken)
        metrics.record(STARTED, ENDED, (0, 1))
        metrics.record(STARTED, ENDED, (0, 1))
    assert not metrics.active
    assert [r.message for r in caplog.records] == [
        "otelbridge could not make the metrics of models; the program goes on"
    ]
