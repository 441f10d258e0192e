"""Spans written: by the sink as they happen, and by ``Store.add`` as they come."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from otelbridge.encoding.units import Group
from otelbridge.store._facts import Facts
from otelbridge.store._rows import marks, portions, put_rows
from otelbridge.store._schema import ENDED, ORDINAL_BITS, ORDINALS, RUNNING
from otelbridge.store._totals import COLUMNS, Totals
from otelbridge.store.codec import producer

_PUT_TRACE: Final = f"INSERT INTO traces ({', '.join(COLUMNS)})"
_OR_TRACE: Final = "ON CONFLICT (id) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in COLUMNS if name not in ("id", "trace_id")
)
_SPAN_COLUMNS: Final = (
    "id", "span_id", "state", "changed", "events", "page", "producer", "process", "body",
)  # fmt: skip
_PUT_SPAN: Final = f"INSERT INTO spans ({', '.join(_SPAN_COLUMNS)})"
_OR_SPAN: Final = "ON CONFLICT (id) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in _SPAN_COLUMNS if name not in ("id", "span_id")
)
_PUT_EVENT: Final = "INSERT INTO events (id, span, body)"


@dataclass(slots=True)
class _Known:
    """A span that has a row.

    Attributes:
        id: of the row.
        state: in which it was written last.
        events: how many it had then.
    """

    id: int
    state: int
    events: int


@dataclass(slots=True)
class _Changes:
    """What one transaction writes."""

    changed: int
    last_trace: int
    traces: list[Totals] = field(default_factory=list)
    spans: dict[int, Sequence[Any]] = field(default_factory=dict)
    counted: list[tuple[int, int]] = field(default_factory=list)
    events: list[Sequence[Any]] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)


class Writer:
    """Writes spans into the tables.

    It knows the rows of producers; ``forget`` when the file is another.
    """

    def __init__(self) -> None:
        self._producers: dict[Group, tuple[int, str]] = {}

    def forget(self) -> None:
        """Forget what is known of rows."""
        self._producers.clear()

    def write(
        self, connection: sqlite3.Connection, spans: Sequence[Facts], process: int | None
    ) -> int:
        """Write spans; the caller commits.

        A span that has ended is final: what comes again with its ids is left aside.

        Args:
            connection: within a transaction.
            spans: in the order in which things happened.
            process: the writer's row, for those that run.

        Returns:
            How many found no place: a trace holds 16 million spans.
        """
        by_trace: dict[bytes, list[Facts]] = {}
        for facts in spans:
            by_trace.setdefault(facts.trace_id, []).append(facts)
        changed, last_trace = connection.execute("SELECT changed, trace FROM counter").fetchone()
        changes = _Changes(changed, last_trace)
        known = _known_traces(connection, list(by_trace))
        refused = 0
        for trace_id, group in by_trace.items():
            totals, rows = known.get(trace_id), {}
            if totals is None:
                changes.last_trace += 1
                totals = Totals.first(changes.last_trace, group[0])
            else:
                rows = _known_spans(connection, totals.id, [facts.span_id for facts in group])
            for facts in group:
                refused += not self._write(connection, changes, totals, rows, facts, process)
            totals.changed = changes.changed
            if totals.next:
                changes.traces.append(totals)
        _put(connection, changes)
        return refused

    def _write(
        self,
        connection: sqlite3.Connection,
        changes: _Changes,
        totals: Totals,
        rows: dict[bytes, _Known],
        facts: Facts,
        process: int | None,
    ) -> bool:
        known = rows.get(facts.span_id)
        found = self._producers.get(facts.group)
        number, service = found or self._producer(connection, facts.group)
        if known is None:
            if not facts.body:  # its trace was deleted as it ran; its end brings it back
                return True
            if totals.next >= ORDINALS:
                return False
            row = totals.id << ORDINAL_BITS | totals.next
            totals.next += 1
            totals.count(facts, service, None, 0)
            rows[facts.span_id] = _Known(row, facts.state, facts.events)
        elif known.state == ENDED:
            return True
        else:
            row = known.id
            totals.count(facts, service, known.state, known.events)
            if facts.state == ENDED and known.events:
                changes.settled.append(row)
            known.state, known.events = facts.state, facts.events
        if facts.body:
            changes.changed += 1
            changes.spans[row] = (
                row, facts.span_id, facts.state, changes.changed, facts.events, facts.page, number,
                process if facts.state == RUNNING else None, facts.body,
            )  # fmt: skip
        else:
            changes.counted.append((facts.events, row))
        for body in facts.new_events:  # behind the start, so that a follower sees it first
            changes.changed += 1
            changes.events.append((changes.changed, row, body))
        return True

    def _producer(self, connection: sqlite3.Connection, group: Group) -> tuple[int, str]:
        parts = (group.resource, group.resource_schema, group.scope, group.scope_schema)
        digest = hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).digest()
        query = "SELECT id, service FROM producers WHERE digest = ?"
        found = connection.execute(query, (digest,)).fetchone()
        if found is None:
            texts = [
                part.encode("utf-8", "backslashreplace").decode() if isinstance(part, str) else part
                for part in parts
            ]
            connection.execute(
                "INSERT INTO producers (digest, resource, resource_schema, scope, scope_schema, "
                "service) VALUES (?, ?, ?, ?, ?, ?)",
                (digest, *texts, producer(group).service),
            )
            found = connection.execute(query, (digest,)).fetchone()
        known = (int(found[0]), str(found[1]))
        if len(self._producers) > 1_000:
            self._producers.clear()
        self._producers[group] = known
        return known


def _known_traces(
    connection: sqlite3.Connection, trace_ids: Sequence[bytes]
) -> dict[bytes, Totals]:
    found: dict[bytes, Totals] = {}
    for part in portions(trace_ids, 1):
        rows = connection.execute(
            f"SELECT {', '.join(COLUMNS)} FROM traces WHERE trace_id IN ({marks(len(part))})", part
        )
        for row in rows.fetchall():
            found[row[1]] = Totals(*row)
    return found


def _known_spans(
    connection: sqlite3.Connection, trace: int, span_ids: Sequence[bytes]
) -> dict[bytes, _Known]:
    found: dict[bytes, _Known] = {}
    for part in portions(span_ids, 1):
        rows = connection.execute(
            "SELECT span_id, id, state, events FROM spans INDEXED BY spans_by_span_id "
            f"WHERE id >> 24 = {trace} AND span_id IN ({marks(len(part))})",
            part,
        )
        for span_id, *known in rows.fetchall():
            found[span_id] = _Known(*known)
    return found


def _put(connection: sqlite3.Connection, changes: _Changes) -> None:
    connection.execute(
        "UPDATE counter SET changed = ?, trace = ?", (changes.changed, changes.last_trace)
    )
    put_rows(connection, _PUT_TRACE, [totals.row() for totals in changes.traces], _OR_TRACE)
    put_rows(connection, _PUT_SPAN, list(changes.spans.values()), _OR_SPAN)
    for part in portions(changes.settled, 1):
        connection.execute(f"DELETE FROM events WHERE span IN ({marks(len(part))})", part)
    settled = set(changes.settled)
    put_rows(connection, _PUT_EVENT, [row for row in changes.events if row[1] not in settled])
    if changes.counted:
        connection.executemany("UPDATE spans SET events = ? WHERE id = ?", changes.counted)
