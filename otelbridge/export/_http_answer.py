"""What an HTTP status says about a request (specification, OTLP/HTTP, "Failures")."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime
from math import isfinite
from time import time

from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from otelbridge.export import _tls
from otelbridge.export._answers import delivered, line, unauthorized
from otelbridge.export.channel import Blocked, Outcome, Refused, TryAgain

RETRYABLE = frozenset({429, 502, 503, 504})
_WRONG_PLACE = frozenset({404, 405, 415})


_ENDPOINT = (
    "correct the endpoint: OTLP/HTTP is usually http://<host>:4318, to which otelbridge adds "
    "/v1/traces; OTEL_EXPORTER_OTLP_TRACES_ENDPOINT needs the whole URL, with /v1/traces"
)


def outcome(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    """Return what came of a request.

    Args:
        status: of the answer.
        headers: of the answer; names in any case.
        body: of the answer, not compressed; may be rubbish.
    """
    if 200 <= status < 300:
        return _taken(status, headers, body)
    said = f"HTTP {status}{_message(body)}"
    if status in RETRYABLE:
        return TryAgain(said, _retry_after(headers))
    if 300 <= status < 400:
        place = line(headers.get("Location", "elsewhere"))
        return Blocked(f"{said}: the receiver has moved to {place}", "make that the endpoint")
    if status in (401, 403):
        return unauthorized(said)
    if status == 407:
        return Blocked(said, "correct the user and password in HTTP_PROXY or HTTPS_PROXY")
    if status in _WRONG_PLACE:
        return Blocked(f"{said}: no OTLP traces are received there", _ENDPOINT)
    # What Go and nginx say to plain text. Go's has no header, and its one line may be lost: the
    # connection is reset behind it, because the request has not been read.
    if status == 400 and (b"HTTPS" in body or not headers):
        return _tls.WANTS_TLS
    return Refused(said, is_fault=status >= 500)


def _taken(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    """Return what came of a request that has succeeded: a web page is no acknowledgement."""
    if headers.get("Content-Type", "").lower().startswith("text/html"):
        return Blocked(
            f"HTTP {status}, but a web page: no OTLP traces are received there", _ENDPOINT
        )
    return delivered(body)


def _message(body: bytes) -> str:
    """Return what a body says: by the specification a ``google.rpc.Status``, in practice text."""
    try:
        text = Status.FromString(body).message
    except DecodeError:
        text = body.decode("utf-8", "replace")
    return f": {line(text)}" if text.strip() else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After``, in seconds or as a date (RFC 9110, 10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        seconds = _until(value)
    return max(0.0, seconds) if isfinite(seconds) else None


def _until(date: str) -> float:
    try:
        then = parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return float("nan")
    return (then if then.tzinfo else then.replace(tzinfo=timezone.utc)).timestamp() - time()
