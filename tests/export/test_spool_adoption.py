"""The spool after a death: adopted by one process of the service, and nothing acknowledged lost."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import pytest
from spooled import (
    CONTEXT,
    Child,
    Voice,
    die,
    drain,
    heir,
    number_of,
    opened,
    put,
    segments,
    service,
    soon,
)

from otelbridge import _file_lock
from otelbridge.export import spool as spool_module
from otelbridge.export._process_folder import ProcessFolder, process_folders
from otelbridge.export.spool import Spool

SENT = 1_000_000  # added to the numbers that a process says when it has sent them

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and kill -9")


def test_what_a_dead_process_left_is_adopted(tmp_path: Path) -> None:
    """Its spans come before those appended since, and what was done stays done."""
    dead = opened(tmp_path)
    put(dead, *range(10))
    for _ in range(2):
        dead.done(dead.lease(3, 1000))  # type: ignore[arg-type]
    assert dead.lease(3, 1000) is not None
    die(dead)
    spool = opened(tmp_path)
    put(spool, 10, 11)
    assert spool.adopt() == 4
    assert spool.waiting == 6
    assert drain(spool) == [6, 7, 8, 9, 10, 11]
    spool.close()
    assert service(spool) == []


def _adopt_and_count(voice: Voice, folder: Path) -> None:
    voice.say(heir(folder).waiting)


def test_what_the_living_have_is_left_alone(tmp_path: Path) -> None:
    """Neither another process's spans are adopted, nor those of a second spool in this one."""
    first, second = opened(tmp_path), opened(tmp_path)
    put(first, 1)
    assert Child(_adopt_and_count, tmp_path).wait() == [0]
    assert second.adopt() == 0
    assert first.adopt() == 0
    assert drain(first) == [1]


def test_other_services_are_left_alone(tmp_path: Path) -> None:
    """Services whose names look the same in a folder's name are still two."""
    dead = Spool.open(tmp_path, "a b")
    put(dead, 1)
    die(dead)
    assert Spool.open(tmp_path, "a/b").adopt() == 0
    assert Spool.open(tmp_path, "a b").adopt() == 1


def test_a_process_id_used_again_does_not_matter(tmp_path: Path) -> None:
    """A folder named for a process id that lives, ours even, is adopted when nobody locks it."""
    dead = opened(tmp_path)
    put(dead, 1)
    die(dead)
    assert f"-{os.getpid()}-" in segments(dead)[0].parent.name
    assert drain(heir(tmp_path)) == [1]


def test_the_clock_does_not_order(tmp_path: Path) -> None:
    """Files from the future, or from 1970, come in the order in which they were written."""
    for number in range(4):
        dead = opened(tmp_path, 4_000)
        put(dead, *range(number * 100, number * 100 + 30))
        for path in service(dead):
            when = 0 if number % 2 else time.time() + 10**8
            os.utime(path, (when, when))
        die(dead)
    expected = [n for start in (0, 100, 200, 300) for n in range(start, start + 30)]
    assert drain(heir(tmp_path, 400_000)) == expected


def test_what_has_no_room_stays_for_later(tmp_path: Path) -> None:
    """Adoption pushes nothing out: folders that would pass the bound wait where they are."""
    for start in (0, 100, 200):
        dead = opened(tmp_path, 40_000)
        put(dead, *range(start, start + 30))
        die(dead)
    spool = opened(tmp_path, 7_000)
    assert spool.adopt() == 60
    assert spool.size <= 7_000
    assert drain(spool) == [*range(30), *range(100, 130)]
    assert spool.adopt() == 30
    assert drain(spool) == [*range(200, 230)]


def test_adopted_spans_make_room_first(tmp_path: Path) -> None:
    """When it is full the oldest go, and those are the adopted ones."""
    dead = opened(tmp_path, 8_000)
    put(dead, *range(60))
    die(dead)
    spool = heir(tmp_path, 8_000)
    pushed_out = sum(put(spool, number) for number in range(60, 160))
    assert pushed_out + spool.waiting == 160
    assert drain(spool) == list(range(pushed_out, 160))
    spool.close()
    assert service(spool) == []


@pytest.mark.parametrize("cut", [1, 30, 70])
def test_a_torn_tail_costs_itself(tmp_path: Path, cut: int) -> None:
    """A segment cut short gives every whole span before the cut."""
    dead = opened(tmp_path)
    put(dead, 0)  # its group is written twice; the cut takes the second copy, then the span
    die(dead)
    put(dead := opened(tmp_path), 1, 2, 3)
    die(dead)
    path = segments(dead)[-1]
    os.truncate(path, path.stat().st_size - cut)
    spool = heir(tmp_path)
    assert spool.damaged >= 1
    assert spool.lost == 0
    assert drain(spool) == [0, 1, 2, 3]
    assert spool.lost == 0


