"""Chrome trace events: nested as the viewer nests them, and nothing left out."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otelbridge.encoding.units import Group
from otelbridge.store.codec import to_record
from otelbridge.store.perfetto import write_perfetto
from otelbridge.store.records import EventRecord, SpanRecord, Trace, TraceSummary

TRACE_ID = "0102030405060708090a0b0c0d0e0f10"
ZERO = 1_700_000_000_000_000_001
NOBODY = to_record(
    Span(trace_id=bytes.fromhex(TRACE_ID)).SerializeToString(), Group(b"", "", b"", "")
)
SUMMARY = TraceSummary(
    TRACE_ID, "root", "shop", 0, 0, "ended", "unset", None, None, 0, 0, 0, None, None, 0
)


def span(number: int, parent: int, start: int, end: int | None, **parts: Any) -> SpanRecord:
    given: dict[str, Any] = {
        "span_id": f"{number:016x}",
        "parent_id": f"{parent:016x}" if parent else None,
        "name": f"s{number}",
        "kind": "internal",
        "start_ns": ZERO + start,
        "end_ns": None if end is None else ZERO + end,
        "state": "running" if end is None else "ended",
        "service": "shop",
        **parts,
    }
    return dataclasses.replace(NOBODY, **given)


def drawn(*spans: SpanRecord) -> list[dict[str, Any]]:
    """Write, and read the document back."""
    out = io.StringIO()
    count = write_perfetto(out, [Trace(SUMMARY, spans)] if spans else [])
    document = json.loads(out.getvalue())
    events: list[dict[str, Any]] = document.pop("traceEvents")
    assert out.getvalue().isascii()
    assert count == sum(event["ph"] == "X" for event in events)
    assert document == {
        "displayTimeUnit": "ms",
        "otherData": {
            "start_ns": str(min((it.start_ns for it in spans), default=0)),
            "traces": [TRACE_ID] * bool(spans),
        },
    }
    return events


def tracks(*spans: SpanRecord) -> dict[str, int]:
    return {event["name"]: event["tid"] for event in drawn(*spans) if event["ph"] == "X"}


def test_nothing_is_an_empty_document() -> None:
    """No trace, no event; it is JSON all the same."""
    assert drawn() == []


def test_span_with_an_event_is_whole() -> None:
    """Names, times in µs from the first span, attributes of every type, status and ids."""
    event = EventRecord(ZERO + 1_500, "progress", {"data.real": math.nan})
    root = span(
        1, 0, 0, 2_345_678, run_type="chain", status="error", status_message="no",
        events=(event,), resource={"service.name": "shop"},
        attributes={"bytes": b"\xff", "list": [1, math.inf], "map": {"k": None}},
    )  # fmt: skip
    assert drawn(root) == [
        {"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": "shop"}},
        {
            "ph": "M", "name": "process_labels", "pid": 1, "tid": 0,
            "args": {"labels": '{"service.name": "shop"}'},
        },
        {"ph": "M", "name": "thread_name", "pid": 1, "tid": 1, "args": {"name": "s1"}},
        {
            "ph": "X", "name": "s1", "cat": "chain", "pid": 1, "tid": 1, "ts": 0.0,
            "dur": 2345.678,
            "args": {
                "bytes": "/w==", "list": [1, "inf"], "map": {"k": None}, "trace_id": TRACE_ID,
                "span_id": f"{1:016x}", "status": "error: no",
            },
        },
        {
            "ph": "i", "s": "t", "name": "progress", "cat": "event", "pid": 1, "tid": 1,
            "ts": 1.5, "args": {"data.real": "nan"},
        },
    ]  # fmt: skip


def test_children_one_after_another_stand_on_their_parent_s_track() -> None:
    """Where nothing overlaps, one track shows the whole tree."""
    found = tracks(
        span(1, 0, 0, 100), span(2, 1, 0, 50), span(3, 2, 10, 50), span(4, 1, 50, 100)
    )  # fmt: skip
    assert found == {"s1": 1, "s2": 1, "s3": 1, "s4": 1}


def test_overlapping_siblings_stand_on_tracks_of_their_own() -> None:
    """And their children with them; a track that has become free is taken again."""
    found = tracks(
        span(1, 0, 0, 100), span(2, 1, 10, 40), span(3, 1, 20, 60), span(4, 3, 30, 35),
        span(5, 1, 30, 50), span(6, 1, 70, 90), span(7, 1, 75, 95),
    )  # fmt: skip
    assert found == {"s1": 1, "s2": 1, "s3": 2, "s4": 2, "s5": 3, "s6": 1, "s7": 2}


def test_child_that_outlives_its_parent_stands_beside_it() -> None:
    """The viewer would drop a slice that ends behind the one that it lies in."""
    assert tracks(span(1, 0, 0, 100), span(2, 1, 50, 120)) == {"s1": 1, "s2": 2}


def test_stranger_within_a_span_is_not_shown_as_its_child() -> None:
    """Another root at the same time has another track."""
    assert tracks(span(1, 0, 0, 100), span(2, 0, 10, 20)) == {"s1": 1, "s2": 2}


def test_parent_comes_first_where_both_begin_and_end_at_once() -> None:
    """Also where the child was written first."""
    events = drawn(span(2, 1, 0, 10), span(1, 0, 0, 10))
    assert [(e["name"], e["tid"]) for e in events if e["ph"] == "X"] == [("s1", 1), ("s2", 1)]


def test_each_resource_is_a_process() -> None:
    """Two programs of one service, and one of none, are told apart."""
    events = drawn(
        span(1, 0, 0, 100, resource={"host": "a"}), span(2, 1, 10, 20, resource={"host": "b"}),
        span(3, 2, 12, 15, service="", resource={}),
    )  # fmt: skip
    assert [(e["name"], e["pid"], e["tid"]) for e in events if e["ph"] == "X"] == [
        ("s1", 1, 1), ("s2", 2, 2), ("s3", 3, 3),
    ]  # fmt: skip
    names = [e["args"]["name"] for e in events if e["name"] == "process_name"]
    assert names == ["shop", "shop", "unknown service"]


def test_running_span_reaches_to_the_last_time_that_is_known() -> None:
    """And says that it runs; its children lie within it."""
    last = EventRecord(ZERO + 9_000, "e")
    events = drawn(span(1, 0, 0, None), span(2, 1, 1_000, 5_000, events=(last,)))
    slices = [e for e in events if e["ph"] == "X"]
    assert [(e["dur"], e["tid"]) for e in slices] == [(9.0, 1), (4.0, 1)]
    assert [e["args"].get("otelbridge.run.state") for e in slices] == ["running", None]


def test_events_of_pages_stand_with_their_run() -> None:
    """A page is no slice; one whose run is not there keeps its events."""
    event = EventRecord(ZERO + 5, "e")
    events = drawn(
        span(1, 0, 0, 100), span(2, 1, 0, 10, page=1, events=(event,)),
        span(4, 3, 0, 10, page=1, events=(event, event)),
    )  # fmt: skip
    assert [(e["ph"], e["name"], e["tid"]) for e in events if e["ph"] != "M"] == [
        ("X", "s1", 1), ("i", "e", 1), ("i", "e", 2), ("i", "e", 2),
    ]  # fmt: skip
    assert [e["args"]["name"] for e in events if e["name"] == "thread_name"] == ["s1", "s4"]


def test_spans_that_are_each_other_s_parents_are_drawn() -> None:
    """A circle, which no program should send, ends."""
    assert sorted(tracks(span(1, 2, 0, 10), span(2, 1, 0, 10))) == ["s1", "s2"]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 20), st.integers(0, 20)), max_size=12))
def test_slices_of_a_track_nest_and_only_in_their_parents(
    parts: list[tuple[int, int, int]],
) -> None:
    """Of two on a track one holds the other, its descendant, or they do not overlap."""
    spans = [
        span(number, parent if parent != number else 0, start, start + size)
        for number, (parent, start, size) in enumerate(parts, 1)
    ]
    by_name = {it.name: it for it in spans}
    slices = [e for e in drawn(*spans) if e["ph"] == "X"]
    assert sorted(e["name"] for e in slices) == sorted(by_name)
    for index, first in enumerate(slices):
        for second in slices[index + 1 :]:
            if first["tid"] == second["tid"] and second["ts"] * 1000 < round(
                (first["ts"] + first["dur"]) * 1000
            ):
                assert first["ts"] <= second["ts"]
                assert by_name[second["name"]].end_ns <= by_name[first["name"]].end_ns
                assert first["name"] in _ancestors(by_name, second["name"])


def _ancestors(by_name: dict[str, SpanRecord], name: str) -> set[str]:
    found: set[str] = set()
    while (parent := by_name[name].parent_id) is not None:
        name = f"s{int(parent, 16)}"
        if name in found or name not in by_name:
            break
        found.add(name)
    return found
