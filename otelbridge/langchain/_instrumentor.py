"""The instrumentor that ``opentelemetry-instrument`` finds."""

from __future__ import annotations

from collections.abc import Collection
from inspect import signature
from typing import Any

from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]
    BaseInstrumentor,
)

from otelbridge import langchain


class LangChainInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """``instrument()`` in the form of OpenTelemetry's instrumentors.

    ``instrument(**kwargs)`` takes the arguments of ``otelbridge.langchain.instrument``.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return what must be installed for this to be of use."""
        return ("langchain-core >= 1.0.0",)

    def _instrument(self, **kwargs: Any) -> None:
        known = signature(langchain.instrument).parameters
        langchain.instrument(**{key: value for key, value in kwargs.items() if key in known})

    def _uninstrument(self, **kwargs: Any) -> None:
        langchain.uninstrument()
