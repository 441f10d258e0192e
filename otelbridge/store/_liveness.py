"""Which writers still live: each holds a lock that ends with its process, however that ends.

::

    traces.db
    traces.db-writers/           mode 0700
        4711-9f86d081.lock       one writer's; its name is in ``processes``
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from otelbridge._file_lock import FileLock
from otelbridge._private_files import make_private
from otelbridge.store._database import Database
from otelbridge.store._rows import marks
from otelbridge.store._schema import LOST, ORDINAL_BITS, RUNNING


class Presence:
    """This process, as a writer of one store.

    Args:
        path: the store's file; None: in memory, where there are no others to tell.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock: FileLock | None = None
        self._row: int | None = None
        self._name = f"{os.getpid()}-{uuid4().hex[:8]}.lock"

    def row(self, connection: sqlite3.Connection) -> int:
        """Return the writer's row, which is made when it is first asked for."""
        if self._lock is None and self._path is not None:
            folder = writers_folder(self._path)
            with suppress(FileExistsError):
                make_private(folder)
            for left in folder.glob("*.lock"):
                is_alive(self._path, left.name)  # takes the file away where it is not
            self._lock = FileLock(folder / self._name, create=True)
        if self._row is None:
            added = connection.execute(
                "INSERT INTO processes (lock, pid) VALUES (?, ?)", (self._name, os.getpid())
            )
            self._row = added.lastrowid or 0
        return self._row

    def forget_row(self) -> None:
        """Have another row made: the last was not committed, or the file is another."""
        self._row = None
        if self._lock is None or self._path is None:
            return
        if not (writers_folder(self._path) / self._name).exists():
            self._lock.release()  # it went with the file, and proves nothing beside another
            self._lock = None

    def leave(self) -> None:
        """Give up the lock: what still runs under it is lost."""
        lock, self._lock = self._lock, None
        if lock is not None and self._path is not None:
            with suppress(OSError):
                os.unlink(writers_folder(self._path) / self._name)
            lock.release()

    def in_child(self) -> None:
        """In a forked child: the lock is the parent's."""
        if self._lock is not None:
            self._lock.forget()


def writers_folder(path: Path) -> Path:
    """Return the folder of the locks of a store's writers."""
    return path.with_name(f"{path.name}-writers")


def is_alive(path: Path, name: str) -> bool:
    """Tell whether the writer with this lock still lives."""
    file = writers_folder(path) / os.path.basename(name)
    try:
        lock = FileLock(file, create=False)
    except BlockingIOError:
        return file.exists()  # one that is gone counts as taken away, too
    except OSError:
        return False
    with suppress(OSError):
        os.unlink(file)
    lock.release()
    return False


def mark_lost(database: Database) -> int:
    """Mark what runs in processes that have died; return how many spans that were.

    Raises:
        StoreError: as ``Database.writing`` does.
        sqlite3.Error: the store cannot be written now.
    """
    if database.path is None:
        return 0
    with database.reading() as connection:
        rows = connection.execute(
            "SELECT DISTINCT process, lock FROM spans "
            "LEFT JOIN processes ON processes.id = process WHERE state = 0"
        ).fetchall()
    path = database.path
    dead = [row for row, name in rows if name is None or not is_alive(path, name)]
    if not dead:
        return 0
    with database.writing() as connection:
        return _mark(connection, dead)


def _mark(connection: sqlite3.Connection, dead: list[int | None]) -> int:
    spans = [
        row[0]
        for row in connection.execute(
            f"SELECT id FROM spans WHERE state = 0 AND (process IN ({marks(len(dead))}) "
            "OR process IS NULL) ORDER BY id",
            dead,
        ).fetchall()
    ]
    changed = connection.execute("SELECT changed FROM counter").fetchone()[0]
    traces: dict[int, list[int]] = {}
    for number, span in enumerate(spans, changed + 1):
        connection.execute(
            f"UPDATE spans SET state = {LOST}, changed = ?, process = NULL "
            f"WHERE id = ? AND state = {RUNNING}",
            (number, span),
        )
        traces.setdefault(span >> ORDINAL_BITS, []).append(number)
    for trace, numbers in traces.items():
        connection.execute(
            "UPDATE traces SET running = running - ?, lost = lost + ?, changed = ? WHERE id = ?",
            (len(numbers), len(numbers), numbers[-1], trace),
        )
    connection.execute("UPDATE counter SET changed = ?", (changed + len(spans),))
    connection.execute(f"DELETE FROM processes WHERE id IN ({marks(len(dead))})", dead)
    return len(spans)
