"""OTLP over HTTP: what is good is stored, what is bad gets the specification's error."""

from __future__ import annotations

import base64
import gzip
import json
import os
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from otelbridge.store import Store, StoreError
from otelbridge.view import Server
from view.asking import Answer, ask
from view.made import Event, Span, request, trace_id

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
LIMIT = 16 * 1024 * 1024
GOOD = request("good", 10**18, Span("root", 0, 10, [Span("step", 1, 9, events=[Event(2, "seen")])]))


def send(
    server: Server, body: bytes | Iterator[bytes], kind: str | None = PROTOBUF, **headers: str
) -> Answer:
    """Send a request to the receiver's own port."""
    url = f"{server.served.otlp_http}/v1/traces"
    return ask(url, body=body, content_type=kind, **headers)


def names(store: Store, name: str = "good") -> list[str]:
    """The spans of a trace, with their events."""
    trace = store.get(trace_id(name))
    return [] if trace is None else [
        " ".join([it.name, *(event.name for event in it.events)]) for it in trace.spans
    ]  # fmt: skip


def refused(answer: Answer, kind: str) -> tuple[int, int, str]:
    """The status of HTTP, and code and message of the error in the request's encoding."""
    assert answer.headers["content-type"] == kind
    if kind == JSON:
        assert set(answer.json) == {"code", "message"}
        return answer.status, answer.json["code"], answer.json["message"]
    status = Status.FromString(answer.body)
    return answer.status, status.code, status.message


def as_json(body: bytes) -> bytes:
    """A request in OTLP's JSON."""
    from google.protobuf.json_format import MessageToDict

    def hexed(it: Any) -> Any:
        if isinstance(it, list):
            return [hexed(each) for each in it]
        if not isinstance(it, dict):
            return it
        ids = ("traceId", "spanId", "parentSpanId")
        return {
            key: base64.b64decode(each).hex() if key in ids else hexed(each)
            for key, each in it.items()
        }

    message = ExportTraceServiceRequest.FromString(body)
    return json.dumps(hexed(MessageToDict(message, use_integers_for_enums=True))).encode()


PACKED = {
    "": lambda it: it,
    "identity": lambda it: it,
    "gzip": gzip.compress,
    "GZIP": gzip.compress,
    "x-gzip": lambda it: gzip.compress(it[:20]) + gzip.compress(it[20:]),
    "deflate": zlib.compress,
}


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("kind", [PROTOBUF, JSON, "application/json; charset=utf-8"])
def test_spans_are_stored_when_the_answer_is_success(
    viewer: Server, store: Store, kind: str, encoding: str
) -> None:
    """In both encodings, packed or not, at once or in pieces."""
    body = PACKED[encoding](GOOD if kind == PROTOBUF else as_json(GOOD))
    packed = {"content_encoding": encoding} if encoding else {}
    answer = send(viewer, body, kind, **packed)
    assert (answer.status, answer.headers["content-type"]) == (200, kind.partition(";")[0])
    assert answer.body == (b"" if kind == PROTOBUF else b"{}")
    assert names(store) == ["root", "step seen"]
    pieces = (body[it : it + 7] for it in range(0, len(body), 7))
    assert send(viewer, pieces, kind, **packed).status == 200
    assert names(store) == ["root", "step seen"]


def test_the_viewers_own_port_receives_too(viewer: Server, store: Store) -> None:
    """So that one port is enough."""
    answer = ask(viewer.url, "/v1/traces", body=GOOD, content_type=PROTOBUF)
    assert (answer.status, answer.body) == (200, b"")
    assert names(store) == ["root", "step seen"]


@pytest.mark.parametrize(("kind", "body"), [(PROTOBUF, b""), (JSON, b"{}")])
def test_nothing_is_a_success(viewer: Server, kind: str, body: bytes) -> None:
    """An empty request is how a client asks whether somebody is there."""
    assert send(viewer, body, kind).status == 200


def spoilt() -> ExportTraceServiceRequest:
    """The good request with two spans that nobody can keep."""
    message = ExportTraceServiceRequest.FromString(GOOD)
    spans = message.resource_spans[0].scope_spans[0].spans
    spans.add().CopyFrom(spans[0])
    spans[2].trace_id = b"short"
    spans.add().CopyFrom(spans[0])
    spans[3].span_id = bytes(8)
    return message


def test_a_bad_span_costs_no_other(viewer: Server, store: Store) -> None:
    """Partial success says how many are rejected, and why."""
    answer = send(viewer, spoilt().SerializeToString())
    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, partial.rejected_spans) == (200, 2)
    assert "trace id '73686f7274' is not 16 bytes" in partial.error_message
    assert "span id '0000000000000000' is not 8 bytes" in partial.error_message
    assert names(store) == ["root", "step seen"]


