"""A web request queues a job and a worker does it: one trace, through gunicorn and Celery.

Needs: pip install celery gunicorn

Run alone it starts both servers, with folders for a broker, and receives and prints their trace. An
application of your own has a broker such as Redis, and is started by the same two commands:

    gunicorn --preload --workers 2 web_and_worker:web
    celery --app web_and_worker worker --concurrency 2
"""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from celery import Celery
from opentelemetry import context, propagate
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otelbridge import RunnableLambda, configure, dispatch_custom_event, start_run

if __name__ == "__main__":
    os.environ["EXAMPLE_FOLDER"] = tempfile.mkdtemp()
else:
    # A server imports this. Once is enough, also where its master does and its workers are forked.
    configure()

# ---------------------------------------------------------------------------- the worker

FOLDER = os.environ.get("EXAMPLE_FOLDER", tempfile.gettempdir())
jobs = Celery("jobs", broker="filesystem://", backend=f"file://{FOLDER}")
jobs.conf.broker_transport_options = {
    "data_folder_in": FOLDER,
    "data_folder_out": FOLDER,
    "control_folder": f"{FOLDER}/control",
}


@contextmanager
def part_of_trace(headers: Mapping[str, str]) -> Iterator[None]:
    """What is run inside belongs to the trace that the headers name."""
    token = context.attach(propagate.extract(headers))
    try:
        yield
    finally:
        context.detach(token)


def split(text: str) -> list[str]:
    return text.split()


def count(words: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for done, word in enumerate(words, 1):
        counts[word] = counts.get(word, 0) + 1
        if done % 2 == 0:
            dispatch_custom_event("progress", {"done": done, "of": len(words)})
    return counts


pipeline = RunnableLambda(split) | RunnableLambda(count)


@jobs.task(bind=True, name="count words")
def count_words(task: Any, text: str) -> dict[str, int]:
    with part_of_trace(task.request.headers or {}):
        return pipeline.invoke(text, {"run_name": "count words"})


# ---------------------------------------------------------------------------- the web server


def web(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    headers = {"traceparent": environ.get("HTTP_TRACEPARENT", "")}
    text = environ["wsgi.input"].read().decode()
    with part_of_trace(headers), start_run("POST /texts"):
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        job = jobs.send_task("count words", (text,), headers=carrier)
        dispatch_custom_event("queued", {"characters": len(text)})
    start_response("202 Accepted", [("Content-Type", "text/plain")])
    return [str(job.id).encode()]


# ---------------------------------------------------------------------------- run alone


class Receiver(BaseHTTPRequestHandler):
    """Stands for Jaeger or a Collector: it takes spans by OTLP over HTTP."""

    spans: list[tuple[str, Any]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {it.key: it.value.string_value for it in sent.resource.attributes}
            for scope in sent.scope_spans:
                self.spans.extend((names["service.name"], span) for span in scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def show(parent: bytes = b"", indent: str = "") -> None:
    below = [it for it in Receiver.spans if it[1].parent_span_id == parent]
    for service, span in sorted(below, key=lambda it: it[1].start_time_unix_nano):
        print(f"{indent}{span.name} [{service}]")
        for event in span.events:
            data = {it.key: it.value.int_value for it in event.attributes}
            print(f"{indent}  · {event.name}", data)
        show(span.span_id, indent + "    ")


@contextmanager
def server(service: str, endpoint: str, *command: str, fd: int) -> Iterator[None]:
    """Run a server, and end it as a process manager would: by SIGTERM to its master alone."""
    variables = {
        "OTEL_SERVICE_NAME": service,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTELBRIDGE_SPOOL": f"{FOLDER}/spool",
        "HOME": FOLDER,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    log = Path(FOLDER, f"{service}.log")
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env=os.environ | variables,
            stdout=file,
            stderr=subprocess.STDOUT,
            pass_fds=[fd],
        )
    try:
        yield
    finally:
        process.terminate()
        if process.wait():
            print(log.read_text())


def main() -> None:
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{receiver.server_port}"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        fd = listening.fileno()
        gunicorn = ["gunicorn", "--preload", "--workers", "2", "--bind", f"fd://{fd}"]
        with server("web", endpoint, *gunicorn, "web_and_worker:web", fd=fd):
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            with urllib.request.urlopen(url, b"to be or not to be", timeout=30) as answer:
                job = answer.read().decode()
                print(answer.status, answer.reason)
        # Now and not before, because a broker made of folders is for one at a time.
        celery = ["celery", "--app", "web_and_worker", "worker", "--concurrency", "2"]
        with server("worker", endpoint, *celery, fd=fd):
            print(jobs.AsyncResult(job).get(timeout=30))
    receiver.shutdown()
    receiver.server_close()
    shutil.rmtree(FOLDER)
    show()


if __name__ == "__main__":
    main()
