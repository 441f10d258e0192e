"""The context in which instrumented libraries make no spans: sending spans must make none.

Relied on in opentelemetry-api: the private ``_SUPPRESS_INSTRUMENTATION_KEY``, which the SDK's own
processors use. Instrumentations look for the plain word as well, so without it that one remains.
"""

from __future__ import annotations

from opentelemetry import context
from opentelemetry.context import Context

_KEYS = (
    getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation"),
    "suppress_instrumentation",
)


def suppressed() -> Context:
    """Return the current context with instrumentation suppressed, to attach while sending."""
    found = context.get_current()
    for key in _KEYS:
        found = context.set_value(key, True, found)
    return found
