"""What a process holds of a spool: folders, their segments, and how many spans are in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from otelbridge.encoding.units import Group, Item
from otelbridge.export._folders import make_service_folder
from otelbridge.export._process_folder import ProcessFolder
from otelbridge.export._segment import HEAD_SIZE
from otelbridge.export._segment_file import Segment, Writer
from otelbridge.export._unavailable import SpoolUnavailable

SEGMENT_BYTES: Final = 4 * 1024 * 1024

_CURE: Final = "keep other programs out of it, or set OTELBRIDGE_SPOOL to another folder"


class Holdings:
    """Folders of one service that are this process's. Not thread-safe.

    Args:
        path: the service's folder.
        max_bytes: how large the segments may be, together.

    Attributes:
        waiting, size, damaged, lost, appended: see ``Spool``.
        pushed_out: how many spans had to make room, so far.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.waiting = self.size = self.damaged = self.lost = self.pushed_out = self.appended = 0
        self._path = path
        self._max_bytes = max_bytes
        self._segment_bytes = min(SEGMENT_BYTES, max(1, max_bytes // 8))
        self._folders: list[ProcessFolder] = []  # the adopted ones, oldest first, then our own
        self._own: ProcessFolder | None = None
        self._writer: Writer | None = None

    def own(self) -> ProcessFolder:
        """Return the folder of this process's own spans; make it where there is none.

        Raises:
            OSError, SpoolUnavailable: it cannot be made.
        """
        if self._own is None:
            make_service_folder(self._path)
            self._own = ProcessFolder.make(self._path)
            self._folders.append(self._own)
        return self._own

    def is_own(self, folder: ProcessFolder) -> bool:
        """Whether a folder is that of this process's own spans."""
        return folder is self._own

    def adopted(self) -> int:
        """Return how many folders of dead processes are held."""
        return len(self._folders) - (self._own is not None)

    def has_room_for(self, folder: ProcessFolder) -> bool:
        """Whether a folder can be taken over without pushing anything out."""
        return not self.waiting or self.size + folder.size() <= self._max_bytes

    def take_over(self, folder: ProcessFolder, damaged: int) -> int:
        """Add a dead process's folder, which is loaded; return how many spans it has."""
        self.damaged += damaged
        if not folder.segments:
            folder.release()
            return 0
        self._folders.insert(self.adopted(), folder)
        spans = sum(segment.waiting for segment in folder.segments)
        self.size += sum(segment.size for segment in folder.segments)
        self.waiting += spans
        return spans

    def append(self, items: Sequence[Item]) -> None:
        """Write spans to the newest segment, with one write.

        What a signal handler raises may end it at any point: the spans are kept then, or not.

        Raises:
            OSError, SpoolUnavailable: none of them is kept.
        """
        for _ in range(2):
            writer, data, groups = self._room_for(items)
            size, spans, segment = len(data), len(items), writer.segment
            # What the books say afterwards: entered once or twice, it is the same.
            books = (
                segment.size + size,
                segment.waiting + spans,
                self.size + size,
                self.waiting + spans,
                self.appended + spans,
            )
            try:
                writer.write(data)
                is_intact = writer.intact
                if is_intact:
                    self._enter(writer, groups, books)
            except BaseException as error:
                if not isinstance(error, OSError) and writer.reaches(books[0]):
                    self._enter(writer, groups, books)
                self._take_back()
                raise
            if is_intact:
                return
            self._abandon()
        raise SpoolUnavailable(f"somebody deletes the files in {self._path}", _CURE)

    def _enter(
        self, writer: Writer, groups: list[Group], books: tuple[int, int, int, int, int]
    ) -> None:
        """Count a write."""
        if groups:
            writer.learn(groups)
        segment = writer.segment
        segment.size, segment.waiting, self.size, self.waiting, self.appended = books

    def chunks(self, items: Sequence[Item]) -> Iterable[Sequence[Item]]:
        """Cut spans into parts that a segment has room for; a larger span is a part of its own."""
        return (items,) if len(items) == 1 else self._parts(items)

    def _parts(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        start = size = 0
        for index, item in enumerate(items):
            added = len(item.span) + HEAD_SIZE
            if size and size + added > self._segment_bytes:
                yield items[start:index]
                start, size = index, 0
            size += added
        if size:
            yield items[start:]

    def oldest_waiting(self) -> tuple[ProcessFolder, Segment] | None:
        """Return the oldest segment that has spans waiting."""
        self._check_own()
        return next((found for found in self._segments() if found[1].waiting), None)

    def done(self, folder: ProcessFolder, segment: Segment, end: int) -> None:
        """Take what is leased from a segment as done, up to this place in the file."""
        self.waiting -= segment.taken
        segment.waiting -= segment.taken
        segment.taken = 0
        segment.done_to = end
        if not segment.gone:
            folder.mark(segment)
            self._tidy(folder, segment)

    def found(self, folder: ProcessFolder, segment: Segment, more: int) -> None:
        """Correct the books: so many more spans, or fewer, were read than were thought to wait."""
        if segment.gone:
            return
        segment.waiting += more
        self.waiting += more
        self.lost -= min(0, more)
        self.damaged -= min(0, more)
        self._tidy(folder, segment)

    def close(self) -> None:
        """Leave what waits to the next process, and remove what is empty."""
        self._seal()
        for folder in self._folders:
            folder.release()

    def forget(self) -> None:
        """Close files alone, as a forked child does."""
        with suppress(OSError):
            if self._writer is not None:
                self._writer.close()
        for folder in self._folders:
            with suppress(OSError):
                folder.forget()

    def _segments(self) -> Iterator[tuple[ProcessFolder, Segment]]:
        return ((folder, segment) for folder in self._folders for segment in folder.segments)

    def _room_for(self, items: Sequence[Item]) -> tuple[Writer, bytes, list[Group]]:
        """Return a writer, and frames that fit into its segment and into the bound."""
        while True:
            if self._writer is None:
                self._writer = self._new_segment()
            writer = self._writer
            data, groups = writer.encode(items)
            if len(data) > self._max_bytes:
                reason = f"a span of {len(data)} bytes is larger than the spool ({self._max_bytes})"
                raise SpoolUnavailable(reason, "let spans be smaller")
            if writer.segment.size and writer.segment.size + len(data) > self._segment_bytes:
                self._seal()
            elif self.size + len(data) > self._max_bytes:
                self._push_out(*next(self._segments()))
            else:
                return writer, data, groups

    def _new_segment(self) -> Writer:
        self._check_own()
        return self.own().new_segment()

    def _push_out(self, folder: ProcessFolder, segment: Segment) -> None:
        if self._is_newest(segment):
            self._seal()
        if not segment.gone:
            self.pushed_out += self._give_up(segment)
            self._drop(folder, segment)

    def _give_up(self, segment: Segment) -> int:
        """Strike a segment from the books, but for what is leased; return how many spans it had."""
        spans = segment.waiting - segment.taken
        segment.waiting = segment.taken
        segment.gone = True
        self.waiting -= spans
        self.size -= segment.size
        return spans

    def _drop(self, folder: ProcessFolder, segment: Segment) -> None:
        """Delete a segment that is given up, and an adopted folder with its last."""
        folder.drop(segment)
        if not folder.segments and folder is not self._own:
            self._folders.remove(folder)
            folder.release()

    def _tidy(self, folder: ProcessFolder, segment: Segment) -> None:
        """Delete a segment that is done and will not grow."""
        if not segment.waiting and not self._is_newest(segment):
            self._give_up(segment)
            self._drop(folder, segment)

    def _is_newest(self, segment: Segment) -> bool:
        return self._writer is not None and self._writer.segment is segment

    def _seal(self) -> None:
        """End the newest segment; the next span begins another."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            self._tidy(self.own(), writer.segment)

    def _take_back(self) -> None:
        """After a failed write: the file is as before, or else no more is written to it."""
        if self._writer is not None and self._writer.broken:
            self._seal()

    def _check_own(self) -> None:
        if self._own is not None and not self._own.keep():
            self._abandon()

    def _abandon(self) -> None:
        """Give up our own folder, which somebody deleted; the next span makes another."""
        folder, self._own = self.own(), None
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        for segment in folder.segments:
            self.lost += self._give_up(segment)
        self._folders.remove(folder)
        folder.forget()
