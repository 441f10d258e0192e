"""A lock that a signal handler cannot deadlock on."""

from __future__ import annotations

import _thread

from otelbridge.export._unavailable import SpoolUnavailable


class Turn(_thread.RLock):  # type: ignore[misc]  # it is final for type checkers only
    """One thread at a time. Python's own lock, which what a signal handler raises cannot leave."""

    def check(self) -> None:
        """Keep a signal handler out that has interrupted its own thread's turn.

        Raises:
            SpoolUnavailable: it has. What it interrupted is half done and cannot be waited for.
        """
        if self._is_owned():  # type: ignore[attr-defined,unused-ignore]
            raise SpoolUnavailable("a signal handler interrupted the spool at work", "try again")
