"""The store as readers know it: lists, traces, changes, what is added and what is deleted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from stores import SERVICE, awaited, foreign, names, told, writing

from otelbridge.encoding.units import Group, Item
from otelbridge.store import Added, Filter, Store, StoreError, _index, _store
from otelbridge.store._facts import INPUT_TOKENS, record_facts
from otelbridge.store._writing import Writer
from otelbridge.store.codec import to_record
from otelbridge.store.sink import StoreSink

S = 1_000_000_000
T0 = 1_700_000_000 * S


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "traces.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store(path) as store:
        yield store


def span(
    trace: int,
    number: int = 1,
    *,
    parent: int = 0,
    name: str = "root",
    start_s: float = 0,
    took_s: float = 1,
    error: bool = False,
    tokens: int | None = None,
) -> bytes:
    """A span of another program, as OTLP."""
    start = T0 + round(start_s * S)
    made = Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=name,
        start_time_unix_nano=start,
        end_time_unix_nano=start + round(took_s * S),
        status=Status(code=2 if error else 0),
    )
    if tokens is not None:
        made.attributes.add(key=INPUT_TOKENS).value.int_value = tokens
    return made.SerializeToString()


def tid(trace: int) -> str:
    """The id of a trace as text."""
    return format(trace, "032x")


# ---------------------------------------------------------------------------- add and get


def test_added_spans_are_there_at_once(store: Store) -> None:
    """With their service, in the order of their start, and summed up."""
    added = store.add(
        foreign(
            span(1, 2, parent=1, name="late", start_s=2, took_s=3, error=True, tokens=5),
            span(1, 1, name="root", start_s=0, took_s=1),
            span(1, 3, parent=1, name="early", start_s=1, tokens=2),
        )
    )
    assert added == Added(3, 0, "")
    found = store.get(tid(1))
    assert found is not None
    assert [it.name for it in found.spans] == ["root", "early", "late"]
    (summary,) = store.traces()
    assert found.summary == summary
    assert (summary.trace_id, summary.name, summary.service) == (tid(1), "root", "far")
    assert (summary.start_ns, summary.end_ns) == (T0, T0 + 5 * S)
    assert (summary.state, summary.status, summary.spans, summary.errors) == (
        "ended", "unset", 3, 1,
    )  # fmt: skip
    assert (summary.input_tokens, summary.output_tokens, summary.changed) == (7, None, 3)
    assert store.summaries([tid(1), tid(2), "no id"]) == [summary]
    assert store.services() == ["far"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_earliest_of_several_roots_names_the_trace(store: Store, order: list[int]) -> None:
    """In whatever order they come; its status is the trace's."""
    spans = [
        span(1, 1, parent=7, name="child"),
        span(1, 2, name="first", start_s=1, error=True),
        span(1, 3, name="second", start_s=2),
    ]
    for index in order:
        store.add(foreign(spans[index]))
    (summary,) = store.traces()
    assert (summary.name, summary.status) == ("first", "error")


def test_trace_without_a_root_is_named_by_its_earliest_span(store: Store) -> None:
    """Any failed span fails it; when the root comes, that decides."""
    store.add(foreign(span(1, 2, parent=1, name="b", start_s=2, error=True)))
    store.add(foreign(span(1, 3, parent=1, name="a", start_s=1)))
    assert [(it.name, it.status) for it in store.traces()] == [("a", "error")]
    store.add(foreign(span(1, 1, name="root", start_s=3)))
    assert [(it.name, it.status) for it in store.traces()] == [("root", "unset")]


def test_span_that_comes_again_stays_as_it_was(store: Store) -> None:
    """An ended span is final: delivery is at least once, and the first copy is kept."""
    store.add(foreign(span(1, name="first")))
    assert store.add(foreign(span(1, name="second"), span(1, name="third"))) == Added(2, 0, "")
    assert [(it.name, it.spans, it.changed) for it in store.traces()] == [("first", 1, 1)]


def test_bad_span_loses_no_other(store: Store) -> None:
    """It is counted, with the reason; bytes that are no request are refused."""
    added = store.add(foreign(span(1), Span(name="no ids").SerializeToString(), span(2)))
    assert (added.accepted, added.rejected) == (2, 1)
    assert added.message
    assert names(store) == ["root", "root"]
    with pytest.raises(ValueError, match="no ExportTraceServiceRequest"):
        store.add(b"\xff\xff")


def test_unknown_trace_is_none(store: Store) -> None:
    """As is what is no id at all."""
    assert store.get(tid(7)) is None
    assert store.get("nonsense") is None
    assert store.traces(before=tid(7)) == []


# ---------------------------------------------------------------------------- lists


