"""Finding: filters that name what is in spans, and full text.

The newest come first, never the best: to rank, FTS5 would have to read every hit. Full text is read
by the number of the trace, which is the order in which traces came to the store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from otelbridge.store import _index
from otelbridge.store._documents import Document, facet
from otelbridge.store._filters import Condition, plain_condition
from otelbridge.store._index import BITS
from otelbridge.store._schema import ORDINAL_BITS
from otelbridge.store._words import Phrase, excerpt, match_of, occurs, phrases_of, spaced
from otelbridge.store.records import Filter, SpanRecord

_FEW: Final = 1_000
_RUN_HITS: Final = 1_000


@dataclass
class _Seen:
    """A document of the tail, and its text as words once that was asked for."""

    found: Document
    words: str = ""


@dataclass
class Tail:
    """What is not indexed, read once for each change.

    Attributes:
        spans: by the ids of their rows.
    """

    spans: dict[int, _Seen] = field(default_factory=dict)
    _kept: dict[tuple[int, int], _Seen] = field(default_factory=dict)

    def read(self, connection: sqlite3.Connection) -> Tail:
        """Return the tail as it is now."""
        spans: dict[int, _Seen] = {}
        kept: dict[tuple[int, int], _Seen] = {}
        for span, changed, state in _index.tail(connection):
            # A running span gets events without a change of its own: it is read each time.
            known = self._kept.get((span, changed)) if state else None
            if known is None:
                known = _Seen(_index.tail_document(connection, span, state))
            spans[span] = kept[span, changed] = known
        return Tail(spans, kept)

    def with_facet(self, number: int) -> set[int]:
        """Return the traces that have a facet."""
        return {
            span >> ORDINAL_BITS for span, it in self.spans.items() if number in it.found.facets
        }

    def with_phrases(self, phrases: tuple[Phrase, ...]) -> list[int]:
        """Return the spans in which all phrases occur, the newest trace first."""
        found = []
        for span, it in self.spans.items():
            it.words = it.words or spaced(it.found.text)
            if all(occurs(phrase, it.words) for phrase in phrases):
                found.append(span)
        return sorted(found, reverse=True)


def condition_of(connection: sqlite3.Connection, filter: Filter, tail: Tail) -> Condition:
    """Return a filter as a condition on rows of ``traces``; without its text."""
    found = plain_condition(filter)
    for number in _facets(filter):
        here = tail.with_facet(number)
        rows = connection.execute(
            "SELECT trace FROM facets WHERE facet = ? LIMIT ?", (number, _FEW + 1)
        ).fetchall()
        if len(rows) <= _FEW:
            found.add(f"id IN ({_listed(here.union(row[0] for row in rows))})")
        else:
            found.add(
                "EXISTS (SELECT 1 FROM facets WHERE facet = ? AND facets.trace = traces.id) "
                f"OR id IN ({_listed(here)})",
                number,
            )
    if filter.run_id is not None:
        found.add(f"id IN ({_listed(_with_run(connection, filter.run_id, tail))})")
    return found


def _facets(filter: Filter) -> list[int]:
    found = [
        facet(kind, value)
        for kind, value in (("event", filter.event), ("name", filter.name), ("tag", filter.tag))
        if value is not None
    ]
    if filter.metadata is not None:
        key, value = filter.metadata
        found.append(facet("key", key) if value is None else facet("pair", f"{key}={value}"))
    return found


def _with_run(connection: sqlite3.Connection, run_id: str, tail: Tail) -> set[int]:
    phrases = phrases_of(f'"{run_id}"')
    if not phrases:
        return set()
    with closing(spans_with(connection, phrases, Condition(), tail)) as hits:
        return {span >> ORDINAL_BITS for span in islice(hits, _RUN_HITS)}


def spans_with(
    connection: sqlite3.Connection,
    phrases: tuple[Phrase, ...],
    condition: Condition,
    tail: Tail,
    below: int | None = None,
) -> Generator[int, None, None]:
    """Find spans by their text, in traces under a condition, the newest trace first.

    Args:
        connection: must stay lent until the generator is closed.
        phrases: all of which must occur in a span.
        condition: on rows of ``traces``.
        tail: what is not indexed.
        below: ids of rows are below this one.
    """
    below = 1 << 62 if below is None else below
    recent = [span for span in tail.with_phrases(phrases) if span < below]
    allowed = _allowed(connection, condition, {span >> ORDINAL_BITS for span in recent})
    recent = [span for span in recent if span >> ORDINAL_BITS in allowed]
    last = None
    for span in _indexed(connection, match_of(phrases), condition, below):
        while recent and recent[0] > span:
            yield recent.pop(0)
        if span not in tail.spans and span != last:
            yield span
            last = span
    yield from recent


def _allowed(connection: sqlite3.Connection, condition: Condition, traces: set[int]) -> set[int]:
    where = f"{condition.where or 'WHERE 1'} AND id IN ({_listed(traces)})"
    rows = connection.execute(f"SELECT id FROM traces {where}", condition.values)
    return {row[0] for row in rows.fetchall()}


def _indexed(
    connection: sqlite3.Connection, match: str, condition: Condition, below: int
) -> Iterator[int]:
    for table in _index.tables(connection):
        first, last = table << BITS, (table + 1) << BITS
        if first << ORDINAL_BITS >= below:
            continue
        term, values = "", []
        if condition.where:
            inner = f"{condition.where} AND id >= {first} AND id < {last}"
            allowed = f"SELECT id FROM traces NOT INDEXED {inner}"
            found = connection.execute(f"{allowed} LIMIT 1", condition.values).fetchone()
            if found is None:
                continue
            term, values = f"AND (+rowid >> {ORDINAL_BITS}) IN ({allowed})", condition.values
        rows = connection.execute(
            f"SELECT rowid FROM words_{table} WHERE words_{table} MATCH ? AND rowid < ? {term} "
            "ORDER BY rowid DESC",
            (match, below, *values),
        )
        for (span,) in rows:
            yield span


def where_found(record: SpanRecord, phrases: tuple[Phrase, ...]) -> tuple[str, str] | None:
    """Tell a person where a span has the phrases: the place with the most of them, and its text.

    Returns:
        None where it has none of them.
    """
    best, most = None, 0
    for where, text, shown in _places(record):
        here = spaced(f"{where.partition(' ')[2]} {text}")
        count = sum(occurs(phrase, here) for phrase in phrases)
        if count > most:
            best, most = (where, shown), count
    return None if best is None else (best[0], excerpt(best[1], phrases))


def _places(record: SpanRecord) -> Iterator[tuple[str, str, str]]:
    """Yield the name of each place, what may be found there, and what is shown then."""
    yield "name", record.name, record.name
    for event in record.events:
        pairs = [f"{key}: {_shown(value)}" for key, value in event.attributes.items()]
        yield f"event {event.name}", "", ", ".join(pairs) or event.name
        for pair in pairs:
            yield f"event {event.name}", pair, pair
    for key, value in record.attributes.items():
        shown = _shown(value)
        yield f"attribute {key}", shown, shown
    yield "status", record.status_message, record.status_message


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_shown, value))
    if isinstance(value, dict):
        return " ".join(f"{key} {_shown(entry)}" for key, entry in value.items())
    if isinstance(value, bytes) or value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _listed(numbers: set[int]) -> str:
    return ",".join(map(str, sorted(numbers)))
