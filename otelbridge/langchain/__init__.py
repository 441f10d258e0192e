"""Trace existing LangChain and LangGraph applications: ``otelbridge.langchain.instrument()``.

One span for each runnable, model, tool, retriever and graph node, custom events as span events.
Importing this module, and ``instrument()``, import neither library: they are entered when the
application imports them, or now if it has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from otelbridge._tracing import Redact
from otelbridge.langchain import _installed
from otelbridge.langchain._settings import Settings

if TYPE_CHECKING:
    from otelbridge.langchain._instrumentor import LangChainInstrumentor
    from otelbridge.langchain._presence import OtelCallbackHandler

__all__ = [
    "LangChainInstrumentor",
    "OtelCallbackHandler",
    "instrument",
    "instrumented",
    "is_instrumented",
    "uninstrument",
]

_LATER = {
    "LangChainInstrumentor": "otelbridge.langchain._instrumentor",
    "OtelCallbackHandler": "otelbridge.langchain._presence",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def instrument(
    tracer_provider: Any = None,
    meter_provider: Any = None,
    *,
    include_hidden: bool = False,
    writer_events: bool = True,
    capture_content: bool | None = None,
    redact: Redact | None = None,
    denied_keys: Collection[str] | None = None,
) -> None:
    """Trace every LangChain and LangGraph run of this process, until ``uninstrument()``.

    A second call changes nothing; one with other arguments warns that the first ones stay.

    Args:
        tracer_provider: makes the spans; the global one when left out, also if set later.
        meter_provider: makes the metrics; the global one when left out.
        include_hidden: give LangGraph's plumbing (tagged ``langsmith:hidden``) spans of its own.
        writer_events: record what is written to LangGraph's stream writers as custom events.
        capture_content: record messages, arguments and results; when left out,
            ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` says it, or ``configure()``.
        redact: called as ``redact(key, value)`` for every value that leaves.
        denied_keys: key names whose values are never recorded.

    Raises:
        ConfigurationError: an argument cannot be used, or the package wrapt is missing.
    """
    _installed.instrument(
        Settings(
            tracer_provider,
            meter_provider,
            include_hidden=include_hidden,
            writer_events=writer_events,
            capture_content=capture_content,
            redact=redact,
            denied_keys=denied_keys,
        )
    )


def uninstrument() -> None:
    """Put everything back as it was; runs that are still open end with outcome ``closed``."""
    _installed.uninstrument()


def is_instrumented() -> bool:
    """Return whether ``instrument()`` is in force."""
    return _installed.is_instrumented()


@contextmanager
def instrumented(*args: Any, **kwargs: Any) -> Iterator[None]:
    """Instrument for the time of a ``with`` block; the arguments are those of ``instrument()``."""
    instrument(*args, **kwargs)
    try:
        yield
    finally:
        uninstrument()
