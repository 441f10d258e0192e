"""What may happen to a store's file: it is said, nothing else is lost, and it goes on."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from children import NOBODY, SPANS, Child, Say, trace_spans
from opentelemetry.context import Context
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider

from otelbridge.encoding.units import Item, request
from otelbridge.errors import StoreError
from otelbridge.store import Added, Store, _schema
from otelbridge.store._liveness import mark_lost
from otelbridge.store.sink import StoreSink

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


class Program:
    """A program that is traced into a store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sink = StoreSink(path)
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(self.sink)
        self.tracer = self.provider.get_tracer("test")

    def run(self, name: str = "span", size: int = 0) -> None:
        """Make a trace of one span."""
        with self.tracer.start_as_current_span(name, context=Context()) as span:
            span.add_event("progress", {"data": "x" * size})

    def flush(self, timeout_s: float = 20) -> bool:
        return self.provider.force_flush(round(timeout_s * 1000))


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path / "traces.db")
    yield made
    made.provider.shutdown()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if not ROOT or sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def remount(disk: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode},size=1m", str(disk)], check=True)


def names(store: Store) -> list[str]:
    return sorted(summary.name for summary in store.traces(limit=10_000))


def soon(store: Store, *expected: str) -> bool:
    """Wait until the store holds traces of these names, and no others."""
    until = time.monotonic() + 10
    while names(store) != sorted(expected) and time.monotonic() < until:
        time.sleep(0.02)
    return names(store) == sorted(expected)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What otelbridge warned of."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("otelbridge") and record.levelno >= logging.WARNING
    ]


# The disk.


