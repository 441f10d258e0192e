"""Servers on this machine that answer as a test tells them to, and certificates for them."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import trustme
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from otelbridge.export.channel import Blocked, Delivered, Outcome, Refused, TryAgain

HOST = "127.0.0.1"


def request(name: str = "a") -> bytes:
    """A request of one span."""
    message = ExportTraceServiceRequest()
    message.resource_spans.add().scope_spans.add().spans.add().name = name
    return message.SerializeToString()


def partial_success(rejected: int, message: str) -> bytes:
    """The answer of a receiver that does not keep everything."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = rejected
    response.partial_success.error_message = message
    return response.SerializeToString()


# ---------------------------------------------------------------------------- HTTP


@dataclass
class Web:
    """What an HTTP server got: the path, headers and body of each request."""

    url: str = ""
    connections: int = 0
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


Answer = Callable[[BaseHTTPRequestHandler], None]


def reply(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    """An answer with a status, headers (underscores for hyphens) and a body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@contextmanager
def web_server(answer: Answer | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    """Serve HTTP/1.1 with connections that are kept."""
    web = Web()
    answer = answer or reply()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            web.connections += 1
            super().setup()

        def do_POST(self) -> None:
            web.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            web.paths.append(self.path)
            web.headers.append({name.lower(): value for name, value in self.headers.items()})
            answer(self)

        def handle(self) -> None:
            with suppress(OSError):  # the client has gone
                super().handle()

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a handshake that fails is what a test wants

        def finish_request(self, request: Any, client_address: Any) -> None:
            if tls is None:
                super().finish_request(request, client_address)
                return
            with tls.wrap_socket(request, server_side=True) as secure:
                super().finish_request(secure, client_address)

    server = Server((HOST, 0), Handler)
    web.url = f"http{'s' * (tls is not None)}://{HOST}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def socket_server(talk: Callable[[socket.socket], object]) -> Iterator[int]:
    """Accept connections and give each to ``talk`` in a thread; yields the port."""
    server = socket.create_server((HOST, 0), backlog=50)
    accepted: list[socket.socket] = []

    def one(connection: socket.socket) -> None:
        with suppress(OSError):
            talk(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                accepted.append(connection)
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        for each in (server, *accepted):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


# ---------------------------------------------------------------------------- gRPC


@dataclass
class Calls:
    """What a gRPC server got: the address, and the metadata and message of each call."""

    url: str = ""
    metadata: list[dict[str, Any]] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)


Serve = Callable[[grpc.ServicerContext], bytes]
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@contextmanager
def grpc_server(
    serve: Serve = lambda context: b"",
    credentials: grpc.ServerCredentials | None = None,
    method: str = EXPORT,
    port: int = 0,
) -> Iterator[Calls]:
    """Serve one unary method, its messages as bytes."""
    calls = Calls()

    class Handler(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(call) if details.method == method else None

    def call(message: bytes, context: grpc.ServicerContext) -> bytes:
        calls.messages.append(message)
        calls.peers.append(context.peer())
        calls.metadata.append(dict(context.invocation_metadata()))
        return serve(context)

    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Handler()])
    if credentials is None:
        port = server.add_insecure_port(f"{HOST}:{port}")
    else:
        port = server.add_secure_port(f"{HOST}:{port}", credentials)
    calls.url = f"http{'s' * (credentials is not None)}://{HOST}:{port}"
    server.start()
    try:
        yield calls
    finally:
        server.stop(0).wait()


# ---------------------------------------------------------------------------- certificates


class Authority:
    """A certificate authority of one test run, and what it signs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self.file = str(folder / "authority.pem")
        self._authority.cert_pem.write_to_path(self.file)

    def signed(self, host: str) -> tuple[str, str]:
        """The files of a certificate for a host and of its key."""
        issued = self._authority.issue_cert(host)
        certificate, key = self._folder / f"{host}.pem", self._folder / f"{host}.key"
        certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(key))
        return str(certificate), str(key)

    def web(self, host: str = HOST, clients: bool = False) -> ssl.SSLContext:
        """TLS for a web server; with ``clients`` it wants their certificates."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.signed(host))
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.file)
        return context

    def grpc(self, host: str = HOST, clients: bool = False) -> grpc.ServerCredentials:
        """TLS for a gRPC server; with ``clients`` it wants their certificates."""
        certificate, key = (Path(file).read_bytes() for file in self.signed(host))
        authority = Path(self.file).read_bytes() if clients else None
        return grpc.ssl_server_credentials([(key, certificate)], authority, clients)


# ---------------------------------------------------------------------------- outcomes


def kind(outcome: Outcome) -> str:
    """The name of an outcome, for a table."""
    assert isinstance(outcome, (Delivered, TryAgain, Refused, Blocked))
    return type(outcome).__name__
