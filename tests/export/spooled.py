"""Spans for the spool's tests, and processes that die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

from otelbridge.encoding.units import Group, Item
from otelbridge.export.spool import Spool

SERVICE = "checkout"
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "spooled", "otelbridge.export.dead_letters"])
GROUPS = [Group(b"resource", "", b"scope %d" % i, "https://schema") for i in range(3)]


def item(number: int, size: int = 40) -> Item:
    """A span that knows its number."""
    return Item(GROUPS[number % 3], struct.pack("<I", number) + b"x" * (size - 4))


def number_of(item: Item) -> int:
    number: int = struct.unpack_from("<I", item.span)[0]
    assert item.group == GROUPS[number % 3]
    return number


def opened(folder: Path, max_bytes: int = 2**20) -> Spool:
    return Spool.open(folder, SERVICE, max_bytes=max_bytes)


def put(spool: Spool, *numbers: int, size: int = 40) -> int:
    return spool.append([item(number, size) for number in numbers])


def drain(spool: Spool, max_items: int = 7) -> list[int]:
    """Lease and finish all; return the numbers in the order of their coming."""
    return list(drained(spool, max_items))


def drained(spool: Spool, max_items: int = 7) -> Iterator[int]:
    while (lease := spool.lease(max_items, 2**20)) is not None:
        yield from (number_of(item) for item in lease.items)
        spool.done(lease)


def die(spool: Spool) -> None:
    """Leave a spool as a process does that is killed: files closed, nothing tidied."""
    spool.in_child()


def heir(folder: Path, max_bytes: int = 2**20) -> Spool:
    """Open a spool that has adopted what the dead left."""
    spool = opened(folder, max_bytes)
    spool.adopt()
    return spool


def service(spool: Spool) -> list[Path]:
    """Everything in a service's folder, at any depth."""
    return sorted(spool.path.rglob("*"))


def segments(spool: Spool) -> list[Path]:
    return sorted(spool.path.rglob("*.v1"))


class Voice:
    """How a child says numbers to its parent."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def say(self, *numbers: int) -> None:
        for number in numbers:
            self._pipe.send_bytes(struct.pack("<I", number))


class Child:
    """A process that runs a function of a module, and says numbers to its parent.

    It is forked from a server that has one thread, as a test's own process may not have.
    """

    def __init__(self, body: Callable[..., None], *args: object) -> None:
        self._pipe, theirs = CONTEXT.Pipe(duplex=False)
        self._process = CONTEXT.Process(target=body, args=(Voice(theirs), *args))
        self._process.start()
        theirs.close()

    def hear(self) -> int:
        """Wait for one number."""
        return int(struct.unpack("<I", self._pipe.recv_bytes())[0])

    def kill(self) -> list[int]:
        """End it with kill -9; return every number that it said and was not heard yet."""
        self._process.kill()
        return self.wait(-signal.SIGKILL)

    def wait(self, expected: int = 0) -> list[int]:
        """Wait for its end; return what it said."""
        said = []
        with suppress(EOFError):
            while True:
                said.append(self.hear())
        self._process.join()
        assert self._process.exitcode == expected
        return said


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def soon(condition: Callable[[], bool]) -> bool:
    """Wait for something to be so, for at most five seconds."""
    until = time.monotonic() + 5
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)
    return condition()
