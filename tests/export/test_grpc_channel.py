"""OTLP over gRPC against real servers, good and odd."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import grpc
import pytest
from answering import (
    HOST,
    Authority,
    Serve,
    free_port,
    grpc_server,
    kind,
    partial_success,
    request,
    socket_server,
    web_server,
)
from google.protobuf.any_pb2 import Any as Packed
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry import context

from otelbridge.export import _grpc_channel, official
from otelbridge.export.channel import Blocked, Channel, Delivered, Refused, TryAgain
from otelbridge.export.otlp import GRPC, Target


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the certificates of this module."""
    return Authority(tmp_path_factory.mktemp("tls"))


def channel(url: str, **settings: Any) -> Channel:
    """A channel to a receiver."""
    settings.setdefault("timeout_s", 5.0)
    settings.setdefault("insecure", url.startswith("http://"))
    return official.channel(Target(url, GRPC, **settings))


def ask(serve: Serve) -> Any:
    """Send one request to a server that answers so, and return the outcome."""
    with grpc_server(serve) as calls:
        sender = channel(calls.url)
        outcome = sender.send(request())
        sender.close()
        return outcome


def fails(code: grpc.StatusCode, details: str = "", **trailers: bytes) -> Serve:
    """An answer with a status, and trailing metadata (underscores for hyphens)."""

    def serve(asked: grpc.ServicerContext) -> bytes:
        found = [(name.replace("_", "-"), value) for name, value in trailers.items()]
        asked.set_trailing_metadata(tuple(found))
        asked.set_code(code)
        asked.set_details(details)
        return b""

    return serve


def retry_info(seconds: int, nanos: int = 0) -> RetryInfo:
    """The message that asks to wait."""
    info = RetryInfo()
    info.retry_delay.seconds, info.retry_delay.nanos = seconds, nanos
    return info


def detailed(*messages: Any) -> bytes:
    """A status with these details."""
    status = Status()
    for message in messages:
        packed = Packed()
        packed.Pack(message)
        status.details.append(packed)
    return status.SerializeToString()


# ---------------------------------------------------------------------------- answers


def test_requests_arrive_over_one_connection() -> None:
    """The bytes arrive as they are, with the headers, over a connection that is kept."""
    with grpc_server() as calls:
        sender = channel(calls.url, headers={"x-key": "k"})
        assert sender.where == f"{calls.url} (grpc)"
        assert [sender.send(request("a")), sender.send(request("b"))] == [Delivered()] * 2
        sender.close()
    assert calls.messages == [request("a"), request("b")]
    assert len(set(calls.peers)) == 1
    assert calls.metadata[0]["x-key"] == "k"
    assert calls.metadata[0]["user-agent"].startswith("OTel-OTLP-Exporter-Python/")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("CANCELLED", "TryAgain"),
        ("UNKNOWN", "Refused"),
        ("INVALID_ARGUMENT", "Refused"),
        ("DEADLINE_EXCEEDED", "TryAgain"),
        ("NOT_FOUND", "Refused"),
        ("ALREADY_EXISTS", "Refused"),
        ("PERMISSION_DENIED", "Blocked"),
        ("RESOURCE_EXHAUSTED", "Refused"),
        ("FAILED_PRECONDITION", "Refused"),
        ("ABORTED", "TryAgain"),
        ("OUT_OF_RANGE", "TryAgain"),
        ("UNIMPLEMENTED", "Blocked"),
        ("INTERNAL", "Refused"),
        ("UNAVAILABLE", "TryAgain"),
        ("DATA_LOSS", "TryAgain"),
        ("UNAUTHENTICATED", "Blocked"),
    ],
)
def test_code_decides(code: str, expected: str) -> None:
    """Only the codes that the specification lists are tried again; a wrong set-up is blocked."""
    assert kind(ask(fails(grpc.StatusCode[code], "why"))) == expected


