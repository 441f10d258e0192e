"""A lock that a signal handler can look through.

A signal handler runs in the main thread between any two instructions, and a finaliser in any
thread: either may find its own thread inside a lock, where waiting for that lock is a deadlock.
Code that may run in one asks ``inside`` first, and leaves its work to others or ``defer``s it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType


class _Here(threading.local):
    depth = 0  # how many shields this thread holds or waits for


_here = _Here()
_deferred: deque[Callable[[], None]] = deque()


def inside() -> bool:
    """Tell whether this thread holds, or waits for, any shield."""
    return _here.depth > 0


def defer(call: Callable[[], None]) -> None:
    """Call this in the main thread, which is inside a shield now, as soon as it has left it."""
    _deferred.append(call)


class Shield:
    """A lock, not reentrant, that is known to be held here; it may be a condition's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, as ``threading.Lock`` does."""
        _here.depth += 1
        taken = False
        try:
            taken = self._lock.acquire(blocking, timeout)
        finally:
            if not taken:
                _leave()
        return taken

    def release(self) -> None:
        """Give the lock back, and do what was deferred meanwhile."""
        self._lock.release()
        _leave()

    def __enter__(self) -> Shield:
        _here.depth += 1
        try:
            self._lock.acquire()
        except BaseException:  # a signal handler may raise here, too
            _leave()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()
        _leave()

    def _is_owned(self) -> bool:  # asked by threading.Condition
        return self._lock.locked() and inside()


def _leave() -> None:
    _here.depth = depth = _here.depth - 1
    if _deferred and not depth and threading.current_thread() is threading.main_thread():
        _deferred.popleft()()
