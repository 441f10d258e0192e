"""Full text and facets: made behind the writing, in steps, by whoever has time.

``counter.indexed`` is the count of the last change that is indexed; what changed later, and what
runs, is the tail, which searches read whole. Full text lies in one table for each ``1 << BITS``
traces: what is deleted from a table stays in it until all of its traces are, and it is dropped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from time import monotonic
from typing import Final

from otelbridge.store._database import Database
from otelbridge.store._documents import Document, document
from otelbridge.store._rows import put_rows
from otelbridge.store._schema import ENDED, ORDINAL_BITS, RUNNING

BITS: Final = 14
STEP: Final = 300
TAIL: Final = 20_000
_NAMES: Final = 10_000
_SLICES: Final = 64

_MAKE: Final = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS words_{} USING fts5"
    "(text, content = '', columnsize = 0, tokenize = 'unicode61')"
)


def tables(connection: sqlite3.Connection) -> list[int]:
    """Return the numbers of the tables of full text, the newest first."""
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'words_[0-9]*' "
        "AND sql LIKE 'CREATE VIRTUAL%'"
    )
    return sorted((int(row[0].removeprefix("words_")) for row in rows.fetchall()), reverse=True)


def index_step(database: Database, limit: int = STEP) -> int:
    """Index the oldest changes that are not; return how many those were.

    Raises:
        StoreError: as ``Database.writing`` does.
        sqlite3.Error: the store cannot be written now.
    """
    with database.reading() as connection:
        before = _indexed(connection)
        rows = connection.execute(
            "SELECT changed, id, state, body FROM spans WHERE changed > ? ORDER BY changed LIMIT ?",
            (before, limit),
        ).fetchall()
        made = [
            (span, _document(connection, span, state, body))
            for _, span, state, body in rows
            if state != RUNNING
        ]
    if not rows:
        return 0
    made.sort(key=lambda found: found[0])  # what is out of order costs FTS5 a segment each
    with database.writing() as connection:
        if _indexed(connection) == before:  # else another process has done so
            _put(connection, made)
            connection.execute("UPDATE counter SET indexed = ?", (rows[-1][0],))
    return len(rows)


def index_for(database: Database, seconds: float) -> bool:
    """Index for so long at most; True when all is."""
    until = monotonic() + seconds
    while index_step(database):
        if monotonic() > until:
            return False
    return True


def tail_size(connection: sqlite3.Connection, most: int) -> int:
    """Count the changes that are not indexed, up to a number."""
    row = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM spans WHERE changed > "
        "(SELECT indexed FROM counter) LIMIT ?)",
        (most,),
    ).fetchone()
    return int(row[0])


def tail(connection: sqlite3.Connection) -> list[tuple[int, int, int]]:
    """Return what is not indexed, the newest of it where that is very much.

    Returns:
        The id of a span, its last change, and its state.
    """
    return connection.execute(
        "SELECT * FROM (SELECT id, changed, state FROM spans WHERE changed > "
        "(SELECT indexed FROM counter) ORDER BY changed DESC LIMIT ?) "
        "UNION SELECT id, changed, state FROM spans WHERE state = 0",
        (TAIL,),
    ).fetchall()


def tail_document(connection: sqlite3.Connection, span: int, state: int) -> Document:
    """Return what a span of the tail is found by."""
    body = connection.execute("SELECT body FROM spans WHERE id = ?", (span,)).fetchone()[0]
    return _document(connection, span, state, body)


def drop_empty(connection: sqlite3.Connection) -> Iterator[str]:
    """Return statements, each a short one, that drop the tables whose traces are all deleted."""
    for number in tables(connection):
        first, last = number << BITS, (number + 1) << BITS
        query = "SELECT 1 FROM traces WHERE id >= ? AND id < ? LIMIT 1"
        newest = connection.execute("SELECT trace FROM counter").fetchone()[0]
        if newest >= last and connection.execute(query, (first, last)).fetchone() is None:
            width = (1 << 63) // _SLICES
            for low in range(0, 1 << 63, width):
                yield (
                    f"DELETE FROM facets WHERE facet BETWEEN {low} AND {low + width - 1} "
                    f"AND trace >= {first} AND trace < {last}"
                )
            yield f"DROP TABLE IF EXISTS words_{number}"


def _indexed(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT indexed FROM counter").fetchone()[0])


def _document(connection: sqlite3.Connection, span: int, state: int, body: bytes) -> Document:
    if state != ENDED:
        events = connection.execute("SELECT body FROM events WHERE span = ? ORDER BY id", (span,))
        body += b"".join([row[0] for row in events.fetchall()])
    return document(body)


def _put(connection: sqlite3.Connection, made: list[tuple[int, Document]]) -> None:
    texts: dict[int, list[tuple[int, str]]] = {}
    facets: set[tuple[int, int]] = set()
    events: set[str] = set()
    for span, found in made:
        trace = span >> ORDINAL_BITS
        texts.setdefault(trace >> BITS, []).append((span, found.text))
        facets.update([(number, trace) for number in found.facets])
        events |= found.events
    for table, rows in texts.items():
        connection.execute(_MAKE.format(table))
        put_rows(connection, f"INSERT INTO words_{table} (rowid, text)", rows)
    put_rows(connection, "INSERT OR IGNORE INTO facets", sorted(facets))
    if events and connection.execute("SELECT count(*) FROM names").fetchone()[0] < _NAMES:
        put_rows(connection, "INSERT OR IGNORE INTO names", [(name,) for name in sorted(events)])
