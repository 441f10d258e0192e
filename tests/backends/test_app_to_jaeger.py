"""A program sends straight to Jaeger: everything it made is there, exactly as it was made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backends import jaeger_api
from backends.figures import note
from backends.fleet import Fleet, all_arrive
from backends.servers import Jaeger

WAYS = [
    ("GRPC", "grpc", "none"),
    ("GRPC", "grpc", "gzip"),
    ("HTTP", "http/protobuf", "none"),
    ("HTTP", "http/protobuf", "gzip"),
]


@pytest.fixture(scope="module")
def jaeger(fleet: Fleet) -> Iterator[Jaeger]:
    """One Jaeger in memory."""
    return fleet.jaeger("jaeger")


@pytest.mark.parametrize(("port", "protocol", "compression"), WAYS)
def test_everything_arrives_as_it_was_made(
    fleet: Fleet, jaeger: Jaeger, port: str, protocol: str, compression: str
) -> None:
    """Spans, parents, status, attributes, resource; events with names, attributes and times."""
    service = f"tour {protocol} {compression}"
    settings = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    if compression != "none":
        settings["OTEL_EXPORTER_OTLP_COMPRESSION"] = compression
    endpoint = f"http://{jaeger.address(port)}"
    program = fleet.program(
        "tour", service.replace("/", "-"), endpoint, "--events", "10000", **settings
    )
    report = program.ended()
    assert report["flushed"] is True
    came = all_arrive(jaeger, program)
    note(f"app to Jaeger, {protocol}, {compression}", came=came, flush_s=report["flush_s"])
    assert (came.lost, came.duplicates, came.changed) == (0, 0, [])
    assert program.service in jaeger_api.services(jaeger.page)


def test_5000_spans_a_second(fleet: Fleet, jaeger: Jaeger) -> None:
    """For 30 s, by one program: none is lost, and the CPU time it took is stated."""
    endpoint = f"http://{jaeger.address('GRPC')}"
    program = fleet.program("load", "fast", endpoint, "--rate=5000", "--seconds=30", "--bare")
    report = program.ended()
    assert report["flushed"] is True
    made = {(span["trace_id"], span["span_id"]): span["start"] for span in program.made}
    begin_ns, end_ns, step_ns = min(made.values()), max(made.values()) + 1, 2 * 10**9
    stored: set[tuple[str, str]] = set()
    for window_ns in range(begin_ns, end_ns, step_ns):
        found = jaeger_api.traces_between(jaeger.page, "fast", window_ns, window_ns + step_ns)
        stored.update((span["trace_id"], span["span_id"]) for span in found)
    note(
        "5,000 spans a second for 30 s",
        spans=len(made),
        lost=len(made.keys() - stored),
        seconds=(end_ns - begin_ns) / 1e9,
        cpu_s=report["cpu_s"],
        flush_s=report["flush_s"],
    )
    assert not made.keys() - stored
    assert len(made) == 150_000


@pytest.mark.parametrize(("port", "protocol"), [("GRPC", "grpc"), ("HTTP", "http/protobuf")])
def test_one_bad_span_costs_no_other(
    fleet: Fleet, jaeger: Jaeger, port: str, protocol: str
) -> None:
    """Of 512 spans one cannot be encoded as it is and one is too large for Jaeger: 511 arrive."""
    endpoint, service = f"http://{jaeger.address(port)}", f"unlucky-{port}"
    variables = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    program = fleet.program("unlucky", service, endpoint, "--traces=512", "--bare", **variables)
    report = program.ended()
    stored = {span["name"] for span in jaeger_api.traces(jaeger.page, service)}
    missing = {f"own {number}" for number in range(512)} - stored
    note(f"one bad span in 512, {protocol}", arrived=len(stored), rejected=sorted(missing))
    assert missing == {"own 300"}
    assert (report["stats"]["sent"], report["stats"]["rejected"]) == (511, 1)
    assert report["flushed"] is False, "one was rejected"


def test_events_keep_their_order_by_time(fleet: Fleet, jaeger: Jaeger) -> None:
    """10,000 events of one run are in the trace once each, in their order, on `/api/v3`."""
    program = fleet.program(
        "tour", "ordered", f"http://{jaeger.address('GRPC')}", "--events", "10000"
    )
    program.ended()
    root = next(span for span in program.made if span["name"] == "many events")
    spans = jaeger_api.trace(jaeger.page, root["trace_id"])
    events = sorted(event for span in spans for event in span["events"])
    assert [event[2]["data.number"] for event in events] == list(range(10_000))
    assert len({event[0] for event in events}) == 10_000
    assert {event[1] for event in events} == {f"event {number}" for number in range(7)}


def test_agent_of_langgraph(fleet: Fleet, jaeger: Jaeger) -> None:
    """The whole tree of an agent, with what its tool dispatched and wrote, is read back."""
    program = fleet.program("agent", "agent", f"http://{jaeger.address('GRPC')}")
    assert program.ended()["flushed"] is True
    came = all_arrive(jaeger, program)
    note("agent of LangGraph to Jaeger", came=came)
    assert (came.lost, came.duplicates, came.changed) == (0, 0, [])
    (trace_id,) = {span["trace_id"] for span in program.made}
    spans = jaeger_api.trace(jaeger.page, trace_id)
    names = {span["span_id"]: span["name"] for span in spans}
    spans.sort(key=lambda span: span["start"])
    assert [(span["name"], names.get(span["parent_id"])) for span in spans] == [
        ("invoke_agent forecaster", None),
        ("model", "invoke_agent forecaster"),
        ("chat scripted", "model"),
        ("tools", "invoke_agent forecaster"),
        ("execute_tool look_up", "tools"),
        ("model", "invoke_agent forecaster"),
        ("chat scripted", "model"),
    ]
    tool = next(span for span in spans if span["name"] == "execute_tool look_up")
    assert [event[1:] for event in tool["events"]] == [
        ["asking", {"data.city": "Oslo"}],
        ["answered", {"data.type": "answered", "data.percent": 100}],
    ]
    chat = next(span for span in spans if span["name"] == "chat scripted")
    assert chat["attributes"]["gen_ai.usage.input_tokens"] == 7
    assert chat["attributes"]["gen_ai.usage.output_tokens"] == 3
    assert chat["attributes"]["gen_ai.response.finish_reasons"] == ["tool_calls"]
