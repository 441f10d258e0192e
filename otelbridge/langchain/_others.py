"""Other instrumentations of LangChain, with which every run would have two spans."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

from opentelemetry import trace

from otelbridge._tracing import guard

logger = logging.getLogger("otelbridge")

_BASE = "opentelemetry.instrumentation.instrumentor"
_LIBRARIES = ("langchain", "langgraph")


class Others:
    """Looks for them when ours begins and at its first run, and says once what to do.

    Args:
        provider: the tracer provider that ours was given, or None.
    """

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._looks = 2

    def look(self) -> bool:
        """Warn if another one is found on the same provider; return whether to look again."""
        self._looks -= 1
        try:
            if self._provider not in (None, getattr(trace, "_TRACER_PROVIDER", None)):
                return False
            names = sorted(set(_active()))
            if names:
                self._looks = 0
                logger.warning(
                    "LangChain is instrumented twice, by otelbridge and by %s: every run has two "
                    "spans. Keep one: uninstrument() the other, or name it in "
                    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
                    ", ".join(names),
                )
        except Exception:
            guard("look for other instrumentations of LangChain")
        return self._looks > 0


def _active() -> Iterator[str]:
    """Yield the names of the instrumentors of LangChain that are active, but for ours."""
    base = getattr(sys.modules.get(_BASE), "BaseInstrumentor", None)
    for kind in base.__subclasses__() if base is not None else ():
        one = vars(kind).get("_instance")
        if one is None or kind.__module__.startswith("otelbridge."):
            continue
        if getattr(one, "is_instrumented_by_opentelemetry", False):
            needs = " ".join(map(str, one.instrumentation_dependencies()))
            if any(library in needs for library in _LIBRARIES):
                yield f"{kind.__module__}.{kind.__qualname__}"
