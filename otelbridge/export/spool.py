"""What cannot be sent at once waits here, on disk, and is sent oldest first.

Every span that ``append`` has taken survives the process, killed with kill -9 or not: it is with
the operating system when the call returns. The next process of the same service adopts what a dead
one left. Delivery is at least once: a process that dies between sending and ``done`` leaves the
spans of that one lease to be sent again.

The layout is in ``_folders`` and ``_process_folder``, the files' format in ``_segment``.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from otelbridge.encoding.units import Item
from otelbridge.export import _folders
from otelbridge.export._holdings import Holdings
from otelbridge.export._process_folder import ProcessFolder, process_folders
from otelbridge.export._segment_file import Reader, Segment
from otelbridge.export._turn import Turn
from otelbridge.export._unavailable import SpoolUnavailable, unavailable

__all__ = ["MAX_BYTES", "Lease", "Spool", "SpoolUnavailable"]

MAX_BYTES: Final = 256 * 1024 * 1024

_ADOPTED_FOLDERS: Final = 64  # at a time: each has a file open
_NOT_NOW: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class Lease(NamedTuple):
    """The oldest spans, still in the spool.

    Attributes:
        items: the spans, at least one.
        token: tells this lease from others.
        is_adopted: whether an earlier process has left them.
    """

    items: list[Item]
    token: object
    is_adopted: bool


class _Place(NamedTuple):
    """Where a lease's spans are."""

    folder: ProcessFolder
    segment: Segment
    end: int


