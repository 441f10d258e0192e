"""What the user hides: denied key names and a redactor, applied to each leaf that leaves."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection
from typing import Any, Final

from ._text import Scalar
from .errors import ConfigurationError

REDACTED: Final = "[redacted]"
FAILED: Final = "[redaction failed]"

_logger = logging.getLogger("otelbridge")


class Redactor:
    """Applies the key denylist and the user's ``redact(key, value)``. Never raises when called.

    ``active`` is False where there is nothing to apply.

    Raises:
        ConfigurationError: At construction, for a redactor or a list that cannot work.
    """

    __slots__ = ("_denied", "_redact", "_suffixes", "_warned", "active")

    def __init__(
        self, redact: Callable[[str, Any], Any] | None = None, denied_keys: Collection[str] = ()
    ) -> None:
        if redact is not None and (not callable(redact) or _is_async(redact)):
            raise ConfigurationError(
                f"redact={redact!r} cannot be used: pass a sync function of (key, value)"
            )
        if isinstance(denied_keys, str) or not all(isinstance(key, str) for key in denied_keys):
            raise ConfigurationError(
                f"denied_keys={denied_keys!r} cannot be used: pass a collection of key names"
            )
        self._redact = redact
        self._denied = frozenset(key.casefold() for key in denied_keys if key)
        self._suffixes = tuple("." + key for key in self._denied)
        self._warned = False
        self.active = redact is not None or bool(self._denied)

    def denies(self, key: str) -> bool:
        """Tell whether the key, or its end after any dot, is on the denylist (case-insensitive)."""
        if not self._denied:
            return False
        folded = key.casefold()
        return folded in self._denied or folded.endswith(self._suffixes)

    def __call__(self, key: str, value: Scalar) -> Scalar:
        """Return what may leave in place of the leaf.

        A redactor that returns None hides the value; one that raises, or returns anything but a
        string, number, boolean or None, has failed and the value is withheld.
        """
        if self._denied and self.denies(key):
            return REDACTED
        if self._redact is None:
            return value
        try:
            return _accepted(self._redact(key, value), value)
        except Exception as error:
            self._warn(key, error)
            return FAILED

    def _warn(self, key: str, error: Exception) -> None:
        if self._warned:
            return
        self._warned = True
        try:
            _logger.warning(
                "redact failed for %r; such values are withheld (said once)", key, exc_info=error
            )
        except Exception:  # a logging filter of the application
            return


def _is_async(function: Any) -> bool:
    call = type(function).__call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _accepted(answer: Any, value: Scalar) -> Scalar:
    if answer is None:
        return None if value is None else REDACTED
    kind = type(answer)
    if kind is bool:
        return bool(answer)
    if issubclass(kind, str):
        return str.__str__(answer)
    if issubclass(kind, int):
        return int.__int__(answer)
    if issubclass(kind, float):
        return float.__float__(answer)
    if inspect.iscoroutine(answer):
        answer.close()  # nobody will await it, and Python would warn of each
    raise TypeError(f"redact returned a {kind.__name__}, not a string, number, boolean or None")
