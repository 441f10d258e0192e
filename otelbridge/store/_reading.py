"""Rows read back: traces with their spans, and what has changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from otelbridge.encoding.units import Group, Item
from otelbridge.store._collector import collector_paused
from otelbridge.store._rows import marks, portions
from otelbridge.store._schema import ENDED, LOST, ORDINAL_BITS, RUNNING
from otelbridge.store.codec import STATUSES, event_of, parse, to_record
from otelbridge.store.records import Change, SpanRecord, State, TraceSummary

_STATES: Final[dict[int, State]] = {RUNNING: "running", ENDED: "ended", LOST: "lost"}
_KINDS: Final[dict[int, Literal["started", "ended", "lost"]]] = {
    RUNNING: "started",
    ENDED: "ended",
    LOST: "lost",
}
_SUMMARY: Final = (
    "trace_id, name, service, start_ns, end_ns, running, lost, status, outcome, run_id, spans, "
    "events, errors, input_tokens, output_tokens, changed"
)

_NOBODY: Final = Group(b"", "", b"", "")

Row = tuple[Any, ...]


def summaries(
    connection: sqlite3.Connection, rest: str, values: Sequence[Any] = ()
) -> list[TraceSummary]:
    """Return the traces that ``SELECT ... FROM traces`` gives with this rest of a statement."""
    rows = connection.execute(f"SELECT {_SUMMARY} FROM traces {rest}", values).fetchall()
    return [_summary(*row) for row in rows]


def summaries_of(connection: sqlite3.Connection, trace_ids: Iterable[str]) -> list[TraceSummary]:
    """Return the traces with these ids; those that are not here are left out."""
    wanted = [found for trace_id in trace_ids if (found := id_bytes(trace_id)) is not None]
    return [
        summary
        for part in portions(wanted, 1)
        for summary in summaries(connection, f"WHERE trace_id IN ({marks(len(part))})", part)
    ]


def id_bytes(trace_id: str) -> bytes | None:
    """Return a whole trace id as it stands in the tables; None where it is none."""
    try:
        found = bytes.fromhex(trace_id)
    except ValueError:
        return None
    return found if len(found) == 16 else None


def _summary(
    trace_id: bytes,
    name: str,
    service: str,
    start_ns: int,
    end_ns: int,
    running: int,
    lost: int,
    status: int,
    *rest: Any,
) -> TraceSummary:
    state: State = "running" if running else "lost" if lost else "ended"
    return TraceSummary(
        trace_id.hex(), name, service, start_ns, None if running else end_ns, state,
        STATUSES[status], *rest,
    )  # fmt: skip


class Reader:
    """Reads spans; it knows the producers that it has met. ``forget`` when the file is another."""

    def __init__(self) -> None:
        self._groups: dict[int, Group] = {}

    def forget(self) -> None:
        """Forget what is known of rows."""
        self._groups = {}

    def items(self, connection: sqlite3.Connection, trace: int) -> list[tuple[Item, State, int]]:
        """Return a trace's spans as they are stored, each with its state and last change.

        Those that run, or were lost, have the events that they had so far.
        """
        first, last = trace << ORDINAL_BITS, (trace + 1) << ORDINAL_BITS
        rows = connection.execute(
            "SELECT id, producer, state, changed, body FROM spans WHERE id >= ? AND id < ?",
            (first, last),
        ).fetchall()
        events: dict[int, list[tuple[int, bytes]]] = {}
        if any(row[2] != ENDED for row in rows):
            for number, span, body in connection.execute(
                "SELECT id, span, body FROM events WHERE span >= ? AND span < ? ORDER BY id",
                (first, last),
            ):
                events.setdefault(span, []).append((number, body))
        return [self._item(connection, row, events.get(row[0], [])) for row in rows]

    def record(self, connection: sqlite3.Connection, span: int) -> SpanRecord | None:
        """Return the span with a row's id; None where it is deleted."""
        row = connection.execute(
            "SELECT id, producer, state, changed, body FROM spans WHERE id = ?", (span,)
        ).fetchone()
        if row is None:
            return None
        events = connection.execute(
            "SELECT id, body FROM events WHERE span = ? ORDER BY id", (span,)
        ).fetchall()
        item, state, changed = self._item(connection, row, events)
        return to_record(item.span, item.group, state=state, changed=changed)

    def _item(
        self, connection: sqlite3.Connection, row: Row, events: list[tuple[int, bytes]]
    ) -> tuple[Item, State, int]:
        _, producer, state, changed, body = row
        if events and state != ENDED:
            body += b"".join([event for _, event in events])
            changed = max(changed, events[-1][0])
        return Item(self.group(connection, producer), body), _STATES[state], changed

    def group(self, connection: sqlite3.Connection, producer: int) -> Group:
        """Return who is meant by a row of ``producers``."""
        known = self._groups.get(producer)
        if known is None:
            row = connection.execute(
                "SELECT resource, resource_schema, scope, scope_schema FROM producers WHERE id = ?",
                (producer,),
            ).fetchone()
            if row is None:  # a file that was tampered with; its spans can be read all the same
                return _NOBODY
            known = self._groups[producer] = Group(*row)
        return known

    def changes(self, connection: sqlite3.Connection, after: int, limit: int) -> list[Change]:
        """Return what has changed since, oldest first."""
        rows = connection.execute(
            "SELECT changed, id, producer, state, body FROM spans WHERE changed > ? "
            "ORDER BY changed LIMIT ?",
            (after, limit),
        ).fetchall()
        happened = connection.execute(
            "SELECT events.id, events.span, producer, state, spans.body, events.body FROM events "
            "JOIN spans ON spans.id = events.span WHERE events.id > ? ORDER BY events.id LIMIT ?",
            (after, limit),
        ).fetchall()
        found = sorted([*rows, *happened])[:limit]
        return [self._change(connection, row) for row in found]

    def _change(self, connection: sqlite3.Connection, row: Row) -> Change:
        number, span, producer, state, body = row[:5]
        item = Item(self.group(connection, producer), body)
        if len(row) == 6:
            record = to_record(item.span, item.group, state=_STATES[state], changed=number)
            return Change("event", record, event_of(parse(row[5]).events[0]), number)
        if state != ENDED:
            item, *_ = self._item(
                connection,
                (span, producer, state, number, body),
                connection.execute(
                    "SELECT id, body FROM events WHERE span = ? AND id < ? ORDER BY id",
                    (span, number if state == RUNNING else 1 << 62),
                ).fetchall(),
            )
        record = to_record(item.span, item.group, state=_STATES[state], changed=number)
        return Change(_KINDS[state], record, None, number)


def span_records(items: Iterable[tuple[Item, State, int]]) -> tuple[SpanRecord, ...]:
    """Read spans, and put them in the order of their start."""
    with collector_paused():
        records = [
            to_record(item.span, item.group, state=state, changed=changed)
            for item, state, changed in items
        ]
    records.sort(key=lambda record: record.start_ns)
    return tuple(records)
