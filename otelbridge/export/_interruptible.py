"""A call in a thread of its own, which the caller need not wait for.

No socket option bounds the whole of a request: a server that sends one byte every few seconds, or
a name server that is silent, holds its caller for as long as it likes.
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Interruptible(Generic[T]):
    """Runs calls one after another; ``stop`` ends the waiting for them, from any thread.

    The thread starts with the first call. Where none can start any more (the interpreter is
    exiting) a call runs in the caller's thread, without these limits.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[_Call[T] | None] = queue.SimpleQueue()
        self._started = False
        self._stopped = False
        self._current: _Call[T] | None = None
        # Who forgets to stop leaves no thread behind.
        weakref.finalize(self, self._calls.put, None).atexit = False

    def run(self, work: Callable[[], T], timeout_s: float) -> T | None:
        """Return what ``work`` returns; None when it takes longer, or is stopped.

        ``work`` does not raise, and never returns None.
        """
        if not self._start():
            return work()
        call = self._current = _Call(work)
        if self._stopped:
            return None
        self._calls.put(call)
        call.done.wait(timeout_s)
        self._current = None
        return None if call.given_up else call.value

    def stop(self) -> None:
        """End the waiting, and the thread once its call has returned."""
        self._stopped = True
        if (call := self._current) is not None:
            # What it returns from here on may be made of a connection that was cut.
            call.given_up = True
            call.done.set()
        self._calls.put(None)

    def _start(self) -> bool:
        if not self._started:
            try:
                threading.Thread(
                    target=_serve, args=(self._calls,), name=self._name, daemon=True
                ).start()
            except RuntimeError:
                return False
            self._started = True
        return True


class _Call(Generic[T]):
    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.done = threading.Event()
        self.value: T | None = None
        self.given_up = False


# A function, not a method: a thread that waits keeps nothing alive but its queue.
def _serve(calls: queue.SimpleQueue[_Call[T] | None]) -> None:
    while (call := calls.get()) is not None:
        call.value = call.work()
        call.done.set()
        del call
