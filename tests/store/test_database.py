"""The file: private, versioned, moved aside when broken, refused where SQLite cannot keep it."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from stores import awaited, foreign, names, writing
from test_store import span

from otelbridge.errors import ConfigurationError
from otelbridge.store import Store, StoreError, _location, _schema, default_path, store_path
from otelbridge.store._liveness import writers_folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "data" / "traces.db"


# ---------------------------------------------------------------------------- place


def test_default_is_the_users_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """OTELBRIDGE_STORE chooses another; ``off`` is for writers alone."""
    usual = default_path()
    assert usual.parts[-2:] == ("otelbridge", "traces.db")
    monkeypatch.setenv("OTELBRIDGE_STORE", "off")
    assert default_path() == usual
    monkeypatch.setenv("OTELBRIDGE_STORE", str(tmp_path / "mine.db"))
    with Store() as store:
        assert store.path == tmp_path / "mine.db"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows guards files by access lists")
def test_file_is_the_users_alone(path: Path) -> None:
    """With its log and its folders, whatever the umask."""
    before = os.umask(0)
    try:
        with writing(path) as (tracer, sink):
            running = tracer.start_span("s")
            assert sink.force_flush()
            files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
            running.end()
    finally:
        os.umask(before)
    assert files == {
        "traces.db": 0o600,
        "traces.db-setup": 0o600,
        "traces.db-shm": 0o600,
        "traces.db-wal": 0o600,
        "traces.db-writers": 0o700,
    }
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_missing_file_is_told_where_it_is_not_to_be_made(path: Path) -> None:
    """The message says what to do; nothing is made."""
    with pytest.raises(StoreError, match=r"there is no store at .*traces.db: run a program"):
        Store(path, create=False)
    assert not path.parent.exists()


def test_network_file_system_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the type of the mount that is nearest above."""
    mounts = path.parent.parent / "mounts"
    mounts.write_text(f"disk / ext4 rw\nserver:/ {path.parent.parent} nfs4 rw\nx /proc proc rw\n")
    monkeypatch.setattr(_location, "_MOUNTS", str(mounts))
    with pytest.raises(StoreError, match=r"network file system \(nfs4\).*choose a file on a disk"):
        Store(path)
    mounts.write_text(f"server:/ / nfs4 rw\ndisk {path.parent.parent} ext4 rw\n")
    assert Store(path).traces() == []


def test_store_is_one_by_whichever_name_it_is_opened(path: Path, tmp_path: Path) -> None:
    """What runs in a program that opened it by a link still runs for a reader that did not."""
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with writing(store_path(link)) as (tracer, sink), tracer.start_as_current_span("at work"):
        assert sink.force_flush()
        for name in (path, link):
            with Store(name) as store:
                assert store.path == path
                assert [(it.name, it.state) for it in store.traces()] == [("at work", "running")]
    assert {entry.name for entry in tmp_path.iterdir()} == {"link.db", "data"}


@pytest.mark.parametrize("name", ["~no such user/traces.db", "a\0b"])
def test_what_is_no_path_is_refused(name: str) -> None:
    """As a setting that cannot be used."""
    with pytest.raises(ConfigurationError, match=r"is no path of a file .*: choose a file"):
        Store(name)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a device: the message says that it is one, and nothing is done to it."""
    for name in (tmp_path, Path(os.devnull)):
        with pytest.raises(StoreError, match=r"the store .* is no file: choose a file"):
            Store(name)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------- versions


def test_newer_store_is_refused(path: Path) -> None:
    """With its version and the cure; the file stays as it is."""
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match=r"newer otelbridge \(.*version 99.*knows 1\): upgrade"):
        Store(path)
    assert not list(path.parent.glob("*.corrupt-*"))


def test_older_store_is_migrated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its traces stay; a writer of the older release stops, and says why."""
    with writing(path) as (tracer, sink):
        tracer.start_span("before").end()
        assert sink.force_flush()
        step = "ALTER TABLE traces ADD COLUMN colour TEXT"
        with monkeypatch.context() as newer:
            newer.setattr(_schema, "MIGRATIONS", (*_schema.MIGRATIONS, step))
            with Store(path) as store:
                assert store.stats().schema == 2
                assert names(store) == ["before"]
        tracer.start_span("after").end()
        assert not sink.force_flush(500)
        assert sink.stats().waiting == 1
    with pytest.raises(StoreError, match="version 2"):
        Store(path)


