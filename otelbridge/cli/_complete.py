"""What the shell offers where a trace is asked for."""

from __future__ import annotations

from otelbridge.cli._traces import SHORT, opened
from otelbridge.export.terminal import escape

_MOST = 20


def trace_ids(incomplete: str) -> list[tuple[str, str]]:
    """Return the newest traces whose ids begin so, each with its name; never raises."""
    try:
        with opened(None) as store:
            found = store.traces(limit=_MOST)
    except Exception:  # no time to complain while somebody types
        return []
    offered = [("last", "the newest")] + [
        (trace.trace_id[: max(SHORT, len(incomplete))], escape(trace.name)) for trace in found
    ]
    return [(word, told) for word, told in offered if word.startswith(incomplete)]
