"""What a receiver does with a request of each signal, whatever carried it.

Traces go into the store; success is said when they are committed. Metrics and logs have no place
here, and many programs export them unasked: answering "not found" would fill their logs each
minute, answering "success" would be a lie. So all of it is rejected by OTLP's own word for that,
partial success with a message: nothing is sent again, and an SDK or a Collector that looks at it
says why.

The source is https://opentelemetry.io/docs/specs/otlp/.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otelbridge.store import Store, StoreError, otlp_json_to_request
from otelbridge.view.body import RefusedError

logger = logging.getLogger(__name__)

_ONLY_TRACES: Final = (
    "otelbridge keeps traces alone; to export no {signal} to it, set {variable}=none"
)


@dataclass(frozen=True)
class Signal:
    """One of OTLP's signals.

    Attributes:
        path: over HTTP.
        method: over gRPC.
        take: takes a request's bytes and returns the answer, a protobuf message.
        from_json: makes a request's bytes of OTLP's JSON; ValueError where it is none.
    """

    path: str
    method: str
    take: Callable[[bytes], Any]
    from_json: Callable[[Any], bytes]


def signals(store: Store) -> list[Signal]:
    """Return what a receiver for this store takes."""
    return [
        Signal("/v1/traces", _method("trace", "Trace"), _Traces(store), otlp_json_to_request),
        Signal(
            "/v1/metrics",
            _method("metrics", "Metrics"),
            _Metrics(),
            partial(_of_json, ExportMetricsServiceRequest),
        ),
        Signal(
            "/v1/logs",
            _method("logs", "Logs"),
            _Logs(),
            partial(_of_json, ExportLogsServiceRequest),
        ),
    ]


def _method(package: str, name: str) -> str:
    return f"/opentelemetry.proto.collector.{package}.v1.{name}Service/Export"


class _Traces:
    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, request: bytes) -> ExportTraceServiceResponse:
        try:
            added = self._store.add(request)
        except StoreError as problem:
            raise RefusedError(503, 14, str(problem), {"Retry-After": "1"}) from None
        except ValueError as problem:
            raise RefusedError(400, 3, f"This is no ExportTraceServiceRequest: {problem}") from None
        answer = ExportTraceServiceResponse()
        if added.rejected:
            answer.partial_success.rejected_spans = added.rejected
            answer.partial_success.error_message = added.message
        return answer


class _Unkept:
    """A signal that is not kept."""

    def __init__(self, signal: str, variable: str) -> None:
        self._message = _ONLY_TRACES.format(signal=signal, variable=variable)
        self._is_said = False

    def _say(self) -> str:
        if not self._is_said:
            self._is_said = True
            logger.info("A program sends what is not kept: %s.", self._message)
        return self._message


class _Metrics(_Unkept):
    def __init__(self) -> None:
        super().__init__("metrics", "OTEL_METRICS_EXPORTER")

    def __call__(self, request: bytes) -> ExportMetricsServiceResponse:
        answer = ExportMetricsServiceResponse()
        metrics = (
            metric
            for resource in _parsed(ExportMetricsServiceRequest, request).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        )
        count = sum(
            len(getattr(metric, kind).data_points)
            for metric in metrics
            if (kind := metric.WhichOneof("data"))
        )
        if count:
            answer.partial_success.rejected_data_points = count
            answer.partial_success.error_message = self._say()
        return answer


class _Logs(_Unkept):
    def __init__(self) -> None:
        super().__init__("logs", "OTEL_LOGS_EXPORTER")

    def __call__(self, request: bytes) -> ExportLogsServiceResponse:
        answer = ExportLogsServiceResponse()
        count = sum(
            len(scope.log_records)
            for resource in _parsed(ExportLogsServiceRequest, request).resource_logs
            for scope in resource.scope_logs
        )
        if count:
            answer.partial_success.rejected_log_records = count
            answer.partial_success.error_message = self._say()
        return answer


def _of_json(kind: Any, data: Any) -> bytes:
    # Ids in hex are read as base64 here: nothing of them is kept.
    try:
        return bytes(json_format.ParseDict(data, kind(), True).SerializeToString())
    except json_format.ParseError as problem:
        raise ValueError(str(problem)) from None


def _parsed(kind: Any, request: bytes) -> Any:
    try:
        return kind.FromString(request)
    except DecodeError:
        raise RefusedError(400, 3, f"This is no {kind.DESCRIPTOR.name}.") from None
