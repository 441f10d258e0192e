"""OTLP receivers on this machine, for tests: one speaks HTTP, one gRPC."""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

Request = trace_service_pb2.ExportTraceServiceRequest
Response = trace_service_pb2.ExportTraceServiceResponse


@dataclass
class Received:
    """What a receiver got: requests, their headers and paths."""

    url: str = ""
    requests: list[Any] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def spans(self) -> list[Any]:
        """Every span, in the order of arrival."""
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def names(self) -> list[str]:
        """The names of the spans."""
        return [span.name for span in self.spans]

    @property
    def services(self) -> list[str]:
        """The service name of each resource."""
        return [
            attribute.value.string_value
            for request in self.requests
            for resource in request.resource_spans
            for attribute in resource.resource.attributes
            if attribute.key == "service.name"
        ]

    def take(self, body: bytes, headers: Mapping[str, str], path: str = "") -> None:
        """Keep one request."""
        self.requests.append(Request.FromString(body))
        self.headers.append(headers)
        self.paths.append(path)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100  # with the default of 5, a connection in a crowd takes a second


@contextmanager
def http_receiver(tls: tuple[Path, Path] | None = None) -> Iterator[Received]:
    """Receive OTLP over HTTP; with a certificate and its key, over HTTPS."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            lower = {name.lower(): value for name, value in self.headers.items()}
            received.take(body, lower, self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    received.url = f"http{'s' * (tls is not None)}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Service(trace_service_pb2_grpc.TraceServiceServicer):  # type: ignore[misc]
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:
        headers = dict(context.invocation_metadata())
        self._received.take(request.SerializeToString(), headers)
        return Response()


@contextmanager
def grpc_receiver(tls: tuple[Path, Path] | None = None) -> Iterator[Received]:
    """Receive OTLP over gRPC; with a certificate and its key, over TLS."""
    received = Received()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Service(received), server)
    if tls is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        certificate, key = (path.read_bytes() for path in tls)
        credentials = grpc.ssl_server_credentials([(key, certificate)])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    received.url = f"http{'s' * (tls is not None)}://127.0.0.1:{port}"
    server.start()
    try:
        yield received
    finally:
        server.stop(None).wait()
