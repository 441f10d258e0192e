"""A few lines that are drawn again and again below whatever a program writes to its terminal.

They lie below the cursor, which is always put back to where the program left it. So nothing has to
be known of what the program wrote, nor of what a child of it writes: to erase is to erase below
the cursor, and a program that is killed leaves a terminal in order. Before the program's own
writes the lines are erased, so that its output stands as it would without them.

Relied on: the objects under ``sys.stdout`` and ``sys.stderr`` (``io.FileIO``) take an attribute
``write``, and everything that Python code prints goes through it. ``sys.stdout`` itself stays.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TextIO

from otelbridge.export.terminal import showable

_ERASE_BELOW = "\x1b[J"


class Region:
    """Lines below the cursor of the terminal that ``stream`` is.

    Any thread may call; a signal handler of the program may write at any point.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._descriptor = stream.fileno()
        self._lock = threading.RLock()
        self._is_drawn = False
        self._taken: list[Any] = []

    @property
    def size(self) -> os.terminal_size:
        """Columns and lines of the terminal."""
        try:
            found = os.get_terminal_size(self._descriptor)
        except OSError:
            found = os.terminal_size((0, 0))
        return os.terminal_size((found.columns or 80, found.lines or 24))

    @property
    def is_free(self) -> bool:
        """Whether lines are read whole: an editor, a shell or a prompt wants the screen alone."""
        try:
            import termios

            flags = termios.tcgetattr(self._descriptor)[3]
        except Exception:  # Windows, or a terminal that has gone
            return os.name == "nt"
        return bool(flags & termios.ICANON)

    def draw(self, lines: Sequence[str]) -> None:
        """Draw these lines, which are escaped and fit the width, in place of those before."""
        room = self.size.lines - 1
        lines = lines[:room]
        if not lines and not self._is_drawn:
            return
        # Down and up again first, which makes room at the foot of the screen and keeps the column.
        down = "\x1bD" * len(lines) + (f"\x1b[{len(lines)}A" if lines else "")
        below = "".join(f"\r\n{line}" for line in lines)
        with self._lock:
            self._write(_ERASE_BELOW + down + "\x1b7" + below + "\x1b8")
            self._is_drawn = bool(lines)

    def say(self, text: str) -> None:
        """Write lines that stay, above those that are drawn."""
        with self._lock:
            self.erase()
            self._write(text.replace("\n", "\r\n"))

    def erase(self) -> None:
        """Take the drawn lines away."""
        if self._is_drawn:
            self._is_drawn = False
            self._write(_ERASE_BELOW)

    def take(self, *streams: TextIO) -> None:
        """Erase the lines whenever something is written to one of these streams."""
        for stream in streams:
            buffer = getattr(stream, "buffer", None)
            raw = getattr(buffer, "raw", buffer)
            with suppress(AttributeError, TypeError, ValueError, OSError):
                if raw is not None and os.isatty(raw.fileno()):
                    raw.write = self._erasing(raw.write)
                    self._taken.append(raw)

    def give_back(self) -> None:
        """Leave the streams as they were found."""
        self.erase()
        for raw in self._taken:
            with suppress(AttributeError):
                del raw.write
        self._taken.clear()

    def forget(self) -> None:
        """Draw no more, because this is a forked child: the screen is the parent's."""
        self._lock = threading.RLock()
        self._is_drawn = False
        self._descriptor = -1

    def _erasing(self, write: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def erase_and_write(data: Any) -> Any:
            if self._is_drawn:
                with self._lock:
                    self.erase()
                    return write(data)
            return write(data)

        return erase_and_write

    def _write(self, text: str) -> None:
        data = showable(text, self._stream).encode(self._stream.encoding or "utf-8", "replace")
        with suppress(OSError):
            while data and self._descriptor >= 0:
                data = data[os.write(self._descriptor, data) :]


def streams_of_a_terminal() -> list[TextIO]:
    """Return standard output and error, where they are there."""
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None]
