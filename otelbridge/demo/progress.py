"""A progress bar as a local callback handler: it draws what the custom events tell."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from .corpus import counted
from .screen import Screen

_WIDTH = 30


class ProgressBar:
    """Draws one bar per step on a terminal; elsewhere writes one line when a step is complete.

    Give it in a config's ``callbacks``. It needs no base class: ``handle_custom_event`` makes it a
    handler. The parts of a step may report from several threads at once.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._done: Counter[str] = Counter()
        self._lock = threading.Lock()

    def handle_custom_event(self, name: str, data: Any) -> None:
        """Draw ``progress`` events and write a line for the others that a reader cares about."""
        with self._lock:
            if name == "progress":
                self._advance(data["step"], data["advance"], data["total"])
            elif name == "file_skipped":
                self._screen.say(f"  {data['file']} is skipped: {data['reason']}")
            elif name == "attempt_failed":
                self._screen.say(f"  search, attempt {data['number']}: {data['reason']}")
            elif name == "passages_found":
                found = counted(data["count"], "passage")
                self._screen.say(f"  search, attempt {data['attempt']}: {found}")

    def _advance(self, step: str, advance: int, total: int) -> None:
        self._done[step] += advance
        done = self._done[step]
        if self._screen.is_live:
            self._screen.draw(f"  {step:<8}{_bar(done, total)} {done:,} of {total:,}")
            if done >= total:
                self._screen.keep()
        elif done >= total:
            self._screen.say(f"  {step:<8}{done:,} of {total:,}")


def _bar(done: int, total: int) -> str:
    full = _WIDTH * done // max(1, total)
    return f"[{'#' * full:<{_WIDTH}}]"
