"""What tests of the store share: a provider that writes into one, and ways to wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

from otelbridge.encoding.units import Group, Item, request
from otelbridge.store import Change, Store
from otelbridge.store.sink import StoreSink

T = TypeVar("T")
SERVICE = b"\x0a\x15\x0a\x0cservice.name\x12\x05\x0a\x03far"
"""A resource: ``service.name`` is "far"."""


@contextmanager
def writing(path: Path | None) -> Iterator[tuple[Tracer, StoreSink]]:
    """Lend a tracer whose spans go into a store."""
    sink = StoreSink(path)
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(sink)
    try:
        yield provider.get_tracer("tests", "1"), sink
    finally:
        provider.shutdown()


def awaited(look: Callable[[], T], timeout_s: float = 10.0) -> T:
    """Look until there is something; return it."""
    until = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.01)
    return found


def told(changes: list[Change]) -> list[tuple[str, str, str | None]]:
    """Return of each change its kind, the span's name and the event's."""
    return [(it.kind, it.span.name, it.event.name if it.event else None) for it in changes]


def names(store: Store) -> list[str]:
    """Return the names of all traces, newest first."""
    return [summary.name for summary in store.traces(limit=10_000)]


def foreign(*spans: bytes) -> bytes:
    """Return a request with spans of another program."""
    return request([Item(Group(SERVICE, "", b"", ""), span) for span in spans])
