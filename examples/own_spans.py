"""The application's own OpenTelemetry spans lie inside runs, and runs inside such spans.

The trace crosses to another process by OpenTelemetry's own means, here HTTP headers.
"""

from __future__ import annotations

import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry import context, propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otelbridge import RunnableLambda, dispatch_custom_event
from otelbridge.export import render

tracer = trace.get_tracer("my.application")


def count(text: str) -> str:
    with tracer.start_as_current_span("split"):
        words = text.split()
    dispatch_custom_event("counted", len(words))
    return f"{len(words)} words"


class Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        token = context.attach(propagate.extract(headers))
        try:
            with tracer.start_as_current_span("POST /count", kind=trace.SpanKind.SERVER):
                answer = RunnableLambda(count).invoke(body)
        finally:
            context.detach(token)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def ask(text: str) -> str:
    with tracer.start_as_current_span("ask", kind=trace.SpanKind.CLIENT):
        headers: dict[str, str] = {}
        propagate.inject(headers)
        url = f"http://127.0.0.1:{server.server_port}/count"
        request = urllib.request.Request(url, text.encode(), headers)
        with urllib.request.urlopen(request) as response:
            return str(response.read().decode())


if __name__ == "__main__":
    finished = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(finished))
    trace.set_tracer_provider(provider)

    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    print(RunnableLambda(ask).invoke("to be or not to be"))
    server.shutdown()
    thread.join()
    server.server_close()
    print(render(finished.get_finished_spans(), times=False))
