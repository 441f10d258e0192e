"""The spool as a queue: oldest first, bounded, counted, and the same after a restart."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spooled import (
    die,
    drain,
    drained,
    heir,
    item,
    number_of,
    opened,
    put,
    segments,
    service,
    umask,
)

from otelbridge.export._turn import Turn
from otelbridge.export.spool import Spool, SpoolUnavailable


def test_spans_come_back_oldest_first(tmp_path: Path) -> None:
    """What is appended is leased in its order, with its group, over many segments."""
    spool = opened(tmp_path, max_bytes=16_000)
    for start in range(0, 100, 10):
        assert put(spool, *range(start, start + 10)) == 0
    assert len(segments(spool)) > 2
    assert spool.waiting == 100
    assert drain(spool) == list(range(100))
    assert (spool.waiting, spool.damaged, spool.lost) == (0, 0, 0)


def test_a_lease_is_the_same_until_it_is_done(tmp_path: Path) -> None:
    """Asking again gives the same spans; they wait until they are done, and once."""
    spool = opened(tmp_path)
    put(spool, *range(5))
    lease = spool.lease(3, 1000)
    assert lease is not None
    assert [number_of(it) for it in lease.items] == [0, 1, 2]
    assert spool.lease(1, 1) is lease
    assert spool.waiting == 5
    spool.done(lease)
    spool.done(lease)
    assert spool.waiting == 2
    assert drain(spool) == [3, 4]


def test_a_lease_keeps_its_bounds(tmp_path: Path) -> None:
    """A lease holds so many spans and bytes at most; a larger span comes alone."""
    spool = opened(tmp_path)
    spool.append([item(0, 60), item(1, 60), item(2, 500), item(3, 60)])
    sizes = []
    while (lease := spool.lease(9, 120)) is not None:
        sizes.append([len(it.span) for it in lease.items])
        spool.done(lease)
    assert sizes == [[60, 60], [500], [60]]


def test_an_empty_spool_leases_nothing(tmp_path: Path) -> None:
    """Nothing appended, nothing leased, no file made."""
    spool = opened(tmp_path)
    assert spool.append([]) == 0
    assert spool.lease(9, 9) is None
    assert segments(spool) == []


@pytest.mark.parametrize("mask", [0, 0o777])
def test_only_the_user_can_read_it(tmp_path: Path, mask: int) -> None:
    """Folders have mode 0700 and files 0600, whatever the umask."""
    with umask(mask):
        spool = opened(tmp_path / "made" / "spool")
        put(spool, 1, 2)
        spool.done(spool.lease(1, 1))  # type: ignore[arg-type]
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "made").rglob("*")}
    assert {path.name for path in found} >= {"lock", "position", "spool"}
    for path, mode in found.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_folder_that_was_readable_by_others_is_closed(tmp_path: Path) -> None:
    """A service's folder of ours that has another mode is given the right one."""
    spool = opened(tmp_path)
    spool.path.chmod(0o755)
    opened(tmp_path)
    assert stat.S_IMODE(spool.path.stat().st_mode) == 0o700


def test_closing_leaves_what_waits_and_nothing_else(tmp_path: Path) -> None:
    """An empty spool leaves no file; what waits is there for the next process."""
    spool = opened(tmp_path)
    put(spool, 1)
    drain(spool)
    spool.close()
    assert service(spool) == []
    spool = opened(tmp_path)
    put(spool, 1, 2)
    spool.close()
    spool.close()
    assert (spool.waiting, spool.size, spool.lease(1, 1), spool.adopt()) == (0, 0, None, 0)
    assert drain(heir(tmp_path)) == [1, 2]


def test_a_closed_spool_takes_nothing(tmp_path: Path) -> None:
    """Appending after the end says so."""
    spool = opened(tmp_path)
    spool.close()
    with pytest.raises(SpoolUnavailable, match="is closed"):
        put(spool, 1)


def test_a_done_segment_is_deleted(tmp_path: Path) -> None:
    """A segment goes with its last span, and the newest when it is full."""
    spool = opened(tmp_path, max_bytes=8_000)
    for number in range(100):
        put(spool, number)
        drain(spool)
    assert len(segments(spool)) == 1
    assert spool.size == segments(spool)[0].stat().st_size <= 1_000


def test_the_oldest_go_when_it_is_full(tmp_path: Path) -> None:
    """The bound holds, what makes room is the oldest, and the count is exact."""
    spool = opened(tmp_path, max_bytes=8_000)
    pushed_out = 0
    for number in range(500):
        pushed_out += put(spool, number)
        assert spool.size == sum(it.stat().st_size for it in segments(spool)) <= 8_000
    assert pushed_out + spool.waiting == 500
    assert spool.waiting > 50
    assert drain(spool) == list(range(pushed_out, 500))


