"""What is deleted: what a person names, what is too old, and the oldest where there is too much.

All in small steps, each a transaction of some milliseconds, so that writers wait for none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import time_ns
from typing import Final

from otelbridge.store._database import Database
from otelbridge.store._index import drop_empty
from otelbridge.store._reading import id_bytes
from otelbridge.store._rows import marks, portions
from otelbridge.store._schema import ORDINAL_BITS
from otelbridge.store.records import Pruned

MAX_AGE_S: Final = 30 * 86_400.0
MAX_BYTES: Final = 1 << 30

_SPANS: Final = 1_000  # deleted in one step
_TRACES: Final = 100
_PAGES: Final = 500
_LONG_S: Final = 5e9  # before 1970 there is none, and what is past 2262 cannot be stored


class Deletion:
    """Traces being deleted; it is the work of those who iterate over its steps.

    Args:
        database: the store.

    Attributes:
        traces: how many are deleted by now.
        spans: likewise.
        bytes_freed: by how much the store has shrunk.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.traces = self.spans = self.bytes_freed = 0

    def of(self, trace_ids: Iterable[str]) -> Iterator[None]:
        """Delete these."""
        wanted = [found for each in trace_ids if (found := id_bytes(each)) is not None]
        for part in portions(wanted, 1):
            with self._database.reading() as connection:
                rows = connection.execute(
                    f"SELECT id FROM traces WHERE trace_id IN ({marks(len(part))})", part
                ).fetchall()
            yield from self._rows([row[0] for row in rows])
        yield from self._tidied()

    def beyond(self, max_age_s: float | None, max_bytes: int | None) -> Iterator[None]:
        """Delete what ended longer ago, then the oldest until no more bytes are in use."""
        if max_age_s is not None:
            limit = time_ns() - round(max(-_LONG_S, min(max_age_s, _LONG_S)) * 1e9)
            while rows := self._oldest("AND end_ns < ? AND start_ns < ?", limit, limit):
                yield from self._rows(rows)
            yield from self._tidied()
        if max_bytes is not None:
            while self._used() > max_bytes and (rows := self._oldest("")):
                yield from self._rows(rows)
                yield from self._tidied()

    def result(self) -> Pruned:
        """Return what is deleted by now."""
        return Pruned(self.traces, self.spans, self.bytes_freed)

    def _oldest(self, term: str, *values: int) -> list[int]:
        """Return some traces, the oldest first, of which nothing runs."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT id FROM traces WHERE running = 0 {term} "
                f"ORDER BY start_ns, id LIMIT {_TRACES}",
                values,
            ).fetchall()
        return [row[0] for row in rows]

    def _rows(self, rows: list[int]) -> Iterator[None]:
        while rows:
            with self._database.writing() as connection:
                left = _SPANS
                while rows and left > 0:
                    first, last = rows[0] << ORDINAL_BITS, (rows[0] + 1) << ORDINAL_BITS
                    count = connection.execute(
                        "DELETE FROM spans WHERE id IN "
                        "(SELECT id FROM spans WHERE id >= ? AND id < ? LIMIT ?)",
                        (first, last, left),
                    ).rowcount
                    self.spans += count
                    if count < left:
                        connection.execute(
                            "DELETE FROM events WHERE span >= ? AND span < ?", (first, last)
                        )
                        found = connection.execute("DELETE FROM traces WHERE id = ?", (rows[0],))
                        self.traces += found.rowcount
                        del rows[0]
                    left -= count + 1
            yield

    def _tidied(self) -> Iterator[None]:
        """Give the space of what is deleted back to the disk."""
        with self._database.reading() as connection:
            statements = list(drop_empty(connection))
        for statement in statements:
            with self._database.writing() as connection:
                connection.execute(statement)
            yield
        while self._pages("freelist_count"):
            before = self._pages("page_count")
            self._database.maintain(f"PRAGMA incremental_vacuum({_PAGES})")
            freed = before - self._pages("page_count")  # less than none where others have written
            self.bytes_freed += max(freed, 0) * self._pages("page_size")
            yield

    def _used(self) -> int:
        pages = self._pages("page_count") - self._pages("freelist_count")
        return pages * self._pages("page_size")

    def _pages(self, name: str) -> int:
        with self._database.reading() as connection:
            return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
