"""What a writer does for the store while it has nothing to write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Final

from otelbridge.errors import StoreError
from otelbridge.store._database import Database
from otelbridge.store._index import index_for, index_step
from otelbridge.store._retention import Deletion

_PRUNE_S: Final = 60.0
_FIRST_S: Final = 5.0


class Upkeep:
    """Indexing and pruning, in steps of some milliseconds.

    Args:
        database: the store.
        max_age_s: traces that ended longer ago are deleted.
        max_bytes: so much is kept of the others.

    Attributes:
        behind: about how many spans are written and not indexed.
    """

    def __init__(self, database: Database, max_age_s: float, max_bytes: int) -> None:
        self.behind = 0
        self._database = database
        self._bounds = max_age_s, max_bytes
        self._pruning: Iterator[None] | None = None
        self._prune_at = monotonic() + _FIRST_S

    def wrote(self, count: int) -> None:
        """Take note of spans that are to be indexed."""
        self.behind += count

    def step(self) -> bool:
        """Do one step; False where there is nothing to do, or it cannot be done now."""
        try:
            if self.behind:
                done = index_step(self._database)
                self.behind = max(self.behind - done, 1) if done else 0
                return True
            return self._prune()
        except (sqlite3.Error, StoreError):
            self._pruning = None
            return False

    def finish(self, seconds: float) -> None:
        """Index what is left, if that is done soon; others will do it otherwise."""
        if self.behind:
            with suppress(sqlite3.Error, StoreError):
                index_for(self._database, seconds)

    def _prune(self) -> bool:
        if self._pruning is None:
            if monotonic() < self._prune_at:
                return False
            self._pruning = Deletion(self._database).beyond(*self._bounds)
        try:
            next(self._pruning)
            return True
        except StopIteration:
            self._pruning = None
            self._prune_at = monotonic() + _PRUNE_S
            return False
