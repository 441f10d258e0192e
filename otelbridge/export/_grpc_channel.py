"""OTLP over gRPC: one unary call a request, its message as the bytes that they are.

Relied on in grpcio, all of it public: ``insecure_channel``, ``secure_channel``, ``unary_unary``
without serializers, and a call's ``add_done_callback``, ``done``, ``result``, ``cancel``, ``code``,
``details``.

A call is made by ``future``, so that a fork can end it (``_grpc_fork``). It is not ``result`` that
waits: a thread that waits there when the process forks is counted as one of grpc's own (1.85,
``block_if_fork_in_progress``), which then does not wait for one of those.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import grpc
from opentelemetry.context import attach, detach

from otelbridge._process import process
from otelbridge.export import _grpc_answer, _grpc_fork, _tls
from otelbridge.export._answers import delivered, line
from otelbridge.export._suppressed import suppressed
from otelbridge.export.channel import Blocked, Outcome, TryAgain

_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_COMPRESSIONS = {
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
    "none": grpc.Compression.NoCompression,
}
_GRACE_S = 0.25
_CLOSED = TryAgain("closed")


@dataclass(frozen=True)
class GrpcSettings:
    """How requests go out.

    Attributes:
        address: in gRPC's own syntax.
        headers: with lower-case names.
        timeout_s: for the whole of one request and its answer.
        compression: none, gzip or deflate.
        files: for TLS; None is plain text.
        user_agent: goes before gRPC's own.
        credentials: makes those of a provider, in place of ``files``.
    """

    address: str
    headers: Mapping[str, str] = field(repr=False)
    timeout_s: float
    compression: str
    files: _tls.Files | None
    user_agent: str
    credentials: Callable[[], Any] | None = None


class GrpcChannel:
    """A ``Channel`` over gRPC; see there.

    Args:
        where: names the receiver in log lines.
        settings: how requests go out.
    """

    def __init__(self, where: str, settings: GrpcSettings) -> None:
        self.where = where
        self._settings = settings
        self._closed = False
        self._connection: _Connection | None = None

    def send(self, request: bytes, timeout_s: float | None = None) -> Outcome:
        """Send one request."""
        limit_s = self._settings.timeout_s if timeout_s is None else timeout_s
        if _grpc_fork.forbids():
            return _grpc_fork.FORBIDDEN
        try:
            outcome = self._sent(request, limit_s)
        except Exception as error:
            outcome = self._unsent(error)
        if isinstance(outcome, (TryAgain, Blocked)):
            # A new channel connects at once; this one may wait for two minutes, or hold a
            # connection that is dead.
            self._drop()
        return outcome

    def close(self) -> None:
        """End what is going on."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        # A parent's is kept: it must not even be collected here.
        if (connection := self._connection) is not None and connection.token is process.token:
            self._connection = None
            connection.end()

    def _sent(self, request: bytes, limit_s: float) -> Outcome:
        deadline = monotonic() + limit_s
        connection = self._connection
        if connection is None or connection.token is not process.token:
            connection = self._connection = _Connection(self._settings)
        if self._closed:
            self._drop()
            return _CLOSED
        headers = tuple(self._settings.headers.items())
        while True:
            try:
                return delivered(connection.call(request, headers, deadline))
            except _Cut:
                continue
            except (grpc.FutureTimeoutError, grpc.FutureCancelledError):
                return _CLOSED if self._closed else TryAgain(f"no answer within {limit_s:g} s")
            except grpc.RpcError as error:
                return _CLOSED if self._closed else self._failed(error, limit_s)

    def _unsent(self, error: Exception) -> Outcome:
        """Say what became of a request that gRPC has not taken."""
        if self._closed:
            return _CLOSED
        said = line(f"{type(error).__name__}: {error}")
        if isinstance(error, (ValueError, TypeError, OSError)):
            return Blocked(
                f"gRPC refuses its settings ({said})",
                "correct the headers, the certificate files or the OTEL_EXPORTER_OTLP_* variables",
            )
        return TryAgain(said)

    def _failed(self, error: Any, limit_s: float) -> Outcome:
        code, details = error.code(), error.details() or ""
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return TryAgain(f"no answer within {limit_s:g} s")
        if code is grpc.StatusCode.UNAVAILABLE and _grpc_answer.is_dropped(details):
            files, credentials = self._settings.files, self._settings.credentials
            found = None if credentials else self._look(files)
            if found is None and files is not None:
                found = _grpc_answer.distrusted(details)
            if found is not None:
                return found
        return _grpc_answer.outcome(code, details, error.trailing_metadata() or ())

    def _look(self, files: _tls.Files | None) -> Blocked | None:
        """Look at a receiver that is named by host and port."""
        parts = urlsplit(f"//{self._settings.address}")
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            return None
        return _tls.look(host, port, files, "h2") if host and port else None