def test_a_bad_span_in_json_costs_no_other(viewer: Server, store: Store) -> None:
    """With the specification's names, and 64-bit numbers as text."""
    answer = send(viewer, as_json(spoilt().SerializeToString()), JSON)
    assert answer.status == 200
    assert list(answer.json) == ["partialSuccess"]
    assert answer.json["partialSuccess"]["rejectedSpans"] == "2"
    assert "is not 16 bytes" in answer.json["partialSuccess"]["errorMessage"]
    assert names(store) == ["root", "step seen"]


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        (PROTOBUF, b"{}", "This is no ExportTraceServiceRequest: "),
        (PROTOBUF, GOOD[:-3], "This is no ExportTraceServiceRequest: "),
        (PROTOBUF, b"\xff" * 100, "This is no ExportTraceServiceRequest: "),
        (JSON, b"", "This is no OTLP in JSON: "),
        (JSON, b"[]", "This is no OTLP in JSON: the document is ["),
        (JSON, b"nonsense", "This is no OTLP in JSON: "),
        (JSON, b"\xff\xfe", "This is no OTLP in JSON: "),
        (JSON, b'{"resourceSpans": 1}', "This is no OTLP in JSON: resourceSpans"),
        (JSON, b"[" * 100_000, "This is no OTLP in JSON: it is nested too deep"),
        (JSON, as_json(GOOD).replace(b'"traceId": "', b'"traceId": "zz'), "This is no OTLP in"),
    ],
)
def test_a_request_that_is_none(
    viewer: Server, store: Store, kind: str, body: bytes, said: str
) -> None:
    """Status 400 and an error in the request's encoding, and the next request is taken."""
    status, code, message = refused(send(viewer, body, kind), kind)
    assert (status, code) == (400, 3)
    assert message.startswith(said)
    assert send(viewer, GOOD).status == 200
    assert names(store) == ["root", "step seen"]


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused(viewer: Server, store: Store, kind: str | None) -> None:
    """Above all those that a page of a stranger may send without asking first."""
    status, code, message = refused(send(viewer, GOOD, kind), JSON)
    assert (status, code) == (415, 3)
    assert message.endswith("is not known: send application/x-protobuf or application/json.")
    assert names(store) == []


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
def test_another_content_encoding_is_refused(viewer: Server, kind: str, encoding: str) -> None:
    """It is said which are known."""
    answer = send(viewer, b"x", kind, content_encoding=encoding)
    assert refused(answer, kind) == (
        415,
        3,
        f"Content-Encoding {encoding!r} is not known: send gzip, deflate, or none.",
    )
    assert answer.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (GOOD, "The request is not packed as it says: "),
        (gzip.compress(GOOD)[:-9], "The request is packed, and ends too soon."),
        (gzip.compress(GOOD) + b"rest", "The request is not packed as it says: "),
    ],
)
def test_damaged_gzip_is_refused(viewer: Server, body: bytes, said: str) -> None:
    """And not half of it taken."""
    status, code, message = refused(send(viewer, body, content_encoding="gzip"), PROTOBUF)
    assert (status, code) == (400, 3)
    assert message.startswith(said)


def padded(size: int) -> bytes:
    """A request of exactly so many bytes: a good one with a field that nobody knows."""
    rest = size - len(GOOD) - 5
    length = bytes([rest & 127 | 128, rest >> 7 & 127 | 128, rest >> 14 & 127 | 128, rest >> 21])
    return GOOD + b"\x7a" + length + bytes(rest)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_request_of_the_largest_size_is_taken(
    viewer: Server, store: Store, encoding: str
) -> None:
    """And one byte more is not."""
    for size, status in ((LIMIT, 200), (LIMIT + 1, 413)):
        body = PACKED[encoding](padded(size))
        answer = send(viewer, body, content_encoding=encoding)
        assert answer.status == status
    assert names(store) == ["root", "step seen"]
    assert refused(answer, PROTOBUF)[1:] == (
        8,
        f"The {'unpacked ' if encoding == 'gzip' else ''}request is larger than {LIMIT} bytes; "
        "send smaller batches.",
    )


def memory_mib() -> float:
    """What this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_a_bomb_is_noticed_before_it_goes_off(viewer: Server) -> None:
    """A gigabyte of nothing in a megabyte: refused, in less memory than it would take."""
    bomb = gzip.compress(bytes(2**24)) * 64
    assert len(bomb) < 2 * 2**20
    before, most, over = memory_mib(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.002):
            most = max(most, memory_mib())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(3):
        assert send(viewer, bomb, content_encoding="gzip").status == 413
    over.set()
    watcher.join()
    assert most - before < 100


def test_who_sends_too_much_sees_the_answer(viewer: Server) -> None:
    """Twice what is allowed, of which the end has not been sent when the answer is known."""
    pieces = (bytes(2**16) for _ in range(2 * LIMIT // 2**16))
    status, code, _ = refused(send(viewer, pieces), PROTOBUF)
    assert (status, code) == (413, 8)


def test_the_store_that_cannot_take_it(
    viewer: Server, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Success is not said: the client is asked to come again."""

    def full(request: bytes) -> Any:
        raise StoreError("the disk is full; free some of it")

    monkeypatch.setattr(store, "add", full)
    for kind, body in ((PROTOBUF, GOOD), (JSON, as_json(GOOD))):
        answer = send(viewer, body, kind)
        assert refused(answer, kind) == (503, 14, "the disk is full; free some of it")
        assert answer.headers["retry-after"] == "1"


