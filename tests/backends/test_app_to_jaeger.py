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
