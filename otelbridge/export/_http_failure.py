"""What an exception of ``requests`` says about a request that got no answer."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.client import BadStatusLine
from urllib.parse import urlsplit

from requests import exceptions

from otelbridge.export import _tls
from otelbridge.export._answers import line
from otelbridge.export.channel import Blocked, Outcome, TryAgain

_SETTINGS = (
    exceptions.InvalidURL,
    exceptions.InvalidSchema,
    exceptions.MissingSchema,
    exceptions.InvalidHeader,
)
_WRONG_PROTOCOL = Blocked(
    "the receiver does not speak HTTP/1.1, as it seems gRPC",
    "set the protocol to grpc, or the endpoint to the OTLP/HTTP port (usually 4318)",
)


def outcome(error: Exception, url: str, files: _tls.Files, proxied: bool) -> Outcome:
    """Return what came of a request that raised.

    Args:
        error: what was raised.
        url: that was posted to.
        files: what TLS uses.
        proxied: a proxy stands between, so that a second look would see the proxy.
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLError) and (found := _tls.blocked(cause)):
            return found
        if isinstance(cause, BadStatusLine) and (found := _greeting(cause)):
            return found
    if isinstance(error, exceptions.ProxyError) and " 407" in str(error):
        return Blocked("the proxy wants credentials", "put user and password into the proxy's URL")
    if isinstance(error, _SETTINGS) or _names_a_file(error):
        return Blocked(line(str(error)), "correct the OTEL_EXPORTER_OTLP_* and proxy variables")
    if isinstance(error, exceptions.Timeout):
        return TryAgain("no answer in time")
    if not proxied and _is_dropped(causes) and (found := _look(url, files)):
        return found
    return TryAgain(line(f"{type(error).__name__}: {causes[-1]}"))


def _look(url: str, files: _tls.Files) -> Blocked | None:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return _tls.look(
        parts.hostname or "", port, files if parts.scheme == "https" else None, "http/1.1"
    )


def _greeting(error: BadStatusLine) -> Blocked | None:
    """Know a server by the bytes that it sends first."""
    first = str(getattr(error, "line", ""))[:4]
    if "\x15\x03" in first:  # a TLS alert
        return _tls.WANTS_TLS
    return _WRONG_PROTOCOL if "\x00\x00" in first else None  # an HTTP/2 SETTINGS frame


def _names_a_file(error: Exception) -> bool:
    """Tell whether a certificate file is missing: requests raises a bare ``OSError``."""
    is_bare = isinstance(error, OSError) and not isinstance(error, exceptions.RequestException)
    return is_bare and ("TLS" in str(error) or isinstance(error, FileNotFoundError))


def _is_dropped(causes: list[BaseException]) -> bool:
    """Tell whether a connection was made and ended, as where only one side wants TLS."""
    made = not any(isinstance(cause, ConnectionRefusedError) for cause in causes)
    return made and any(isinstance(cause, (ConnectionError, ssl.SSLError)) for cause in causes)


def _causes(error: BaseException, depth: int = 8) -> Iterator[BaseException]:
    """Yield an exception and those that it comes from: urllib3 keeps them in three places."""
    yield error
    inner = (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__)
    for cause in inner:
        if isinstance(cause, BaseException) and depth:
            yield from _causes(cause, depth - 1)
            return
