"""The spool on a bad disk, and in a folder that others can reach: it says so, and goes on."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from spooled import Child, Voice, die, drain, heir, item, opened, put, segments

from otelbridge.export.spool import SpoolUnavailable

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if not ROOT or sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_said_and_survived(small_disk: Path) -> None:
    """Appends fail whole, with reason and cure; what was kept stays; with room it goes on."""
    spool = opened(small_disk)
    (small_disk / "other").write_bytes(b"x" * 30_000)
    kept = 0
    with pytest.raises(SpoolUnavailable) as caught:
        while True:
            put(spool, kept, kept + 1, size=700)
            kept += 2
    assert "the disk is full at" in caught.value.reason
    assert "free some space" in caught.value.cure
    assert (caught.value.kept, caught.value.pushed_out) == (0, 0)
    assert spool.waiting == kept > 10
    (small_disk / "other").unlink()
    put(spool, kept)
    assert drain(spool) == [*range(kept + 1)]


def test_a_disk_full_from_the_start_is_said(small_disk: Path) -> None:
    """A spool cannot be opened where no file can be made, and can later."""
    (small_disk / "other").write_bytes(b"x" * 64 * 1024)
    spool = opened(small_disk)  # a folder takes no block here
    with pytest.raises(SpoolUnavailable, match="the disk is full"):
        put(spool, 1)
    (small_disk / "other").unlink()
    put(spool, 1)
    assert drain(spool) == [1]


def test_a_read_only_disk_is_said(small_disk: Path) -> None:
    """On a disk that is read-only, and on one that becomes so, the message says what to set."""
    spool = opened(small_disk)
    put(spool, 1)
    lease = spool.lease(1, 1)
    die(spool)  # an open file would keep the disk writable
    _remount(small_disk, "ro")
    with pytest.raises(SpoolUnavailable, match=r"read-only at .*set OTELBRIDGE_SPOOL"):
        opened(small_disk)
    with pytest.raises(SpoolUnavailable, match="read-only"):
        put(spool, 2)
    assert spool.adopt() == 0
    _remount(small_disk, "rw")
    assert lease is not None
    assert drain(heir(small_disk)) == [1]


def _remount(disk: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode},size=64k", str(disk)], check=True)


@contextmanager
def _limit(what: int, limit: int) -> Iterator[None]:
    before = resource.getrlimit(what)
    resource.setrlimit(what, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


def _append_until_it_fails(voice: Voice, tmp_path: Path) -> None:
    spool = opened(tmp_path)
    kept = 0
    with (
        _limit(resource.RLIMIT_FSIZE, 5_000),
        pytest.raises(SpoolUnavailable, match="larger than this process may write") as caught,
    ):
        while True:
            put(spool, *range(kept, kept + 3), size=333)
            kept += 3
    assert caught.value.kept == 0
    assert segments(spool)[0].stat().st_size == spool.size < 5_000
    voice.say(kept)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_a_write_that_stops_half_way_leaves_nothing_half_kept(tmp_path: Path) -> None:
    """Where a file may not grow further, the part that was written is taken back."""
    (kept,) = Child(_append_until_it_fails, tmp_path).wait()
    spool = heir(tmp_path)
    assert (drain(spool), spool.damaged) == ([*range(kept)], 0)


def _append_parts(_: Voice, tmp_path: Path) -> None:
    spool = opened(tmp_path, 80_000)  # segments of 10,000 bytes
    numbers = [*range(8), 9_999]
    with _limit(resource.RLIMIT_FSIZE, 11_000), pytest.raises(SpoolUnavailable) as caught:
        spool.append([item(n, 20_000 if n == 9_999 else 2_000) for n in numbers])
    assert caught.value.kept == 8
    assert drain(spool) == [*range(8)]


def test_parts_that_were_kept_are_counted(tmp_path: Path) -> None:
    """An append that fails in a later segment says how many spans of it are on disk."""
    Child(_append_parts, tmp_path).wait()


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    """A path that runs through a file cannot be a spool."""
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "spool"):
        with pytest.raises(SpoolUnavailable, match="a part of the path is a file"):
            opened(folder)


def test_a_deleted_folder_is_made_again(tmp_path: Path) -> None:
    """Spans go into a new folder; those that were deleted are counted as lost."""
    spool = opened(tmp_path / "spool")
    put(spool, 1, 2, 3)
    shutil.rmtree(tmp_path / "spool")
    assert spool.adopt() == 0
    assert put(spool, 4, 5) == 0
    assert (spool.waiting, spool.lost) == (2, 3)
    assert drain(spool) == [4, 5]
    put(spool, 6)
    die(spool)
    assert drain(heir(tmp_path / "spool")) == [6]


def test_a_deleted_folder_is_noticed_by_reading(tmp_path: Path) -> None:
    """What cannot be read any more leaves the count, and reading ends."""
    spool = opened(tmp_path, 8_000)
    put(spool, *range(60))
    shutil.rmtree(spool.path)
    assert drain(spool) == []
    assert (spool.waiting, spool.lost) == (0, 60)
    put(spool, 60)
    assert drain(spool) == [60]
    spool.close()


def test_a_lease_outlives_its_folder(tmp_path: Path) -> None:
    """Spans in a lease are in memory, and are counted until they are done."""
    spool = opened(tmp_path)
    put(spool, 1, 2, 3)
    lease = spool.lease(2, 1000)
    assert lease is not None
    shutil.rmtree(spool.path)
    put(spool, 4)
    assert (spool.waiting, spool.lost) == (3, 1)
    spool.done(lease)
    assert drain(spool) == [4]
    assert spool.waiting == 0


def test_a_deleted_segment_is_noticed_by_appending(tmp_path: Path) -> None:
    """Nothing is appended to a file that has no name any more."""
    spool = opened(tmp_path)
    put(spool, 1)
    segments(spool)[0].unlink()
    put(spool, 2)
    assert (spool.waiting, spool.lost) == (1, 1)
    die(spool)
    assert drain(heir(tmp_path)) == [2]


def test_a_deleted_lock_is_made_again(tmp_path: Path) -> None:
    """Somebody who tidies up may delete the empty lock file; the folder stays its process's."""
    spool = opened(tmp_path)
    put(spool, 1, 2)
    next(spool.path.rglob("lock")).unlink()
    assert spool.lease(1, 1) is not None
    assert heir(tmp_path).waiting == 0
    assert drain(spool) == [1, 2]
    spool.close()