def test_list_is_newest_first_and_goes_on_by_pages(store: Store) -> None:
    """By start, not by arrival; equal starts by arrival; no trace twice."""
    for trace, start in ((1, 3), (2, 1), (3, 2), (4, 2)):
        store.add(foreign(span(trace, name=f"t{trace}", start_s=start)))
    assert names(store) == ["t1", "t4", "t3", "t2"]
    first = store.traces(limit=2)
    assert [it.name for it in store.traces(before=first[-1].trace_id)] == ["t3", "t2"]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (Filter(), ["slow", "failed", "other"]),
        (Filter(service="far"), ["slow", "failed", "other"]),
        (Filter(service="near"), []),
        (Filter(status="error"), ["failed"]),
        (Filter(status="unset"), ["slow", "other"]),
        (Filter(state="ended"), ["slow", "failed", "other"]),
        (Filter(state="running"), []),
        (Filter(state="lost"), []),
        (Filter(since_ns=T0 + S), ["slow", "failed"]),
        (Filter(until_ns=T0 + S), ["other"]),
        (Filter(min_duration_ns=5 * S), ["slow"]),
        (Filter(min_duration_ns=S, status="error", since_ns=T0), ["failed"]),
    ],
)
def test_filter_by_what_a_list_shows(store: Store, filter: Filter, expected: list[str]) -> None:
    """Every field that is set must hold."""
    store.add(
        foreign(
            span(1, name="other"),
            span(2, name="failed", start_s=1, error=True),
            span(3, name="slow", start_s=2, took_s=9),
        )
    )
    assert [it.name for it in store.traces(filter)] == expected


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (Filter(since_ns=1 << 80), []),
        (Filter(since_ns=-1 << 80), ["other"]),
        (Filter(until_ns=1 << 80), ["other"]),
        (Filter(until_ns=-1 << 80), []),
        (Filter(min_duration_ns=1 << 80), []),
        (Filter(service="\ud800"), []),
        (Filter(name="\ud800"), []),
        (Filter(text="\ud800x"), []),
    ],
)
def test_filter_takes_what_no_trace_can_have(
    store: Store, filter: Filter, expected: list[str]
) -> None:
    """Times beyond those that are stored, and text that is none."""
    store.add(foreign(span(1, name="other")))
    assert [it.name for it in store.traces(filter)] == expected
    assert store.load(-1 << 80, 1 << 80, 1, filter) == [(len(expected), 0)]


