"""What an instrumentation, or one handler, is told to do."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from otelbridge import _tracing
from otelbridge._tracing import Recording, Redact, Tracing
from otelbridge.langchain._genai_semconv import Conventions
from otelbridge.langchain._metrics import Metrics
from otelbridge.langchain._others import Others


class Settings:
    """How the runs are traced that one handler sees; two made of the same arguments are equal.

    Args:
        tracer_provider: makes the spans of root runs; None means what is in use where they begin.
        meter_provider: makes the metrics; None means the global one.
        include_hidden: give the runs that are LangGraph's plumbing (tagged ``langsmith:hidden``)
            spans of their own.
        writer_events: record what is written to LangGraph's stream writers as custom events.
        capture_content: record messages, arguments and results; None means as the process does.
        redact: called as ``redact(key, value)`` for every value that leaves.
        denied_keys: key names whose values are never recorded.

    Attributes:
        tracing: of root runs, where an argument asks for one of their own.
        conventions: the version of the GenAI semantic conventions.
        metrics: of model calls.
        others: looks for what else instruments LangChain; None when it has looked enough.

    Raises:
        ConfigurationError: an argument cannot be used.
    """

    __slots__ = (
        "_given",
        "conventions",
        "include_hidden",
        "metrics",
        "others",
        "tracing",
        "writer_events",
    )

    def __init__(
        self,
        tracer_provider: Any = None,
        meter_provider: Any = None,
        *,
        include_hidden: bool = False,
        writer_events: bool = True,
        capture_content: bool | None = None,
        redact: Redact | None = None,
        denied_keys: Collection[str] | None = None,
    ) -> None:
        rules = {"capture_content": capture_content, "redact": redact, "denied_keys": denied_keys}
        said = {name: value for name, value in rules.items() if value is not None}
        self._given = (tracer_provider, meter_provider, include_hidden, writer_events, said)
        self.include_hidden = include_hidden
        self.writer_events = writer_events
        self.conventions = Conventions.from_env()
        self.metrics = Metrics(meter_provider, self.conventions)
        self.others: Others | None = Others(tracer_provider)
        self.tracing: Tracing | None = None
        if tracer_provider is not None or said:
            recording: Recording = _tracing.default().recording.replaced(**said)
            self.tracing = Tracing(tracer_provider, recording)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self._given == other._given

    __hash__ = None  # type: ignore[assignment]
