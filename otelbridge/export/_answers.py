"""What both protocols read from an answer in the same way."""

from __future__ import annotations

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otelbridge.export.channel import Blocked, Delivered

_LONGEST = 300


def delivered(body: bytes) -> Delivered:
    """Read an ``ExportTraceServiceResponse``; one that cannot be read says nothing.

    The receiver has taken the request when it says so by its status, whatever else it says
    (specification, OTLP, "Partial Success").
    """
    try:
        partial = ExportTraceServiceResponse.FromString(body).partial_success
    except DecodeError:
        return Delivered()
    return Delivered(max(0, partial.rejected_spans), line(partial.error_message))


def line(text: str) -> str:
    """Return a foreign text as one bounded line that is fit for a log."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _LONGEST]).split())
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 3] + "..."


def unauthorized(said: str) -> Blocked:
    """The receiver does not know us, or gives us no right to send traces."""
    return Blocked(
        f"the receiver refuses our credentials ({said})",
        "set the token that it expects in headers= or OTEL_EXPORTER_OTLP_HEADERS, for example "
        '"authorization=Bearer%20<token>"',
    )
