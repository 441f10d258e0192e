"""An OTLP receiver in a process of its own, which acknowledges whatever it is sent.

``python -m benchmarks.sink`` prints where it listens, as JSON, and from then on, for every line
that it reads, how many spans have come since it was asked last. It ends with its input.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.environment import ROOT, clean_environment

_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"


class Sink:
    """The receiver, seen from the process that sends.

    Attributes:
        urls: where it takes OTLP, by protocol: "grpc" and "http".
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.urls: dict[str, str] = self._answer()

    def received(self) -> int:
        """Return how many spans have come since the last call."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        count: int = self._answer()
        return count

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextmanager
def sink() -> Iterator[Sink]:
    """Run a receiver for as long as the block lasts."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sink"],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Sink(process)
        finally:
            process.communicate()


class _Count:
    """Counts spans; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans = 0

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        scopes = [scope for resource in request.resource_spans for scope in resource.scope_spans]
        with self._lock:
            self._spans += sum(len(scope.spans) for scope in scopes)

    def told(self) -> int:
        with self._lock:
            spans, self._spans = self._spans, 0
            return spans


def _http_server(count: _Count) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # the connection stays, as it does with a real receiver
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            count.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _grpc_server(count: _Count) -> tuple[Any, int]:
    def export(body: bytes, context: Any) -> bytes:
        count.take(body)
        return b""

    handler = grpc.method_handlers_generic_handler(
        _SERVICE, {"Export": grpc.unary_unary_rpc_method_handler(export)}
    )
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main() -> None:
    """Receive until the input ends."""
    count = _Count()
    http_server = _http_server(count)
    grpc_server, port = _grpc_server(count)
    urls = {"http": http_server.server_port, "grpc": port}
    print(json.dumps({name: f"http://127.0.0.1:{at}" for name, at in urls.items()}), flush=True)
    for _ in sys.stdin:
        print(count.told(), flush=True)
    http_server.shutdown()
    grpc_server.stop(None).wait()


if __name__ == "__main__":
    main()
