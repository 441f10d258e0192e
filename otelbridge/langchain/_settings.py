"""What an instrumentation, or one handler, is told to do."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from otelbridge import _tracing
from otelbridge._record import Record
from otelbridge._tracing import Recording, Redact, Tracing


class Settings(Record):
    """How the runs are traced that one handler sees.

    Attributes:
        tracing: makes the spans of root runs; None means what is in use where they begin.
        include_hidden: give the runs that are LangGraph's plumbing (tagged ``langsmith:hidden``)
            spans of their own.
        writer_events: record what is written to LangGraph's stream writers as custom events.
        meter_provider: makes the metrics; None means the global one.
    """

    __slots__ = ("tracing", "include_hidden", "writer_events", "meter_provider")

    def __init__(
        self,
        tracing: Tracing | None = None,
        include_hidden: bool = False,
        writer_events: bool = True,
        meter_provider: Any = None,
    ) -> None:
        self.tracing = tracing
        self.include_hidden = include_hidden
        self.writer_events = writer_events
        self.meter_provider = meter_provider


def settings_of(
    tracer_provider: Any = None,
    meter_provider: Any = None,
    *,
    include_hidden: bool = False,
    writer_events: bool = True,
    capture_content: bool | None = None,
    redact: Redact | None = None,
    denied_keys: Collection[str] | None = None,
) -> Settings:
    """Return the settings that these arguments mean; what is left out is the process's."""
    tracing = None
    changes = {"capture_content": capture_content, "redact": redact, "denied_keys": denied_keys}
    said = {name: value for name, value in changes.items() if value is not None}
    if tracer_provider is not None or said:
        now = _tracing.default().recording
        kept = {name: getattr(now, name) for name in Recording.__slots__}
        tracing = Tracing(tracer_provider, Recording(**{**kept, **said}))
    return Settings(tracing, include_hidden, writer_events, meter_provider)
