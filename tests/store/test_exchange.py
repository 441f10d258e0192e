"""Traces out of a store and into another, and what becomes of those that have not ended."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import any_spans
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

from otelbridge.encoding.units import Group, Item, ids_of, request
from otelbridge.errors import StoreError
from otelbridge.store import Added, Filter, Store
from otelbridge.store._exchange import export_otlp, export_perfetto, import_otlp
from otelbridge.store.sink import StoreSink

NOBODY = Group(b"", "", b"", "")


def opened(folder: Path, name: str = "traces.db") -> Store:
    return Store(folder / name)


def exported(store: Store, *trace_ids: str, running: bool = False, **filter: str) -> list[str]:
    out = io.StringIO()
    export_otlp(store, out, Filter(**filter), trace_ids=trace_ids or None, include_running=running)
    assert out.getvalue().isascii()
    return out.getvalue().splitlines()


def item(trace: int, number: int, name: str = "span", group: Group = NOBODY) -> Item:
    made = Span(
        trace_id=trace.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name=name,
        start_time_unix_nano=trace, end_time_unix_nano=trace + number,
    )  # fmt: skip
    return Item(group, made.SerializeToString())


def all_ids(store: Store) -> list[str]:
    return [summary.trace_id for summary in store.traces(limit=99)]


def contents(store: Store, *trace_ids: str) -> dict[str, list[tuple[Item, str]]]:
    """Return the spans of traces, by default of all, as bytes."""
    return {trace: sorted(store._items(trace)) for trace in trace_ids or all_ids(store)}


def records(store: Store, *trace_ids: str) -> str:
    """Return every span's record, without the count of changes, which is a store's own."""
    traces = [store.get(trace_id) for trace_id in trace_ids]
    spans = [span for trace in traces if trace for span in trace.spans]
    fields = [name for name in type(spans[0]).__slots__ if name != "changed"] if spans else []
    return repr(sorted([repr(getattr(span, name)) for name in fields] for span in spans))


@pytest.fixture(scope="module")
def two_stores() -> Iterator[tuple[Store, Store]]:
    """Two stores that hold the same traces after every example; to make one takes a while."""
    with tempfile.TemporaryDirectory() as folder:
        with opened(Path(folder)) as here, opened(Path(folder), "other.db") as there:
            yield here, there


@pytest.fixture(scope="module")
def two_other_stores() -> Iterator[tuple[Store, Store]]:
    """Two more: spans that were foreign are not the encoder's."""
    with tempfile.TemporaryDirectory() as folder:
        with opened(Path(folder)) as here, opened(Path(folder), "other.db") as there:
            yield here, there


def ids_among(items: list[Item]) -> list[str]:
    return sorted({ids_of(each.span)[0] for each in items})


@given(st.lists(any_spans.items | any_spans.foreign, min_size=1, max_size=6))
def test_export_and_import_is_identity(two_stores: tuple[Store, Store], items: list[Item]) -> None:
    """Another store holds the same records, whoever made the spans."""
    here, there = two_stores
    ids = ids_among(items)
    assert here.add(request(items)) == Added(len(items), 0, "")
    lines = exported(here, *ids)
    assert import_otlp(there, lines) == Added(sum(map(len, contents(here, *ids).values())), 0, "")
    assert records(there, *ids) == records(here, *ids)


@given(st.lists(any_spans.items, min_size=1, max_size=6))
def test_bytes_of_the_encoder_come_out_of_the_other_store(
    two_other_stores: tuple[Store, Store], items: list[Item]
) -> None:
    """To the byte, producers too."""
    here, there = two_other_stores
    ids = ids_among(items)
    here.add(request(items))
    import_otlp(there, exported(here, *ids))
    assert contents(there, *ids) == contents(here, *ids)


def test_export_takes_traces_newest_first_and_by_filter(tmp_path: Path) -> None:
    """All of them, past a page of the list; those of a filter; those that are named."""
    with opened(tmp_path) as store:
        store.add(request([item(trace, 1, f"n{trace % 2}") for trace in range(1, 451)]))
        found = [json.loads(line) for line in exported(store)]
        ids = [it["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] for it in found]
        assert ids == [f"{trace:032x}" for trace in range(450, 0, -1)]
        assert len(exported(store, f"{7:032x}", f"{9:032x}")) == 2


def test_line_is_no_longer_than_the_collector_reads(tmp_path: Path) -> None:
    """A large trace is several requests of 500 spans at most, and of less than 1 MiB."""
    with opened(tmp_path) as store:
        store.add(request([item(1, number, "n" * 700) for number in range(1, 1_001)]))
        store.add(request([item(2, number) for number in range(1, 1_001)]))
        lines = exported(store)
        assert [line.count('"spanId"') for line in lines[:2]] == [500, 500]
        assert sum(line.count('"spanId"') for line in lines) == 2_000
        assert max(map(len, lines)) < 1 << 20


def test_import_says_which_line_is_wrong_and_keeps_those_before(tmp_path: Path) -> None:
    """The first line is stored, the third is named."""
    with opened(tmp_path) as here, opened(tmp_path, "other.db") as there:
        here.add(request([item(1, 1), item(1, 2)]))
        good = exported(here)[0]
        with pytest.raises(StoreError) as caught:
            import_otlp(
                there, [good + "\n", "\n", '{"resourceSpans": [{"scopeSpans": 5}]}\n', good]
            )
        assert str(caught.value) == (
            "line 3 is no OTLP JSON with traces (resourceSpans[0].scopeSpans is 5: it must be an "
            "array): give one request a line, as the Collector's file exporter writes it. The 2 "
            "spans of the lines before are stored"
        )
        assert contents(there) == contents(here)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting property name"),
        ("[]", "the document is []: it must be an object"),
        ('{"resourceLogs":[]}', "it has no resourceSpans"),
        ("[" * 100_000, "it is nested too deep"),
    ],
)
def test_first_line_that_is_something_else_is_refused(
    tmp_path: Path, line: str, reason: str
) -> None:
    """No JSON, no object, logs; nothing is stored of it."""
    with opened(tmp_path) as store:
        with pytest.raises(StoreError) as caught:
            import_otlp(store, [line])
        assert str(caught.value).startswith(f"line 1 is no OTLP JSON with traces ({reason}")
        assert str(caught.value).endswith("Nothing was stored")
        assert store.traces() == []


