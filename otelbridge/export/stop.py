"""The end of a process: SIGTERM, and children that run no exit handlers.

A program may handle a signal, give back the action that it found, and raise the signal again to
end by it after all. uvicorn does so, by ``signal.raise_signal``; where that action is the default,
the process is gone at once. So that function is ours as long as there is something to stop.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from time import monotonic
from types import FrameType
from typing import Protocol

from otelbridge._process import renew_in_child
from otelbridge.export import _children, _shield, notices

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
_state = {"asked": False, "reminded": False, "stopping": False}
_raise = signal.raise_signal


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
    if mine:
        _children.call_at_end(_stop_child)
    if mine and sigterm:
        _take(signal.SIGTERM)
        signal.raise_signal = _raise_signal

    def undo() -> None:
        for part in mine:
            _open.remove(part)
        if not _open:
            _give_back()

    return undo


def stop_all(grace_s: float) -> None:
    """Stop all parts that are watched, at the same time."""
    parts = list(_open)
    deadline = monotonic() + grace_s + _LATE_S
    for part in parts:
        part.begin_stop(grace_s)
    for part in parts:
        part.await_stop(deadline - monotonic())


def _stop_child() -> None:
    stop_all(_CHILD_S)


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def _take(number: int) -> None:
    if _is_main() and signal.getsignal(number) is signal.SIG_DFL:
        signal.signal(number, _on_signal)


def _give_back() -> None:
    if _is_main() and signal.getsignal(signal.SIGTERM) is _on_signal:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if signal.raise_signal is _raise_signal:
        signal.raise_signal = _raise


def _raise_signal(signalnum: int, /) -> None:
    """Raise a signal, as ``signal.raise_signal`` does; what has ended is sent before it ends us."""
    if signalnum in (signal.SIGTERM, signal.SIGINT):
        _take(signalnum)
    _raise(signalnum)


def _on_signal(number: int, frame: FrameType | None) -> None:
    if _state["stopping"]:
        return
    if not _shield.inside():
        _stop_and_end(number)
    elif _state["asked"] and not _state["reminded"]:
        _end(number)  # asked again, and it has not: what is not on disk cannot be waited for
    else:
        # The main thread is in the midst of a lock that our threads need: it leaves it first.
        _state.update(asked=True, reminded=False)
        _shield.elsewhere(lambda: _remind(number))


def _remind(number: int) -> None:
    time.sleep(_REMIND_S)
    _state["reminded"] = True
    os.kill(os.getpid(), number)


def _stop_and_end(number: int) -> None:
    _state["stopping"] = True
    notices.hold()
    try:
        stop_all(GRACE_S)
    finally:
        notices.let_go()
        _end(number)


def _end(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _in_child() -> None:
    _state.update(asked=False, reminded=False, stopping=False)


renew_in_child(_in_child)
