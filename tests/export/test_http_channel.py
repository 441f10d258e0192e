"""OTLP over HTTP against real servers, good and odd."""

from __future__ import annotations

import gzip
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from answering import (
    HOST,
    Answer,
    Authority,
    free_port,
    grpc_server,
    kind,
    partial_success,
    reply,
    request,
    socket_server,
    web_server,
)
from google.rpc.status_pb2 import Status
from opentelemetry import context
from requests import Session

from otelbridge.export import _http_channel, official
from otelbridge.export._http_channel import HttpChannel
from otelbridge.export.channel import Blocked, Channel, Delivered, Refused, TryAgain
from otelbridge.export.otlp import HTTP, Target

HTTP_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.endswith("CA_BUNDLE"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the certificates of this module."""
    return Authority(tmp_path_factory.mktemp("tls"))


def channel(url: str, **settings: Any) -> Channel:
    """A channel to the traces of a receiver."""
    settings.setdefault("timeout_s", 5.0)
    return official.channel(Target(url + "/v1/traces", HTTP, **settings))


def ask(answer: Answer | None = None, **settings: Any) -> Any:
    """Send one request to a server that answers so, and return the outcome."""
    with web_server(answer) as web:
        return channel(web.url, **settings).send(request())


# ---------------------------------------------------------------------------- answers


def test_requests_arrive_over_one_connection() -> None:
    """The bytes arrive as they are, at the URL, over a connection that is kept."""
    with web_server() as web:
        sender = channel(web.url)
        assert sender.where == f"{web.url}/v1/traces (http/protobuf)"
        assert [sender.send(request("a")), sender.send(request("b"))] == [Delivered()] * 2
        sender.close()
    assert web.bodies == [request("a"), request("b")]
    assert (web.paths, web.connections) == (["/v1/traces"] * 2, 1)
    assert web.headers[0]["content-type"] == "application/x-protobuf"
    assert web.headers[0]["user-agent"].startswith("OTel-OTLP-Exporter-Python/")


@pytest.mark.parametrize(
    ("compression", "decode"),
    [("none", bytes), ("gzip", gzip.decompress), ("deflate", zlib.decompress)],
)
def test_body_is_compressed_as_set(compression: str, decode: Any) -> None:
    """The body is compressed as the setting says, and the header says so."""
    with web_server() as web:
        channel(web.url, compression=compression).send(request("a" * 5000))
    assert decode(web.bodies[0]) == request("a" * 5000)
    assert web.headers[0].get("content-encoding", "none") == compression


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, "Delivered") for status in (200, 202, 204)),
        *((status, "TryAgain") for status in (429, 502, 503, 504)),
        *((status, "Refused") for status in (400, 408, 413, 422, 500, 501)),
        *((status, "Blocked") for status in (301, 302, 307, 401, 403, 404, 405, 407, 415)),
    ],
)
def test_status_decides(status: int, expected: str) -> None:
    """Only the codes that the specification lists are tried again; a wrong set-up is blocked."""
    outcome = ask(reply(status))
    assert kind(outcome) == expected
    assert getattr(outcome, "is_fault", False) is (status in (500, 501))


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("7", 7, 7),
        (" 1.5 ", 1.5, 1.5),
        ("-3", 0, 0),
        pytest.param(formatdate(time.time() + 3600, usegmt=True), 1800, 3601, id="in an hour"),
        (formatdate(0, usegmt=True), 0, 0),
        ("Fri, 31 Dec 2100 23:59:59", 1e9, 1e10),
    ],
)
def test_retry_after_is_read(value: str, least: float, most: float) -> None:
    """Seconds or a date."""
    outcome = ask(reply(503, Retry_After=value))
    assert isinstance(outcome, TryAgain)
    assert outcome.after_s is not None
    assert least <= outcome.after_s <= most


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "Mon, 99 Foo"])
def test_retry_after_that_is_rubbish_is_ignored(value: str) -> None:
    """It says nothing."""
    assert ask(reply(429, Retry_After=value)) == TryAgain("HTTP 429", None)


def test_partial_success_is_counted() -> None:
    """What the receiver has rejected is delivered for us, and counted."""
    answer = reply(200, partial_success(3, "too\nold"))
    assert ask(answer) == Delivered(rejected=3, message="too old")


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"{}", b"\xff" * 200_000])
def test_rubbish_with_200_is_delivered(body: bytes) -> None:
    """The status is the acknowledgement; the rest of a long body is not waited for."""
    assert ask(reply(200, body)) == Delivered()


def test_rubbish_encoding_with_200_is_delivered() -> None:
    """A body that is not compressed as it says is rubbish like any other."""
    assert ask(reply(200, b"no gzip", Content_Encoding="gzip")) == Delivered()


def test_words_of_the_receiver_are_passed_on() -> None:
    """The message of a protobuf status, or text, on one line and bounded."""
    status = Status(message="span too large").SerializeToString()
    assert ask(reply(400, status)) == Refused("HTTP 400: span too large")
    assert ask(reply(413, b"too\r\n  big")) == Refused("HTTP 413: too big")
    assert len(ask(reply(400, b"x" * 5000)).reason) < 400


@pytest.mark.parametrize(
    ("answer", "words", "cure"),
    [
        (reply(401), "refuses our credentials", "OTEL_EXPORTER_OTLP_HEADERS"),
        (reply(403, b"no such key"), "no such key", "headers="),
        (reply(404), "no OTLP traces", "usually http://<host>:4318"),
        (reply(404), "no OTLP traces", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT needs"),
        (reply(200, b"<html>", Content_Type="text/html; charset=utf-8"), "web page", "/v1/traces"),
        (reply(308, Location="https://b/v1/traces"), "https://b/v1/traces", "endpoint"),
        (reply(400, b"Client sent an HTTP request to an HTTPS server."), "TLS", "https://"),
    ],
)
def test_wrong_set_up_names_its_cure(answer: Answer, words: str, cure: str) -> None:
    """One clear line says what happened and another what to do."""
    outcome = ask(answer)
    assert isinstance(outcome, Blocked)
    assert words in outcome.reason
    assert cure in outcome.cure


# ---------------------------------------------------------------------------- odd servers


def test_nobody_listens() -> None:
    """Connection refused: again later."""
    outcome = channel(f"http://{HOST}:{free_port()}").send(request())
    assert isinstance(outcome, TryAgain)
    assert "refused" in outcome.reason


def test_name_that_does_not_resolve() -> None:
    """The name server may come back: again later."""
    assert kind(channel("http://nowhere.invalid:4318").send(request())) == "TryAgain"


def read_request(connection: socket.socket) -> None:
    """Read until the body of a test's request has come."""
    seen = b""
    while request() not in seen:
        seen += connection.recv(65536)


def closes_at_once(connection: socket.socket) -> None:
    connection.close()


def closes_after_the_request(connection: socket.socket) -> None:
    read_request(connection)
    connection.close()


def closes_in_the_head(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(HTTP_ANSWER[:10])
    connection.close()


def closes_in_the_body(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(HTTP_ANSWER + b"Content-Length: 100\r\n\r\nhalf")
    connection.close()


@pytest.mark.parametrize(
    "talk", [closes_at_once, closes_after_the_request, closes_in_the_head, closes_in_the_body]
)
def test_connection_that_is_closed_half_way(talk: Any) -> None:
    """Without a whole answer there is no acknowledgement: again later, and soon known."""
    began = time.perf_counter()
    with socket_server(talk) as port:
        assert kind(channel(f"http://{HOST}:{port}").send(request())) == "TryAgain"
    assert time.perf_counter() - began < 9


def silent(connection: socket.socket) -> None:
    read_request(connection)
    time.sleep(30)


def dribbles_the_head(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(HTTP_ANSWER)
    for _ in range(300):
        connection.sendall(b"X-More: 1\r\n"[:1])
        time.sleep(0.1)


def dribbles_the_body(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(HTTP_ANSWER + b"Content-Length: 1000\r\n\r\n")
    for _ in range(300):
        connection.sendall(b"x")
        time.sleep(0.1)


@pytest.mark.parametrize("talk", [silent, dribbles_the_head, dribbles_the_body])
def test_timeout_is_for_the_whole_answer(talk: Any) -> None:
    """A server that is silent, or sends a byte now and then, holds the sender no longer."""
    with socket_server(talk) as port:
        sender = channel(f"http://{HOST}:{port}", timeout_s=30)
        began = time.perf_counter()
        assert sender.send(request(), timeout_s=0.5) == TryAgain("no answer within 0.5 s")
        assert 0.4 < time.perf_counter() - began < 15
        await_no_threads()


def await_no_threads() -> None:
    """Wait until the channel's threads have ended."""
    deadline = time.monotonic() + 20
    while any(thread.name == "otelbridge-http" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "a thread is left behind"
        time.sleep(0.02)


@pytest.mark.parametrize("talk", [silent, dribbles_the_head, dribbles_the_body])
def test_close_ends_a_send(talk: Any) -> None:
    """Closed by another thread, a send in progress ends at once, and so does its thread."""
    with socket_server(talk) as port:
        sender = channel(f"http://{HOST}:{port}", timeout_s=30)
        threading.Timer(0.3, sender.close).start()
        began = time.perf_counter()
        assert sender.send(request()) == TryAgain("closed")
        assert time.perf_counter() - began < 15
        assert sender.send(request()) == TryAgain("closed")
        sender.close()
        await_no_threads()


def test_close_without_a_send() -> None:
    """A channel that was never used closes as well, and takes nothing after it."""
    with web_server() as web:
        sender = channel(web.url)
        sender.close()
        assert sender.send(request()) == TryAgain("closed")
    assert web.bodies == []


def test_send_works_after_one_that_was_late() -> None:
    """A request that was given up leaves nothing that holds the next one."""
    slow = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if not slow.is_set():
            slow.set()
            time.sleep(1)
        reply()(handler)

    with web_server(answer) as web:
        sender = channel(web.url)
        assert kind(sender.send(request(), timeout_s=0.3)) == "TryAgain"
        assert sender.send(request()) == Delivered()
        sender.close()


# ---------------------------------------------------------------------------- TLS and tokens


def answers_as_go_does_to_plain_text(connection: socket.socket) -> None:
    connection.recv(24)
    connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()  # resets it, so that the line that would follow is lost


def test_plain_text_to_a_tls_port_of_go() -> None:
    """Its answer has no header, and may lose its body: that is no word about the spans."""
    with socket_server(answers_as_go_does_to_plain_text) as port:
        outcome = channel(f"http://{HOST}:{port}").send(request())
    assert isinstance(outcome, (Blocked, TryAgain))
    if isinstance(outcome, Blocked):
        assert "https://" in outcome.cure


def test_http_to_a_grpc_port() -> None:
    """The line says which protocol is spoken there."""
    with grpc_server() as calls:
        outcome = channel(calls.url).send(request())
    assert isinstance(outcome, Blocked)
    assert "protocol to grpc" in outcome.cure


def test_given_token_goes_before_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry in the netrc file does not replace the authorization header."""
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login a password b", "utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    with web_server() as web:
        channel(web.url, headers={"authorization": "Bearer t"}).send(request())
    assert web.headers[0]["authorization"] == "Bearer t"


# ---------------------------------------------------------------------------- proxies


@pytest.mark.parametrize(("exempt", "paths"), [("", 1), (HOST, 0)])
def test_proxy_is_used_and_exempted(
    exempt: str, paths: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP_PROXY gets the request, unless NO_PROXY names the host."""
    with web_server() as proxy, web_server() as web:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("NO_PROXY", exempt)
        assert channel(web.url).send(request()) == Delivered()
    assert proxy.paths == [f"{web.url}/v1/traces"] * paths


def test_timeout_holds_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tunnel that is never made, though its proxy dribbles, is given up."""

    def dribbles(connection: socket.socket) -> None:
        connection.recv(65536)
        for _ in range(300):
            connection.sendall(b"H")
            time.sleep(0.1)

    with socket_server(dribbles) as port:
        monkeypatch.setenv("https_proxy", f"http://{HOST}:{port}")
        sender = channel("https://collector.invalid:4318", timeout_s=0.5)
        assert sender.send(request()) == TryAgain("no answer within 0.5 s")
        await_no_threads()


# ---------------------------------------------------------------------------- around it


class Watching(Session):
    """A session as a credential provider may give one; it looks at the context."""

    def __init__(self) -> None:
        super().__init__()
        self.suppressed: list[object] = []

    def send(self, *args: Any, **kwargs: Any) -> Any:
        for key in (context._SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation"):
            self.suppressed.append(context.get_value(key))
        return super().send(*args, **kwargs)


def test_instrumentation_is_suppressed() -> None:
    """An instrumented client makes no spans of sending spans."""
    session = Watching()
    with web_server() as web:
        settings = _http_channel.HttpSettings(web.url, {}, 5, "none", _http_channel.Files())
        assert HttpChannel("x", settings, lambda: session).send(request()) == Delivered()
    assert session.suppressed == [True, True]


class Failing(Session):
    """A session whose credentials cannot be fetched."""

    def post(self, *args: Any, **kwargs: Any) -> Any:
        raise LookupError("the token server is away")


def test_session_that_raises_is_tried_again() -> None:
    """Whatever a provider's session raises stays inside."""
    settings = _http_channel.HttpSettings("http://x", {}, 5, "none", _http_channel.Files())
    outcome = HttpChannel("x", settings, Failing).send(request())
    assert outcome == TryAgain("LookupError: the token server is away")


FORK = """
import os, sys
from otelbridge.export import official
from otelbridge.export.otlp import Target

sender = official.channel(Target(sys.argv[1], "http/protobuf"))
print(sender.send(b""), flush=True)
if (child := os.fork()) == 0:
    print(sender.send(b""), flush=True)
    sender.close()
    os._exit(0)
os.waitpid(child, 0)
print(sender.send(b""), flush=True)
"""


def test_forked_child_has_its_own_connection() -> None:
    """Parent and child send, each over its own connection, and closing in one is not in both."""
    with web_server() as web:
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FORK, web.url + "/v1/traces"],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert ran.stdout.splitlines() == [str(Delivered())] * 3, ran.stderr
    assert web.connections == 2