def test_import_counts_what_is_rejected_by_line(tmp_path: Path) -> None:
    """Bad ids cost one span each; five bad lines are named by three and a number."""
    with opened(tmp_path) as store:
        bad = '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"01","spanId":"02"}]}]}]}'
        made = import_otlp(store, ["\ufeff" + bad] * 5)
        fault = "1 span rejected: trace id '01' is not 16 bytes with one that is not zero"
        assert made == Added(
            0, 5, f"line 1: {fault}; line 2: {fault}; line 3: {fault}; and 2 lines more"
        )


@pytest.fixture
def tracer(tmp_path: Path) -> Iterator[Tracer]:
    """A tracer whose spans go into the store as they run."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(StoreSink(tmp_path / "traces.db"))
    yield provider.get_tracer("test")
    provider.shutdown()


def states(store: Store) -> list[tuple[str, str, int, object]]:
    (summary,) = store.traces()
    trace = store.get(summary.trace_id)
    assert trace is not None
    return [
        (span.name, span.state, len(span.events), span.attributes.get("otelbridge.run.state"))
        for span in trace.spans
    ]


def test_running_spans_are_left_out_unless_asked_for_and_then_marked(
    tmp_path: Path, tracer: Tracer
) -> None:
    """With their events so far; where they are imported no process will end them, so: lost."""
    with tracer.start_as_current_span("root") as root, opened(tmp_path) as here:
        root.add_event("progress")
        with tracer.start_as_current_span("step"):
            pass
        assert tracer.span_processor.force_flush()  # type: ignore[attr-defined]
        with opened(tmp_path, "ended.db") as there:
            assert import_otlp(there, exported(here)) == Added(1, 0, "")
            assert states(there) == [("step", "ended", 0, None)]
        lines = exported(here, running=True)
        with opened(tmp_path, "all.db") as there:
            assert import_otlp(there, lines) == Added(2, 0, "")
            assert states(there) == [("root", "lost", 1, "running"), ("step", "ended", 0, None)]
            assert exported(there) == lines
        assert states(here)[0] == ("root", "running", 1, None)


def test_whole_trace_replaces_the_part_that_was_imported_while_it_ran(
    tmp_path: Path, tracer: Tracer
) -> None:
    """Imported again when it has ended, it has ended there too."""
    with opened(tmp_path) as here, opened(tmp_path, "other.db") as there:
        with tracer.start_as_current_span("root") as root:
            root.add_event("progress")
            assert tracer.span_processor.force_flush()  # type: ignore[attr-defined]
            import_otlp(there, exported(here, running=True))
        assert tracer.span_processor.force_flush()  # type: ignore[attr-defined]
        import_otlp(there, exported(here))
        assert states(there) == [("root", "ended", 1, None)]
        assert contents(there) == contents(here)


def test_perfetto_export_draws_the_traces_that_are_named(tmp_path: Path) -> None:
    """One document, whatever they are."""
    with opened(tmp_path) as store:
        store.add(request([item(1, 1), item(2, 1), item(2, 2)]))
        out = io.StringIO()
        assert export_perfetto(store, out, trace_ids=[f"{2:032x}", f"{1:032x}"]) == 3
        slices = [it for it in json.loads(out.getvalue())["traceEvents"] if it["ph"] == "X"]
        assert [it["args"]["trace_id"][-1] for it in slices] == ["1", "2", "2"]


def test_trace_that_is_not_there_is_said(tmp_path: Path) -> None:
    """By both exports, with its id."""
    with opened(tmp_path) as store:
        with pytest.raises(StoreError, match="no trace 'beef'"):
            exported(store, "beef")
        with pytest.raises(StoreError, match="no trace 'beef'"):
            export_perfetto(store, io.StringIO(), trace_ids=["beef"])
