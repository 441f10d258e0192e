"""Requests to a viewer, as plain as they are: each header is the test's."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from queue import Queue
from typing import Any
from urllib.parse import urlsplit

PATIENCE_S = 30


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(
    url: str,
    path: str = "",
    *,
    method: str | None = None,
    body: bytes | Iterator[bytes] | None = None,
    **headers: str | None,
) -> Answer:
    """Make one request; ``content_type=...`` is a header, None leaves one out."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    named = {key.replace("_", "-"): it for key, it in headers.items()}
    try:
        target = path or (f"{parts.path}?{parts.query}" if parts.query else parts.path)
        connection.putrequest(
            method or ("GET" if body is None else "POST"), target, skip_host="host" in named
        )
        for key, it in named.items():
            if it is not None:
                connection.putheader(key, it)
        if isinstance(body, bytes):
            connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
        elif body is not None:
            connection.putheader("transfer-encoding", "chunked")
            connection.endheaders(body, encode_chunked=True)
        else:
            connection.endheaders()
        answer = connection.getresponse()
        told = {key.lower(): it for key, it in answer.getheaders()}
        return Answer(answer.status, told, answer.read())
    finally:
        connection.close()


Message = tuple[str, str | None, Any]


class Stream:
    """Server-sent events as they come: the kind of each, its id, and its data."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._came: Queue[Message | None] = Queue()
        self._connection = connection
        self._answer = connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        assert self._answer.getheader("content-type") == "text/event-stream; charset=utf-8"
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def next(self, *kinds: str) -> Message:
        """Wait for the next message of these kinds; of any but pings, if none is named."""
        while True:
            message = self._came.get(timeout=PATIENCE_S)
            assert message is not None, "the stream has ended"
            if message[0] in kinds if kinds else message[0] != "ping":
                return message

    def until(self, holds: Callable[[Message], bool]) -> list[Message]:
        """Wait for a message of which something holds; return all up to it."""
        messages = []
        while not messages or not holds(messages[-1]):
            messages.append(self.next())
        return messages

    def end(self) -> list[Message]:
        """Wait for its end; return what came before it."""
        messages: list[Message] = []
        while (message := self._came.get(timeout=PATIENCE_S)) is not None:
            messages.append(message)
        return messages

    def close(self) -> None:
        """Go away."""
        with suppress(OSError, AttributeError):
            assert self._connection.sock is not None
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._answer.close()
        self._connection.close()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        with suppress(OSError, ValueError, AttributeError):
            while line := self._answer.readline():
                text = line.decode().rstrip("\n")
                if text:
                    key, _, it = text.partition(": ")
                    fields[key] = it
                elif "data" in fields:
                    kind, data = fields["event"], json.loads(fields["data"])
                    self._came.put((kind, fields.get("id"), data))
                    fields = {}
                else:
                    fields = {}
        self._came.put(None)


@contextmanager
def live(url: str, query: str = "", **headers: str) -> Iterator[Stream]:
    """Open a live stream."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    named = {key.replace("_", "-"): it for key, it in headers.items()}
    connection.request("GET", f"/api/live{query}", headers=named)
    stream = Stream(connection)
    try:
        yield stream
    finally:
        stream.close()


def eventually(holds: Callable[[], Any], timeout_s: float = PATIENCE_S) -> Any:
    """Wait until something holds; return it."""
    deadline = time.monotonic() + timeout_s
    while not (found := holds()):
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)
    return found
