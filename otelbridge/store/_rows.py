"""Many rows in one statement.

SQLite's module lets other threads run at each step of a statement, and then has to wait for them
to let go: in a busy program that is 5 ms a row. So rows go in by few and long statements.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final, TypeVar

_VARIABLES: Final = 990  # SQLite before 3.32 takes 999

T = TypeVar("T")


def put_rows(
    connection: sqlite3.Connection, start: str, rows: Sequence[Sequence[Any]], end: str = ""
) -> None:
    """Insert rows.

    Args:
        connection: within a transaction.
        start: the statement up to ``VALUES``.
        rows: of equal width.
        end: what stands behind the values.
    """
    if not rows:
        return
    one = "(" + ",".join("?" * len(rows[0])) + ")"
    for part in portions(rows, len(rows[0])):
        values = ",".join([one] * len(part))
        connection.execute(f"{start} VALUES {values} {end}", list(chain.from_iterable(part)))


def portions(rows: Sequence[T], width: int) -> Iterator[Sequence[T]]:
    """Cut rows into parts that one statement takes; their sizes are few, so statements are kept."""
    size = 1
    while 2 * size * width <= _VARIABLES:
        size *= 2
    at = 0
    while at < len(rows):
        while size > len(rows) - at:
            size //= 2
        yield rows[at : at + size]
        at += size


def marks(count: int) -> str:
    """Return as many question marks, with commas."""
    return ",".join("?" * count)
