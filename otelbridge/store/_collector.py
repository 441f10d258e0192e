"""The cyclic garbage collector, held back while many objects are made of which none is garbage.

It looks at every container of the process each time that so many more are there: of a trace of
10,000 spans, several times, for nothing.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from otelbridge._process import renew_in_child


class _Pauses:
    """Those that go on, in several threads; the last one that ends lets the collector go on."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """There are none."""
        self.lock = threading.Lock()
        self.count = 0
        self.was_on = False


_pauses = _Pauses()


@contextmanager
def collector_paused() -> Iterator[None]:
    """Hold the collector back until the block ends; what counts references goes on."""
    with _pauses.lock:
        _pauses.count += 1
        if _pauses.count == 1:
            _pauses.was_on = gc.isenabled()
            gc.disable()
    try:
        yield
    finally:
        with _pauses.lock:
            _pauses.count = max(_pauses.count - 1, 0)
            if not _pauses.count and _pauses.was_on:
                gc.enable()


def _renew() -> None:
    """In a forked child, the threads that were in a pause are not there."""
    if _pauses.count and _pauses.was_on:
        gc.enable()
    _pauses.begin_anew()


renew_in_child(_renew)
