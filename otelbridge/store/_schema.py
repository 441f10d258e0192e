r"""The tables, and how an older store becomes one of today.

::

    counter     one row: how many changes there were, how far they are indexed, the last trace's id
    producers   who makes spans: resource and scope, once each
    processes   who writes, and by which lock it is known whether they still live
    traces      one row for each trace: what a list shows, kept by whoever writes its spans
    spans       id = trace's id << 24 | number within it: a trace's spans lie together
    events      of running spans alone: an ended span's bytes hold its own
    facets      which traces have a name, an event, a tag, ...: see ``_index``
    names       the names of events, for menus
    words_<n>   full text of the traces id >> 13 == n: see ``_index``

A change is one row of ``spans`` or ``events`` written; it takes the next number of the count, in
``spans.changed`` or ``events.id``. Ids of traces are never used again, because the full text of a
trace that was deleted stays until all of its table are.
"""

from __future__ import annotations

import sqlite3
from typing import Final

APPLICATION: Final = 0x6F74656C  # "otel"
ORDINAL_BITS: Final = 24
ORDINALS: Final = 1 << ORDINAL_BITS
RUNNING, ENDED, LOST = 0, 1, 2

_FIRST: Final = """
CREATE TABLE counter (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    changed INTEGER NOT NULL,
    indexed INTEGER NOT NULL,
    trace INTEGER NOT NULL
);
INSERT INTO counter VALUES (1, 0, 0, 0);

CREATE TABLE producers (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    resource BLOB NOT NULL,
    resource_schema TEXT NOT NULL,
    scope BLOB NOT NULL,
    scope_schema TEXT NOT NULL,
    service TEXT NOT NULL
);

CREATE TABLE processes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    lock TEXT NOT NULL,
    pid INTEGER NOT NULL
);

CREATE TABLE traces (
    id INTEGER PRIMARY KEY,
    trace_id BLOB NOT NULL UNIQUE,
    next INTEGER NOT NULL,
    name TEXT NOT NULL,
    service TEXT NOT NULL,
    named_by INTEGER NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    status INTEGER NOT NULL,
    outcome TEXT,
    run_id TEXT,
    spans INTEGER NOT NULL,
    events INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    running INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    changed INTEGER NOT NULL
);
CREATE INDEX traces_by_start ON traces (start_ns, id, service, status, running, lost, end_ns);

CREATE TABLE spans (
    id INTEGER PRIMARY KEY,
    span_id BLOB NOT NULL,
    state INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    events INTEGER NOT NULL,
    page INTEGER NOT NULL,
    producer INTEGER NOT NULL,
    process INTEGER,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX spans_by_span_id ON spans (id >> 24, span_id);
CREATE INDEX spans_by_change ON spans (changed);
CREATE INDEX spans_running ON spans (process) WHERE state = 0;

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    span INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX events_by_span ON events (span);

CREATE TABLE facets (
    facet INTEGER NOT NULL,
    trace INTEGER NOT NULL,
    PRIMARY KEY (facet, trace)
) WITHOUT ROWID;

CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID;
"""

MIGRATIONS: tuple[str, ...] = (_FIRST,)
"""``MIGRATIONS[n]`` makes version n + 1 of version n; there is no way back."""


def version() -> int:
    """Return the version of the tables that this release writes."""
    return len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of a store's tables; 0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_foreign(connection: sqlite3.Connection) -> bool:
    """Tell whether the file is another program's."""
    mine = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION
    return not mine and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a store's tables to the version of this release, in one transaction."""
    if version_of(connection) == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts before the first table only
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        for script in MIGRATIONS[version_of(connection) :]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {version()}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