def test_flipped_bits_cost_their_span(tmp_path: Path) -> None:
    """A damaged span of the dead is not adopted; it is told as damaged, and never as lost."""
    dead = opened(tmp_path)
    put(dead, *range(10))
    die(dead)
    _flip(segments(dead)[0], b"\x03\0\0\0xxx")
    spool = heir(tmp_path)
    assert (spool.waiting, spool.damaged, spool.lost) == (9, 1, 0)
    assert drain(spool) == [0, 1, 2, *range(4, 10)]


def test_bits_that_flip_while_it_waits_are_counted_as_lost(tmp_path: Path) -> None:
    """A span that was counted and cannot be read leaves the count when it is noticed."""
    spool = opened(tmp_path)
    put(spool, *range(10))
    _flip(segments(spool)[0], b"\x03\0\0\0xxx")
    assert spool.waiting == 10
    assert drain(spool) == [0, 1, 2, *range(4, 10)]
    assert (spool.waiting, spool.damaged, spool.lost) == (0, 1, 1)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff" * 40])
def test_a_damaged_position_costs_nothing(tmp_path: Path, content: bytes) -> None:
    """Where it cannot be told what is done, spans are sent again."""
    dead = opened(tmp_path)
    put(dead, *range(5))
    dead.done(dead.lease(2, 1000))  # type: ignore[arg-type]
    next(dead.path.rglob("position")).write_bytes(content)
    die(dead)
    assert drain(heir(tmp_path)) == [0, 1, 2, 3, 4]


def test_a_segment_that_was_done_is_not_read_again(tmp_path: Path) -> None:
    """A process that died before it could delete a segment that is done leaves nothing to send."""
    dead = opened(tmp_path, 8_000)
    put(dead, *range(60))
    first = segments(dead)[0]
    content = first.read_bytes()
    while first.exists():
        dead.done(dead.lease(3, 1000))  # type: ignore[arg-type]
    for _ in range(2):
        dead.done(dead.lease(1, 1000))  # type: ignore[arg-type]
    waiting = dead.waiting
    first.write_bytes(content)
    die(dead)
    assert drain(heir(tmp_path)) == [*range(60 - waiting, 60)]
    assert not first.exists()


