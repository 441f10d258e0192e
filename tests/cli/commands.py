"""The command as a process of its own: with pipes, or in a pseudo-terminal whose screen is read."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pexpect
import pyte

from otelbridge import cli

COMMAND = (sys.executable, "-m", "otelbridge.cli")
LIMIT_S = 60
_LEFT_OUT = ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES")


def environment(store: Path, **more: str) -> dict[str, str]:
    """This process's environment, with a store of the test's own."""
    return {
        **{name: value for name, value in os.environ.items() if name not in _LEFT_OUT},
        "OTELBRIDGE_STORE": str(store),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        **more,
    }


@dataclass(frozen=True)
class Ran:
    """What a command gave."""

    returncode: int
    stdout: str
    stderr: str


def piped(*words: str, store: Path, given: str = "", **more: str) -> Ran:
    """Run the command in this process; none of its streams is a terminal."""
    out, errors = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, environment(store, **more), clear=True),
        patch.object(sys, "stdin", io.StringIO(given)),
        redirect_stdout(out),
        redirect_stderr(errors),
    ):
        time.tzset()
        status = cli.main(words)
    time.tzset()
    return Ran(status, out.getvalue(), errors.getvalue())


class Terminal:
    """A command in a pseudo-terminal, and what its screen shows."""

    def __init__(
        self,
        words: Sequence[str],
        environ: Mapping[str, str],
        size: tuple[int, int] = (24, 100),
        cwd: Path | None = None,
    ) -> None:
        rows, columns = size
        self.raw = b""
        self._screen = pyte.HistoryScreen(columns, rows, history=10_000, ratio=0.001)
        self._stream = pyte.ByteStream(self._screen)
        self.child = pexpect.spawn(
            words[0],
            list(words[1:]),
            dimensions=size,
            env=dict(environ),
            timeout=LIMIT_S,
            cwd=None if cwd is None else str(cwd),
        )

    @property
    def lines(self) -> list[str]:
        """The screen's lines, without blanks at their ends and empty ones below."""
        shown = [line.rstrip() for line in self._screen.display]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    @property
    def text(self) -> str:
        """The screen as one string."""
        return "\n".join(self.lines)

    @property
    def cursor(self) -> tuple[int, int]:
        """Line and column of the cursor, from 0."""
        return self._screen.cursor.y, self._screen.cursor.x

    def read(self, seconds: float = 0.05) -> bool:
        """Take in what has come; False at the end."""
        try:
            came = self.child.read_nonblocking(65536, seconds)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += came
        self._stream.feed(came)
        return True

    def until(self, holds: Callable[[Terminal], Any]) -> Terminal:
        """Wait until the screen is as it should be."""
        deadline = time.monotonic() + LIMIT_S
        while not holds(self):
            assert time.monotonic() < deadline, self.text
            assert self.read() or holds(self), self.text
        return self

    def shows(self, text: str) -> Terminal:
        """Wait until the screen holds ``text``."""
        return self.until(lambda it: text in it.text)

    def end(self) -> int:
        """Wait for the end; return the exit status, negative for a signal."""
        deadline = time.monotonic() + LIMIT_S
        while self.read():
            assert time.monotonic() < deadline, self.text
        self.child.close()
        if self.child.signalstatus is not None:
            return -int(self.child.signalstatus)
        return int(self.child.exitstatus or 0)


@contextmanager
def terminal(
    *words: str,
    store: Path,
    size: tuple[int, int] = (24, 100),
    cwd: Path | None = None,
    command: Sequence[str] = COMMAND,
    **more: str,
) -> Iterator[Terminal]:
    """Run the command in a pseudo-terminal of so many lines and columns."""
    opened = Terminal([*command, *words], environment(store, **more), size, cwd)
    try:
        yield opened
    finally:
        if opened.child.isalive():
            opened.child.kill(signal.SIGKILL)
        opened.child.close(force=True)
