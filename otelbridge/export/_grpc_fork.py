"""gRPC and ``fork``.

A child forked from a process that has opened a channel can use gRPC only where
``GRPC_ENABLE_FORK_SUPPORT`` was on when grpc was imported; without it the core hangs in the child
or aborts it (measured with grpcio 1.85). So the variable is set for whoever has not chosen, and
where it is off a child sends nothing.
"""

from __future__ import annotations

import os
import sys

from otelbridge._process import process
from otelbridge.export.channel import Blocked

_VARIABLE = "GRPC_ENABLE_FORK_SUPPORT"
FORBIDDEN = Blocked(
    "gRPC cannot be used in a process that was forked from one that uses it",
    f"set {_VARIABLE}=1 before the program starts, or the protocol to http/protobuf",
)


class _Opened:
    def __init__(self) -> None:
        self.process: object = None


_opened = _Opened()


def support() -> None:
    """Let children use gRPC; of effect where grpc is not imported yet."""
    os.environ.setdefault(_VARIABLE, "1")


def opens() -> None:
    """Remember that this process opens a channel."""
    _opened.process = process.token


def forbids() -> bool:
    """Tell whether gRPC would hang or abort this process."""
    return _opened.process not in (None, process.token) and not _is_supported()


def _is_supported() -> bool:
    # Private to grpcio, and alone in telling what the variable was when the core read it.
    read = getattr(sys.modules.get("grpc._cython.cygrpc"), "_GRPC_ENABLE_FORK_SUPPORT", None)
    return os.environ.get(_VARIABLE, "0") not in ("", "0") if read is None else bool(read)