def test_migration_that_fails_leaves_the_store_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one transaction."""
    Store(path).close()
    steps = "CREATE TABLE more (x); CREATE TABLE traces (x)"
    with monkeypatch.context() as newer:
        newer.setattr(_schema, "MIGRATIONS", (*_schema.MIGRATIONS, steps))
        with pytest.raises(StoreError, match="already exists"):
            Store(path)
    assert Store(path).stats().schema == 1


def test_database_of_another_program_is_refused(path: Path) -> None:
    """It is neither changed nor moved."""
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StoreError, match="a database of another program"):
        Store(path)


def test_space_can_be_given_back(path: Path) -> None:
    """From the first table on: auto_vacuum cannot be changed later."""
    with Store(path) as store, store._database.reading() as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# ---------------------------------------------------------------------------- damage


@pytest.mark.parametrize("content", [b"no database" * 999, b"SQLite format 3\0" + b"\xff" * 9_000])
def test_broken_file_is_moved_aside(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """And named in the log; a new store is begun."""
    path.parent.mkdir()
    path.write_bytes(content)
    with Store(path) as store:
        store.add(foreign(span(1)))
        assert names(store) == ["root"]
    (aside,) = path.parent.glob("traces.db.corrupt-*")
    assert aside.read_bytes() == content
    (record,) = caplog.records
    assert str(aside) in record.getMessage()


def test_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    """A mistyped path costs nothing; a store with such a name is one, broken or not."""
    notes = tmp_path / "notes.txt"
    notes.write_text("my notes")
    for create in (True, False):
        with pytest.raises(StoreError, match=r"notes.txt is no store: choose another file"):
            Store(notes, create=create)
    assert [(it.name, it.read_text()) for it in tmp_path.iterdir()] == [("notes.txt", "my notes")]
    notes.unlink()
    Store(notes).close()
    notes.write_text("my notes")
    Store(notes).close()
    (aside,) = tmp_path.glob("notes.txt.corrupt-*")
    assert aside.read_text() == "my notes"


def test_reader_finds_the_file_that_took_the_place_of_another(path: Path) -> None:
    """Of one that was removed, or moved, nothing is shown any more."""
    with Store(path) as store:
        store.add(foreign(span(1, name="old")))
        for file in path.parent.glob("traces.db*"):
            if file.is_file():
                file.rename(f"{file}.away")
        assert names(store) == []
        store.add(foreign(span(2, name="new")))
        assert names(store) == ["new"]


# ---------------------------------------------------------------------------- memory


def test_store_in_memory_is_shared_by_the_process() -> None:
    """Sink and readers see the same; nothing is on disk."""
    with writing(None) as (tracer, sink), Store(":memory:") as store:
        span = tracer.start_span("in memory")
        assert sink.force_flush()
        wanted = format(span.get_span_context().trace_id, "032x")
        assert store.path is None
        assert [it.state for it in store.summaries([wanted])] == ["running"]
        span.end()
        assert sink.force_flush()
        assert Store(":memory:").find(wanted) == wanted
        assert store.delete([wanted]) == 1


# ---------------------------------------------------------------------------- liveness


PROGRAM = """
    import sys, time, otelbridge
    handle = otelbridge.configure(store=sys.argv[1], service_name="other")
    with otelbridge.start_run("done"):
        pass
    with otelbridge.start_run("at work"):
        otelbridge.dispatch_custom_event("begun", {})
        handle.flush()
        print("ready", flush=True)
        time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_run_whose_process_died_is_lost(path: Path) -> None:
    """Told by its released lock, with its events so far; a run of a living one is not."""
    program = [sys.executable, "-c", dedent(PROGRAM), str(path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with Store(path) as store:
            store._reaped = 0.0
            assert [(it.name, it.state) for it in store.traces()] == [
                ("at work", "running"), ("done", "ended"),
            ]  # fmt: skip
            assert len(list(writers_folder(path).iterdir())) == 1
            cursor = store.cursor()
            process.kill()
            process.wait()
            (change,) = awaited(lambda: store.changes(cursor))
            assert (change.kind, change.span.name, change.span.state) == ("lost", "at work", "lost")
            assert [event.name for event in change.span.events] == ["begun"]
            (summary, _) = store.traces()
            assert (summary.state, summary.events) == ("lost", 1)
            assert summary.end_ns is not None
            assert store.stats().running == 0
            assert list(writers_folder(path).iterdir()) == []


def test_several_processes_write_into_one_store(path: Path) -> None:
    """At the same time, into one trace too: nothing is lost, counts add up."""
    program = """
        import sys, otelbridge
        from opentelemetry import context, trace
        parent = trace.SpanContext(7, int(sys.argv[2]), True, trace.TraceFlags(1))
        handle = otelbridge.configure(store=sys.argv[1])
        with trace.use_span(trace.NonRecordingSpan(parent)):
            for number in range(200):
                with otelbridge.start_run(f"run {number}"):
                    pass
        assert handle.flush()
    """
    programs = [
        subprocess.Popen([sys.executable, "-c", dedent(program), str(path), str(number)])
        for number in (1, 2, 3)
    ]
    assert [process.wait(60) for process in programs] == [0, 0, 0]
    with Store(path) as store:
        (summary,) = store.traces()
        found = store.get(summary.trace_id)
    assert found is not None
    assert summary.spans == len(found.spans) == 600
