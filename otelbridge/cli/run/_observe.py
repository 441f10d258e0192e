"""What ``otelbridge run`` sets up around a program, and takes down after it."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec

from opentelemetry import trace

from otelbridge.cli.run._live import Live
from otelbridge.cli.run._region import streams_of_a_terminal
from otelbridge.errors import ConfigurationError
from otelbridge.export import Handle, configure, environment
from otelbridge.export.terminal import is_terminal
from otelbridge.export.watch import Watch
from otelbridge.store import default_path


def observe(service: str, store: str | None, *, live: bool) -> None:
    """Send the spans of this process to the store, and draw them while it runs.

    Args:
        service: what to call the program where the environment has no name for it.
        store: as OTELBRIDGE_STORE has it; None is the usual file.
        live: whether to draw, where standard error is a terminal.

    Raises:
        ConfigurationError: a variable of the environment cannot be used.
    """
    # What the program sets up itself, and its children, write to the same store.
    chosen = str(default_path()) if store is None else store
    if chosen not in (":memory:", "off"):
        chosen = os.path.abspath(chosen)  # the program may go elsewhere
    os.environ["OTELBRIDGE_STORE"] = chosen
    handle = configure(service_name=_name(service))
    _instrument()
    if live and sys.stderr is not None and is_terminal(sys.stderr):
        atexit.register(_end, handle, _draw())


def _name(service: str) -> str | None:
    about = environment.pairs(os.environ, "OTEL_RESOURCE_ATTRIBUTES")
    named = environment.text(os.environ, "OTEL_SERVICE_NAME") or about.get("service.name")
    return None if named else service


def _instrument() -> None:
    if find_spec("langchain_core") is None:
        return
    from otelbridge import langchain

    try:
        langchain.instrument()
    except ConfigurationError as error:
        print(f"otelbridge run: LangChain is not traced: {error}", file=sys.stderr)


def _draw() -> Live | None:
    provider = trace.get_tracer_provider()
    add: Callable[[Watch], None] | None = getattr(provider, "add_span_processor", None)
    if add is None:  # OTEL_SDK_DISABLED
        return None
    watch = Watch()
    add(watch)
    return Live(watch, sys.stderr, streams_of_a_terminal())


def _end(handle: Handle, live: Live | None) -> None:
    if live is None:
        return
    live.stop()
    handle.flush(timeout_s=2)
    if live.traces and handle.outputs:
        count = "1 trace is" if live.traces == 1 else f"{live.traces:,} traces are"
        print(
            f"otelbridge: {count} in the store. Look: otelbridge show {live.last[:8]}, "
            "or otelbridge view",
            file=sys.stderr,
        )