def test_what_nobody_foresaw(
    viewer: Server,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is said and logged, and the next request is taken."""
    with monkeypatch.context() as broken:
        broken.setattr(store, "add", lambda request: 1 / 0)
        assert refused(send(viewer, GOOD), PROTOBUF) == (500, 13, "It failed: ZeroDivisionError.")
    assert [it.getMessage() for it in caplog.records] == ["A request for /v1/traces failed"]
    assert send(viewer, GOOD).status == 200


def test_a_client_that_goes_away_before_its_end(viewer: Server, store: Store) -> None:
    """Nothing of it is stored, and nothing is held for it."""

    def half() -> Iterator[bytes]:
        yield GOOD[:20]
        raise InterruptedError

    with pytest.raises(InterruptedError):
        send(viewer, half())
    time.sleep(0.1)
    assert send(viewer, b"").status == 200
    assert names(store) == []


def metrics() -> ExportMetricsServiceRequest:
    """Two metrics with three points."""
    message = ExportMetricsServiceRequest()
    scope = message.resource_metrics.add().scope_metrics.add()
    scope.metrics.add(name="counted").sum.data_points.add(as_int=1)
    gauge = scope.metrics.add(name="measured").gauge
    gauge.data_points.add(as_double=1)
    gauge.data_points.add(as_double=2)
    scope.metrics.add(name="empty")
    return message


def logs() -> ExportLogsServiceRequest:
    """One record."""
    message = ExportLogsServiceRequest()
    message.resource_logs.add().scope_logs.add().log_records.add(severity_text="INFO")
    return message


UNKEPT = {
    "/v1/metrics": (
        metrics,
        ExportMetricsServiceResponse,
        ("rejected_data_points", "rejectedDataPoints", 3),
        "otelbridge keeps traces alone; to export no metrics to it, set OTEL_METRICS_EXPORTER=none",
    ),
    "/v1/logs": (
        logs,
        ExportLogsServiceResponse,
        ("rejected_log_records", "rejectedLogRecords", 1),
        "otelbridge keeps traces alone; to export no logs to it, set OTEL_LOGS_EXPORTER=none",
    ),
}


@pytest.mark.parametrize("path", UNKEPT)
def test_what_is_not_kept_is_said_to_be_rejected(
    viewer: Server, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """All of it, as partial success: neither a lie nor an error at every interval."""
    caplog.set_level("INFO")
    make, response, (field, named, count), said = UNKEPT[path]
    for _ in range(2):
        answer = ask(
            f"{viewer.served.otlp_http}{path}",
            body=make().SerializeToString(),
            content_type=PROTOBUF,
        )
        partial = response.FromString(answer.body).partial_success
        assert (answer.status, getattr(partial, field), partial.error_message) == (200, count, said)
    assert [it.getMessage() for it in caplog.records if it.name.startswith("otelbridge")] == [
        f"A program sends what is not kept: {said}."
    ]
    from google.protobuf.json_format import MessageToJson

    body = MessageToJson(make()).encode()
    answer = ask(f"{viewer.url}{path[1:]}", body=body, content_type=JSON)
    partial_json = {named: str(count), "errorMessage": said}
    assert (answer.status, answer.json) == (200, {"partialSuccess": partial_json})


@pytest.mark.parametrize("path", UNKEPT)
def test_a_bad_request_for_what_is_not_kept(viewer: Server, path: str) -> None:
    """An empty one is a success, garbage is not."""
    url = f"{viewer.served.otlp_http}{path}"
    assert ask(url, body=b"", content_type=PROTOBUF).status == 200
    for kind, body in ((PROTOBUF, b"\xff"), (JSON, b'{"resourceLogs": 1, "resourceMetrics": 1}')):
        status, code, _ = refused(ask(url, body=body, content_type=kind), kind)
        assert (status, code) == (400, 3)


@pytest.mark.parametrize("path", ["/v1development/profiles", "/v1/nothing", "/"])
def test_a_signal_that_is_not_known(viewer: Server, path: str) -> None:
    """It is not found."""
    answer = ask(str(viewer.served.otlp_http), path, body=b"", content_type=PROTOBUF)
    assert (answer.status, answer.json) == (404, {"error": f"There is nothing at {path!r}."})


def test_many_at_the_same_time(viewer: Server, store: Store) -> None:
    """Sixteen programs that send: each trace is whole when its answer comes."""
    problems: list[str] = []

    def program(number: int) -> None:
        for turn in range(5):
            name = f"{number} {turn}"
            root = Span("root", 0, 10, [Span(f"step {it}", 1, 2) for it in range(20)])
            answer = send(viewer, request(name, 10**18, root))
            if answer.status != 200 or len(names(store, name)) != 21:
                problems.append(name)

    threads = [threading.Thread(target=program, args=(it,)) for it in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert store.stats().spans == 16 * 5 * 21
