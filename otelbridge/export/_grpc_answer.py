"""What a gRPC status says about a request (specification, OTLP/gRPC, "Failures")."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from otelbridge.export import _tls
from otelbridge.export._answers import line, unauthorized
from otelbridge.export.channel import Blocked, Outcome, Refused, TryAgain

RETRYABLE = frozenset(
    {
        StatusCode.CANCELLED,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.ABORTED,
        StatusCode.OUT_OF_RANGE,
        StatusCode.UNAVAILABLE,
        StatusCode.DATA_LOSS,
    }
)
_FAULTS = frozenset({StatusCode.INTERNAL, StatusCode.UNKNOWN})
_WRONG_PROTOCOL = Blocked(
    "the receiver does not speak HTTP/2, so it is none for OTLP/gRPC",
    "set protocol= or OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf, or the endpoint to the "
    "OTLP/gRPC port (usually 4317)",
)
# What the core says of a connection that ends unanswered, as it may where TLS is expected.
_DROPPED = ("Socket closed", "reset by peer", "Broken pipe", "andshake", "erification", "EOF")
_NO_HTTP2 = ("Expected SETTINGS frame", "http1.x")


def outcome(code: StatusCode, details: str, trailers: Iterable[tuple[str, Any]]) -> Outcome:
    """Return what came of a request.

    Args:
        code: of the answer, or what the core makes of having none.
        details: the words that come with it.
        trailers: the trailing metadata, where RetryInfo may be.
    """
    said = f"gRPC {code.name}: {line(details)}" if details.strip() else f"gRPC {code.name}"
    after_s = _retry_after(trailers)
    if code in RETRYABLE:
        if any(word in details for word in _NO_HTTP2):
            return _WRONG_PROTOCOL
        return TryAgain(said, after_s)
    if code is StatusCode.RESOURCE_EXHAUSTED and after_s is not None:
        return TryAgain(said, after_s)
    if code in (StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED):
        return unauthorized(said)
    if code is StatusCode.UNIMPLEMENTED:
        return Blocked(
            f"{said}: no OTLP traces are received there",
            "correct the endpoint: OTLP/gRPC is usually http://<host>:4317",
        )
    if code is StatusCode.INTERNAL and "nvalid metadata" in details:  # said by the core itself
        return Blocked(said, "correct the names in headers= or OTEL_EXPORTER_OTLP_HEADERS")
    return Refused(said, is_fault=code in _FAULTS)


def is_dropped(details: str) -> bool:
    """Tell whether a connection ended as it does where only one side wants TLS."""
    return any(word in details for word in _DROPPED)


def distrusted(details: str) -> Blocked | None:
    """Return what the core's words say about TLS; they are matched last, because they change."""
    if "WRONG_VERSION_NUMBER" in details:
        return _tls.WANTS_PLAIN_TEXT
    if "erif" in details or "andshake" in details:  # (V)erification, CERTIFICATE_VERIFY, (H)...
        return Blocked(
            f"no TLS connection can be made ({line(details)})",
            "check the certificate files (OTEL_EXPORTER_OTLP_CERTIFICATE and the CLIENT ones)",
        )
    return None


def _retry_after(trailers: Iterable[tuple[str, Any]]) -> float | None:
    """Find a RetryInfo in the status details, or by itself, where the official exporter looks."""
    for name, value in trailers:
        if name == "grpc-status-details-bin":
            found = _detailed(value)
        elif name == "google.rpc.retryinfo-bin":
            found = _seconds(value)
        else:
            continue
        if found is not None:
            return found
    return None


def _detailed(value: bytes) -> float | None:
    try:
        details = Status.FromString(value).details
    except DecodeError:
        return None
    for detail in details:
        if detail.type_url.endswith("/google.rpc.RetryInfo"):
            return _seconds(detail.value)
    return None


def _seconds(value: bytes) -> float | None:
    try:
        delay = RetryInfo.FromString(value).retry_delay
    except DecodeError:
        return None
    return float(max(0.0, delay.seconds + delay.nanos / 1e9))