@pytest.mark.parametrize("code", ["INTERNAL", "UNKNOWN", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"])
def test_failure_of_the_receiver_is_told_from_its_verdict(code: str) -> None:
    """A code that says that the receiver itself has failed need not be about the request."""
    is_fault = code in ("INTERNAL", "UNKNOWN")
    assert ask(fails(grpc.StatusCode[code], "why")) == Refused(f"gRPC {code}: why", is_fault)


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_retry_info_is_honoured(code: str) -> None:
    """It tells when, and makes RESOURCE_EXHAUSTED one to try again."""
    details = detailed(Status(message="another"), retry_info(2, 500_000_000))
    outcome = ask(fails(grpc.StatusCode[code], "busy", grpc_status_details_bin=details))
    assert outcome == TryAgain(f"gRPC {code}: busy", 2.5)


def test_retry_info_by_itself_is_honoured() -> None:
    """The official exporter looks for it there."""
    trailer = {"google.rpc.retryinfo_bin": retry_info(3).SerializeToString()}
    outcome = ask(fails(grpc.StatusCode.UNAVAILABLE, **trailer))
    assert isinstance(outcome, TryAgain)
    assert outcome.after_s == 3


@pytest.mark.parametrize("details", [b"\xff", detailed(), detailed(Status())])
def test_details_that_say_nothing(details: bytes) -> None:
    """Rubbish, and details without a RetryInfo."""
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    assert kind(ask(fails(code, grpc_status_details_bin=details))) == "Refused"


def test_partial_success_is_counted() -> None:
    """What the receiver has rejected is delivered for us, and counted."""
    outcome = ask(lambda _: partial_success(2, "too old"))
    assert outcome == Delivered(rejected=2, message="too old")


def test_rubbish_answer_is_delivered() -> None:
    """The status is the acknowledgement."""
    assert ask(lambda _: b"\xff\xff") == Delivered()


def test_too_large_a_request_is_refused() -> None:
    """A receiver's limit of 4 MiB is final for this request: split it."""
    with grpc_server() as calls:
        outcome = channel(calls.url).send(request("a" * 5_000_000))
    assert isinstance(outcome, Refused)
    assert "larger than max" in outcome.reason


def test_wrong_token_names_its_cure() -> None:
    """One line says what happened and another what to do."""
    outcome = ask(fails(grpc.StatusCode.UNAUTHENTICATED, "who are you"))
    assert isinstance(outcome, Blocked)
    assert "who are you" in outcome.reason
    assert "OTEL_EXPORTER_OTLP_HEADERS" in outcome.cure


def test_no_traces_service_there() -> None:
    """A gRPC server of something else."""
    with grpc_server(method="/other") as calls:
        outcome = channel(calls.url).send(request())
    assert isinstance(outcome, Blocked)
    assert "no OTLP traces" in outcome.reason


# ---------------------------------------------------------------------------- odd servers


def test_nobody_listens_and_then_somebody_does() -> None:
    """Connection refused: again later, and later means at once, not after gRPC's own back-off."""
    port = free_port()
    sender = channel(f"http://{HOST}:{port}")
    for _ in range(5):
        assert isinstance(sender.send(request()), TryAgain)
    with grpc_server(port=port):
        assert sender.send(request()) == Delivered()
        sender.close()


def test_name_that_does_not_resolve() -> None:
    """The name server may come back: again later."""
    assert kind(channel("http://nowhere.invalid:4317").send(request())) == "TryAgain"


def test_connection_that_is_closed_half_way() -> None:
    """Again later."""
    with socket_server(lambda connection: connection.close()) as port:
        assert kind(channel(f"http://{HOST}:{port}").send(request())) == "TryAgain"


def silent(connection: socket.socket) -> None:
    time.sleep(30)


def dribbles(connection: socket.socket) -> None:
    connection.sendall(b"\0\0\0\4\0\0\0\0\0")  # settings
    for _ in range(300):
        connection.sendall(b"\0\0\x08\6\0\0\0\0\0" + b"12345678")  # ping
        time.sleep(0.1)


@pytest.mark.parametrize("talk", [silent, dribbles])
def test_timeout_is_for_the_whole_answer(talk: Any) -> None:
    """A server that is silent, or only keeps the connection alive, holds the sender no longer."""
    with socket_server(talk) as port:
        sender = channel(f"http://{HOST}:{port}", timeout_s=30)
        began = time.perf_counter()
        assert sender.send(request(), timeout_s=0.5) == TryAgain("no answer within 0.5 s")
        assert 0.4 < time.perf_counter() - began < 15


@pytest.mark.parametrize("talk", [silent, dribbles])
def test_close_ends_a_send(talk: Any) -> None:
    """Closed by another thread, a send in progress ends at once."""
    with socket_server(talk) as port:
        sender = channel(f"http://{HOST}:{port}", timeout_s=30)
        threading.Timer(0.3, sender.close).start()
        began = time.perf_counter()
        assert sender.send(request()) == TryAgain("closed")
        assert time.perf_counter() - began < 15
        assert sender.send(request()) == TryAgain("closed")
        sender.close()


# ---------------------------------------------------------------------------- TLS


def test_grpc_to_an_http_port() -> None:
    """The line says which protocol is spoken there."""
    with web_server() as web:
        outcome = channel(web.url).send(request())
    assert isinstance(outcome, Blocked)
    assert "http/protobuf" in outcome.cure


def test_header_that_grpc_refuses() -> None:
    """A header whose name gRPC keeps for itself blocks, and no exception comes out."""
    with grpc_server() as calls:
        sender = channel(calls.url, headers={"x y": "z"})
        outcome = sender.send(request())
    assert isinstance(outcome, Blocked)
    assert "headers" in outcome.cure


# ---------------------------------------------------------------------------- around it


def test_compression_is_as_set() -> None:
    """With gzip fewer bytes go over the wire."""
    sizes: dict[str, int] = {}
    for compression in ("none", "gzip", "deflate"):
        with grpc_server() as calls:
            target = int(calls.url.rpartition(":")[2])

            def relay(near: socket.socket, target: int = target, name: str = compression) -> None:
                with socket.create_connection((HOST, target)) as far:
                    threading.Thread(target=pump, args=(far, near, None), daemon=True).start()
                    pump(near, far, name)

            def pump(source: socket.socket, sink: socket.socket, name: str | None) -> None:
                with suppress(OSError):  # one side has gone
                    while data := source.recv(65536):
                        if name is not None:
                            sizes[name] = sizes.get(name, 0) + len(data)
                        sink.sendall(data)

            with socket_server(relay) as port:
                sender = channel(f"http://{HOST}:{port}", compression=compression)
                assert sender.send(request("a" * 50_000)) == Delivered()
                sender.close()
            assert calls.messages == [request("a" * 50_000)]
    assert sizes["none"] > 50_000
    assert max(sizes["gzip"], sizes["deflate"]) < 5_000


def test_instrumentation_is_suppressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instrumented client makes no spans of sending spans."""
    seen: list[object] = []

    class Watching(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
        def intercept_unary_unary(self, go_on: Any, details: Any, message: Any) -> Any:
            for key in (context._SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation"):
                seen.append(context.get_value(key))
            return go_on(details, message)

    made = grpc.insecure_channel
    monkeypatch.setattr(
        grpc, "insecure_channel", lambda *a, **k: grpc.intercept_channel(made(*a, **k), Watching())
    )
    with grpc_server() as calls:
        sender = channel(calls.url)
        assert sender.send(request()) == Delivered()
        sender.close()
    assert seen == [True, True]
    assert context.get_value("suppress_instrumentation") is None


def test_no_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the interpreter starts no thread any more, a call that needs none is made."""
    with grpc_server() as calls:
        sender = channel(calls.url)

        def refuse(*args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr("grpc._channel._UnaryUnaryMultiCallable.future", refuse, raising=True)
        assert sender.send(request()) == Delivered()
        sender.close()


def test_settings_show_no_secret() -> None:
    """Headers hold tokens."""
    settings = _grpc_channel.GrpcSettings("a:1", {"token": "s3cret"}, 1, "none", None, "x")
    assert "s3cret" not in repr(settings)
