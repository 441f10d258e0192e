"""Clients that are slow, or stop: they cost nobody else anything, and not for ever."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from otelbridge.store import Store
from otelbridge.view import Server, body, live, start, web
from view.asking import ask, eventually
from view.made import Span, request

POST = (
    b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100\r\n\r\n{"
)
LIVE = b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextmanager
def sending(viewer: Server, said: bytes) -> Iterator[socket.socket]:
    """A client that says so much, and no more."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(("127.0.0.1", urlsplit(viewer.url).port))
        client.sendall(said)
        yield client


def rest(client: socket.socket) -> bytes:
    """What comes until the connection is closed."""
    came = b""
    try:
        while some := client.recv(65536):
            came += some
    except ConnectionResetError:
        pass
    return came


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: loc"])
def test_the_head_of_a_request_that_never_ends(
    viewer: Server, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    """The connection is closed, the first one and one that is used again."""
    monkeypatch.setattr(web, "_HEAD_S", 0.3)
    with sending(viewer, said) as client:
        assert rest(client) == b""
    if said:
        whole = b"GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with sending(viewer, whole) as client:
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
            client.sendall(said)
            assert b"HTTP/1.1" not in rest(client)


def test_a_request_that_takes_its_time(viewer: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that comes slowly is taken: only its head must come soon."""
    monkeypatch.setattr(web, "_HEAD_S", 0.3)

    def slowly() -> Iterator[bytes]:
        for piece in (b"{", b" ", b"}"):
            time.sleep(0.3)
            yield piece

    answer = ask(viewer.url, "/v1/traces", body=slowly(), content_type="application/json")
    assert (answer.status, answer.body) == (200, b"{}")


def test_a_body_that_never_ends(viewer: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is answered that nothing more came, and the connection is closed."""
    monkeypatch.setattr(body, "_COMES_S", 0.3)
    with sending(viewer, POST) as client:
        answer = rest(client)
    assert answer.startswith(b"HTTP/1.1 408")
    assert answer.endswith(b'{"code":4,"message":"Nothing more of the request came for 0.3 s."}')


def test_streams_that_nobody_reads(
    viewer: Server, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They lose their places, which others can have then."""
    monkeypatch.setattr(live, "READ_S", 0.5)
    monkeypatch.setattr(live, "_MOST_STREAMS", 4)
    with ExitStack() as opened:
        for _ in range(4):
            opened.enter_context(sending(viewer, LIVE)).recv(1)
        assert ask(viewer.url, "/api/live").status == 503
        large = [Span("large", 0, 1, attributes={"text": "x" * 50_000}) for _ in range(200)]
        store.add(request("large", time.time_ns(), *large))

        def is_open() -> bool:
            with sending(viewer, LIVE) as client:
                return client.recv(12) == b"HTTP/1.1 200"

        eventually(is_open)


def test_stopping_says_nothing_of_who_still_sends(
    store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    """They are cut off after a moment."""
    viewer = start(store, port=0, otlp_http_port=None, otlp_grpc_port=None)
    with sending(viewer, POST) as client:
        ask(viewer.url)
        begin = time.monotonic()
        viewer.stop()
        assert time.monotonic() - begin < 4
        assert rest(client) == b""
    assert capfd.readouterr() == ("", "")