def test_a_folder_that_another_took_meanwhile_is_given_up(tmp_path: Path) -> None:
    """Without its lock a folder can be adopted; then its spans are the other's."""
    spool = opened(tmp_path)
    put(spool, 1, 2)
    next(spool.path.rglob("lock")).unlink()
    other = heir(tmp_path)
    assert spool.lease(1, 1) is None
    assert (spool.waiting, spool.lost) == (0, 2)
    put(spool, 3)
    assert drain(spool) == [3]
    assert drain(other) == [1, 2]


def _open_too_many(_: Voice, tmp_path: Path) -> None:
    spool = opened(tmp_path)
    put(spool, 1)
    with _limit(resource.RLIMIT_NOFILE, 3):
        with pytest.raises(SpoolUnavailable, match=r"too many files open.*ulimit -n"):
            spool.lease(1, 1)
        with pytest.raises(SpoolUnavailable, match="too many files open"):
            opened(tmp_path)
        put(spool, 2)
    assert drain(spool) == [1, 2]


def test_too_many_open_files_lose_nothing(tmp_path: Path) -> None:
    """Without a free descriptor, reading and opening say so, and work again later."""
    Child(_open_too_many, tmp_path).wait()


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    """Nobody can have our spans written, or files of ours deleted, in a folder of their choice."""
    spool = opened(tmp_path)
    spool.close()
    spool.path.rmdir()
    (tmp_path / "elsewhere").mkdir()
    spool.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SpoolUnavailable, match="is a link"):
        opened(tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.skipif(not ROOT, reason="needs the right to give files away")
def test_the_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    """In a folder made by another user, who could read and change it, nothing is written."""
    spool = opened(tmp_path)
    spool.close()
    os.chown(spool.path, 4711, 4711)
    with pytest.raises(SpoolUnavailable, match=r"another user \(4711\).*a folder of this user's"):
        opened(tmp_path)


def test_a_folder_that_all_may_change_needs_the_sticky_bit(tmp_path: Path) -> None:
    """Others could put another folder in place of ours; with the sticky bit they cannot."""
    tmp_path.chmod(0o777)
    with pytest.raises(SpoolUnavailable, match=r"changed by every user: chmod \+t"):
        opened(tmp_path)
    tmp_path.chmod(0o1777)
    opened(tmp_path)
