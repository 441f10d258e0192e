"""A lock that a signal handler can look through.

A signal handler runs in the main thread between any two instructions, and a finaliser in any
thread: either may find its own thread inside a lock, where waiting for that lock is a deadlock.
Code that may run in one asks ``inside`` first, and leaves its work to others (``elsewhere``).

A handler may also raise there, as that of a time limit does. So the lock is Python's own: entering
and leaving it is one step, which in a class written in Python is interrupted halfway.
"""

from __future__ import annotations

import _thread
import weakref
from collections.abc import Callable

from otelbridge._process import renew_in_child

_shields: tuple[weakref.ref[Shield], ...] = ()


class Shield(_thread.RLock):  # type: ignore[misc]  # it is final for type checkers only
    """A lock that is known to be held here; it may be a condition's. Not to be taken twice."""

    def __init__(self) -> None:
        global _shields
        # Replaced, never changed: a signal handler may be reading it.
        living = [it for it in _shields if it() is not None]
        _shields = (*living, weakref.ref(self))


def inside() -> bool:
    """Tell whether this thread holds any shield."""
    for reference in _shields:
        shield = reference()
        if shield is not None and shield._is_owned():  # type: ignore[attr-defined]
            return True
    return False


def elsewhere(call: Callable[[], object]) -> None:
    """Call this in a thread of its own, for one that is inside a shield; the thread is a daemon.

    Raises:
        RuntimeError: the interpreter starts no thread any more.
    """
    _thread.start_new_thread(call, ())  # takes no lock, as ``threading`` does


def _forget() -> None:
    """In a forked child: a thread of the parent's holds some for ever, and ids are used again."""
    global _shields
    _shields = ()


renew_in_child(_forget)
