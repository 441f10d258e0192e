"""Where the demo writes: text that may hold anything, to a terminal, a file or a pipe."""

from __future__ import annotations

import os
from typing import TextIO

from otelbridge.export.terminal import escape, is_terminal, showable, width_of


class Screen:
    """A stream that gets no character which could steer a terminal or which it cannot show.

    When the reader of a pipe has left, as in ``otelbridge demo | head``, nothing is written on.
    """

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.is_live = is_terminal(out)
        self._drawn = ""

    def say(self, text: str, end: str = "\n") -> None:
        """Write lines; one that is being drawn is drawn again below them."""
        drawn = self._drawn
        if drawn:
            self._write("\r" + " " * len(drawn) + "\r")
        self.show("\n".join(map(escape, text.split("\n"))) + end)
        if drawn:
            self._write(drawn)

    def show(self, text: str) -> None:
        """Write text that is escaped already and may hold colours."""
        self._write(showable(text, self.out))

    def draw(self, line: str) -> None:
        """Draw a line over the one that was drawn before."""
        line = line[: width_of(self.out) - 1]
        self._write("\r" + line.ljust(len(self._drawn)))
        self._drawn = line

    def keep(self) -> None:
        """Let the drawn line stand; what follows goes below it."""
        self._drawn = ""
        self._write("\n")

    def _write(self, text: str) -> None:
        try:
            self.out.write(text)
            self.out.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.out.fileno())
