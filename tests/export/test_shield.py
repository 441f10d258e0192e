"""The lock that a signal handler can look through."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress

import pytest

from otelbridge.export._shield import Shield, elsewhere, inside


def test_thread_knows_that_it_is_inside() -> None:
    """One shield in another, also as a condition; another thread is not."""
    outer, inner = Shield(), threading.Condition(Shield())
    elsewhere: list[bool] = []
    assert not inside()
    with outer:
        with inner:
            thread = threading.Thread(target=lambda: elsewhere.append(inside()))
            thread.start()
            thread.join()
            inner.notify_all()
        assert inside()
    assert not inside()
    assert elsewhere == [False]


def test_one_thread_at_a_time_is_inside() -> None:
    """As with any lock; one that does not get it is not inside."""
    shield = Shield()
    with shield:
        tried: list[bool] = []

        def attempt() -> None:
            tried.extend([shield.acquire(blocking=False), inside()])

        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    assert tried == [False, False]


def test_waiting_for_a_condition_is_outside() -> None:
    """A signal that comes while its thread waits need not be deferred."""
    condition = threading.Condition(Shield())
    seen: list[bool] = []
    with condition:
        assert not condition.wait_for(lambda: seen.append(inside()), 0.01)
        assert seen == [True, True]
    assert not inside()
    with pytest.raises(RuntimeError, match="un-acquired"):
        condition.notify_all()


def test_call_is_made_elsewhere() -> None:
    """By another thread, which may wait for what this one holds."""
    shield, done, seen = Shield(), threading.Event(), list[bool]()

    def call() -> None:
        seen.append(inside())
        with shield:
            done.set()

    with shield:
        elsewhere(call)
        assert not done.wait(0.05)
    assert done.wait(5)
    assert seen == [False]


def test_what_a_signal_handler_raises_leaves_no_shield_held() -> None:
    """Wherever it comes: on entering, inside, on leaving."""
    shield = Shield()

    def interrupt(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for attempt in range(300):
            with suppress(TimeoutError):
                signal.setitimer(signal.ITIMER_REAL, 0.0002 + attempt / 1e6)
                while True:
                    with shield:
                        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not inside()


def test_exception_leaves_the_shield() -> None:
    """As it leaves any lock."""
    shield = Shield()
    with pytest.raises(KeyError), shield:
        raise KeyError
    assert not inside()
    assert shield.acquire(blocking=False)
    shield.release()
