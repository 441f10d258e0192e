"""The sink: spans in the store while they happen, whatever the program does."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.trace import StatusCode
from stores import awaited, names, told, writing

import otelbridge
from otelbridge.store import Store
from otelbridge.store import sink as sink_module
from otelbridge.store._facts import ended_facts
from otelbridge.store.sink import StoreSink, Written

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "data" / "traces.db"


# ---------------------------------------------------------------------------- as it happens


def test_span_is_seen_while_it_runs(path: Path) -> None:
    """Its start, each event and its end become visible one after the other."""
    with writing(path) as (tracer, _), Store(path) as store:
        with tracer.start_as_current_span("root"):
            with tracer.start_as_current_span("child", attributes={"a": 1}) as child:
                awaited(lambda: len(store.changes(0)) == 2)
                child.add_event("one", {"n": 1})
                awaited(lambda: len(store.changes(0)) == 3)
                (summary,) = store.traces()
                assert (summary.name, summary.state, summary.end_ns) == ("root", "running", None)
                assert (summary.spans, summary.events, summary.service) == (2, 1, "shop")
                found = store.get(summary.trace_id)
                assert found is not None
                assert [
                    (it.name, it.state, it.end_ns, [event.name for event in it.events])
                    for it in found.spans
                ] == [("root", "running", None, []), ("child", "running", None, ["one"])]
                child.add_event("two")
                awaited(lambda: len(store.changes(0)) == 4)
        awaited(lambda: store.traces()[0].state == "ended")
        assert told(store.changes(0)) == [("ended", "child", None), ("ended", "root", None)]
        (summary,) = store.traces()
        assert (summary.spans, summary.events, summary.errors) == (2, 2, 0)


def test_changes_come_in_their_order(path: Path) -> None:
    """A follower that keeps up sees the start, each event once, and the end."""
    with writing(path) as (tracer, _), Store(path) as store:
        stop, seen = threading.Event(), list[tuple[str, str, str | None]]()

        def follow() -> None:
            for change in store.follow(after=0, poll_s=0.01, stop=stop):
                seen.extend(told([change]))

        thread = threading.Thread(target=follow)
        thread.start()
        with tracer.start_as_current_span("run") as span:
            for number in range(3):
                span.add_event(f"e{number}")
                awaited(lambda expected=number + 2: len(seen) == expected)  # type: ignore[misc]
            span.set_attribute("late", 1)
            awaited(lambda: len(seen) == 5)
        awaited(lambda: len(seen) == 6)
        stop.set()
        thread.join()
    assert seen == [
        ("started", "run", None),
        ("event", "run", "e0"),
        ("event", "run", "e1"),
        ("event", "run", "e2"),
        ("started", "run", None),
        ("ended", "run", None),
    ]


def test_event_is_seen_within_a_quarter_of_a_second(path: Path) -> None:
    """From its dispatch to another connection's view, at the best of ten: machines are busy."""
    with writing(path) as (tracer, _), Store(path) as store:
        took = list[float]()
        with tracer.start_as_current_span("run") as span:
            awaited(lambda: store.changes(0))
            for number in range(10):
                began = time.monotonic()
                span.add_event(f"e{number}")
                awaited(lambda expected=number + 2: len(store.changes(0)) == expected)  # type: ignore[misc]
                took.append(time.monotonic() - began)
    assert min(took) < 0.25


def test_short_run_costs_one_row(path: Path) -> None:
    """What began and ended between two looks was never seen running."""
    with writing(path) as (tracer, sink), Store(path) as store:
        for number in range(5):
            tracer.start_span(f"s{number}").end()
        assert sink.force_flush()
        assert [change.kind for change in store.changes(0)] == ["ended"] * 5
        assert store.cursor() == 5


