"""The metrics of a model's calls: tokens, duration, and how fast a stream's chunks came.

One histogram each, by the conventions' names, units and bucket boundaries (opentelemetry-api 1.28
cannot pass boundaries on: there a view of the application's has to set them). A stream's
chunks are recorded when it has ended. Use it from any thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from opentelemetry import metrics
from opentelemetry.metrics import _internal as api_metrics

from otelbridge import semconv as own_semconv
from otelbridge._attributes import AttributeValue
from otelbridge._tracing import guard
from otelbridge._version import __version__
from otelbridge.langchain import _genai_semconv as semconv
from otelbridge.langchain._genai_semconv import PUBLISHED, Conventions

_NS: Final = 1e9


class Metrics:
    """Records what model calls took, where there is a meter provider.

    Args:
        provider: makes the meter; None means the global one, found also when it is set later.
        conventions: the version whose metrics are made.
    """

    __slots__ = ("_conventions", "_given", "_instruments", "_seen")

    def __init__(
        self, provider: metrics.MeterProvider | None = None, conventions: Conventions = PUBLISHED
    ) -> None:
        self._given = provider
        self._conventions = conventions
        self._seen: object = None
        self._instruments: _Instruments | None = None

    @property
    def active(self) -> bool:
        """Whether anything is recorded: if not, a stream's chunks need no times."""
        # While no provider is set, the API's get_meter_provider() reads the environment.
        provider = self._given or getattr(api_metrics, "_METER_PROVIDER", None)
        if provider is not self._seen:
            self._adopt(provider)
        return self._instruments is not None

    def _adopt(self, provider: Any) -> None:
        self._seen = provider
        self._instruments = None
        if provider is None or isinstance(provider, metrics.NoOpMeterProvider):
            return
        try:
            self._instruments = _Instruments(provider, self._conventions)
        except Exception:
            guard("make the metrics of models")

    def record(
        self,
        started: Mapping[str, AttributeValue],
        ended: Mapping[str, AttributeValue],
        times_ns: tuple[int, int],
        chunks_ns: Sequence[int] = (),
        error_type: str | None = None,
    ) -> None:
        """Record a call of a chat or completion model that has ended, in whatever way.

        Args:
            started: the span's attributes of the start (`_genai.described`), through the gate.
            ended: those of the end (`_genai_response.ended`), through the gate.
            times_ns: when the call began and ended, by a clock that does not step.
            chunks_ns: when each of a stream's chunks came, by the same clock.
            error_type: the span's ``error.type``.
        """
        if not self.active or self._instruments is None:
            return
        try:
            self._instruments.record(started, ended, times_ns, chunks_ns, error_type)
        except Exception:
            guard("record the metrics of a model")


_SHARED: Final = (
    semconv.OPERATION_NAME,
    semconv.PROVIDER_NAME,
    semconv.REQUEST_MODEL,
    semconv.SERVER_ADDRESS,
    semconv.SERVER_PORT,
)


class _Instruments:
    """The histograms of one meter."""

    __slots__ = ("_conventions", "_duration", "_first", "_input", "_output", "_per_chunk")

    def __init__(self, provider: metrics.MeterProvider, conventions: Conventions) -> None:
        meter = provider.get_meter(
            own_semconv.SCOPE_NAME, __version__, schema_url=own_semconv.SCHEMA_URL
        )
        prefix = conventions.operation
        self._conventions = conventions
        self._duration = _seconds(meter, f"{prefix}.duration", "Duration of a model's call.")
        self._first = _seconds(
            meter,
            f"{prefix}.time_to_first_chunk",
            "Time from a request to the first chunk of its stream.",
        )
        self._per_chunk = _seconds(
            meter,
            f"{prefix}.time_per_output_chunk",
            "Time from one chunk of a stream to the next.",
        )
        self._input = _tokens(meter, conventions.input_tokens)
        same = conventions.input_tokens == conventions.output_tokens
        self._output = self._input if same else _tokens(meter, conventions.output_tokens)

    def record(
        self,
        started: Mapping[str, AttributeValue],
        ended: Mapping[str, AttributeValue],
        times_ns: tuple[int, int],
        chunks_ns: Sequence[int],
        error_type: str | None,
    ) -> None:
        shared = {key: started[key] for key in _SHARED if key in started}
        if semconv.RESPONSE_MODEL in ended:
            shared[semconv.RESPONSE_MODEL] = ended[semconv.RESPONSE_MODEL]
        begun, over = times_ns
        failed = {own_semconv.ERROR_TYPE: error_type} if error_type else {}
        self._duration.record(max(over - begun, 0) / _NS, {**shared, **failed})
        self._record_tokens(shared, ended)
        if chunks_ns:
            self._first.record(max(chunks_ns[0] - begun, 0) / _NS, shared)
            for before, after in pairwise(chunks_ns):
                self._per_chunk.record(max(after - before, 0) / _NS, shared)

    def _record_tokens(
        self, shared: dict[str, AttributeValue], ended: Mapping[str, AttributeValue]
    ) -> None:
        for histogram, key, kind in (
            (self._input, semconv.USAGE_INPUT_TOKENS, semconv.TOKEN_INPUT),
            (self._output, semconv.USAGE_OUTPUT_TOKENS, semconv.TOKEN_OUTPUT),
        ):
            count = ended.get(key)
            if isinstance(count, int):
                own = {} if self._conventions.newest else {semconv.TOKEN_TYPE: kind}
                histogram.record(count, {**shared, **own})


def _seconds(meter: metrics.Meter, name: str, description: str) -> metrics.Histogram:
    return _histogram(meter, name, "s", description, semconv.SECONDS_BUCKETS)


def _tokens(meter: metrics.Meter, name: str) -> metrics.Histogram:
    description = "Number of tokens that a model's call used."
    return _histogram(meter, name, "{token}", description, semconv.TOKEN_BUCKETS)


def _histogram(
    meter: Any, name: str, unit: str, description: str, boundaries: Sequence[float]
) -> metrics.Histogram:
    made: metrics.Histogram
    try:
        made = meter.create_histogram(
            name, unit, description, explicit_bucket_boundaries_advisory=boundaries
        )
    except TypeError:  # an old opentelemetry-api
        made = meter.create_histogram(name, unit, description)
    return made
