"""One store's file, open: connections to it, and what to do when it is new, newer, broken or gone.

Readers take a connection from a pool for as long as one question lasts; there is one connection
that writes. The file is looked at each time: where it was removed or another was put in its place,
connections are made anew.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from weakref import WeakSet

from otelbridge._process import renew_in_child
from otelbridge.errors import StoreError
from otelbridge.store import _location, _opening, _schema

_POOL: Final = 8
_inherited: list[object] = []
"""What a forked child has of its parent's: closing it could take the parent's log away."""


class Database:
    """A store's file, or a store in memory. Safe to use from any thread.

    Args:
        path: the file; None: in memory, which is this process's alone.
        create: whether to make the file where it is missing.

    Attributes:
        path: the same.
        renewed: how often the file was found to be another; what was known of its rows is void.
    """

    def __init__(self, path: Path | None, *, create: bool) -> None:
        self.path = path
        self.renewed = 0
        self._create = create
        self._begin()
        _databases.add(self)

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._pool: list[sqlite3.Connection] = []
        self._writer: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def in_child(self) -> None:
        """Begin anew in a forked child."""
        _inherited.extend((self._pool, self._writer))
        self._begin()

    def open(self) -> None:
        """Open the file, make or migrate its tables, move it aside where it is broken.

        Raises:
            StoreError: it cannot be used; the message says the cure.
        """
        with self._lock:
            if self.path is None:
                if self._writer is None:
                    self._writer = _opening.connected(":memory:")
                    _schema.migrate(self._writer)
                return
            if self._file is not None:
                if self._file == _identity(self.path):
                    return
                self._renew()
            _location.prepare(self.path, create=self._create)
            try:
                _opening.made_ready(self.path)
            except sqlite3.Error as error:
                raise StoreError(
                    f"the store {self.path} cannot be opened ({error}): see that its folder can be "
                    f"written, or choose another file by {_location.VARIABLE}"
                ) from error
            self._file = _identity(self.path)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that sees one state of the store until the block ends.

        Raises:
            StoreError: the store cannot be opened.
            sqlite3.Error: what the block raises.
        """
        self.open()
        if self.path is None:
            with self._lock:
                assert self._writer is not None
                yield self._writer
            return
        renewed = self.renewed
        connection = self._taken()
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            self._give_back(connection, renewed)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection that writes, in a transaction that the end of the block commits.

        Raises:
            StoreError: the store cannot be opened, or a newer release has taken it over.
            sqlite3.Error: it cannot be written now; nothing of the block is.
        """
        with self._lock:
            self.open()
            if self._writer is None:
                assert self.path is not None
                self._writer = _opening.connected(self.path)
            connection = self._writer
            connection.execute("BEGIN IMMEDIATE")
            try:
                if _schema.version_of(connection) != _schema.version():
                    raise _opening.newer(self.path, connection)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has rolled back already
                    connection.execute("ROLLBACK")
                raise

    def maintain(self, statement: str) -> None:
        """Execute a statement that stands in no transaction."""
        with self._lock:
            self.open()
            if self._writer is None:
                assert self.path is not None
                self._writer = _opening.connected(self.path)
            self._writer.execute(statement).fetchall()

    def recover(self, error: sqlite3.Error) -> bool:
        """Move the file aside where the error says that it is broken; tell whether it was."""
        if type(error) is not sqlite3.DatabaseError or self.path is None:
            return False
        with self._lock:
            broken = self._file
            self._renew()
            with _opening.set_up(self.path):
                if broken == _identity(self.path):  # else another process has done so
                    _opening.set_aside(self.path, error)
        return True

    def size(self) -> int:
        """Return the bytes of the file and of its log."""
        if self.path is None:
            with self.reading() as connection:
                pages, size = _pragma(connection, "page_count"), _pragma(connection, "page_size")
            return pages * size
        return sum(_size(Path(f"{self.path}{end}")) for end in ("", "-wal"))

    def close(self) -> None:
        """Close every connection that is not lent; the next question opens the store again."""
        with self._lock:
            self._renew()

    def __del__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        self.renewed += 1
        self._file = None
        pool, self._pool = self._pool, []
        writer, self._writer = self._writer, None
        for connection in (*pool, *([writer] if writer else [])):
            with suppress(sqlite3.Error):
                connection.close()

    def _taken(self) -> sqlite3.Connection:
        try:
            return self._pool.pop()
        except IndexError:
            assert self.path is not None
            connection = _opening.connected(self.path)
            connection.execute("PRAGMA query_only = ON")
            return connection

    def _give_back(self, connection: sqlite3.Connection, renewed: int) -> None:
        with self._lock:
            if renewed == self.renewed and len(self._pool) < _POOL:
                self._pool.append(connection)
                return
        connection.close()


_databases: WeakSet[Database] = WeakSet()
_memory: list[Database] = []


def database_of(path: Path | None, *, create: bool) -> Database:
    """Return a store's database: a file's own for each caller, but the one in memory for all."""
    if path is not None:
        return Database(path, create=create)
    if not _memory:
        _memory.append(Database(None, create=True))
    return _memory[0]


def _renew_in_child() -> None:
    for database in list(_databases):
        database.in_child()


renew_in_child(_renew_in_child)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
