"""Calls that need not be waited for."""

from __future__ import annotations

import threading
import time

import pytest

from otelbridge.export._interruptible import Interruptible


def test_value_is_returned() -> None:
    """Calls run one after another in one other thread."""
    calls: Interruptible[str] = Interruptible("test-calls")
    names = {calls.run(lambda: threading.current_thread().name, 5) for _ in range(3)}
    calls.stop()
    assert names == {"test-calls"}


def test_late_call_is_not_waited_for() -> None:
    """None comes at the limit, and the thread is free again when the call has returned."""
    calls: Interruptible[int] = Interruptible("test-calls")
    free = threading.Event()
    began = time.perf_counter()
    assert calls.run(lambda: int(free.wait(60)), 0.1) is None
    assert time.perf_counter() - began < 30
    free.set()
    assert calls.run(lambda: 2, 5) == 2
    calls.stop()


def test_stop_ends_the_waiting() -> None:
    """From another thread, at once, and for later calls."""
    calls: Interruptible[int] = Interruptible("test-calls")
    free = threading.Event()
    threading.Timer(0.1, calls.stop).start()
    assert calls.run(lambda: int(free.wait(5)), 5) is None
    free.set()
    assert calls.run(lambda: 1, 5) is None


def test_no_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call then runs where it is."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    calls: Interruptible[threading.Thread] = Interruptible("test-calls")
    assert calls.run(threading.current_thread, 5) is threading.current_thread()
