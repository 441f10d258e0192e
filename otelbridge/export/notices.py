"""What the export says in the log: each thing at most once a minute, losses with their counts."""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from time import monotonic

from otelbridge.export._shield import Shield, inside

logger = logging.getLogger("otelbridge")

EVERY_S = 60.0
_HOWS = 10
_Line = tuple[int, str, tuple[object, ...]]
_held: list[_Line] | None = None
_later: deque[_Line] = deque()


def hold() -> None:
    """Keep all lines back: a signal handler runs, and its thread may hold a log handler's lock."""
    global _held
    _held = []


def let_go() -> None:
    """Log the lines that were kept back."""
    global _held
    lines, _held = _held, None
    for level, message, values in lines or ():
        logger.log(level, message, *values)


class Notices:
    """The lines of one pipeline. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = Shield()
        self._said: dict[str, float] = {}
        self._lost: dict[str, int] = {}
        self._lost_said = -EVERY_S

    def say(self, topic: str, level: int, message: str, *values: object) -> None:
        """Log a line, unless one on the same topic was logged within the last minute."""
        now = monotonic()
        with self._lock:
            if now - self._said.get(topic, -EVERY_S) < EVERY_S:
                return
            self._said[topic] = now
        _log(level, message, values)

    def forget(self, topic: str) -> None:
        """Let the next line on a topic be logged, because what it told of is over."""
        with self._lock:
            self._said.pop(topic, None)

    def lost(self, count: int, how: str) -> None:
        """Count lost spans, and log them when it is time."""
        if count:
            with self._lock:
                if len(self._lost) >= _HOWS:  # a receiver may name each span in its answer
                    how = "otherwise"
                self._lost[how] = self._lost.get(how, 0) + count
            self.tell_losses()

    def tell_losses(self, *, at_once: bool = False) -> None:
        """Log the losses that are not yet told, at most once a minute but at the very end."""
        now = monotonic()
        while _later and not inside():
            with suppress(IndexError):  # another thread says it
                _log(*_later.popleft())
        with self._lock:
            if not self._lost or (now - self._lost_said < EVERY_S and not at_once):
                return
            told, self._lost, self._lost_said = self._lost, {}, now
        what = "; ".join(f"{count} {how}" for how, count in told.items())
        _log(logging.WARNING, "otelbridge lost spans: %s", (what,))


def _log(level: int, message: str, values: tuple[object, ...]) -> None:
    if _held is not None:
        _held.append((level, message, values))
    elif inside():  # a log handler may have a lock, in which other threads end spans
        _later.append((level, message, values))
    else:
        logger.log(level, message, *values)
