"""A local HTTP server that speaks enough of LangGraph's API for ``RemoteGraph`` to call it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

Part = tuple[str, Any]
RUN: Sequence[Part] = (
    ("metadata", {"run_id": "1"}),
    ("updates", {"node": {"words": ["a"]}}),
    ("values", {"words": ["a"]}),
    ("updates", {"node": {"words": ["b"]}}),
    ("values", {"words": ["a", "b"]}),
)


def event(method: str, seq: int, data: Any) -> Any:
    """Return an event of version 3."""
    params = {"namespace": [], "data": data}
    return {"type": "event", "event_id": str(seq), "seq": seq, "method": method, "params": params}


RUN_3: Sequence[Any] = (
    event("lifecycle", 1, {"event": "running"}),
    event("values", 2, {"words": ["a"]}),
    event("values", 3, {"words": ["a", "b"]}),
    event("lifecycle", 4, {"event": "completed"}),
)


class LangGraphServer:
    """What was asked, and what is answered.

    Attributes:
        port: where it listens on 127.0.0.1.
        headers: of each request, by lower-case name.
        asked: the JSON bodies.
        parts: the server-sent events of each answer, as (event, data).
        events: of a run's event stream of version 3; one that has not ended stays open.
        commands: the methods of its commands, with their headers.
        status: of each answer.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.headers: list[Mapping[str, str]] = []
        self.asked: list[Any] = []
        self.parts = RUN
        self.events = RUN_3
        self.commands: list[tuple[str, Mapping[str, str]]] = []
        self.stopped = Event()
        self.status = 200


@contextmanager
def langgraph_server() -> Iterator[LangGraphServer]:
    """Serve on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path.endswith("/commands"):
                self._command(json.loads(body), headers)
            elif self.path.endswith("/stream/events"):
                self._events(json.loads(body)["channels"])
            elif self.path.endswith("/cancel?wait=0&action=interrupt"):
                self._answer(b"{}", "application/json")
            else:
                server.headers.append(headers)
                server.asked.append(json.loads(body))
                events = [
                    f"event: {event}\ndata: {json.dumps(data)}\n\n" for event, data in server.parts
                ]
                self._answer("".join(events).encode(), "text/event-stream")

        def do_GET(self) -> None:
            self._answer(b'{"values": {"words": ["a", "b"]}}', "application/json")

        def _command(self, command: Any, headers: Mapping[str, str]) -> None:
            server.commands.append((command["method"], headers))
            answer = {"type": "success", "id": command["id"], "result": {"run_id": "r"}}
            self._answer(json.dumps(answer).encode(), "application/json")

        def _events(self, channels: list[str]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            names = {"input.requested": "input"}
            for one in server.events:
                if names.get(one["method"], one["method"]) in channels:
                    self.wfile.write(f"data: {json.dumps(one)}\n\n".encode())
                    self.wfile.flush()
            if server.events[-1]["params"]["data"].get("event") not in ("completed", "failed"):
                server.stopped.wait(30)

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(server.status)
            self.send_header("Content-Type", kind)
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
        server.stopped.set()
        http.shutdown()
        http.server_close()
        thread.join()
