"""The benchmarks compare like with like: each workload leaves the trace of its hand-made twin."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from benchmarks import many_spans, store
from benchmarks.by_hand import RUN_ID
from benchmarks.contests import RECORDING
from benchmarks.environment import PROTOCOLS, Sdk, in_child
from benchmarks.export import Ending
from benchmarks.exporters import DURABLE, OURS, SDK, Side, sides
from benchmarks.langchain import CONTESTS, LANGCHAIN, Contest, beside_cheapest, contestant
from benchmarks.langchain_contestant import ALONE
from benchmarks.sink import sink
from benchmarks.timing import Times
from otelbridge.store import Store
from otelbridge.store.sink import StoreSink
from tests.receivers import grpc_receiver, http_receiver

NAMES = [workload.name + labels for workload in RECORDING for labels in ("", ", tags and metadata")]


@pytest.fixture(scope="module")
def twins() -> dict[str, Any]:
    """What both sides left, by workload; made in a process of its own, with its own provider."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVERAGE_PROCESS_CONFIG", "")  # many runs, which other tests measure too
        return {twin["name"]: twin for twin in in_child("benchmarks.twins")}


@pytest.mark.parametrize("name", NAMES)
def test_workload_leaves_the_spans_of_its_hand_made_twin(twins: dict[str, Any], name: str) -> None:
    """Names, parents, status, attributes, events and drop counts are equal."""
    assert twins[name]["ours"]["spans"] == twins[name]["by_hand"]["spans"]


@pytest.mark.parametrize("name", NAMES)
def test_workload_calls_its_handler_as_its_hand_made_twin(twins: dict[str, Any], name: str) -> None:
    """The handler gets the same names and data, the same number of times."""
    assert twins[name]["ours"]["calls"] == twins[name]["by_hand"]["calls"]


def test_every_twin_is_compared(twins: dict[str, Any]) -> None:
    """No workload is left out of the comparison."""
    assert list(twins) == NAMES


RECEIVERS = {"grpc": grpc_receiver, "http": http_receiver}


@contextmanager
def contestants(protocol: str, url: str, spool: Path) -> Iterator[Mapping[str, Side]]:
    made = sides(protocol, url, spool)
    try:
        yield made
    finally:
        for side in made.values():
            side.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_exporters_send_the_same_spans(protocol: str, tmp_path: Path) -> None:
    """Resource, scope, attributes, events and all are equal; ids and times alone are not."""
    sent = {}
    with RECEIVERS[protocol]() as received:
        with contestants(protocol, received.url, tmp_path) as made:
            for name, side in made.items():
                for span in side.open_spans(3):
                    span.end()
                assert side.flush()
                sent[name] = _told(received.requests)
                received.requests.clear()
    assert sent[OURS] == sent[DURABLE] == sent[SDK]


def _told(requests: list[Any]) -> list[str]:
    """Return spans as text, each with its resource and scope, without ids and times."""
    return [
        f"{resource.resource}{scope.scope}{_without_ids_and_times(span)}"
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _without_ids_and_times(span: Any) -> Any:
    for name in ("trace_id", "span_id", "start_time_unix_nano", "end_time_unix_nano"):
        span.ClearField(name)
    for event in span.events:
        event.ClearField("time_unix_nano")
    assert span.attributes[0].key == RUN_ID
    span.attributes[0].value.string_value = "a UUID"
    return span


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sink_counts_what_each_exporter_sends(protocol: str, tmp_path: Path) -> None:
    """It acknowledges every span, and tells how many came since it was asked."""
    with sink() as receiver:
        with contestants(protocol, receiver.urls[protocol], tmp_path) as made:
            for side in made.values():
                lap = Ending(side, receiver, to_the_end=True)
                lap.set_stage(3)
                lap.lap(3)
                lap.clear_stage(3)
        assert receiver.received() == 0


def test_lap_whose_spans_do_not_arrive_is_an_error(tmp_path: Path) -> None:
    """A contestant gains nothing by losing spans."""
    with sink() as receiver, contestants("http", receiver.urls["http"], tmp_path) as made:
        lap = Ending(made[SDK], receiver, to_the_end=True)
        lap.set_stage(2)
        lap.lap(2)
        with pytest.raises(RuntimeError, match="3 spans were ended, and 2 have arrived"):
            lap.clear_stage(3)


OF_LANGCHAIN = list(dict.fromkeys(contest.program for contest in CONTESTS))


@pytest.mark.parametrize(
    ("sdk", "instrumentor", "spans"),
    [
        ("recording", ALONE, [0, 0, 0, 0, 0, 0]),
        ("recording", "otelbridge.langchain:LangChainInstrumentor", [1, 21, 21, 1, 1, 1]),
        ("unsampled", "otelbridge.langchain:LangChainInstrumentor", [0, 0, 0, 0, 0, 0]),
    ],
)
def test_langchain_programs_leave_their_spans(
    monkeypatch: pytest.MonkeyPatch, sdk: Sdk, instrumentor: str, spans: list[int]
) -> None:
    """One for each run: a graph has one more than steps."""
    monkeypatch.setenv("COVERAGE_PROCESS_CONFIG", "")
    with contestant(sys.executable, sdk, instrumentor) as one:
        assert [one.ask("spans", program) for program in OF_LANGCHAIN] == spans
        assert one.ask("lap", "lambda", 2) > 0


def test_contestant_that_ends_is_an_error() -> None:
    """What it was asked is told; why it ended is on stderr."""
    with contestant(sys.executable, "absent", "otelbridge.langchain:Nobody") as one:
        with pytest.raises(RuntimeError, match="did not answer"):
            one.ask("spans", "lambda")


def test_added_time_of_a_span_is_compared_with_the_cheapest_other_that_has_all_nodes() -> None:
    """One with fewer spans than nodes is cheap for another reason."""
    milliseconds = {OURS: 14.0, LANGCHAIN: 10.0, "dear": 30.0, "cheap": 20.0, "few": 10.1}
    times = {name: Times([time / 1e3] * 2, 0) for name, time in milliseconds.items()}
    spans = {OURS: 20, LANGCHAIN: 0, "dear": 20, "cheap": 20, "few": 1}
    compared = beside_cheapest(Contest("graph", "graph", 1.3, nodes=20), times, spans)
    assert compared is not None
    assert compared["cheapest"] == "cheap"
    assert compared["ratio"]["median"] == pytest.approx(0.4)
    assert compared["microseconds"][OURS]["median"] == pytest.approx(200)


def test_large_store_answers_every_question(tmp_path: Path) -> None:
    """Each claim has its bound, and the questions find what they ask for."""
    claims = store.answers(tmp_path, 600)
    assert len(claims) == 13
    assert {claim["budget"] for claim in claims} == {100, 300, 500}
    with Store(tmp_path / "many.db") as large:
        assert large.stats().spans == 600
        assert len(large.search(many_spans.COMMON, limit=1_000)) == 600
        assert len(large.search(many_spans.RARE)) == 1


def test_stored_runs_are_all_there_at_the_end_of_a_lap(tmp_path: Path) -> None:
    """Else the time of a lap would mean nothing."""
    switch, sink = store.Switch(), StoreSink(tmp_path / "t.db")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(switch)
    tracer = provider.get_tracer("t")
    for target, expected in ((sink, 5), (None, 5), (sink, 10)):
        lap = store.Working(lambda: tracer.start_span("s").end(), switch, target, to_the_end=True)
        lap.set_stage(5)
        lap.lap(5)
        assert sink.stats().written == expected
        lap.clear_stage(5)
    sink.shutdown()
