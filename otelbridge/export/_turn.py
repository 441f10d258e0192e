"""A lock that a signal handler cannot deadlock on."""

from __future__ import annotations

import threading

from otelbridge.export._unavailable import SpoolUnavailable


class Turn:
    """One thread at a time, and no signal handler in the midst of its own thread's turn.

    Raises:
        SpoolUnavailable: on entering, in such a handler. What it interrupted is half done and
            cannot be waited for.
    """

    __slots__ = ("_lock", "_taken")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._taken = False

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._taken:
            self._lock.release()
            raise SpoolUnavailable("a signal handler interrupted the spool at work", "try again")
        self._taken = True

    def __exit__(self, *_: object) -> None:
        self._taken = False
        self._lock.release()