def test_ended_span_is_stored_as_it_was(path: Path) -> None:
    """Status, attributes, events and links are there, after a life in between too."""
    with writing(path) as (tracer, sink), Store(path) as store:
        linked = tracer.start_span("linked")
        link = trace.Link(linked.get_span_context(), {"why": "x"})
        span = tracer.start_span("it", links=[link], kind=trace.SpanKind.CLIENT)
        awaited(lambda: len(store.changes(0)) == 2)
        span.update_name("renamed")
        span.set_attributes({"s": "\ud800", "l": [1, 2], "f": 0.5, "otelbridge.run.id": "r1"})
        span.add_event("e", {"k": True}, timestamp=5)
        span.set_status(StatusCode.ERROR, "went wrong")
        span.end()
        linked.end()
        assert sink.force_flush()
        found = store.get(store.find(format(span.get_span_context().trace_id, "032x")))
    assert found is not None
    (record,) = found.spans
    assert (record.name, record.kind, record.status) == ("renamed", "client", "error")
    assert record.status_message == "went wrong"
    assert record.attributes == {"s": "\\ud800", "l": [1, 2], "f": 0.5, "otelbridge.run.id": "r1"}
    assert [(e.name, e.time_ns, e.attributes) for e in record.events] == [("e", 5, {"k": True})]
    assert [(it.trace_id, it.attributes) for it in record.links] == [
        (format(linked.get_span_context().trace_id, "032x"), {"why": "x"})
    ]
    assert (found.summary.name, found.summary.status, found.summary.run_id) == (
        "renamed", "error", "r1",
    )  # fmt: skip


def test_more_events_than_a_span_holds_are_counted_once(path: Path) -> None:
    """The SDK keeps the newest 128; what a look has seen stays until the end."""
    with writing(path) as (tracer, sink), Store(path) as store:
        with tracer.start_as_current_span("run") as span:
            for number in range(100):
                span.add_event(f"e{number}")
            awaited(lambda: len(store.changes(0)) == 101)
            for number in range(100, 200):
                span.add_event(f"e{number}")
            awaited(lambda: len(store.changes(0)) == 201)
            found = store.get(store.find("last"))
            assert found is not None
            assert [it.name for it in found.spans[0].events] == [f"e{n}" for n in range(200)]
        assert sink.force_flush()
        assert store.traces()[0].events == 200


def test_span_that_is_not_sampled_is_not_stored(path: Path) -> None:
    """Neither while it runs nor when it has ended; recording alone is not enough."""

    class RecordOnly(sampling.Sampler):
        def should_sample(self, *_: object, **__: object) -> sampling.SamplingResult:
            return sampling.SamplingResult(sampling.Decision.RECORD_ONLY)

        def get_description(self) -> str:
            return "record only"

    sink = StoreSink(path)
    provider = TracerProvider(sampler=RecordOnly(), shutdown_on_exit=False)
    provider.add_span_processor(sink)
    span = provider.get_tracer("t").start_span("unseen")
    assert sink.force_flush()
    span.end()
    assert sink.force_flush()
    with Store(path) as store:
        assert store.cursor() == 0
    provider.shutdown()


def test_runs_and_their_pages_are_stored(path: Path) -> None:
    """A run with more events than its span holds: its pages count for events, not for spans."""
    sink = StoreSink(path)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(sink)

    def work(value: int) -> int:
        for number in range(300):
            otelbridge.dispatch_custom_event("tick", {"n": number})
        return value

    with otelbridge.configure(tracer_provider=provider, store=False):
        otelbridge.RunnableLambda(work).invoke(1)
    assert sink.force_flush()
    with Store(path) as store:
        (summary,) = store.traces()
        assert (summary.name, summary.spans, summary.events) == ("work", 1, 300)
        found = store.get(summary.trace_id)
    assert found is not None
    assert [span.page for span in found.spans] == [None, 1, 2]
    provider.shutdown()


def test_root_gives_the_trace_its_name_and_status(path: Path) -> None:
    """Until it is there, the earliest span does; a failed child does not fail the root."""
    with writing(path) as (tracer, sink), Store(path) as store:
        root = tracer.start_span("root")
        with trace.use_span(root):
            child = tracer.start_span("child")
        child.set_status(StatusCode.ERROR)
        child.end()
        root.end()
        assert sink.force_flush()
        (summary,) = store.traces()
        assert (summary.name, summary.status, summary.errors) == ("root", "unset", 1)


def test_tokens_are_summed(path: Path) -> None:
    """Over the spans that tell them; None where none does."""
    keys = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
    with writing(path) as (tracer, sink), Store(path) as store:
        with tracer.start_as_current_span("root"):
            for count in (3, 4):
                tracer.start_span("chat", attributes={keys[0]: count}).end()
        assert sink.force_flush()
        (summary,) = store.traces()
        assert (summary.input_tokens, summary.output_tokens) == (7, None)


# ---------------------------------------------------------------------------- flush and shutdown


