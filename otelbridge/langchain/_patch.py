"""Attributes of foreign modules and classes, replaced, and put back as they were."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("otelbridge")

left_out: set[str] = set()
"""Names of attributes (``BaseTool.run``) that are left as they are: for tests that show that each
one is needed."""


class Patches:
    """What has been replaced, for as long as it is."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, str, Any, Any]] = []

    @property
    def in_place(self) -> bool:
        """Whether anything is replaced still."""
        return bool(self._made)

    def put(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace ``owner.<name>`` by what ``make`` makes of it.

        Raises:
            LookupError: ``owner`` has no such attribute of its own.
        """
        if f"{owner.__name__.rpartition('.')[2]}.{name}" in left_out:
            return
        try:
            original = vars(owner)[name]
        except KeyError:
            raise LookupError(f"{owner.__name__} has no {name}") from None
        replacement = make(original)
        setattr(owner, name, replacement)
        self._made.append((owner, name, original, replacement))

    def undo(self) -> None:
        """Put everything back. What another library has replaced since then stays its own."""
        while self._made:
            owner, name, original, replacement = self._made.pop()
            if vars(owner).get(name) is replacement:
                setattr(owner, name, original)
            else:
                logger.warning(
                    "otelbridge leaves %s.%s as it is: something else has replaced it since. "
                    "Take that out first, then otelbridge",
                    owner.__name__,
                    name,
                )
