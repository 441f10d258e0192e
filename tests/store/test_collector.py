"""The collector is held back while a large trace is read, and goes on after it."""

from __future__ import annotations

import gc
import os
import threading

import pytest

from otelbridge.store._collector import collector_paused


def test_collector_goes_on_when_the_last_pause_is_over() -> None:
    """Also where pauses of several threads overlap, and where a block raises."""
    entered, leave = threading.Event(), threading.Event()

    def pause() -> None:
        with collector_paused():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=pause)
    with collector_paused():
        thread.start()
        assert entered.wait(10)
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="x"), collector_paused():
        raise ValueError("x")
    assert gc.isenabled()


def test_collector_that_is_off_stays_off() -> None:
    """Whoever disabled it, meant it."""
    gc.disable()
    try:
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_collector_goes_on_in_a_forked_child() -> None:
    """The thread that was in a pause is not there."""
    with collector_paused():
        child = os.fork()
        if not child:
            os._exit(0 if gc.isenabled() else 1)
    assert os.waitpid(child, 0)[1] == 0