def test_so_many_folders_are_adopted_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each folder keeps a file open; the rest is adopted when the first are sent."""
    monkeypatch.setattr(spool_module, "_ADOPTED_FOLDERS", 2)
    for number in range(3):
        dead = opened(tmp_path)
        put(dead, number)
        die(dead)
    spool = opened(tmp_path)
    assert (spool.adopt(), spool.adopt()) == (2, 0)
    assert drain(spool) == [0, 1]
    assert spool.adopt() == 1
    assert drain(spool) == [2]


def test_a_spool_that_closes_while_it_adopts_leaves_it(tmp_path: Path) -> None:
    """What a stopped process was about to take over stays for the next."""
    dead = opened(tmp_path)
    put(dead, 1)
    die(dead)
    spool = opened(tmp_path)
    spool.close()
    assert spool.adopt() == 0
    assert drain(heir(tmp_path)) == [1]


def test_a_child_lets_go_of_what_its_parent_was_adopting(tmp_path: Path) -> None:
    """A fork in the midst of an adoption leaves no lock with the child."""
    dead = opened(tmp_path)
    put(dead, 1)
    die(dead)
    spool = opened(tmp_path)
    spool._claimed = ProcessFolder.claim(process_folders(spool.path)[0])
    assert heir(tmp_path).waiting == 0
    spool.in_child()
    assert heir(tmp_path).waiting == 1


def test_a_segment_of_a_later_version_is_left(tmp_path: Path) -> None:
    """What this version cannot read is neither deleted nor counted, nor in the way."""
    dead = opened(tmp_path)
    put(dead, 1)
    later = segments(dead)[0].parent / "0000000009-deadbeef.v2"
    later.write_bytes(b"from the future")
    die(dead)
    spool = heir(tmp_path)
    assert drain(spool) == [1]
    spool.close()
    assert later.read_bytes() == b"from the future"
    assert heir(tmp_path).waiting == 0


def test_a_folder_half_made_or_half_removed_is_cleared(tmp_path: Path) -> None:
    """A process that died before it had its lock, or after it removed it, leaves nothing."""
    spool = opened(tmp_path)
    (spool.path / "0000000003-1-deadbeef").mkdir()
    (locked := spool.path / "0000000004-1-deadbeef").mkdir()
    (locked / "lock").touch()
    assert spool.adopt() == 0
    spool.close()
    assert service(spool) == []


def test_a_folder_without_its_lock_is_adopted(tmp_path: Path) -> None:
    """Somebody who tidies up may delete the empty lock file; the spans are not lost for that."""
    dead = opened(tmp_path)
    put(dead, 1)
    die(dead)
    next(dead.path.rglob("lock")).unlink()
    assert drain(heir(tmp_path)) == [1]


def test_a_lock_that_was_replaced_is_not_taken(tmp_path: Path) -> None:
    """Who waited for a lock that its holder removed meanwhile does not own the new one."""
    path = tmp_path / "lock"
    held = _file_lock.FileLock(path, create=True)
    with pytest.raises(BlockingIOError):
        _file_lock.FileLock(path, create=False)
    path.unlink()
    assert not held.held
    held.release()
    held.release()


def _adopt_at_once(voice: Voice, folder: Path, together: Barrier) -> None:
    spool = opened(folder)
    together.wait()
    spool.adopt()
    together.wait()  # so that the others find the folders taken, not gone
    voice.say(*drain(spool))
    spool.close()


def test_one_process_adopts_of_many_that_try(tmp_path: Path) -> None:
    """Of processes that adopt at the same moment, each span reaches exactly one."""
    for start in range(0, 200, 20):
        dead = opened(tmp_path)
        put(dead, *range(start, start + 20))
        die(dead)
    together = CONTEXT.Barrier(5)
    children = [Child(_adopt_at_once, tmp_path, together) for _ in range(5)]
    assert sorted(number for child in children for number in child.wait()) == list(range(200))


def _work(voice: Voice, folder: Path, base: int) -> None:
    spool = opened(folder, 2**24)
    for number in range(base, base + 10_000):
        put(spool, number, size=100 + number % 5 * 400)
        voice.say(number)
        if number % 4 == 0:
            spool.adopt()
        if number % 3 == 0 and (lease := spool.lease(2, 10_000)) is not None:
            voice.say(*(SENT + number_of(it) for it in lease.items))
            spool.done(lease)


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    """Processes killed at any point, while they append, adopt, lease or finish, lose no span."""
    chance = random.Random(seed)
    children = [Child(_work, tmp_path, base) for base in (0, 10_000)]
    kept: set[int] = set()
    sent: list[int] = []
    for base in range(20_000, 140_000, 10_000):
        children.append(Child(_work, tmp_path, base))
        kept.add(children[-1].hear())
        time.sleep(chance.uniform(0, 0.03))
        killed = [children.pop(chance.randrange(3))] if base < 130_000 else children
        for number in (said for child in killed for said in child.kill()):
            sent.append(number - SENT) if number >= SENT else kept.add(number)
    rest = drain(heir(tmp_path, 2**26), 500)
    assert len(kept) > 100
    assert kept <= {*sent, *rest}
    # At most the lease that was not done, and the append that was not acknowledged, of each.
    assert len(sent) + len(rest) - len({*sent, *rest}) <= 14 * 2
    assert len({*sent, *rest} - kept) <= 14


def _fork(voice: Voice, folder: Path) -> None:
    spool = opened(folder)
    put(spool, 1, 2)
    assert spool.lease(1, 1) is not None
    if os.fork():
        os.wait()
        put(spool, 4)
        voice.say(heir(folder).waiting, *drain(spool))
        return
    with _left():
        spool.in_child()
        assert (spool.waiting, spool.size, spool.lease(1, 1), spool.adopt()) == (0, 0, None, 0)
        put(spool, 3)
        assert len(segments(spool)) == 2
        voice.say(*drain(spool))
        spool.close()


def test_a_forked_child_starts_clean(tmp_path: Path) -> None:
    """A child sees nothing of its parent's, has a folder of its own, and takes nothing away."""
    assert Child(_fork, tmp_path).wait() == [3, 0, 1, 2, 4]


def _fork_and_pause(voice: Voice, folder: Path) -> None:
    parent = os.getpid()
    spool = opened(folder)
    put(spool, 1, 2)
    if os.fork():
        signal.pause()
    with _left():
        spool.in_child()
        voice.say(0)
        assert soon(lambda: os.getppid() != parent)
        voice.say(spool.adopt())


def test_a_child_does_not_keep_a_dead_parents_folder(tmp_path: Path) -> None:
    """A parent killed while its child lives is adopted at once, by the child for one."""
    process = Child(_fork_and_pause, tmp_path)
    assert process.hear() == 0
    assert process.kill() == [2]


def _fork_within(voice: Voice, folder: Path) -> None:
    spool = opened(folder)
    with spool._turn, spool._reading, spool._adopting:
        if os.fork():
            os.wait()
            return
        with _left():
            spool.in_child()
            put(spool, 1)
            voice.say(spool.waiting)


def test_a_child_forked_in_the_midst_of_an_append_is_not_blocked(tmp_path: Path) -> None:
    """Locks that another thread of the parent held at the fork hold nobody in the child."""
    assert Child(_fork_within, tmp_path).wait() == [1]


@contextmanager
def _left() -> Iterator[None]:
    """A forked child leaves here, and runs nothing of its parent's after it."""
    try:
        yield
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _flip(path: Path, part: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(part) + len(part)] ^= 0x10
    path.write_bytes(data)
