"""gRPC and ``fork``.

A child forked from a process that has opened a channel can use gRPC only where
``GRPC_ENABLE_FORK_SUPPORT`` was on when grpc was imported; without it the core hangs in the child
or aborts it (measured with grpcio 1.85). So the variable is set for whoever has not chosen, and
where it is off a child sends nothing.

Even with it a child hangs where a call was going on at the moment of the fork: grpc's handler takes
a lock of each channel in the child (``_postfork_child``), which a thread of the parent's may have
held. So no call is going on then: calls begin, and channels open and close, in a lock that the fork
takes, and the call that is going on is cancelled, and made again after the fork. The channel stays:
to close and open one at each fork makes the core hang in the parent.

grpc registers its handlers with ``os.register_at_fork`` when it makes its first channel, and stops
its threads in them, without which no call ends. What is registered later is called earlier: ours
are registered when there is a channel.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet

from otelbridge._process import process, renew_in_child
from otelbridge.export._shield import Shield
from otelbridge.export.channel import Blocked

_PATIENCE_S = 0.5  # a fork waits no longer for a thread of ours, or for the end of a call
_VARIABLE = "GRPC_ENABLE_FORK_SUPPORT"
FORBIDDEN = Blocked(
    "gRPC cannot be used in a process that was forked from one that uses it",
    f"set {_VARIABLE}=1 before the program starts, or the protocol to http/protobuf",
)


class Cut(Protocol):
    """A connection, as a fork sees it."""

    def cut(self, timeout_s: float) -> None:
        """End the call that is going on; called with the lock held."""


class _State:
    """What is known of this process's channels.

    Attributes:
        process: that has opened one; None: none has.
        lock: whoever opens or closes a channel, or begins a call, does it between forks.
        open: connections that may have a call going on.
    """

    def __init__(self, process: object = None) -> None:
        self.process = process
        self.lock = Shield()
        self.open: WeakSet[Cut] = WeakSet()


_state = _State()
_registered: list[bool] = []


def support() -> None:
    """Let children use gRPC; of effect where grpc is not imported yet."""
    os.environ.setdefault(_VARIABLE, "1")


def between_forks() -> Shield:
    """Return the lock in which a channel is opened and closed, and a call begun."""
    return _state.lock


def opened(connection: Cut) -> None:
    """Remember that this process has opened a channel, whose calls a fork must end."""
    _state.process = process.token
    _state.open.add(connection)
    if not _registered and hasattr(os, "register_at_fork"):
        _registered.append(True)
        os.register_at_fork(before=_before, after_in_parent=_after)


def forbids() -> bool:
    """Tell whether gRPC would hang or abort this process."""
    return _state.process not in (None, process.token) and not _is_supported()


def _before() -> None:
    lock = _state.lock
    # A signal handler may fork in the midst of this thread's own call into grpc, where nothing of
    # the channel may be touched.
    interrupts = lock._is_owned()  # type: ignore[attr-defined]
    if lock.acquire(timeout=_PATIENCE_S) and not interrupts:
        for connection in list(_state.open):
            with suppress(Exception):
                connection.cut(_PATIENCE_S)


def _after() -> None:
    if _state.lock._is_owned():  # type: ignore[attr-defined]
        _state.lock.release()


def _renew() -> None:
    global _state
    _state = _State(_state.process)


renew_in_child(_renew)


def _is_supported() -> bool:
    # Private to grpcio, and alone in telling what the variable was when the core read it.
    read = getattr(sys.modules.get("grpc._cython.cygrpc"), "_GRPC_ENABLE_FORK_SUPPORT", None)
    return os.environ.get(_VARIABLE, "0") not in ("", "0") if read is None else bool(read)
