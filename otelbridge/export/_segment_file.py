"""A segment on disk: what is known of it, how it is written, how it is read."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from otelbridge._private_files import SAFELY, open_private
from otelbridge.encoding.units import Group, Item
from otelbridge.export import _segment
from otelbridge.export._segment import Record


class Segment:
    """One file of a spool, in the books of the process that holds it.

    Attributes:
        path: the file.
        number: its place among its folder's segments.
        marker: what its frames begin with.
        size: how many bytes are acknowledged; bytes after them count for nothing.
        waiting: how many spans are not done, those of a lease included.
        taken: how many of these are in a lease.
        done_to: every frame that ends here or before is done.
        gone: whether it was given up; only what is taken remains, in memory.
    """

    __slots__ = ("path", "number", "marker", "size", "waiting", "taken", "done_to", "gone")

    def __init__(self, path: Path, number: int, marker: bytes) -> None:
        self.path = path
        self.number = number
        self.marker = marker
        self.size = 0
        self.waiting = 0
        self.taken = 0
        self.done_to = 0
        self.gone = False

    def remove(self) -> None:
        """Delete the file; one that cannot be deleted is left for the next process."""
        with suppress(OSError):
            self.path.unlink()


class Writer:
    """Appends to a new segment.

    Args:
        folder: where to make it.
        number: its number there.

    Attributes:
        broken: whether a part of a write remains after what is acknowledged, so that no more may
            be written.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, folder: Path, number: int) -> None:
        name = _segment.new_name(number)
        _, marker = _segment.parse_name(name) or (0, b"")
        self.segment = Segment(folder / name, number, marker)
        self.broken = False
        self._encoder = _segment.Encoder(marker)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        self._descriptor = open_private(self.segment.path, flags)

    @property
    def intact(self) -> bool:
        """Whether the file still has a name: nobody deleted it."""
        return os.fstat(self._descriptor).st_nlink > 0

    def encode(self, items: Sequence[Item]) -> tuple[bytes, list[Group]]:
        """Return the frames of these spans, to be written, and the groups that are new in them."""
        return self._encoder.encode(items)

    def write(self, data: bytes) -> None:
        """Append bytes, which count for nothing before they are acknowledged.

        One call of the operating system, as a rule. Once it returns they survive the process.

        Raises:
            OSError: they could not be written; the file is as before, or ``broken``.
        """
        try:
            written = os.write(self._descriptor, data)
            while written < len(data):
                written += os.write(self._descriptor, memoryview(data)[written:])
        except BaseException:
            self._cut()
            raise

    def reaches(self, end: int) -> bool:
        """Tell whether the file is so long."""
        return os.fstat(self._descriptor).st_size >= end

    def learn(self, groups: list[Group]) -> None:
        """Take these groups as written."""
        self._encoder.learn(groups)

    def close(self) -> None:
        """Close the file; a forked child may do so too."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _cut(self) -> None:
        try:
            os.ftruncate(self._descriptor, self.segment.size)
        except OSError:
            self.broken = True


class Reader:
    """Reads a segment's spans that are not done, in parts as the file grows.

    Args:
        segment: the segment; it is not changed.
    """

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.records: deque[Record] = deque()
        self._read_to = 0
        self._groups: dict[int, Group] = {}

    def load(self, limit: int) -> int:
        """Read on to this place in the file.

        Returns:
            How many spans were added to ``records``.

        Raises:
            OSError: the file cannot be read.
        """
        data = read_file(self.segment.path, self._read_to, limit)
        contents = _segment.read(data, self.segment.marker, self._groups, self._read_to)
        self._read_to = limit
        new = [record for record in contents.records if record.end > self.segment.done_to]
        self.records += new
        return len(new)


def read_file(path: Path, start: int = 0, end: int | None = None) -> bytes:
    """Read a part of a file, following no link.

    Raises:
        OSError: it cannot be read.
    """
    with open(os.open(path, os.O_RDONLY | SAFELY), "rb") as file:
        file.seek(start)
        return file.read(-1 if end is None else end - start)
