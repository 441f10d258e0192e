"""OTLP over gRPC: what is good is stored, what is bad gets gRPC's own status."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otelbridge.store import Store, StoreError
from otelbridge.view import BusyPortError, Server, start
from view.asking import PATIENCE_S
from view.test_otlp_http import GOOD, LIMIT, logs, metrics, names, padded, spoilt

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
TOKEN = "a-token"


@pytest.fixture
def channel(viewer: Server) -> Iterator[Any]:
    """A connection to the receiver."""
    yield from connected(viewer)


def connected(viewer: Server) -> Iterator[Any]:
    target = str(viewer.served.otlp_grpc).removeprefix("http://")
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(target, options=options) as made:
        yield made


def send(channel: Any, body: bytes, method: str = TRACES, **options: Any) -> bytes:
    """Send a request as the bytes that it is."""
    return bytes(channel.unary_unary(method)(body, timeout=PATIENCE_S, **options))


def refused(channel: Any, body: bytes, method: str = TRACES, **options: Any) -> tuple[Any, str]:
    """Send a request that is not taken; its status and what is said."""
    with pytest.raises(grpc.RpcError) as raised:
        send(channel, body, method, **options)
    return raised.value.code(), raised.value.details()


@pytest.mark.parametrize("compression", grpc.Compression)
def test_spans_are_stored_when_the_answer_is_success(
    channel: Any, store: Store, compression: Any
) -> None:
    """Packed or not."""
    assert send(channel, GOOD, compression=compression) == b""
    assert names(store) == ["root", "step seen"]


def test_nothing_is_a_success(channel: Any) -> None:
    """An empty request is how a client asks whether somebody is there."""
    assert send(channel, b"") == b""


def test_a_bad_span_costs_no_other(channel: Any, store: Store) -> None:
    """Partial success says how many are rejected, and why."""
    answer = ExportTraceServiceResponse.FromString(send(channel, spoilt().SerializeToString()))
    assert answer.partial_success.rejected_spans == 2
    assert "is not 16 bytes" in answer.partial_success.error_message
    assert names(store) == ["root", "step seen"]


def test_a_request_that_is_none(channel: Any, store: Store) -> None:
    """It is an invalid argument, and the next request is taken."""
    code, said = refused(channel, b"\xff" * 100)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert said.startswith("This is no ExportTraceServiceRequest: ")
    assert send(channel, GOOD) == b""


@pytest.mark.parametrize("compression", grpc.Compression)
def test_a_request_of_the_largest_size_is_taken(
    channel: Any, store: Store, compression: Any
) -> None:
    """And one byte more is not: as it comes, and as it is unpacked."""
    assert send(channel, padded(LIMIT), compression=compression) == b""
    assert names(store) == ["root", "step seen"]
    code, _ = refused(channel, padded(LIMIT + 1), compression=compression)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert send(channel, GOOD) == b""


def test_the_store_that_cannot_take_it(
    channel: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Success is not said: the client is asked to come again."""

    def full(request: bytes) -> Any:
        raise StoreError("the disk is full; free some of it")

    monkeypatch.setattr(store, "add", full)
    assert refused(channel, GOOD) == (
        grpc.StatusCode.UNAVAILABLE,
        "the disk is full; free some of it",
    )


def test_what_nobody_foresaw(
    channel: Any, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said and logged, and the next request is taken."""
    with monkeypatch.context() as broken:
        broken.setattr(store, "add", lambda request: 1 / 0)
        assert refused(channel, GOOD) == (
            grpc.StatusCode.INTERNAL,
            "It failed: ZeroDivisionError.",
        )
    assert [it.getMessage() for it in caplog.records] == [f"A request for {TRACES} failed"]
    assert send(channel, GOOD) == b""


def test_what_is_not_kept_is_said_to_be_rejected(channel: Any) -> None:
    """All of it, as partial success."""
    answer = ExportMetricsServiceResponse.FromString(
        send(channel, metrics().SerializeToString(), METRICS)
    )
    assert answer.partial_success.rejected_data_points == 3
    assert answer.partial_success.error_message.endswith("set OTEL_METRICS_EXPORTER=none")
    more = ExportLogsServiceResponse.FromString(send(channel, logs().SerializeToString(), LOGS))
    assert more.partial_success.rejected_log_records == 1
    assert more.partial_success.error_message.endswith("set OTEL_LOGS_EXPORTER=none")
    assert refused(channel, b"\xff", LOGS)[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_a_method_that_is_not_known(channel: Any) -> None:
    """It is not implemented."""
    code, _ = refused(channel, b"", "/otelbridge.Nothing/Export")
    assert code is grpc.StatusCode.UNIMPLEMENTED


def test_a_page_is_refused(channel: Any, store: Store) -> None:
    """Where something in between speaks gRPC for a browser, it passes its Origin on."""
    for origin in ("http://evil.example", "null", "http://localhost:4317"):
        answer = refused(channel, GOOD, metadata=[("origin", origin)])
        assert answer == (
            grpc.StatusCode.PERMISSION_DENIED,
            "Requests from pages are refused.",
        )
    assert names(store) == []


def test_the_token(store: Store) -> None:
    """Without it nothing is taken, whatever the method."""
    with start(store, port=0, otlp_http_port=None, otlp_grpc_port=0, token=TOKEN) as viewer:
        for channel in connected(viewer):
            for shown in ("", "wrong", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
                for method in (TRACES, METRICS, LOGS):
                    code, said = refused(channel, GOOD, method, metadata=[("authorization", shown)])
                    assert code is grpc.StatusCode.UNAUTHENTICATED
                    assert "token is needed" in said
                    assert TOKEN not in said
            assert refused(channel, GOOD)[0] is grpc.StatusCode.UNAUTHENTICATED
            assert names(store) == []
            assert send(channel, GOOD, metadata=[("authorization", f"Bearer {TOKEN}")]) == b""
            assert names(store) == ["root", "step seen"]


def test_a_port_that_is_taken(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    """It is not shared with whoever has it, and gRPC writes nothing of its own to stderr."""
    with start(store, port=0, otlp_http_port=None, otlp_grpc_port=0) as first:
        port = int(str(first.served.otlp_grpc).rpartition(":")[2])
        with pytest.raises(BusyPortError, match=f"Port {port} .* OTLP over gRPC"):
            start(store, port=0, otlp_http_port=None, otlp_grpc_port=port)
    assert capfd.readouterr() == ("", "")


def test_a_flood_of_bytes_that_are_no_grpc(viewer: Server, store: Store) -> None:
    """Whoever sends it, others are served."""
    host, _, port = str(viewer.served.otlp_grpc).removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), PATIENCE_S) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + gzip.compress(GOOD) * 10)
        for channel in connected(viewer):
            assert send(channel, GOOD) == b""
    assert names(store) == ["root", "step seen"]
