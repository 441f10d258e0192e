"""Processes that write a store and read it, until they are killed."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from opentelemetry.context import Context
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider

from otelbridge.encoding.units import Group, Item, request
from otelbridge.store import Filter, Store
from otelbridge.store.sink import StoreSink

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "children"])
NOBODY = Group(b"", "", b"", "")
SPANS = 5  # of each trace


class Child:
    """A process that runs a function of a module and says things to its parent.

    It is forked from a server that has one thread, as a test's own process may not have.
    """

    def __init__(self, body: Callable[..., None], *args: object) -> None:
        self.body, self.args = body, args
        self._pipe, theirs = CONTEXT.Pipe(duplex=False)
        self._process = CONTEXT.Process(target=_run, args=(body, theirs, *args))
        self._process.start()
        theirs.close()
        self.pid = self._process.pid
        self._said: list[Any] = []
        # Whoever says much must not wait for a parent that is busy elsewhere.
        self._hearing = threading.Thread(target=self._hear)
        self._hearing.start()

    def _hear(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self._said.append(self._pipe.recv())

    def hear(self, timeout_s: float = 60) -> Any:
        """Wait for what it says next."""
        until = time.monotonic() + timeout_s
        while not self._said:
            assert time.monotonic() < until, f"{self.body.__name__} says nothing"
            time.sleep(0.005)
        return self._said.pop(0)

    def hear_anew(self) -> None:
        """Forget what it said, and the next things too: those may have been begun before."""
        self._said.clear()
        for _ in range(20):
            self.hear()

    def kill(self) -> list[Any]:
        """End it with kill -9; return what it said and was not heard yet."""
        self._process.kill()
        return self.wait(-9)

    def wait(self, expected: int = 0) -> list[Any]:
        """Wait for its end; return what it said and was not heard yet."""
        self._process.join()
        self._hearing.join()
        assert self._process.exitcode == expected, (self.body.__name__, self._said[-1:])
        return self._said


def _run(body: Callable[..., None], pipe: Connection, *args: object) -> None:
    try:
        body(pipe.send, *args)
    except BaseException:
        pipe.send(traceback.format_exc())
        os._exit(1)


Say = Callable[[Any], None]


def trace_spans(trace_id: bytes) -> bytes:
    """Return a request of one trace."""
    now = time.time_ns()
    spans = [
        Span(
            trace_id=trace_id, span_id=number.to_bytes(8, "big"), name=f"received {number}",
            parent_span_id=b"" if number == 1 else b"\0" * 7 + b"\1",
            start_time_unix_nano=now, end_time_unix_nano=now + number,
            events=[Span.Event(time_unix_nano=now, name="progress")],
        )
        for number in range(1, SPANS + 1)
    ]  # fmt: skip
    return request([Item(NOBODY, span.SerializeToString()) for span in spans])


def receive(say: Say, path: Path) -> None:
    """Add traces as a receiver does; say each trace's id when it is in."""
    store = Store(path)
    for _ in count():
        trace_id = os.urandom(16)
        added = store.add(trace_spans(trace_id))
        assert (added.accepted, added.rejected) == (SPANS, 0), added
        say(trace_id.hex())
        time.sleep(0.005)


def trace(say: Say, path: Path) -> None:
    """Make traces as a program does; say the ids of those that were flushed."""
    sink = StoreSink(path)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(sink)
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("runs for ever"):
        while True:
            made = []
            for _ in range(10):
                with tracer.start_as_current_span("root", context=Context()) as root:
                    for number in range(1, SPANS):
                        with tracer.start_as_current_span(f"step {number}") as step:
                            step.add_event("progress", {"data.number": number})
                made.append(f"{root.get_span_context().trace_id:032x}")
            assert provider.force_flush(), sink.stats()
            for trace_id in made:
                say(trace_id)


def read(say: Say, path: Path) -> None:
    """Ask everything there is to ask, again and again; say how often all of it was answered."""
    store = Store(path)
    cursor = 0
    for turn in count(1):
        for summary in store.traces(limit=5):
            found = store.get(summary.trace_id)  # None where the store was taken away meanwhile
            assert found is None or len(found.spans) >= summary.spans
        store.traces(Filter(text="progress", status="error"), limit=5)
        store.search("received", limit=5)
        for change in store.changes(cursor, limit=200):
            assert change.cursor > cursor, (change.cursor, cursor)
            cursor = change.cursor
        store.services(), store.event_names(), store.load(0, time.time_ns(), 10), store.stats()
        say(turn)
