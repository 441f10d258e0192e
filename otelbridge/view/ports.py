"""The ports that are listened on, and what is said where one is taken."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from otelbridge.errors import ConfigurationError


class BusyPortError(ConfigurationError):
    """A port that is wanted is taken by another program; the message says the cure."""


@dataclass(frozen=True)
class Wanted:
    """A port, and who wants it.

    Attributes:
        port: 0 chooses a free one.
        purpose: as a person calls it.
        cure: what to do where it is taken.
    """

    port: int
    purpose: str
    cure: str


def listening(host: str, wanted: Wanted, *, choose: bool) -> socket.socket:
    """Listen on a port; where it is taken, on a free one if that may be chosen.

    Raises:
        BusyPortError: the port is taken.
        ConfigurationError: the address is not one of this machine, or the port may not be used.
    """
    try:
        return _bound(host, wanted.port)
    except OSError as problem:
        if problem.errno != errno.EADDRINUSE:
            raise ConfigurationError(
                f"Cannot listen on {host}:{wanted.port} for {wanted.purpose}: {problem.strerror}. "
                "Give an address of this machine, and a port from 1024 to 65535."
            ) from None
    if choose:
        return _bound(host, 0)
    raise busy(host, wanted)


def busy(host: str, wanted: Wanted) -> BusyPortError:
    """Say that a port is taken."""
    return BusyPortError(
        f"Port {wanted.port} on {host}, wanted for {wanted.purpose}, is taken by another program. "
        f"{wanted.cure}"
    )


def port_of(bound: socket.socket) -> int:
    """Return the port that a socket listens on."""
    return int(bound.getsockname()[1])


def url(host: str, port: int) -> str:
    """Return the address that a person opens: of this machine where every address is bound."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def _bound(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise OSError(errno.EINVAL, "there is no such port")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as problem:
        raise OSError(errno.EADDRNOTAVAIL, problem.strerror) from None
    # The same for "localhost" everywhere: IPv4, as the SDKs' defaults.
    family, *_, address = min(found, key=lambda it: it[0] != socket.AF_INET)
    made = socket.create_server(address[:2], family=family, backlog=100)
    made.setblocking(False)
    return made
