"""A progress bar as a local callback handler: it draws what the custom events tell."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any, TextIO

from otelbridge.export.terminal import escape, is_terminal, showable, width_of

from .corpus import counted

_WIDTH = 30


class ProgressBar:
    """Draws one bar per step on a terminal; elsewhere writes one line when a step is complete.

    Give it in a config's ``callbacks``. It needs no base class: ``handle_custom_event`` makes it a
    handler. The parts of a step may report from several threads at once.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = is_terminal(out)
        self._done: Counter[str] = Counter()
        self._drawn = ""
        self._lock = threading.Lock()

    def handle_custom_event(self, name: str, data: Any) -> None:
        """Draw ``progress`` events and write a line for the others that a reader cares about."""
        with self._lock:
            if name == "progress":
                self._advance(data["step"], data["advance"], data["total"])
            elif name == "file_skipped":
                self._line(f"  {data['file']} is skipped: {data['reason']}")
            elif name == "attempt_failed":
                self._line(f"  search, attempt {data['number']}: {data['reason']}")
            elif name == "passages_found":
                self._line(
                    f"  search, attempt {data['attempt']}: {counted(data['count'], 'passage')}"
                )

    def _advance(self, step: str, advance: int, total: int) -> None:
        self._done[step] += advance
        done = self._done[step]
        if self._live:
            self._draw(f"  {step:<8}{self._bar(done, total)} {done:,} of {total:,}")
        if done >= total:
            self._line("" if self._live else f"  {step:<8}{done:,} of {total:,}")

    def _bar(self, done: int, total: int) -> str:
        full = _WIDTH * done // max(1, total)
        return f"[{'#' * full:<{_WIDTH}}]"

    def _draw(self, text: str) -> None:
        text = text[: width_of(self._out) - 1]
        self._out.write("\r" + text.ljust(len(self._drawn)))
        self._out.flush()
        self._drawn = text

    def _line(self, text: str) -> None:
        """Write a whole line; a bar that is being drawn is drawn again below it."""
        drawn, self._drawn = self._drawn, ""
        if drawn and text:
            self._out.write("\r" + " " * len(drawn) + "\r")
        self._out.write(showable(escape(text), self._out) + "\n")
        if drawn and text:
            self._draw(drawn)
        self._out.flush()
