"""Set-up: one call that decides what is recorded and where it goes."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping
from typing import Literal

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.util.types import AttributeValue

from otelbridge._process import renew_in_child
from otelbridge._tracing import Redact
from otelbridge.export.arguments import Arguments
from otelbridge.export.handle import Handle
from otelbridge.export.installation import plan
from otelbridge.export.variables import warn_of_unknown


def configure(
    *,
    endpoint: str | None = None,
    protocol: str | None = None,
    headers: Mapping[str, str] | None = None,
    insecure: bool | None = None,
    certificate: str | os.PathLike[str] | None = None,
    service_name: str | None = None,
    resource_attributes: Mapping[str, AttributeValue] | None = None,
    sampler: Sampler | float | None = None,
    console: bool | None = None,
    store: str | os.PathLike[str] | bool | None = None,
    durable: bool | None = None,
    spool: str | os.PathLike[str] | Literal[False] | None = None,
    stop_on_sigterm: bool | None = None,
    tracer_provider: TracerProvider | None = None,
    capture_content: bool | None = None,
    redact: Redact | None = None,
    denied_keys: Collection[str] | None = None,
    configurable_keys: Collection[str] | None = None,
    max_string_bytes: int | None = None,
    max_event_bytes: int | None = None,
    max_event_keys: int | None = None,
    max_depth: int | None = None,
) -> Handle:
    """Set up what runs record and where their spans go; call it once, early.

    Every argument goes before the environment variable that says the same; the standard
    ``OTEL_*`` variables are honoured. Spans go

    1. to ``endpoint``, by OTLP;
    2. else where OTEL_TRACES_EXPORTER says (otlp, otelbridge for the store, console, none, or
       several with commas);
    3. else to OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT, by OTLP;
    4. else into the store, a file on this machine that ``otelbridge view`` shows;

    with ``console=True`` to the console as well, and with ``store=`` or OTELBRIDGE_STORE into the
    store as well. A tracer provider that the application has installed before is used and never
    replaced; if it has a span processor already, only ``endpoint``, ``console`` and ``store`` add
    one.

    Spans are sent from another thread. What an endpoint does not take now waits in a spool on disk
    and is sent when it does, by the next process of the same service if this one ends before; so
    an endpoint that cannot be reached raises nothing, loses nothing, and holds up nothing but the
    end of the program, by at most five seconds. ``Handle.stats`` tells what became of the spans.

    The store gets each span as it starts, its events, and its end, within a quarter of a second.
    Where nobody has asked for it and it cannot be opened, a log line says so, and spans go nowhere.

    Called again with the same arguments, or with none, it returns the handle in force. Called
    with others, it checks them, shuts the handle in force down, and sets up anew.

    Args:
        endpoint: URL of an OTLP receiver. For HTTP, ``/v1/traces`` is added where it is missing.
        protocol: "grpc" or "http/protobuf". Default: OTEL_EXPORTER_OTLP_PROTOCOL, else HTTP for
            port 4318 or a URL with a path, else gRPC.
        headers: sent with every OTLP request, over those of OTEL_EXPORTER_OTLP_HEADERS.
        insecure: whether an endpoint without http:// or https:// is plain text.
        certificate: PEM file of the CA that the receiver's certificate is checked against.
        service_name: names the program in backends (OTEL_SERVICE_NAME).
        resource_attributes: describe the program (OTEL_RESOURCE_ATTRIBUTES).
        sampler: an SDK sampler, or the share of traces to record, from 0 to 1
            (OTEL_TRACES_SAMPLER).
        console: print each finished trace to stderr as a tree; False: never.
        store: also write to the store: the file, ":memory:" for one that this process alone sees,
            True for ``traces.db`` in the user's own data folder; False: never, not even where
            spans go nowhere else (OTELBRIDGE_STORE, with "off" for False). Traces that are older
            than 30 days (OTELBRIDGE_STORE_MAX_DAYS) are deleted from it, and the oldest of more
            than 1 GiB (OTELBRIDGE_STORE_MAX_MIB).
        durable: write each span to the spool as it ends, so that not even kill -9 loses one
            (OTELBRIDGE_DURABLE).
        spool: folder for spans that cannot be sent now, in place of one in the user's own state
            folder; False: they wait in memory only (OTELBRIDGE_SPOOL, with "off" for False).
        stop_on_sigterm: on SIGTERM, where its action is the default, send what has ended before
            the process ends by it (OTELBRIDGE_SIGTERM; default True).
        tracer_provider: use this provider and not the global one.
        capture_content: record inputs and outputs of runs.
        redact: called as ``redact(key, value)`` for every value that leaves the process; what it
            returns is recorded.
        denied_keys: key names whose values are never recorded.
        configurable_keys: keys of a config's ``configurable`` that may be recorded.
        max_string_bytes: bytes of one string that are recorded (8 KiB).
        max_event_bytes: bytes of one custom event that are recorded (64 KiB).
        max_event_keys: keys of one custom event that are recorded (100).
        max_depth: levels of nested data that become keys of their own (6).

    Returns:
        The handle to flush and to undo this with.

    Raises:
        ConfigurationError: an argument or a variable cannot be used. Nothing has changed then.

    Example:
        >>> handle = configure(endpoint="http://localhost:4318")  # doctest: +SKIP
        >>> handle.flush()  # doctest: +SKIP
        True
    """
    return _set_up(Arguments(**locals()))


_lock = threading.RLock()
_current: tuple[Arguments, Handle] | None = None


def _set_up(arguments: Arguments) -> Handle:
    global _current
    with _lock:
        if _current is not None and _current[1].is_open:
            before, handle = _current
            if arguments in (before, Arguments()):
                return handle
        # Everything that may be refused comes before anything is changed.
        warn_of_unknown(os.environ)
        installation = plan(arguments, os.environ)
        if _current is not None:
            _current[1].shutdown()
        handle = installation.install()
        _current = arguments, handle
        return handle


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


renew_in_child(_renew_lock)  # another thread may have held it
