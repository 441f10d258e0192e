"""The lock that a signal handler can look through."""

from __future__ import annotations

import threading

import pytest

from otelbridge.export._shield import Shield, defer, inside


def test_thread_knows_that_it_is_inside() -> None:
    """One shield in another, also as a condition; another thread is not."""
    outer, inner = Shield(), threading.Condition(Shield())  # type: ignore[arg-type]
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
    condition = threading.Condition(Shield())  # type: ignore[arg-type]
    seen: list[bool] = []
    with condition:
        assert not condition.wait_for(lambda: seen.append(inside()), 0.01)
        assert seen == [True, True]
    assert not inside()
    with pytest.raises(RuntimeError, match="un-acquired"):
        condition.notify_all()


def test_deferred_call_comes_when_the_last_shield_is_left() -> None:
    """Not before, and once."""
    calls: list[bool] = []
    with Shield():
        with Shield():
            defer(lambda: calls.append(inside()))
        assert calls == []
    assert calls == [False]
    with Shield():
        pass
    assert calls == [False]


def test_exception_leaves_the_shield() -> None:
    """And what is deferred is not called by other threads."""
    shield = Shield()
    with pytest.raises(KeyError), shield:
        raise KeyError
    assert not inside()
    assert shield.acquire(blocking=False)
    shield.release()