class Spool:
    """A bounded queue of spans on disk, made by ``open``.

    ``append`` may be called from any thread, also while another leases. A signal handler that
    interrupts the spool in its own thread gets ``SpoolUnavailable``, and may not call the rest.

    Attributes:
        path: the service's folder.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._turn = Turn()  # guards the holdings
        self._holdings = Holdings(self.path, self._max_bytes)
        self._reading = threading.Lock()  # guards the lease and the reader; taken before the turn
        self._lease: Lease | None = None
        self._place: _Place | None = None
        self._reader: Reader | None = None
        self._adopting = threading.Lock()  # guards what is being claimed
        self._claimed: ProcessFolder | None = None

    @classmethod
    def open(cls, folder: Path, service: str, *, max_bytes: int = MAX_BYTES) -> Spool:
        """Open the spool of a service, with a folder of this process's own in it.

        Args:
            folder: the spool, shared by services; made with mode 0700 where it is missing.
            service: the service's name; processes of the same name adopt each other's spans.
            max_bytes: how large this process's segments may be, adopted ones included.

        Raises:
            SpoolUnavailable: nothing can be written there.
        """
        spool = cls(_folders.service_folder(folder, service), max_bytes)
        try:
            spool._holdings.own()
        except OSError as error:
            raise unavailable(error, spool.path) from error
        return spool

    @property
    def waiting(self) -> int:
        """How many spans are held, those of a lease included."""
        return self._holdings.waiting

    @property
    def appended(self) -> int:
        """How many spans this process has put in so far."""
        return self._holdings.appended

    @property
    def size(self) -> int:
        """How many bytes the segments have on disk."""
        return self._holdings.size

    @property
    def damaged(self) -> int:
        """How many damaged places were skipped so far, and spans lost."""
        return self._holdings.damaged

    @property
    def lost(self) -> int:
        """How many spans were held, hence counted as waiting, and cannot be read any more.

        They were damaged since, or somebody deleted the files.
        """
        return self._holdings.lost

    def append(self, items: Sequence[Item]) -> int:
        """Keep spans, and push out the oldest where they need the room.

        One write, as a rule. What is written outlives this process, and no waiting for the disk
        is needed for that: only a crash of the whole machine can take it.

        Args:
            items: the spans, in their order.

        Returns:
            How many older spans were pushed out.

        Raises:
            SpoolUnavailable: not all could be kept; its ``kept`` and ``pushed_out`` say how many.
        """
        self._turn.check()
        with self._turn:
            before, kept = self._holdings.pushed_out, 0
            try:
                self._check_open()
                for chunk in self._holdings.chunks(items):
                    self._holdings.append(chunk)
                    kept += len(chunk)
            except (OSError, SpoolUnavailable) as error:
                raised = unavailable(error, self.path) if isinstance(error, OSError) else error
                raised.kept, raised.pushed_out = kept, self._holdings.pushed_out - before
                raise raised from error
            return self._holdings.pushed_out - before

    def lease(self, max_items: int, max_bytes: int) -> Lease | None:
        """Return the oldest spans, and the same ones again until they are done.

        Args:
            max_items: how many at most.
            max_bytes: how many bytes of spans at most; a larger span comes alone.

        Returns:
            None where nothing waits.

        Raises:
            SpoolUnavailable: the files cannot be read at present, for want of descriptors.
        """
        with self._reading:
            while self._lease is None:
                with self._turn:
                    oldest = None if self._closed else self._holdings.oldest_waiting()
                if oldest is None:
                    return None
                self._take(*oldest, max_items, max_bytes)
            return self._lease

    def done(self, lease: Lease) -> None:
        """Remove a lease's spans: they are delivered, or accounted for otherwise.

        A lease that is not the present one is ignored.
        """
        with self._reading:
            if self._lease is None or self._place is None or lease.token is not self._place:
                return
            with self._turn:
                self._holdings.done(*self._place)
            self._lease = self._place = None

    def adopt(self) -> int:
        """Take over what dead processes of this service left, as far as there is room for it.

        It takes a second or two for 256 MiB, and holds up nobody meanwhile. To be called at the
        start and from time to time: processes die, and what found no room stays where it is.

        Returns:
            How many spans were added.
        """
        adopted = 0
        if self._adopting.acquire(blocking=False):
            try:
                with suppress(OSError):  # it cannot be listed: somebody deleted it
                    for path in process_folders(self.path):
                        adopted += self._adopt(path)
            finally:
                self._adopting.release()
        return adopted

    def close(self) -> None:
        """Stop. What waits stays on disk for the next process; empty folders are removed."""
        with self._reading, self._turn:
            if not self._closed:
                self._closed = True
                self._holdings.close()
                self._holdings = Holdings(self.path, self._max_bytes)
                self._lease = self._place = self._reader = None

    def in_child(self) -> None:
        """Forget, in a forked child, what is the parent's; no file is touched.

        The child's first ``append`` makes a folder of its own.
        """
        self._holdings.forget()
        if self._claimed is not None:
            self._claimed.forget()
        self._begin()

    def _check_open(self) -> None:
        if self._closed:
            raise SpoolUnavailable(f"the spool at {self.path} is closed", "open it again")

    def _take(
        self, folder: ProcessFolder, segment: Segment, max_items: int, max_bytes: int
    ) -> None:
        """Make a lease of a segment's spans, if there are any that can be read."""
        reader = self._read(folder, segment)
        items: list[Item] = []
        size = end = 0
        while reader.records and len(items) < max_items:
            item, item_end = reader.records[0]
            size += len(item.span)
            if items and size > max_bytes:
                break
            items.append(item)
            end = item_end
            reader.records.popleft()
        with self._turn:
            if items and not segment.gone:  # pushed out by now, they are counted as such
                segment.taken = len(items)
                self._place = _Place(folder, segment, end)
                self._lease = Lease(items, self._place, not self._holdings.is_own(folder))

    def _read(self, folder: ProcessFolder, segment: Segment) -> Reader:
        """Return a reader that has records of this segment, unless they are lost."""
        if self._reader is None or self._reader.segment is not segment:
            self._reader = Reader(segment)
        reader = self._reader
        if not reader.records:
            with self._turn:
                limit, expected = segment.size, segment.waiting
            try:
                found = reader.load(limit)
            except OSError as error:
                if error.errno in _NOT_NOW:
                    raise unavailable(error, segment.path) from error
                found = 0
            with self._turn:
                self._holdings.found(folder, segment, found - expected)
        return reader

    def _adopt(self, path: Path) -> int:
        if self._holdings.adopted() >= _ADOPTED_FOLDERS:
            return 0
        folder = self._claimed = ProcessFolder.claim(path)
        if folder is None:
            return 0
        try:
            return self._take_over(folder)
        except BaseException:
            folder.forget()
            raise
        finally:
            self._claimed = None

    def _take_over(self, folder: ProcessFolder) -> int:
        if self._holdings.has_room_for(folder):
            damaged = folder.load()
            with self._turn:
                if not self._closed:
                    return self._holdings.take_over(folder, damaged)
        folder.release()
        return 0