@pytest.mark.parametrize("filter", [Filter(text="needle"), Filter(name="needle")])
def test_search_goes_on_behind_what_is_read_each_time(
    store: Store, filter: Filter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where so much is not indexed that some of it would not be looked at, it is indexed first."""
    made = [span(each, name="needle" if each == 1_000 else "hay") for each in range(1, 2_401)]
    items = [Item(Group(SERVICE, "", b"", ""), each) for each in made]
    facts = [record_facts(each, to_record(each.span, each.group)) for each in items]
    with store._database.writing() as connection:
        assert Writer().write(connection, facts, None) == 0
    monkeypatch.setattr(_index, "TAIL", 100)
    monkeypatch.setattr(_store, "_CATCH_UP_S", 0.0)
    assert [it.name for it in store.traces(filter)] == ["needle"]


@pytest.mark.parametrize("before", ["", "no hit", "aa", "aa:zz", "1:2:3", tid(1)])
def test_search_behind_what_is_no_hit_finds_nothing(store: Store, before: str) -> None:
    """As a list behind what is no trace."""
    store.add(foreign(span(1, name="other")))
    assert store.search("other", before=before) == []
    assert store.traces(before="no trace") == []


def test_prune_takes_any_age(store: Store) -> None:
    """Nothing is older than for ever; everything is older than what is to come."""
    store.add(foreign(span(1, name="other")))
    for age_s in (float("inf"), 1e300):
        assert store.prune(max_age_s=age_s).traces == 0
    assert store.prune(max_age_s=-1e300).traces == 1


def test_load_counts_traces_by_their_start(store: Store) -> None:
    """Each bucket has its traces and how many of them failed; the filter counts."""
    store.add(
        foreign(
            span(1, start_s=0),
            span(2, start_s=1, error=True),
            span(3, start_s=9.9),
            span(4, start_s=10),
        )
    )
    assert store.load(T0, T0 + 10 * S, 5) == [(2, 1), (0, 0), (0, 0), (0, 0), (1, 0)]
    assert store.load(T0, T0 + 10 * S, 2, Filter(status="error")) == [(1, 1), (0, 0)]
    assert store.load(T0, T0 + 10 * S, 2, Filter(text="nothing")) == [(0, 0), (0, 0)]


def test_find_takes_the_beginning_of_an_id(store: Store) -> None:
    """``last`` is the newest; none and several are told with the cure."""
    with pytest.raises(StoreError, match="holds no trace yet"):
        store.find("last")
    store.add(foreign(span(0xA0 << 120), span(0xA1 << 120, start_s=1), span(0xB << 124)))
    assert store.find("last") == tid(0xA1 << 120)
    assert store.find("B") == tid(0xB << 124)
    assert store.find(tid(0xA0 << 120)) == tid(0xA0 << 120)
    with pytest.raises(StoreError, match=r"several traces begin with 'a'.*: a00.*, a10"):
        store.find("a")
    for prefix in ("c", "no hex", "a" * 33, ""):
        with pytest.raises(StoreError, match="no trace begins with"):
            store.find(prefix)


# ---------------------------------------------------------------------------- changes


def test_changes_are_cut_at_the_limit_and_go_on(store: Store) -> None:
    """Each carries the cursor to go on from."""
    store.add(foreign(*[span(number, name=f"t{number}") for number in range(1, 6)]))
    first = store.changes(0, limit=2)
    assert told(first) == [("ended", "t1", None), ("ended", "t2", None)]
    assert [it.span.name for it in store.changes(first[-1].cursor)] == ["t3", "t4", "t5"]
    assert store.changes(store.cursor()) == []


def test_follow_begins_now_and_ends_when_told(store: Store) -> None:
    """Without a cursor what was there before is not told."""
    store.add(foreign(span(1, name="before")))
    stop, seen = threading.Event(), list[str]()
    started = threading.Event()

    def follow() -> None:
        changes = store.follow(poll_s=0.01, stop=stop)
        started.set()
        seen.extend(change.span.name for change in changes)

    thread = threading.Thread(target=follow)
    thread.start()
    started.wait()

    def add() -> bool:
        store.add(foreign(span(2, number=100 + len(added), name="after")))
        added.append(1)
        return bool(seen) or stop.wait(0.05)

    added = list[int]()
    thread_sees = awaited(lambda: add() or seen)
    stop.set()
    thread.join()
    assert thread_sees
    assert set(seen) == {"after"}


# ---------------------------------------------------------------------------- delete and prune


def test_deleted_traces_are_gone(store: Store) -> None:
    """From lists, searches and the account; others stay; unknown ids count for nothing."""
    store.add(foreign(*[span(trace, name="word") for trace in (1, 2, 3)]))
    assert store.delete([tid(1), tid(3), tid(9), "nonsense"]) == 2
    assert [it.trace_id for it in store.traces()] == [tid(2)]
    assert [it.trace.trace_id for it in store.search("word")] == [tid(2)]
    assert (store.get(tid(1)), store.stats().spans) == (None, 1)


def test_prune_deletes_what_is_old(store: Store) -> None:
    """By the time of its end."""
    store.add(foreign(span(1)))
    with writing(store.path) as (tracer, sink):
        tracer.start_span("young").end()
        assert sink.force_flush()
        pruned = store.prune(max_age_s=3600)
    assert (pruned.traces, pruned.spans) == (1, 1)
    assert names(store) == ["young"]


def test_prune_never_deletes_what_runs(store: Store) -> None:
    """Not even where there is far too much."""
    with writing(store.path) as (tracer, sink):
        with tracer.start_as_current_span("running"):
            tracer.start_span("child").end()
            assert sink.force_flush()
            for pruned in (store.prune(max_age_s=0, max_bytes=0), store.prune()):
                assert (pruned.traces, pruned.spans) == (0, 0)
            assert names(store) == ["running"]


def test_prune_by_size_deletes_the_oldest_and_shrinks_the_file(store: Store) -> None:
    """Until no more is in use than asked for; the newest stay."""
    filler = "x" * 4_000
    for trace in range(1, 401):
        store.add(foreign(span(trace, name=f"t{trace} {filler}", start_s=trace)))
    before = store.stats().bytes
    pruned = store.prune(max_bytes=1_000_000)
    kept = store.traces(limit=1_000)
    assert 0 < len(kept) < 300
    assert pruned.traces == 400 - len(kept)
    assert kept[0].name.startswith("t400 ")
    assert pruned.bytes_freed > 500_000
    store.close()
    assert store.stats().bytes < before


def test_writer_prunes_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its idle time, by the bounds that it was given."""
    monkeypatch.setattr("otelbridge.store._upkeep._FIRST_S", 0.0)
    with Store(path) as store:
        store.add(foreign(span(1)))
        sink = StoreSink(path, max_age_s=3600)
        with writing(path):
            sink._rouse()
            awaited(lambda: store.traces() == [])
        sink.shutdown()


def test_stats_tell_what_is_there(store: Store) -> None:
    """Counts, the oldest start, the size and the version of the tables."""
    assert store.stats().oldest_ns is None
    store.add(foreign(span(1), span(1, 2, parent=1), span(2, start_s=-5)))
    found = store.stats()
    assert (found.path, found.traces, found.spans, found.running) == (str(store.path), 2, 3, 0)
    assert (found.oldest_ns, found.schema) == (T0 - 5 * S, 1)
    assert found.bytes > 10_000
