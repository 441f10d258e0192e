"""What the tests of the pipeline share: a receiver in this process, and a watch on the account."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

from otelbridge.export.account import Stats
from otelbridge.export.batching import Batching
from otelbridge.export.channel import Delivered, Outcome, TryAgain
from otelbridge.export.dead_letters import DeadLetters
from otelbridge.export.pipeline import Pipeline
from otelbridge.export.route import Route
from otelbridge.export.spool import Spool

Answer = Callable[[Sequence[str]], Outcome]


class Peer:
    """A channel whose receiver is in this process: it keeps what it takes, as its answer says.

    Args:
        answer: gets the names of a request's spans.
    """

    where = "the peer"

    def __init__(self, answer: Answer = lambda names: Delivered()) -> None:
        self.answer = answer
        self.asked: list[list[str]] = []
        self.taken: list[str] = []
        self.sizes: list[int] = []
        self.times: list[float] = []
        self.closed = threading.Event()

    def send(self, request: bytes, timeout_s: float | None = None) -> Outcome:
        """Decode, and answer."""
        if self.closed.is_set():
            return TryAgain("closed")
        names = names_in(request)
        self.sizes.append(len(request))
        self.times.append(time.monotonic())
        self.asked.append(names)
        outcome = self.answer(names)
        if isinstance(outcome, Delivered):
            self.taken += names
        return outcome

    def close(self) -> None:
        """Take nothing more."""
        self.closed.set()

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """Answer only after this block; a close ends the wait."""
        go, answer = threading.Event(), self.answer

        def wait(names: Sequence[str]) -> Outcome:
            while not go.wait(0.01):
                if self.closed.is_set():
                    return TryAgain("closed")
            return answer(names)

        self.answer = wait
        try:
            yield
        finally:
            self.answer = answer
            go.set()


def names_in(request: bytes) -> list[str]:
    """The names of the spans in a request."""
    message: Any = trace_service_pb2.ExportTraceServiceRequest.FromString(request)
    return [
        span.name
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


SERVICE = "service"
QUICK = Batching(delay_s=0.02, batch=16, queue=64)


def route(peer: Peer, folder: Path | None, *, durable: bool = False) -> Route:
    """The way to a peer, with a spool in a folder."""
    if folder is None:
        return Route(peer)
    return Route(
        peer,
        open_spool=lambda: Spool.open(folder, SERVICE),
        dead_letters=DeadLetters(folder, SERVICE),
        durable=durable,
    )


def tracer_of(*pipelines: Pipeline) -> Tracer:
    """A tracer whose spans go through these pipelines."""
    provider = TracerProvider(resource=Resource({"service.name": SERVICE}), shutdown_on_exit=False)
    for pipeline in pipelines:
        provider.add_span_processor(pipeline)
    return provider.get_tracer("test")


def end(pipeline: Pipeline, *names: str) -> None:
    """End a span of each name."""
    tracer = tracer_of(pipeline)
    for name in names:
        tracer.start_span(name).end()


def numbered(prefix: str, count: int) -> list[str]:
    """So many different names."""
    return [f"{prefix}{number}" for number in range(count)]


def balance(stats: Stats) -> int:
    """What the account owes: 0."""
    out = stats.sent + stats.waiting + stats.rejected + sum(stats.dropped.values())
    return stats.ended + stats.adopted - out


@contextmanager
def watched(pipeline: Pipeline) -> Iterator[None]:
    """Look at the account all the time: it always balances, and nothing in it is negative."""
    stop = threading.Event()
    wrong: list[Stats] = []

    def look() -> None:
        while not stop.is_set():
            stats = pipeline.stats()
            if balance(stats) or stats.waiting < 0:
                wrong.append(stats)
            time.sleep(0.0005)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert wrong == []


def until(reached: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < deadline, "it has not come true"
        time.sleep(0.005)
