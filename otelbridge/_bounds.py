"""How much of one value, one event or one run's start attributes leaves the process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from ._record import Record
from .errors import ConfigurationError

_KIB: Final = 1024

# field: (variable, smallest value that works). Below 1 KiB an event could not say what it lost.
_FIELDS: Final = {
    "string": ("OTELBRIDGE_MAX_STRING_BYTES", 1),
    "event": ("OTELBRIDGE_MAX_EVENT_BYTES", _KIB),
    "keys": ("OTELBRIDGE_MAX_EVENT_KEYS", 1),
    "depth": ("OTELBRIDGE_MAX_DEPTH", 0),
}
# The arguments by which ``configure`` and ``capture_runs`` take them.
ARGUMENTS: Final = {
    "max_string_bytes": "string",
    "max_event_bytes": "event",
    "max_event_keys": "keys",
    "max_depth": "depth",
}


class Bounds(Record):
    """The gate's own bounds.

    Args:
        string: UTF-8 bytes of one attribute value (a string, a JSON text or a whole list).
        event: Bytes of one event, or of one span's start attributes.
        keys: Attributes of one event, or of one span's metadata.
        depth: Levels of nested mappings that become dotted keys; what is deeper becomes JSON.

    Raises:
        ConfigurationError: A value is not a whole number, or too small to work with.
    """

    __slots__ = ("string", "event", "keys", "depth")

    def __init__(
        self, string: int = 8 * _KIB, event: int = 64 * _KIB, keys: int = 100, depth: int = 6
    ) -> None:
        self.string = string
        self.event = event
        self.keys = keys
        self.depth = depth
        for field, (_, least) in _FIELDS.items():
            value = getattr(self, field)
            if type(value) is not int or value < least:
                raise ConfigurationError(
                    f"Bounds({field}={value!r}) cannot be used: pass a whole number >= {least}"
                )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Bounds:
        """Read the ``OTELBRIDGE_MAX_*`` variables; an empty one counts as absent.

        Raises:
            ConfigurationError: A variable is not a whole number, or too small.
        """
        found: dict[str, int] = {}
        for field, (variable, least) in _FIELDS.items():
            text = environ.get(variable, "").strip()
            if not text:
                continue
            if not (text.isascii() and text.isdigit()) or len(text) > 15 or int(text) < least:
                raise ConfigurationError(
                    f"{variable}={text!r} cannot be used: set it to a whole number >= {least}, "
                    "or unset it"
                )
            found[field] = int(text)
        return cls(**found)

    def with_arguments(self, function: str, given: Mapping[str, int | None]) -> Bounds:
        """Return these bounds with those that a function was given; None is not given.

        Args:
            function: its name, for the error.
            given: by the names in ``ARGUMENTS``.

        Raises:
            ConfigurationError: A bound is not a whole number, or too small.
        """
        bounds = self
        for argument, value in given.items():
            if value is not None:
                try:
                    bounds = bounds.replaced(**{ARGUMENTS[argument]: value})
                except ConfigurationError as error:
                    raise ConfigurationError(f"{function}({argument}={value}): {error}") from error
        return bounds
