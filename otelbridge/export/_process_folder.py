"""The folder that one process has in the spool, and how another takes it over.

::

    0000000007-4711-9f86d081/    number, process id (for people), random: never made twice
        lock                     locked while its process lives; that, and no id, says who owns it
        position                 how far the oldest segment is done
        0000000001-a1b2c3d4.v1   segments

Order is by number, never by a clock: a folder's number is one above those that exist. Whoever gets
the lock owns the folder: its maker, or once that process is gone, one other. Nothing is moved or
rewritten when a folder changes hands, so that too may be cut short at any point.
"""

from __future__ import annotations

import os
import re
import secrets
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final
from zlib import crc32

from otelbridge._file_lock import FileLock
from otelbridge._private_files import make_private, open_private
from otelbridge.export import _segment
from otelbridge.export._segment_file import Segment, Writer, read_file

_NAME: Final = re.compile(r"(\d{10})-\d+-[0-9a-f]{8}")
_POSITION: Final = struct.Struct("<4sQQ")
_MAGIC: Final = b"OTP\x01"
_TRIES: Final = 100


class ProcessFolder:
    """A process's folder, owned by this one. Not thread-safe.

    Attributes:
        path: the folder.
        segments: its segments, oldest first.
    """

    def __init__(self, path: Path, lock: FileLock) -> None:
        self.path = path
        self.segments: list[Segment] = []
        self._lock = lock
        self._position = -1
        self._next = 1

    @classmethod
    def make(cls, service: Path) -> ProcessFolder:
        """Make one in a service's folder.

        Raises:
            OSError: it cannot be made.
        """
        for _ in range(_TRIES):
            path = service / _new_name(service)
            with suppress(FileExistsError, FileNotFoundError, BlockingIOError):
                make_private(path)
                return cls(path, _new_lock(path))
            # Another took it for the remains of a process that died, which is right to do so.
        raise OSError(f"no folder stays in {service}")

    @classmethod
    def claim(cls, path: Path) -> ProcessFolder | None:
        """Take over the folder of a process that has died; ``load`` then says what it holds.

        Returns:
            None where the process lives, another took it, or nothing was in it.
        """
        try:
            try:
                return cls(path, FileLock(path / "lock", create=False))
            except FileNotFoundError:
                os.rmdir(path)  # left by one that died while it made or removed the folder
        except OSError:
            with suppress(OSError):
                return cls(path, FileLock(path / "lock", create=True)) if _orphan(path) else None
        return None

    def keep(self) -> bool:
        """Make sure that the folder is ours, whoever deleted its lock; False: it is not."""
        if not self._lock.held:
            try:
                lock = FileLock(self.path / "lock", create=True)
            except OSError:
                return False
            self._lock.forget()
            self._lock = lock
        return True

    def size(self) -> int:
        """Return how many bytes its segments have on disk."""
        sizes = 0
        for path in self._files():
            with suppress(OSError):
                sizes += path.stat().st_size
        return sizes

    def load(self) -> int:
        """Read what is there into ``segments``, and delete what is done.

        Returns:
            How many damaged places were found; none of their spans is counted as waiting.
        """
        done_number, done_to = self._read_position()
        damaged = 0
        for path in self._files():
            number, marker = _segment.parse_name(path.name) or (0, b"")
            segment = Segment(path, number, marker)
            segment.done_to = done_to if number == done_number else 0
            if number >= done_number:
                with suppress(OSError):  # what cannot be read now stays for another time
                    damaged += _count(segment)
                    self.segments.append(segment)
            else:
                segment.remove()
        for segment in [it for it in self.segments if not it.waiting]:
            self.drop(segment)
        return damaged

    def new_segment(self) -> Writer:
        """Begin a segment.

        Raises:
            OSError: it cannot be made.
        """
        writer = Writer(self.path, self._next)
        self._next += 1
        self.segments.append(writer.segment)
        return writer

    def drop(self, segment: Segment) -> None:
        """Delete a segment."""
        self.segments.remove(segment)
        segment.remove()

    def mark(self, segment: Segment) -> None:
        """Keep how far this segment, the oldest, is done. Where that fails, spans go out twice."""
        data = _POSITION.pack(_MAGIC, segment.number, segment.done_to)
        with suppress(OSError):
            if self._position < 0:
                self._position = open_private(self.path / "position", os.O_WRONLY | os.O_CREAT)
            os.lseek(self._position, 0, os.SEEK_SET)
            os.write(self._position, data + struct.pack("<I", crc32(data)))

    def release(self) -> None:
        """Leave the folder to the next process; an empty one is removed."""
        if self._lock.held and not self.segments and not self._files():
            for name in ("position", "lock"):
                with suppress(OSError):
                    (self.path / name).unlink()
            with suppress(OSError):
                self.path.rmdir()
        self._close()
        self._lock.release()

    def forget(self) -> None:
        """Close what is open, as a forked child does: the folder stays the parent's."""
        self._close()
        self._lock.forget()

    def _close(self) -> None:
        descriptor, self._position = self._position, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _files(self) -> list[Path]:
        with suppress(OSError):
            return sorted(it for it in self.path.iterdir() if _segment.parse_name(it.name))
        return []

    def _read_position(self) -> tuple[int, int]:
        """Return the number of the segment, and the place in it; nothing done where unreadable."""
        with suppress(OSError, struct.error):
            data = read_file(self.path / "position")
            magic, number, done_to = _POSITION.unpack_from(data)
            (crc,) = struct.unpack_from("<I", data, _POSITION.size)
            if magic == _MAGIC and crc == crc32(data[: _POSITION.size]):
                return number, done_to
        return 0, 0


def process_folders(service: Path) -> list[Path]:
    """Return the folders of a service's processes, dead or alive, in the order of their making.

    Raises:
        OSError: the service's folder cannot be read.
    """
    return sorted(it for it in service.iterdir() if _NAME.fullmatch(it.name))


def _new_name(service: Path) -> str:
    numbers = [int(it.name.partition("-")[0]) for it in process_folders(service)]
    return f"{max(numbers, default=0) + 1:010d}-{os.getpid()}-{secrets.token_hex(4)}"


def _new_lock(path: Path) -> FileLock:
    try:
        return FileLock(path / "lock", create=True)
    except BaseException:
        with suppress(OSError):
            path.rmdir()
        raise


def _orphan(path: Path) -> bool:
    """Whether somebody took the lock file away from a folder that holds spans."""
    return not (path / "lock").exists() and any(path.iterdir())


def _count(segment: Segment) -> int:
    """Fill in what a segment holds; return how many damaged places it has."""
    data = read_file(segment.path)
    contents = _segment.read(data, segment.marker, {})
    segment.size = len(data)
    segment.waiting = sum(record.end > segment.done_to for record in contents.records)
    return contents.damaged
