"""The library's own environment variables: one that is misspelt is told of."""

from __future__ import annotations

import logging
from difflib import get_close_matches

from otelbridge.export.environment import Environ

logger = logging.getLogger("otelbridge")

PREFIX = "OTELBRIDGE_"
KNOWN = (
    "OTELBRIDGE_CONFIGURABLE_KEYS",
    "OTELBRIDGE_DENIED_KEYS",
    "OTELBRIDGE_DURABLE",
    "OTELBRIDGE_MAX_DEPTH",
    "OTELBRIDGE_MAX_EVENT_BYTES",
    "OTELBRIDGE_MAX_EVENT_KEYS",
    "OTELBRIDGE_MAX_STRING_BYTES",
    "OTELBRIDGE_SIGTERM",
    "OTELBRIDGE_SPOOL",
    "OTELBRIDGE_STORE",
    "OTELBRIDGE_STORE_MAX_DAYS",
    "OTELBRIDGE_STORE_MAX_MIB",
    "OTELBRIDGE_VIEW_TOKEN",
)
_LISTED = ", ".join(KNOWN)
_told: set[str] = set()


def warn_of_unknown(environ: Environ) -> None:
    """Warn of each ``OTELBRIDGE_*`` variable that nothing reads, once in a process."""
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX) or name in KNOWN or name in _told:
            continue
        _told.add(name)
        # By what comes after the prefix: all of them are alike in that.
        rests = [known.removeprefix(PREFIX) for known in KNOWN]
        nearest = get_close_matches(name.upper().removeprefix(PREFIX), rests, n=1)
        cure = f"did you mean {PREFIX}{nearest[0]}?" if nearest else f"known are {_LISTED}"
        logger.warning("otelbridge knows no variable %s and leaves it aside; %s", name, cure)
