"""The store as its readers know it."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import islice
from time import monotonic
from types import TracebackType
from typing import Final, TextIO

from otelbridge.encoding.units import Item
from otelbridge.errors import StoreError
from otelbridge.store import _exchange, _index, _schema
from otelbridge.store._database import database_of
from otelbridge.store._facts import record_facts
from otelbridge.store._filters import Condition
from otelbridge.store._liveness import mark_lost
from otelbridge.store._location import default_path, store_path
from otelbridge.store._reading import Reader, id_bytes, span_records, summaries, summaries_of
from otelbridge.store._retention import MAX_AGE_S, MAX_BYTES, Deletion
from otelbridge.store._schema import ORDINAL_BITS
from otelbridge.store._search import Tail, condition_of, spans_with, where_found
from otelbridge.store._words import Phrase, phrases_of
from otelbridge.store._writing import Writer
from otelbridge.store.codec import to_record
from otelbridge.store.records import (
    Added,
    Change,
    Filter,
    Hit,
    Pruned,
    State,
    StoreStats,
    Trace,
    TraceSummary,
)
from otelbridge.store.requests import split_request

_REAP_S: Final = 1.0
_TAIL: Final = 2_000
_CATCH_UP_S: Final = 0.3
_PATIENCE_S: Final = 10.0
_FAR_NS: Final = (1 << 62) - 1  # the difference of two such times can be stored
_LOAD_HITS: Final = 100_000
_CANDIDATES: Final = 5
_BATCH: Final = 500

_ANY: Final = Filter()


class Store:
    """A store of traces, open for reading and for upkeep.

    Safe to use from any thread. Programs may be writing into it at the same time.

    Args:
        path: the file; ":memory:" is the store in this process's memory. Default: OTELBRIDGE_STORE,
            else ``traces.db`` in the user's data folder.
        create: whether to make it where it is missing.

    Attributes:
        path: the file; None for the store in memory.

    Raises:
        ConfigurationError: what is given is no path.
        StoreError: it cannot be opened; the message says the cure.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, create: bool = True) -> None:
        self.path = store_path(default_path() if path is None else path)
        self._database = database_of(self.path, create=create)
        self._reader = Reader()
        self._tail = Tail()
        self._writer = Writer()
        self._renewed = self._written = self._database.renewed
        self._adding = threading.Lock()
        self._reaped = 0.0
        self._added = False
        with self._asking():
            self._database.open()

    def traces(
        self, filter: Filter = _ANY, *, limit: int = 50, before: str | None = None
    ) -> list[TraceSummary]:
        """Return traces, newest first: by their start; with a text, by when they came.

        Args:
            filter: which.
            limit: how many at most.
            before: the id of the last trace of the page before.
        """
        phrases = phrases_of(filter.text or "")
        with self._finding(filter) as (connection, condition, tail):
            last = None
            if before is not None:
                last = connection.execute(
                    "SELECT start_ns, id FROM traces WHERE trace_id = ?", (id_bytes(before),)
                ).fetchone()
                if last is None:
                    return []
            if phrases:
                below = None if last is None else last[1] << ORDINAL_BITS
                with closing(spans_with(connection, phrases, condition, tail, below)) as spans:
                    return _traces_of(connection, spans, limit)
            if last is not None:
                condition.add("(start_ns, id) < (?, ?)", *last)
            rest = f"{condition.where} ORDER BY start_ns DESC, id DESC LIMIT ?"
            return summaries(connection, rest, [*condition.values, limit])

    def search(
        self, text: str, filter: Filter = _ANY, *, limit: int = 50, before: str | None = None
    ) -> list[Hit]:
        """Find spans by their text; those of traces that came last are first.

        Args:
            text: as in ``Filter``.
            filter: of which traces; a text in it is left aside.
            limit: how many at most.
            before: trace id and span id of the last hit of the page before, with a colon between.
        """
        phrases = phrases_of(text)
        with self._finding(replace(filter, text=text)) as (connection, condition, tail):
            below = None if before is None else _row_of(connection, before)
            if not phrases or (before is not None and below is None):
                return []
            with closing(spans_with(connection, phrases, condition, tail, below)) as spans:
                return list(islice(self._hits(connection, spans, phrases), limit))

    def summaries(self, trace_ids: Iterable[str]) -> list[TraceSummary]:
        """Return the summaries of these traces, in any order; unknown ids are left out."""
        with self._reading() as connection:
            return summaries_of(connection, trace_ids)

    def get(self, trace_id: str) -> Trace | None:
        """Return a trace with all its spans and events, those that still run included."""
        with self._reading() as connection:
            found = summaries_of(connection, [trace_id])
            items = self._items_in(connection, trace_id)
        return Trace(found[0], span_records(items)) if found else None

    def find(self, prefix: str) -> str:
        """Return the id of the one trace that begins so; ``last`` is the newest.

        Raises:
            StoreError: there is none, or there are several.
        """
        if prefix == "last":
            newest = self.traces(limit=1)
            if not newest:
                raise StoreError("the store holds no trace yet: run a program that it traces")
            return newest[0].trace_id
        with self._reading() as connection:
            found = _beginning(connection, prefix.lower())
        if len(found) == 1:
            return found[0]
        if not found:
            raise StoreError(f"no trace begins with {prefix!r}: see `otelbridge list`")
        shown = ", ".join(found[: _CANDIDATES - 1]) + (", ..." * (len(found) == _CANDIDATES))
        raise StoreError(f"several traces begin with {prefix!r}, write more of it: {shown}")

    def cursor(self) -> int:
        """Return the count of the newest change."""
        with self._reading() as connection:
            return int(connection.execute("SELECT changed FROM counter").fetchone()[0])

    def changes(self, after: int, *, limit: int = 1000) -> list[Change]:
        """Return what became visible since, oldest first; at once.

        Args:
            after: the cursor of the last change that is known.
            limit: how many at most; the rest comes when asked for behind the last of these.
        """
        with self._reading() as connection:
            if connection.execute("SELECT changed FROM counter").fetchone()[0] <= after:
                return []
            return self._reader.changes(connection, after, limit)

    def follow(
        self,
        *,
        after: int | None = None,
        poll_s: float = 0.1,
        stop: threading.Event | None = None,
    ) -> Iterator[Change]:
        """Wait for changes, and yield each as it becomes visible, oldest first.

        A span that began and ended between two looks is ``ended`` at once; what happened to one
        several times while nobody asked is told as it is now. Spans that a program changes while
        they run come as ``started`` again.

        Args:
            after: the cursor of the last change that is known; None: only what comes from now on.
            poll_s: how long to wait where there is nothing.
            stop: ends it when set.

        Yields:
            Changes, for as long as ``stop`` is not set.
        """
        stop = stop or threading.Event()
        after = self.cursor() if after is None else after
        while not stop.is_set():
            found = self.changes(after)
            for change in found:
                yield change
                after = change.cursor
            if not found:
                stop.wait(poll_s)

    def services(self) -> list[str]:
        """Return the names of services that have sent spans, in order."""
        with self._reading() as connection:
            rows = connection.execute("SELECT DISTINCT service FROM producers ORDER BY 1")
            return [row[0] for row in rows.fetchall()]

    def event_names(self, limit: int = 200) -> list[str]:
        """Return names of events, in order."""
        self._catch_up(1)
        with self._reading() as connection:
            rows = connection.execute("SELECT name FROM names ORDER BY name LIMIT ?", (limit,))
            return [row[0] for row in rows.fetchall()]

    def load(
        self, since_ns: int, until_ns: int, buckets: int, filter: Filter = _ANY
    ) -> list[tuple[int, int]]:
        """Count traces by the time of their start.

        Args:
            since_ns: where the first bucket begins.
            until_ns: where the last one ends.
            buckets: how many there are, all of one length.
            filter: which traces count.

        Returns:
            For each bucket how many traces started in it, and how many of those failed.
        """
        since_ns, until_ns = (max(-_FAR_NS, min(it, _FAR_NS)) for it in (since_ns, until_ns))
        counts = [(0, 0)] * buckets
        width = max((until_ns - since_ns) // max(buckets, 1), 1)
        phrases = phrases_of(filter.text or "")
        with self._finding(filter) as (connection, condition, tail):
            condition.add("start_ns >= ? AND start_ns < ?", since_ns, until_ns)
            if phrases:
                with closing(spans_with(connection, phrases, condition, tail)) as spans:
                    traces = {span >> ORDINAL_BITS for span in islice(spans, _LOAD_HITS)}
                condition.add(f"id IN ({','.join(map(str, traces))})")
            rows = connection.execute(
                "SELECT (start_ns - ?) / ?, count(*), sum(status = 2) FROM traces "
                f"{condition.where} GROUP BY 1",
                (since_ns, width, *condition.values),
            ).fetchall()
        for bucket, count, errors in rows:
            here = min(bucket, buckets - 1)
            counts[here] = (counts[here][0] + count, counts[here][1] + errors)
        return counts

    def add(self, request: bytes) -> Added:
        """Store the spans of an ``ExportTraceServiceRequest``; they are committed on return.

        A span that is in the store already, and has ended, stays as it is.

        Raises:
            ValueError: the bytes are no such request.
            StoreError: the store cannot be written now.
        """
        split = split_request(request)
        spans = [record_facts(item, to_record(item.span, item.group)) for item in split.items]
        refused = 0
        for start in range(0, len(spans), _BATCH):
            with self._writing() as connection:
                refused += self._writer.write(connection, spans[start : start + _BATCH], None)
            self._index_some()
        message = split.message or ("a trace is full" if refused else "")
        return Added(len(spans) - refused, split.rejected + refused, message)

    def export_otlp(
        self,
        out: TextIO,
        filter: Filter = _ANY,
        *,
        trace_ids: Iterable[str] | None = None,
        include_running: bool = False,
    ) -> int:
        """Write spans as OTLP JSON lines, the format of the Collector's file exporter.

        A span that has not ended carries ``otelbridge.run.state``.

        Args:
            out: where to.
            filter: which traces, newest first.
            trace_ids: these instead, whole ids.
            include_running: also what runs.

        Returns:
            How many spans were written.

        Raises:
            StoreError: there is no trace of one of the ids.
            OSError: ``out`` cannot be written; what came before is.
        """
        return _exchange.export_otlp(
            self, out, filter, trace_ids=trace_ids, include_running=include_running
        )

    def import_otlp(self, lines: Iterable[str]) -> Added:
        """Store the spans of OTLP JSON lines.

        Raises:
            StoreError: a line, which the message names, is none; what came before it is stored.
        """
        return _exchange.import_otlp(self, lines)

    def export_perfetto(self, out: TextIO, *, trace_ids: Iterable[str]) -> int:
        """Write traces as Chrome trace events, for Perfetto; return how many spans those had.

        Raises:
            StoreError: there is no trace of one of the ids.
        """
        return _exchange.export_perfetto(self, out, trace_ids=trace_ids)

    def delete(self, trace_ids: Iterable[str]) -> int:
        """Delete traces, whole ids; return how many there were.

        What a program still writes of one comes back.

        Raises:
            StoreError: the store cannot be written now; some may be deleted.
        """
        deletion = Deletion(self._database)
        with self._asking():
            for _ in deletion.of(trace_ids):
                pass
        return deletion.traces

    def prune(self, *, max_age_s: float | None = None, max_bytes: int | None = None) -> Pruned:
        """Delete old traces; never one of which anything runs.

        Args:
            max_age_s: what ended longer ago goes. Without both: the defaults, 30 days and 1 GiB.
            max_bytes: the oldest go until the store uses no more.

        Raises:
            StoreError: the store cannot be written now; some may be deleted.
        """
        if max_age_s is None and max_bytes is None:
            max_age_s, max_bytes = MAX_AGE_S, MAX_BYTES
        deletion = Deletion(self._database)
        with self._asking():
            for _ in deletion.beyond(max_age_s, max_bytes):
                pass
        return deletion.result()

    def stats(self) -> StoreStats:
        """Return what is in the store."""
        size = self._database.size()
        with self._reading() as connection:
            traces, spans, oldest = connection.execute(
                "SELECT count(*), (SELECT count(*) FROM spans), min(start_ns) FROM traces"
            ).fetchone()
            running = connection.execute("SELECT count(*) FROM spans WHERE state = 0").fetchone()[0]
        path = None if self.path is None else str(self.path)
        return StoreStats(path, size, traces, spans, running, oldest, _schema.version())

    def close(self) -> None:
        """Close its connections; the store in memory stays."""
        if self._added:
            self._added = False
            with suppress(sqlite3.Error, StoreError):
                _index.index_for(self._database, _CATCH_UP_S)
        if self.path is not None:
            self._database.close()

    def __enter__(self) -> Store:
        """Return the store itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def __repr__(self) -> str:
        return f"<otelbridge.Store: {self.path or 'in memory'}>"

    def _items(self, trace_id: str) -> list[tuple[Item, State]]:
        """Return a trace's spans by start time, as they are stored."""
        with self._reading() as connection:
            items = self._items_in(connection, trace_id)
        starts = {id(item): to_record(item.span, item.group).start_ns for item, *_ in items}
        items.sort(key=lambda found: starts[id(found[0])])
        return [(item, state) for item, state, _ in items]

    def _items_in(
        self, connection: sqlite3.Connection, trace_id: str
    ) -> list[tuple[Item, State, int]]:
        row = connection.execute(
            "SELECT id FROM traces WHERE trace_id = ?", (id_bytes(trace_id),)
        ).fetchone()
        return [] if row is None else self._reader.items(connection, row[0])

    def _hits(
        self, connection: sqlite3.Connection, spans: Iterator[int], phrases: tuple[Phrase, ...]
    ) -> Iterator[Hit]:
        for span in spans:
            record = self._reader.record(connection, span)
            where = None if record is None else where_found(record, phrases)
            if record is not None and where is not None:
                (summary,) = summaries_of(connection, [record.trace_id])
                yield Hit(summary, record.span_id, record.name, *where)

    @contextmanager
    def _finding(self, filter: Filter) -> Iterator[tuple[sqlite3.Connection, Condition, Tail]]:
        """Lend a connection with a filter's condition and what is not indexed."""
        named = (filter.text, filter.event, filter.name, filter.tag, filter.metadata, filter.run_id)
        needs_tail = any(each is not None for each in named)
        if needs_tail:
            self._catch_up()
        with self._reading() as connection:
            if needs_tail:
                self._tail = self._tail.read(connection)
            yield connection, condition_of(connection, filter, self._tail), self._tail

    def _catch_up(self, least: int = _TAIL) -> None:
        """Index, where so many spans are not that they cannot be read each time.

        It ends soon, but not before the rest is no more than a search reads; where others write
        faster than that, after ``_PATIENCE_S``.
        """
        most, until = least - 1, monotonic() + _PATIENCE_S
        with suppress(sqlite3.OperationalError):  # another writes: then the tail is long
            while self._is_tail_beyond(most) and monotonic() < until:
                _index.index_for(self._database, _CATCH_UP_S)
                most = _index.TAIL

    def _is_tail_beyond(self, count: int) -> bool:
        """Tell whether more changes than so many are not indexed."""
        with self._reading() as connection:
            return _index.tail_size(connection, count + 1) > count

    def _index_some(self) -> None:
        """Index as much as was added, so that searches never find much that is not."""
        self._added = True
        if self._is_tail_beyond(_TAIL - 1):
            with suppress(sqlite3.OperationalError):  # the spans are committed all the same
                _index.index_step(self._database, 2 * _BATCH)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._asking():
            self._reap()
            with self._database.reading() as connection:
                if self._renewed != self._database.renewed:
                    self._renewed = self._database.renewed
                    self._reader.forget()
                yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._asking(), self._adding:
            try:
                with self._database.writing() as connection:
                    if self._written != self._database.renewed:
                        self._written = self._database.renewed
                        self._writer.forget()
                    yield connection
            except BaseException:
                self._writer.forget()
                raise

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self._database.recover(error)
            raise StoreError(
                f"the store {self.path or 'in memory'} did not answer: {error}"
            ) from error

    def _reap(self) -> None:
        """Now and then, mark what ran in processes that have died."""
        now = monotonic()
        if now - self._reaped >= _REAP_S:
            self._reaped = now
            try:
                mark_lost(self._database)
            except sqlite3.Error:  # another writes: next time
                return


def _traces_of(
    connection: sqlite3.Connection, spans: Iterator[int], limit: int
) -> list[TraceSummary]:
    """Return the traces of spans, in their order; those that are deleted are left out."""
    found: list[TraceSummary] = []
    last = None
    for span in spans:
        if len(found) >= limit:
            break
        if span >> ORDINAL_BITS != last:
            last = span >> ORDINAL_BITS
            found += summaries(connection, "WHERE id = ?", [last])
    return found


def _row_of(connection: sqlite3.Connection, hit: str) -> int | None:
    trace_id, _, span_id = hit.partition(":")
    try:
        ids = bytes.fromhex(trace_id), bytes.fromhex(span_id)
    except ValueError:
        return None
    row = connection.execute(
        "SELECT spans.id FROM traces JOIN spans ON spans.id >> 24 = traces.id "
        "WHERE trace_id = ? AND span_id = ?",
        ids,
    ).fetchone()
    return None if row is None else int(row[0])


def _beginning(connection: sqlite3.Connection, prefix: str) -> list[str]:
    """Return the ids of a few traces that begin so."""
    try:
        low = bytes.fromhex(prefix.ljust(32, "0"))
        high = bytes.fromhex(prefix.ljust(32, "f"))
    except ValueError:
        return []
    if len(low) != 16 or not prefix:
        return []
    rows = connection.execute(
        "SELECT trace_id FROM traces WHERE trace_id BETWEEN ? AND ? LIMIT ?",
        (low, high, _CANDIDATES),
    )
    return [row[0].hex() for row in rows.fetchall()]