class _Cut(Exception):
    """A fork has ended the call."""


class _Connection:
    """A gRPC channel of one process, and the call that is going on."""

    def __init__(self, settings: GrpcSettings) -> None:
        self.token = process.token
        self._call: Any = None
        self._over = threading.Event()  # nothing is left of the call
        self._is_cut = False  # by a fork
        credentials = _credentials(settings)
        with _grpc_fork.between_forks():
            self._channel = _channel(settings, credentials)
            self._export = self._channel.unary_unary(_METHOD)
            _grpc_fork.opened(self)

    def call(self, request: bytes, headers: tuple[tuple[str, str], ...], deadline: float) -> Any:
        """Return the answer's bytes.

        Raises:
            grpc.RpcError: the call failed.
            grpc.FutureTimeoutError: the core keeps no time.
            grpc.FutureCancelledError: ``end`` was called.
            _Cut: this process has forked; there is nothing else against making the call again.
        """
        token = attach(suppressed())
        left_s = max(0.001, deadline - monotonic())
        try:
            try:
                call, over = self._begin(request, left_s, headers)
            except RuntimeError:  # the interpreter is exiting and starts no thread
                return self._export(request, timeout=left_s, metadata=headers)
            over.wait(left_s + _GRACE_S)
            return call.result(0)
        except grpc.FutureCancelledError:
            if self._is_cut and self.token is process.token:
                raise _Cut from None
            raise
        finally:
            detach(token)

    def _begin(
        self, request: bytes, left_s: float, headers: tuple[tuple[str, str], ...]
    ) -> tuple[Any, threading.Event]:
        over = threading.Event()
        with _grpc_fork.between_forks():
            self._is_cut = False
            call = self._export.future(request, timeout=left_s, metadata=headers)
            call.add_done_callback(lambda _: over.set())
            self._call, self._over = call, over
        return call, over

    def end(self) -> None:
        """End the call that is going on, and close."""
        with _grpc_fork.between_forks():
            with suppress(Exception):  # what is over cannot be cancelled
                if self._call is not None:
                    self._call.cancel()
            self._channel.close()

    def cut(self, timeout_s: float) -> None:
        """End the call that is going on, because this process is about to fork."""
        if self._call is not None and not self._over.is_set():
            self._is_cut = True
            self._call.cancel()
            self._over.wait(timeout_s)


def _channel(settings: GrpcSettings, credentials: Any) -> Any:
    options = (("grpc.primary_user_agent", settings.user_agent),)
    compression = _COMPRESSIONS[settings.compression]
    if credentials is None:
        return grpc.insecure_channel(settings.address, options=options, compression=compression)
    return grpc.secure_channel(
        settings.address, credentials, options=options, compression=compression
    )


def _credentials(settings: GrpcSettings) -> Any:
    """Return what TLS needs; None for plain text."""
    if settings.credentials is not None:
        return settings.credentials()
    files = settings.files
    if files is None:
        return None
    # Read for each channel: certificates are renewed.
    contents = (
        Path(file).read_bytes() if file else None
        for file in (files.authority, files.key, files.certificate)
    )
    return grpc.ssl_channel_credentials(*contents)
