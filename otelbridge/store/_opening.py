"""A store's file made ready: connected to, its tables made or migrated, moved aside when broken."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep, strftime
from typing import Final

from otelbridge._file_lock import FileLock
from otelbridge.errors import StoreError
from otelbridge.store import _location, _schema

logger = logging.getLogger("otelbridge")

BUSY_S: Final = 5.0
_CACHE_KIB: Final = 8_192
_MAGIC: Final = b"SQLite format 3\0"
_SUFFIXES: Final = frozenset({"", ".db", ".db3", ".sqlite", ".sqlite3"})


def connected(path: Path | str) -> sqlite3.Connection:
    """Connect to a file, or to ":memory:"."""
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    # A commit survives the end of its process, if not that of the machine, without waiting for
    # the disk. What is deleted is overwritten where that costs no write of its own.
    try:
        for setting in (
            "synchronous = NORMAL",
            f"cache_size = -{_CACHE_KIB}",
            "secure_delete = FAST",
            f"journal_size_limit = {16 << 20}",
        ):
            connection.execute(f"PRAGMA {setting}").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def made_ready(path: Path) -> None:
    """See that the file has the tables of today.

    Raises:
        StoreError: they are a newer release's, or another program's, or cannot be kept there; or
            the file was never a store.
        sqlite3.Error: the file cannot be read or written.
    """
    if _is_ready(path):
        return
    _refuse_others(path)
    with set_up(path):
        try:
            _migrated(path)
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:
                raise
            set_aside(path, error)
            _location.prepare(path, create=True)
            _migrated(path)


def _is_ready(path: Path) -> bool:
    try:
        with closing(connected(path)) as connection:
            connection.execute("BEGIN")  # another process may be making the tables just now
            version = _schema.version_of(connection)
            if version > _schema.version():
                raise newer(path, connection)
            if _schema.is_foreign(connection):
                raise StoreError(
                    f"{path} is a database of another program: choose another file by "
                    f"{_location.VARIABLE}"
                )
            return version == _schema.version()
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:
            raise
        return False


def _refuse_others(path: Path) -> None:
    """Leave alone what is no broken store, but by its name a file of another kind."""
    if path.suffix.lower() in _SUFFIXES or _set_up_file(path).exists():
        return
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError:
        return
    if start and start != _MAGIC:
        raise StoreError(f"{path} is no store: choose another file by {_location.VARIABLE}")


def _migrated(path: Path) -> None:
    with closing(connected(path)) as connection:
        if _schema.version_of(connection) < _schema.version():
            _schema.migrate(connection)
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(
                f"the file system of {path} has no shared memory, which SQLite's write-ahead log "
                f"needs: choose another file by {_location.VARIABLE}"
            )


def newer(path: Path | None, connection: sqlite3.Connection) -> StoreError:
    """Return what to say of a store whose tables a newer release has made."""
    found = _schema.version_of(connection)
    return StoreError(
        f"the store {path} was written by a newer otelbridge (its tables have version {found}, "
        f"this release knows {_schema.version()}): upgrade otelbridge, or choose another file by "
        f"{_location.VARIABLE}"
    )


@contextmanager
def set_up(path: Path) -> Iterator[None]:
    """Let one process at a time make, migrate or move the file."""
    lock = _waited_for(lambda: FileLock(_set_up_file(path), create=True))
    try:
        yield
    finally:
        lock.release()


def _set_up_file(path: Path) -> Path:
    """Return the file that is locked meanwhile; it stays beside the store."""
    return path.with_name(f"{path.name}-setup")


def _waited_for(take: Callable[[], FileLock]) -> FileLock:
    """Take a lock that others hold for moments only."""
    until = monotonic() + BUSY_S
    while True:
        try:
            return take()
        except BlockingIOError:
            if monotonic() > until:
                raise
            sleep(0.01)


def set_aside(path: Path, error: sqlite3.Error) -> None:
    """Move a broken file and its log out of the way."""
    aside = _free_name(path)
    for end in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.rename(f"{path}{end}", f"{aside}{end}")
    logger.warning(
        "otelbridge found the store %s broken (%s), keeps it as %s, and begins a new one",
        path,
        error,
        aside,
    )


def _free_name(path: Path) -> Path:
    name = f"{path.name}.corrupt-{strftime('%Y%m%dT%H%M%S')}"
    free, number = path.with_name(name), 1
    while free.exists():
        number += 1
        free = path.with_name(f"{name}-{number}")
    return free
