"""What nodes and tools write to LangGraph's stream writers, as custom events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from otelbridge import semconv
from otelbridge._tracing import guard
from otelbridge.context import current_run, get_otel
from otelbridge.langchain._events import is_suppressed
from otelbridge.langchain._patch import Patches
from otelbridge.run import Run

Writer = Callable[[Any], None]

_NAMES = ("type", "event", "name")
_writing = threading.local()


def listening(write: Writer, graph: Run | None, patches: Patches) -> Writer:
    """Return ``write`` with each call a custom event of the run that writes.

    A graph below a node may be given the writer of the graph above, which listens already: a call
    inside a call is the same event.

    Args:
        write: LangGraph's, which gets what is written in any case, as it is.
        graph: the run that events belong to which are written where no run is current.
        patches: it listens while these are in place.
    """

    @wraps(write)
    def stream_writer(chunk: Any) -> None:
        if getattr(_writing, "busy", False) or not patches.in_place:
            return write(chunk)
        # First, for a consumer in another thread may change what it gets.
        _record(chunk, graph)
        _writing.busy = True
        try:
            return write(chunk)
        finally:
            _writing.busy = False

    return stream_writer


def event_name(chunk: Any) -> str:
    """Return the name of the event that ``chunk`` is."""
    if isinstance(chunk, Mapping):
        for key in _NAMES:
            name = chunk.get(key)
            if name and isinstance(name, str):
                return name
    return semconv.GRAPH_CUSTOM


def _record(chunk: Any, graph: Run | None) -> None:
    try:
        if is_suppressed(get_otel()):
            return
        run = current_run() or graph
        if run is not None:
            run.record(event_name(chunk), chunk)
    except Exception:
        guard("record what a stream writer was given")
