"""OTLP over HTTP: protobuf, one POST a request.

Relied on in requests: ``Session.post`` with its documented arguments. A redirect is not followed,
as the official exporter does not either since 1.45: it would carry tokens to another host, and
most kinds of it lose the body. The module ``netrc`` is imported here because requests imports it
in its first request: a child that is forked during an import cannot import that module any more.
"""

from __future__ import annotations

import gzip
import netrc  # noqa: F401
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

from opentelemetry.context import attach, detach
from requests import Response, Session
from requests.exceptions import ContentDecodingError
from requests.utils import select_proxy

from otelbridge._process import process
from otelbridge.export import _http_answer, _http_failure
from otelbridge.export._interruptible import Interruptible
from otelbridge.export._live_connections import LiveConnections
from otelbridge.export._suppressed import suppressed
from otelbridge.export._tls import Files
from otelbridge.export.channel import Outcome, TryAgain

_LONGEST_BODY = 64 * 1024
# Measured on 512 spans: a fifth of the time of zlib's best, for 5 % more bytes.
_LEVEL = 4
# Each read may take a little longer than the whole, so that it is the whole that ends.
_GRACE_S = 0.5
_CLOSED = TryAgain("closed")


@dataclass(frozen=True)
class HttpSettings:
    """How requests go out.

    Attributes:
        url: that is posted to.
        headers: with lower-case names.
        timeout_s: for the whole of one request and its answer.
        compression: none, gzip or deflate.
        files: for TLS.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    timeout_s: float
    compression: str
    files: Files


class HttpChannel:
    """A ``Channel`` over HTTP; see there.

    Args:
        where: names the receiver in log lines.
        settings: how requests go out.
        connect: returns a new session, with credentials where there is a provider of them.
    """

    def __init__(self, where: str, settings: HttpSettings, connect: Callable[[], Session]) -> None:
        self.where = where
        self._settings = settings
        self._connect = connect
        self._closed = False
        self._line: _Line | None = _Line(connect())

    def send(self, request: bytes, timeout_s: float | None = None) -> Outcome:
        """Send one request."""
        limit_s = self._settings.timeout_s if timeout_s is None else timeout_s
        deadline = monotonic() + limit_s
        try:
            line = self._line_of_this_process()
            if self._closed:
                line.end()
                return _CLOSED
            body = _compressed(request, self._settings.compression)
        except Exception as error:  # a provider of credentials may raise anything
            return TryAgain(f"no connection can be made ({error!r})")
        work = partial(_attempt, line.session, self._settings, body, deadline)
        if (outcome := line.calls.run(work, max(0.0, deadline - monotonic()))) is None:
            self._line = None
            line.end()
            return _CLOSED if self._closed else TryAgain(f"no answer within {limit_s:g} s")
        return outcome

    def close(self) -> None:
        """End what is going on."""
        self._closed = True
        line = self._line
        if line is not None and line.token is process.token:
            line.end()

    def _line_of_this_process(self) -> _Line:
        line = self._line
        if line is None or line.token is not process.token:
            line = self._line = _Line(self._connect())
        return line


class _Line:
    """A session, the thread that uses it, and its connections; of one process."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.token = process.token
        self.calls: Interruptible[Outcome] = Interruptible("otelbridge-http")
        self._live = LiveConnections(session)

    def end(self) -> None:
        self.calls.stop()
        self._live.end()
        self.session.close()


def _compressed(request: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.compress(request, _LEVEL, mtime=0)
    return zlib.compress(request, _LEVEL) if compression == "deflate" else request


def _attempt(session: Session, settings: HttpSettings, body: bytes, deadline: float) -> Outcome:
    try:
        return _post(session, settings, body, deadline)
    except Exception as error:  # met while another was looked at
        return TryAgain(f"no connection can be made ({error!r})")


def _post(session: Session, settings: HttpSettings, body: bytes, deadline: float) -> Outcome:
    files, left_s = settings.files, max(0.001, deadline - monotonic())
    token = attach(suppressed())
    try:
        with session.post(
            settings.url,
            data=body,
            headers=dict(settings.headers),
            # Said for each request, because REQUESTS_CA_BUNDLE goes before the session's own.
            verify=files.authority,
            cert=_client_certificate(files),
            timeout=left_s + _GRACE_S,
            allow_redirects=False,
            stream=True,
        ) as response:
            return _http_answer.outcome(response.status_code, response.headers, _body(response))
    except Exception as error:
        return _http_failure.outcome(error, settings.url, files, _is_proxied(session, settings.url))
    finally:
        detach(token)


def _client_certificate(files: Files) -> str | tuple[str, str] | None:
    return (files.certificate, files.key) if files.certificate and files.key else files.certificate


def _body(response: Response) -> bytes:
    """Read the beginning of a body; the rest of a longer one is not waited for."""
    body = b""
    try:
        for chunk in response.iter_content(_LONGEST_BODY):
            body += chunk
            if len(body) >= _LONGEST_BODY:
                break
    except ContentDecodingError:
        return b""
    except Exception:
        if response.ok:  # it breaks off within an acknowledgement, which is none then
            raise
    return body


def _is_proxied(session: Any, url: str) -> bool:
    found = session.merge_environment_settings(url, {}, True, None, None)
    return select_proxy(url, found["proxies"]) is not None