def test_what_is_leased_is_not_pushed_out(tmp_path: Path) -> None:
    """A lease whose segment had to go stays good, is counted as waiting, and is not lost twice."""
    spool = opened(tmp_path, max_bytes=4_000)
    put(spool, *range(5))
    lease = spool.lease(3, 1000)
    assert lease is not None
    pushed_out = sum(put(spool, number) for number in range(5, 200))
    assert pushed_out + spool.waiting == 200
    assert spool.lease(1, 1) is lease
    spool.done(lease)
    rest = drain(spool)
    assert pushed_out + 3 + len(rest) == 200
    assert rest == list(range(200 - len(rest), 200))
    assert spool.waiting == 0


def test_many_spans_at_once_are_cut_into_segments(tmp_path: Path) -> None:
    """An append larger than the whole spool keeps its newest, and counts the others."""
    spool = opened(tmp_path, max_bytes=8_000)
    pushed_out = put(spool, *range(300))
    assert spool.size <= 8_000
    assert drain(spool) == list(range(pushed_out, 300))


def test_a_span_larger_than_the_spool_is_refused(tmp_path: Path) -> None:
    """The spans before it are kept, and the message says how many."""
    spool = opened(tmp_path, max_bytes=2_000)
    with pytest.raises(SpoolUnavailable, match="larger than the spool") as caught:
        spool.append([item(0), item(1, 3_000), item(2)])
    assert caught.value.kept == 1
    assert drain(spool) == [0]


operations = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.integers(20, 400), max_size=4)),
        st.tuples(st.just("lease"), st.integers(1, 5)),
        st.tuples(st.just("done"), st.none()),
        st.tuples(st.sampled_from(["die", "close"]), st.none()),
    ),
    max_size=25,
)


@given(operations)
def test_it_is_a_queue_whatever_happens(steps: list[tuple[str, object]]) -> None:
    """After any appends, leases, deaths and restarts it holds what is not done, in its order."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        spool = opened(folder, 32_000)
        model: deque[int] = deque()
        count = leased = 0
        for step, value in steps:
            if step == "append":
                sizes: list[int] = value  # type: ignore[assignment]
                spool.append([item(count + i, size) for i, size in enumerate(sizes)])
                model += range(count, count + len(sizes))
                count += len(sizes)
            elif step == "lease":
                lease = spool.lease(value, 1000)  # type: ignore[arg-type]
                leased = len(lease.items) if lease else 0
                assert [number_of(it) for it in (lease.items if lease else ())] == list(model)[
                    :leased
                ]
                assert bool(lease) == bool(model)
            elif step == "done" and leased:
                spool.done(spool.lease(1, 1))  # type: ignore[arg-type]
                for _ in range(leased):
                    model.popleft()
                leased = 0
            elif step in ("die", "close"):
                die(spool) if step == "die" else spool.close()
                spool = heir(folder, 32_000)
                leased = 0
            assert spool.waiting == len(model)
        assert drain(spool) == list(model)
        spool.close()
        assert service(spool) == []


def test_threads_append_while_another_leases(tmp_path: Path) -> None:
    """Every span comes out once, and each thread's in its order."""
    spool = opened(tmp_path, max_bytes=400_000)
    out: list[int] = []
    ended = threading.Event()

    def append(start: int) -> None:
        for number in range(start, start + 300):
            put(spool, number)

    def lease() -> None:
        while not ended.is_set() or spool.waiting:
            out.extend(drained(spool))

    threads = [threading.Thread(target=append, args=(start,)) for start in (0, 1000, 2000)]
    reader = threading.Thread(target=lease)
    for thread in [*threads, reader]:
        thread.start()
    for thread in threads:
        thread.join()
    ended.set()
    reader.join()
    for start in (0, 1000, 2000):
        assert [it for it in out if start <= it < start + 300] == list(range(start, start + 300))
    assert len(out) == 900


def test_a_signal_handler_is_refused_and_never_waits(tmp_path: Path) -> None:
    """A handler that appends in the midst of an append gets an exception; all else is kept."""
    spool = opened(tmp_path)
    kept: list[int] = []
    refused: list[int] = []
    numbers = iter(range(100_000))

    def append(*_: object) -> None:
        number = next(numbers)
        try:
            put(spool, number)
            kept.append(number)
        except SpoolUnavailable:
            refused.append(number)

    before = signal.signal(signal.SIGALRM, append)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
    try:
        for _ in range(2000):
            append()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert sorted(drain(spool, 500)) == sorted(kept)
    assert len(kept) >= 2000 - len(refused)


def test_a_turn_is_not_taken_twice_by_one_thread() -> None:
    """The second is refused, and the first goes on and ends."""
    turn = Turn()
    with turn:
        with pytest.raises(SpoolUnavailable, match="signal handler"):
            turn.check()
    with turn:
        pass
    turn.check()


def test_the_working_directory_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder given by a relative path stays where it was."""
    monkeypatch.chdir(tmp_path)
    spool = Spool.open(Path("spool"), "a service/with: odd … name")
    monkeypatch.chdir("/")
    put(spool, 1)
    assert drain(spool) == [1]
    assert spool.path.parent == tmp_path / "spool"
    assert os.sep not in spool.path.name
