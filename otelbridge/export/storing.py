"""Whether spans go into the store, and which: the argument, then OTELBRIDGE_STORE."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

from opentelemetry.sdk.trace import SpanProcessor

from otelbridge.errors import ConfigurationError, StoreError
from otelbridge.export import environment
from otelbridge.export.arguments import Arguments
from otelbridge.export.environment import Environ
from otelbridge.store import MAX_AGE_S, MAX_BYTES, default_path, store_path
from otelbridge.store.sink import StoreSink

logger = logging.getLogger("otelbridge")

_STORE = "OTELBRIDGE_STORE"
_MAX_DAYS = "OTELBRIDGE_STORE_MAX_DAYS"
_MAX_MIB = "OTELBRIDGE_STORE_MAX_MIB"
_OFF = "off"
_SWITCHES = frozenset({"true", "false", "yes", "no", "on", "0", "1", "none", "disabled"})


@dataclass(frozen=True)
class Storing:
    """What was said of the store.

    Attributes:
        wanted: True: spans go there too; False: never; None: where they go nowhere else.
        by_argument: whether the program itself says so, and not a variable.
        path: the file; None: in memory.
        max_age_s: traces that ended longer ago are deleted (OTELBRIDGE_STORE_MAX_DAYS).
        max_bytes: so much is kept of the others (OTELBRIDGE_STORE_MAX_MIB).
    """

    wanted: bool | None
    by_argument: bool
    path: Path | None
    max_age_s: float = MAX_AGE_S
    max_bytes: int = MAX_BYTES

    @classmethod
    def of(cls, arguments: Arguments, environ: Environ) -> Storing:
        """Read it from the arguments, then the environment.

        Raises:
            ConfigurationError: the variable cannot be used.
        """
        days = environment.number(environ, _MAX_DAYS)
        mib = environment.number(environ, _MAX_MIB)
        return replace(
            cls._place(arguments, environ),
            max_age_s=MAX_AGE_S if days is None else days * 86_400,
            max_bytes=MAX_BYTES if mib is None else round(mib * (1 << 20)),
        )

    @classmethod
    def _place(cls, arguments: Arguments, environ: Environ) -> Storing:
        given = arguments.store
        if given is not None:
            path = default_path() if isinstance(given, bool) else given
            return cls(given is not False, True, store_path(path))
        chosen = environment.text(environ, _STORE)
        if chosen is None:
            return cls(None, False, store_path(default_path()))
        if chosen.lower() in _SWITCHES:
            raise environment.refused(_STORE, chosen, 'the path of a file, ":memory:", or "off"')
        if chosen.lower() == _OFF:
            return cls(False, False, None)
        return cls(True, False, store_path(chosen))

    @property
    def where(self) -> str:
        """What a person would call it."""
        return f"store {os.fspath(self.path or 'in memory')}"

    def sink(self, service: str) -> SpanProcessor | None:
        """Return what writes there; None where nobody has asked for it and it cannot be opened.

        Raises:
            ConfigurationError: it was asked for and cannot be opened.
        """
        try:
            return StoreSink(self.path, max_age_s=self.max_age_s, max_bytes=self.max_bytes)
        except StoreError as error:
            if self.wanted:
                raise ConfigurationError(str(error)) from error
            logger.warning("otelbridge sends nothing: %s", error)
            return None
