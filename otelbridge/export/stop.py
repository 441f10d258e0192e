"""The end of a process: SIGTERM, and children of multiprocessing, which run no exit handlers.

Relied on in multiprocessing.util, and in its twin billiard.util of Celery: ``register_after_fork``
and ``Finalize``, by which libraries do something at the end of a forked child.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from time import monotonic
from types import FrameType, ModuleType
from typing import Protocol

from otelbridge._process import renew_in_child
from otelbridge.export import _shield, notices

GRACE_S = 10.0
_CHILD_S = 5.0
_LATE_S = 2.0
_REMIND_S = 0.002


class Stoppable(Protocol):
    """What can be stopped from a signal handler."""

    def begin_stop(self, grace_s: float) -> None:
        """Begin to stop; return at once."""

    def await_stop(self, timeout_s: float) -> None:
        """Wait until it has stopped."""


_open: list[Stoppable] = []
_state = {"asked": False, "reminded": False, "stopping": False, "finalized": False}


def watch(parts: Iterable[Stoppable], *, sigterm: bool) -> Callable[[], None]:
    """Stop these when the process is told to, as far as that is ours to see.

    SIGTERM is taken only where its action is the default, and only in the main thread, which is the
    only one that may. Its handler lets the parts stop, restores the default, and sends the signal
    again, so that the process ends as if there had been no handler.

    Args:
        parts: what has something to send.
        sigterm: whether SIGTERM may be taken.

    Returns:
        Undoes it.
    """
    mine = list(parts)
    _open.extend(mine)
    for library in _forking() if mine else ():
        _finalize(library)
    if mine and sigterm and _is_main() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)

    def undo() -> None:
        for part in mine:
            _open.remove(part)
        if not _open and _is_main() and signal.getsignal(signal.SIGTERM) is _on_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    return undo


def stop_all(grace_s: float) -> None:
    """Stop all parts that are watched, at the same time."""
    parts = list(_open)
    deadline = monotonic() + grace_s + _LATE_S
    for part in parts:
        part.begin_stop(grace_s)
    for part in parts:
        part.await_stop(deadline - monotonic())


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    if _state["stopping"]:
        return
    if not _shield.inside():
        _stop_and_end()
    elif _state["asked"] and not _state["reminded"]:
        _end()  # asked again, and it has not: what is not on disk cannot be waited for
    else:
        # The main thread is in the midst of a lock that our threads need: it leaves it first.
        _state.update(asked=True, reminded=False)
        _shield.elsewhere(_remind)


def _remind() -> None:
    time.sleep(_REMIND_S)
    _state["reminded"] = True
    os.kill(os.getpid(), signal.SIGTERM)


def _stop_and_end() -> None:
    _state["stopping"] = True
    notices.hold()
    try:
        stop_all(GRACE_S)
    finally:
        notices.let_go()
        _end()


def _end() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def _forking() -> list[ModuleType]:
    found = (sys.modules.get(name) for name in ("multiprocessing.util", "billiard.util"))
    return [library for library in found if library is not None]


def _finalize(library: ModuleType) -> None:
    """Have a library that forks stop us at the end of this process, once."""
    if not _state["finalized"]:
        _state["finalized"] = True
        library.Finalize(None, stop_all, args=(_CHILD_S,), exitpriority=-100)


def _in_child() -> None:
    """In a child that is being forked. Its library forgets all finalisers, then calls ours."""
    _state.update(asked=False, reminded=False, stopping=False, finalized=False)
    for library in _forking():
        library.register_after_fork(library, _finalize)


renew_in_child(_in_child)
