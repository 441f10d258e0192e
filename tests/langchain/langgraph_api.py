"""A local HTTP server that speaks enough of LangGraph's API for ``RemoteGraph`` to call it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Part = tuple[str, Any]
RUN: Sequence[Part] = (
    ("metadata", {"run_id": "1"}),
    ("updates", {"node": {"words": ["a"]}}),
    ("values", {"words": ["a"]}),
    ("updates", {"node": {"words": ["b"]}}),
    ("values", {"words": ["a", "b"]}),
)


class LangGraphServer:
    """What was asked, and what is answered.

    Attributes:
        port: where it listens on 127.0.0.1.
        headers: of each request, by lower-case name.
        asked: the JSON bodies.
        parts: the server-sent events of each answer, as (event, data).
        status: of each answer.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.headers: list[Mapping[str, str]] = []
        self.asked: list[Any] = []
        self.parts = RUN
        self.status = 200


@contextmanager
def langgraph_server() -> Iterator[LangGraphServer]:
    """Serve on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            events = [
                f"event: {event}\ndata: {json.dumps(data)}\n\n" for event, data in server.parts
            ]
            body = "".join(events).encode()
            self.send_response(server.status)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the tests read what was asked."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = LangGraphServer(http.server_address[1])
    thread = Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
