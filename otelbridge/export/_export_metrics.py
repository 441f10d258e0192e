"""The account of the pipelines as OpenTelemetry metrics, for a program that has a meter provider.

Names, units and attributes are those of the semantic conventions ("SDK metrics", in development);
figures that they do not know are named ``otelbridge.export.*``. All are observed: a span costs
nothing for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Protocol

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.util.types import AttributeValue

from otelbridge._version import __version__
from otelbridge.export.account import Stats

_PROCESSOR = "batching_span_processor"
_ERROR = "error.type"
_numbers = count()

Attributes = dict[str, AttributeValue]
_Read = Callable[["Observed"], Iterable[tuple[int, Attributes]]]


class Observed(Protocol):
    """What is observed of a pipeline."""

    @property
    def names(self) -> Names:
        """How its figures are told from others'."""
        ...

    @property
    def queued(self) -> int:
        """Ended spans that are not yet encoded."""
        ...

    @property
    def capacity(self) -> int:
        """How many of them the queue is meant for."""
        ...

    @property
    def in_flight(self) -> int:
        """Spans of the request that is on its way."""
        ...

    def stats(self) -> Stats:
        """Return the account."""
        ...


class Names:
    """The attributes of a pipeline's two components.

    Args:
        exporter: the type of its exporter, by the semantic conventions.
    """

    def __init__(self, exporter: str) -> None:
        number = next(_numbers)
        self.exporter = _component(exporter, number)
        self.processor = _component(_PROCESSOR, number)


def observe(pipelines: Callable[[], Iterable[Observed]]) -> None:
    """Make the instruments, once a process. A meter provider may be set before or later."""
    meter = metrics.get_meter("otelbridge.export", __version__)
    up_and_down = meter.create_observable_up_down_counter
    counter = meter.create_observable_counter
    for make, name, read in (
        (counter, "otel.sdk.exporter.span.exported", _exported),
        (up_and_down, "otel.sdk.exporter.span.inflight", _in_flight),
        (counter, "otel.sdk.processor.span.processed", _processed),
        (up_and_down, "otel.sdk.processor.span.queue.size", _queued),
        (up_and_down, "otel.sdk.processor.span.queue.capacity", _capacity),
        (up_and_down, "otelbridge.export.span.waiting", _waiting),
        (counter, "otelbridge.export.span.adopted", _adopted),
        (counter, "otelbridge.export.span.replayed", _replayed),
    ):
        make(name, [_callback(pipelines, read)], unit="{span}", description=str(read.__doc__))


def _callback(
    pipelines: Callable[[], Iterable[Observed]], read: _Read
) -> Callable[[CallbackOptions], Iterator[Observation]]:
    def observations(options: CallbackOptions) -> Iterator[Observation]:
        for pipeline in pipelines():
            for value, attributes in read(pipeline):
                yield Observation(value, attributes)

    return observations


def _exported(it: Observed) -> Iterator[tuple[int, Attributes]]:
    """The number of spans that the receiver has taken, or refused for good."""
    stats = it.stats()
    yield stats.sent, it.names.exporter
    yield stats.rejected, {**it.names.exporter, _ERROR: "rejected"}


def _in_flight(it: Observed) -> Iterator[tuple[int, Attributes]]:
    """The number of spans in the request that is on its way."""
    yield it.in_flight, it.names.exporter


def _processed(it: Observed) -> Iterator[tuple[int, Attributes]]:
    """The number of spans that were passed to the exporter, or dropped."""
    stats = it.stats()
    yield stats.sent + stats.rejected, it.names.processor
    for reason, dropped in stats.dropped.items():
        yield dropped, {**it.names.processor, _ERROR: reason.replace(" ", "_")}


def _queued(it: Observed) -> Iterator[tuple[int, Attributes]]:
    """The number of ended spans that are not yet encoded."""
    yield it.queued, it.names.processor


def _capacity(it: Observed) -> Iterator[tuple[int, Attributes]]:
    """The number of ended spans past which the threads that end spans encode them."""
    yield it.capacity, it.names.processor


def _waiting(it: Observed) -> Iterator[tuple[int, Attributes]]:
    """The number of spans that wait, in memory or on disk, or are on their way."""
    yield it.stats().waiting, it.names.processor


def _adopted(it: Observed) -> Iterator[tuple[int, Attributes]]:
    """The number of spans taken over from processes of the service that have died."""
    yield it.stats().adopted, it.names.processor


def _replayed(it: Observed) -> Iterator[tuple[int, Attributes]]:
    """The number of spans that were sent from disk."""
    yield it.stats().replayed, it.names.exporter


def _component(kind: str, number: int) -> Attributes:
    return {"otel.component.type": kind, "otel.component.name": f"{kind}/otelbridge-{number}"}