def test_full_disk_costs_no_span(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was flushed stays readable, what comes waits in memory, and is written with room."""
    program = Program(small_disk / "traces.db")
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 300_000)
    made = 0
    while program.flush(5):
        program.run(f"n{made}", size=5_000)
        made += 1
        assert made < 1_000
    assert said(caplog)[0].startswith(f"otelbridge cannot write to the store {program.path} now (")
    with Store(program.path) as store:
        before = len(names(store))
        assert 0 < before < made
        program.run("last")
        assert program.sink.stats().dropped == {}
        ballast.unlink()
        assert program.flush()
        assert names(store) == sorted(["last", *(f"n{number}" for number in range(made))])
    assert program.sink.stats().written == made + 1
    assert len(said(caplog)) <= 2
    program.provider.shutdown()


def test_full_disk_is_said_to_who_adds(small_disk: Path) -> None:
    """No success is answered for what is not in; what was is still there, and more comes later."""
    ballast = small_disk / "ballast"
    with Store(small_disk / "traces.db") as store:
        ballast.write_bytes(b"x" * 500_000)
        added: set[str] = set()
        with pytest.raises(StoreError, match="full"):
            for _ in range(2_000):
                trace_id = os.urandom(16)
                store.add(trace_spans(trace_id))
                added.add(trace_id.hex())
        assert {it.trace_id: it.spans for it in store.traces(limit=10_000)} == dict.fromkeys(
            added, SPANS
        )
        ballast.unlink()
        assert store.add(trace_spans(os.urandom(16))) == Added(SPANS, 0, "")


def test_disk_that_is_full_from_the_start_is_said(small_disk: Path) -> None:
    """A store that cannot be made says why, and can be made later."""
    (small_disk / "ballast").write_bytes(b"x" * (1 << 20))
    path = small_disk / "traces.db"
    with pytest.raises(StoreError, match=r"cannot be opened .*: .* by OTELBRIDGE_STORE"):
        Store(path)
    with pytest.raises(StoreError, match="cannot be opened"):
        StoreSink(path)
    (small_disk / "ballast").unlink()
    with Store(path) as store:
        assert store.add(trace_spans(b"t" * 16)).accepted == SPANS


def test_read_only_disk_is_said(small_disk: Path) -> None:
    """Where nothing can be made, and where there is a store already: the cure is named."""
    path = small_disk / "traces.db"
    with Store(path) as store:
        store.add(trace_spans(b"t" * 16))
    remount(small_disk, "ro")
    with pytest.raises(StoreError, match=r"cannot be opened .*OTELBRIDGE_STORE"):
        Store(small_disk / "other.db")
    with pytest.raises(StoreError, match=r"cannot be opened .*OTELBRIDGE_STORE"):
        StoreSink(small_disk / "other.db")
    with pytest.raises(StoreError, match="see that its folder can be written"):
        Store(path)
    remount(small_disk, "rw")
    with Store(path) as store:
        assert len(store.traces()) == 1


def say_refusal(say: Say, path: Path) -> None:
    """Be somebody who may write nothing here, and say what the store says."""
    if ROOT:
        os.seteuid(65534)
    for opened in (Store, StoreSink):
        with pytest.raises(StoreError) as caught:
            opened(path)
        say(str(caught.value))
    if ROOT:
        os.seteuid(0)  # coverage writes what it has measured


@pytest.mark.skipif(sys.platform == "win32", reason="needs the modes of folders")
def test_read_only_folder_is_said() -> None:
    """Where this user may make nothing, the message names the file and the cure."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o555)
        path = Path(name) / "traces.db"
        child = Child(say_refusal, path)
        for line in (child.hear(), child.hear()):
            assert line.startswith(f"the store {path} cannot be opened (")
            assert line.endswith('by OTELBRIDGE_STORE or store=, or ":memory:"')
        child.wait()
        os.chmod(name, 0o755)


# The file goes.


@pytest.mark.parametrize("what", ["all", "file", "folder"])
def test_file_that_is_removed_while_open_is_made_again(
    program: Program, tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever of it was removed: readers and writers meet in a new one, open spans included."""
    path = tmp_path / "folder" / "traces.db"
    path.parent.mkdir()
    program = Program(path)
    with Store(path) as store:
        with program.tracer.start_as_current_span("open", context=Context()) as span:
            span.add_event("first")
            program.run("gone")
            assert program.flush()
            assert soon(store, "open", "gone")
            if what == "folder":  # moved in one step first: a writer may make a file at any moment
                shutil.rmtree(path.parent.rename(tmp_path / "gone"))
            else:
                for end in ("", "-wal", "-shm") if what == "all" else ("",):
                    Path(f"{path}{end}").unlink(missing_ok=True)
            program.run("new")
            assert program.flush()
            assert soon(store, "open", "new")
            mark_lost(store._database)  # as every reader does now and then
            (summary,) = [it for it in store.traces() if it.name == "open"]
            assert (summary.state, summary.events) == ("running", 1)
        assert program.flush()
        (summary,) = [it for it in store.traces() if it.name == "open"]
        assert (summary.state, summary.events) == ("ended", 1)
        store.add(trace_spans(b"t" * 16))
        assert names(store) == ["new", "open", "received 1"]
    program.provider.shutdown()
    assert [it for it in path.parent.iterdir() if "corrupt" in it.name] == []
    assert said(caplog) == []


def test_file_that_is_put_in_its_place_is_taken(program: Program, tmp_path: Path) -> None:
    """A backup that is moved over the store is the store."""
    backup = tmp_path / "backup.db"
    with Store(backup) as store:
        store.add(trace_spans(b"t" * 16))
    program.run("gone")
    assert program.flush()
    with Store(program.path) as store:
        assert names(store) == ["gone"]
        for end in ("-wal", "-shm"):
            Path(f"{program.path}{end}").unlink(missing_ok=True)
        os.replace(backup, program.path)
        program.run("new")
        assert program.flush()
        assert names(store) == ["new", "received 1"]


# The file is broken.


def spoil(path: Path, start: int, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * size)


def test_broken_file_is_set_aside_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is kept under another name, which the log tells, and a new one is begun."""
    path = tmp_path / "traces.db"
    with Store(path) as store:
        store.add(trace_spans(b"t" * 16))
    spoil(path, 0, 200)
    broken = path.read_bytes()
    with Store(path) as store:
        assert store.traces() == []
        assert store.add(trace_spans(b"u" * 16)).accepted == SPANS
    (aside,) = tmp_path.glob("traces.db.corrupt-*")
    assert aside.read_bytes() == broken
    (line,) = said(caplog)
    assert line.startswith(f"otelbridge found the store {path} broken (")
    assert line.endswith(f"), keeps it as {aside}, and begins a new one")


def test_file_that_breaks_while_it_is_written_stops_no_program(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    """A bad page is met later than at the opening: the sink goes on in a new file."""
    for number in range(200):
        program.run(f"n{number}", size=2_000)
    assert program.flush()
    Store(program.path).close()
    connection = sqlite3.connect(program.path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    size = program.path.stat().st_size
    spoil(program.path, 4_096, size - 4_096)
    until = time.monotonic() + 20
    while not list(program.path.parent.glob("*.corrupt-*")) and time.monotonic() < until:
        program.run("after")
        program.flush(2)
        with Store(program.path) as store:
            with suppress(StoreError):
                store.traces()
    program.run("last")
    assert program.flush()
    with Store(program.path) as store:
        assert "last" in names(store)
    assert any("begins a new one" in line for line in said(caplog))


def test_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """A database that is not ours is neither written nor moved."""
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    for opened in (Store, StoreSink):
        with pytest.raises(StoreError, match="another program: choose another file"):
            opened(path)
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*corrupt*")) == []


# Two versions.


def test_newer_store_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """The line says both versions and the cure."""
    path = tmp_path / "traces.db"
    with Store(path) as store:
        store.add(trace_spans(b"t" * 16))
    upgrade(path, 99)
    expected = (
        f"the store {path} was written by a newer otelbridge (its tables have version 99, this "
        f"release knows {_schema.version()}): upgrade otelbridge, or choose another file by "
        "OTELBRIDGE_STORE"
    )
    for opened in (Store, StoreSink):
        with pytest.raises(StoreError) as caught:
            opened(path)
        assert str(caught.value) == expected
    upgrade(path, _schema.version())
    with Store(path) as store:
        assert names(store) == ["received 1"]


def upgrade(path: Path, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def test_store_that_a_newer_release_takes_over_is_not_written_by_the_old(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that is at work then keeps its spans in memory, and says so."""
    program.run("before")
    assert program.flush()
    with Store(program.path) as store:
        upgrade(program.path, 99)
        program.run("after")
        assert not program.flush(1)
        with pytest.raises(StoreError, match="newer otelbridge"):
            store.add(trace_spans(b"t" * 16))
        assert program.sink.stats().waiting == 1
        upgrade(program.path, _schema.version())
        assert program.flush()
        assert names(store) == ["after", "before"]
    assert "newer otelbridge" in said(caplog)[0]


def test_older_store_is_migrated_with_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release with one more version brings it forward; the release before then refuses it."""
    path = tmp_path / "traces.db"
    with Store(path) as store:
        store.add(trace_spans(b"t" * 16))
    old = _schema.version()
    with monkeypatch.context() as newer:
        more = (*_schema.MIGRATIONS, "ALTER TABLE names ADD COLUMN later INTEGER")
        newer.setattr(_schema, "MIGRATIONS", more)
        opened = [Store(path) for _ in range(2)]
        assert [names(store) for store in opened] == [["received 1"]] * 2
        assert opened[0].stats().schema == old + 1
        opened[0].add(trace_spans(b"u" * 16))
        assert names(opened[1]) == ["received 1", "received 1"]
        for store in opened:
            store.close()
    with pytest.raises(StoreError, match=f"version {old + 1}, this release knows {old}"):
        Store(path)


def open_and_say(say: Say, path: Path) -> None:
    with Store(path) as store:
        store.add(trace_spans(os.urandom(16)))
        say(len(store.traces()))


def test_processes_that_make_the_store_at_once_make_one(tmp_path: Path) -> None:
    """Eight first openings, one file, nothing lost."""
    path = tmp_path / "folder" / "traces.db"
    children = [Child(open_and_say, path) for _ in range(8)]
    for child in children:
        child.wait()
    with Store(path) as store:
        assert len(store.traces()) == 8
    assert list(path.parent.glob("*corrupt*")) == []


# The clock.


def test_clock_that_is_set_back_loses_nothing(program: Program) -> None:
    """Spans that end before they begin, events before both, traces from the future: all there."""
    hour = 3_600_000_000_000
    now = time.time_ns()
    with Store(program.path) as store:
        after = store.cursor()
        span = program.tracer.start_span("back", context=Context(), start_time=now)
        span.add_event("earlier", timestamp=now - 2 * hour)
        span.end(end_time=now - hour)
        future = program.tracer.start_span("future", context=Context(), start_time=now + hour)
        assert program.flush()
        assert soon(store, "back", "future")
        future.end(end_time=now)
        program.run("now")
        assert program.flush()
        assert [it.name for it in store.traces()] == ["future", "now", "back"]
        back = store.get(store.traces()[2].trace_id)
        assert back is not None
        (found,) = back.spans
        assert (found.start_ns, found.end_ns) == (now, now - hour)
        assert [event.time_ns for event in found.events] == [now - 2 * hour]
        changes = store.changes(after)
        assert [change.cursor for change in changes] == sorted(it.cursor for it in changes)
        ended = [change.span.name for change in changes if change.kind == "ended"]
        assert sorted(ended) == ["back", "future", "now"]
        assert [sum(it) for it in zip(*store.load(now - hour, now + 2 * hour, 3))] == [3, 0]
        assert (
            store.prune(max_age_s=1800).traces == 0
        )  # the end of one is no earlier than its start
        assert names(store) == ["back", "future", "now"]


def test_trace_of_times_at_the_edges_is_stored(tmp_path: Path) -> None:
    """The first and the last time that the tables hold."""
    edges = Span(
        trace_id=b"t" * 16, span_id=b"s" * 8, start_time_unix_nano=0,
        end_time_unix_nano=(1 << 63) - 1,
    )  # fmt: skip
    with Store(tmp_path / "traces.db") as store:
        assert store.add(request([Item(NOBODY, edges.SerializeToString())])) == Added(1, 0, "")
        (summary,) = store.traces()
        assert (summary.start_ns, summary.end_ns) == (0, (1 << 63) - 1)


# Forks.


def fork_at_work(say: Say, path: Path) -> None:
    """Fork while a span is open and while the writer is at work; both sides go on."""
    warnings.simplefilter("ignore", DeprecationWarning)  # of the fork beside threads
    program = Program(path)
    store = Store(path)
    busy = threading.Event()

    def work() -> None:
        while not busy.is_set():
            program.run("noise")
            time.sleep(0.001)

    worker = threading.Thread(target=work)
    worker.start()
    with program.tracer.start_as_current_span("parent", context=Context()) as parent:
        parent.add_event("before")
        assert program.flush()
        children = []
        for number in range(5):
            pid = os.fork()
            if not pid:
                with program.tracer.start_as_current_span(f"child {number}"):
                    pass
                well = program.flush() and len(store.traces()) > 0
                os._exit(0 if well else 1)
            children.append(pid)
        for pid in children:
            assert os.waitpid(pid, 0)[1] == 0
        parent.add_event("after")
    busy.set()
    worker.join()
    assert program.flush()
    say(f"{parent.get_span_context().trace_id:032x}")
    program.provider.shutdown()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_costs_neither_side_a_span(tmp_path: Path) -> None:
    """What the children make is under the parent's open span, which goes on."""
    path = tmp_path / "traces.db"
    child = Child(fork_at_work, path)
    trace_id = child.hear()
    child.wait()
    with Store(path) as store:
        found = store.get(trace_id)
        assert found is not None
        assert [(it.name, it.state) for it in found.spans][0] == ("parent", "ended")
        assert sorted(it.name for it in found.spans[1:]) == [f"child {n}" for n in range(5)]
        assert [event.name for event in found.spans[0].events] == ["before", "after"]
        assert store.stats().running == 0
    assert list(tmp_path.glob("*corrupt*")) == []