def test_flush_is_true_once_all_is_committed(path: Path) -> None:
    """Another process would read it now; the account says so."""
    with writing(path) as (tracer, sink):
        for _ in range(1_500):
            tracer.start_span("s").end()
        assert sink.stats().ended == 1_500
        assert sink.force_flush()
        assert sink.stats() == Written(1_500, 1_500, 0, {})
        with Store(path) as store:
            assert store.stats().spans == 1_500


def test_account_is_whole_at_any_moment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A span on its way from the queue to the file is counted once, slow as the way may be."""

    def slowly(*args: Any) -> Any:
        time.sleep(0.003)
        return ended_facts(*args)

    monkeypatch.setattr(sink_module, "ended_facts", slowly)
    with writing(path) as (tracer, sink):
        for _ in range(50):
            tracer.start_span("s").end()
        seen = set[int]()
        while not sink.stats().written:
            seen.add(sink.stats().ended)
        assert seen == {50}


def test_shutdown_writes_what_has_ended_and_loses_what_runs(path: Path) -> None:
    """A span that is open then is lost; later ones are dropped and counted."""
    with writing(path) as (tracer, sink):
        late = tracer.start_span("open")
        tracer.start_span("ended").end()
    late.end()
    assert sink.stats() == Written(2, 1, 0, {"ended after shutdown": 1})
    with Store(path) as store:
        assert [(it.name, it.state) for it in store.traces()] == [
            ("ended", "ended"), ("open", "lost"),
        ]  # fmt: skip


def test_flush_writes_where_no_thread_can_be_started(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the end of the interpreter: the caller does the work."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with writing(path) as (tracer, sink):
        monkeypatch.setattr(threading.Thread, "start", refuse)
        tracer.start_span("s").end()
        assert sink.force_flush()
        with Store(path) as store:
            assert names(store) == ["s"]


def test_program_that_ends_has_its_spans_stored(path: Path) -> None:
    """Without a flush, by the handle's exit handler."""
    program = f"""
        import otelbridge
        otelbridge.configure(store={str(path)!r})
        with otelbridge.start_run("last words"):
            pass
    """
    subprocess.run([sys.executable, "-c", dedent(program)], check=True)
    with Store(path) as store:
        assert names(store) == ["last words"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")
def test_signal_handler_may_end_spans_and_flush(path: Path) -> None:
    """A handler that interrupts the program anywhere waits for no lock that it holds."""
    with writing(path) as (tracer, sink):
        count = 0

        def handler(*_: object) -> None:
            nonlocal count
            count += 1
            tracer.start_span("from a handler").end()
            sink.force_flush(5)

        before = signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        try:
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                tracer.start_span("s").end()
                sink.force_flush(5)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert count
        assert sink.force_flush()
        with Store(path) as store:
            assert names(store).count("from a handler") == count


# ---------------------------------------------------------------------------- trouble


def test_memory_is_bounded_and_losses_are_told(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Past the bound the newest spans are dropped; what was queued is written later."""
    monkeypatch.setattr(sink_module, "QUEUE", 50)
    monkeypatch.setattr(sink_module, "BATCH", 5)
    monkeypatch.setattr(sink_module, "_CROWDED", 10)
    with writing(path) as (tracer, sink):
        with sink._working:  # the writer is held up
            for _ in range(200):
                tracer.start_span("s").end()
            dropped = sum(sink.stats().dropped.values())
            assert 140 <= dropped <= 152
        assert not sink.force_flush()
        assert sink.stats() == Written(
            200, 200 - dropped, 0, {"the store could not keep up": dropped}
        )
    (record,) = caplog.records
    assert record.getMessage() == (
        "otelbridge drops spans on their way to the store: the store could not keep up"
    )


def test_store_that_cannot_be_written_now_gets_its_spans_later(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another holds the write lock for long: one warning, and no loss."""
    monkeypatch.setattr("otelbridge.store._opening.BUSY_S", 0.05)
    with writing(path) as (tracer, sink):
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        tracer.start_span("s").end()
        assert not sink.force_flush(300)
        assert sink.stats() == Written(1, 0, 1, {})
        other.execute("ROLLBACK")
        other.close()
        assert sink.force_flush()
        assert sink.stats() == Written(1, 1, 0, {})
    (record,) = caplog.records
    assert "cannot write to the store" in record.getMessage()
    assert "locked" in record.getMessage()


def test_file_that_is_removed_is_begun_anew(path: Path) -> None:
    """What runs is written again; what had ended before is gone with the file."""
    with writing(path) as (tracer, sink):
        tracer.start_span("before").end()
        running = tracer.start_span("running")
        running.add_event("early")
        assert sink.force_flush()
        for file in path.parent.glob("traces.db*"):
            if file.is_file():
                file.unlink()
        tracer.start_span("after").end()
        assert sink.force_flush()
        with Store(path) as store:
            assert sorted(names(store)) == ["after", "running"]
            found = store.get(format(running.get_span_context().trace_id, "032x"))
            assert found is not None
            assert [event.name for event in found.spans[0].events] == ["early"]
        running.end()


def test_file_that_breaks_is_moved_aside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The writer goes on in a new one, and names the old."""
    with writing(path) as (tracer, sink):
        tracer.start_span("before").end()
        assert sink.force_flush()
        with sink._working:  # it could make its tables while the file is still empty
            sink._database.close()
            path.write_bytes(b"not a database, " * 1_000)
        tracer.start_span("after").end()
        assert sink.force_flush()
        with Store(path) as store:
            assert names(store) == ["after"]
    (aside,) = path.parent.glob("traces.db.corrupt-*")
    assert aside.read_bytes().startswith(b"not a database")
    assert any(str(aside) in record.getMessage() for record in caplog.records)


def test_trace_that_is_deleted_as_it_runs_comes_back_with_its_end(path: Path) -> None:
    """Its events in between find nothing to belong to, and harm nothing."""
    with writing(path) as (tracer, sink), Store(path) as store:
        with tracer.start_as_current_span("run") as span:
            assert sink.force_flush()
            assert store.delete([store.find("last")]) == 1
            span.add_event("e")
            assert sink.force_flush()
            assert store.traces() == []
        assert sink.force_flush()
        (summary,) = store.traces()
        assert (summary.spans, summary.events, summary.state) == (1, 1, "ended")


# ---------------------------------------------------------------------------- processes


@FORKS
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_begins_anew(path: Path) -> None:
    """It writes its own spans and none of its parent's, whose run goes on."""
    with writing(path) as (tracer, sink), Store(path) as store:
        with tracer.start_as_current_span("parent"):
            assert sink.force_flush()
            pid = os.fork()
            if pid == 0:
                tracer.start_span("child").end()
                os._exit(0 if sink.force_flush() and sink.stats().written == 1 else 1)
            assert os.waitpid(pid, 0)[1] == 0
            assert store.traces()[0].state == "running"
        assert sink.force_flush()
        (summary,) = store.traces()
        assert (summary.name, summary.state, summary.spans) == ("parent", "ended", 2)


@FORKS
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_span_that_was_open_at_a_fork_is_its_parents_to_end(path: Path) -> None:
    """What the child does with its copy is not stored; what the parent adds after is."""
    with writing(path) as (tracer, sink), Store(path) as store:
        with tracer.start_as_current_span("parent") as span:
            pid = os.fork()
            if pid == 0:
                span.end()
                os._exit(0 if sink.force_flush() and not sink.stats().written else 1)
            assert os.waitpid(pid, 0)[1] == 0
            span.add_event("after the fork")
        assert sink.force_flush()
        found = store.get(store.find("last"))
        assert found is not None
        assert [event.name for event in found.spans[0].events] == ["after the fork"]


_BUSY = """
import os, sys, threading, time
from pathlib import Path
from stores import writing

with writing(Path(sys.argv[1])) as (tracer, sink):
    stop = threading.Event()

    def work():
        while not stop.is_set():
            tracer.start_span("s").end()
            time.sleep(0.0002)

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            tracer.start_span("child").end()
            os._exit(0 if sink.force_flush(20_000) and sink.stats().written == 1 else 1)
        assert os.waitpid(pid, 0)[1] == 0
    stop.set()
    thread.join()
    assert sink.force_flush()
    print(sink.stats().written)
"""


@FORKS
def test_forks_of_a_busy_program_never_hang(path: Path) -> None:
    """A child is never made while the writer is inside SQLite, whose locks it would inherit."""
    # Not measured: coverage takes a lock at every call, and a child inherits it as it stood.
    variables = {
        **os.environ,
        "COVERAGE_PROCESS_CONFIG": "",
        "PYTHONPATH": os.pathsep.join(it for it in sys.path if it),
    }
    program = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _BUSY, str(path)]
    done = subprocess.run(program, env=variables, check=True, stdout=subprocess.PIPE, timeout=240)
    with Store(path) as store:
        assert store.stats().spans == int(done.stdout) + 20
