"""What people write for times, durations and sizes."""

from __future__ import annotations

import re
import time
from datetime import datetime

import typer

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|m|min|h|d|w)")
_SECONDS = {
    **{"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0},
    **{"m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0},
}
_LONGEST_S = 1e12  # longer than there are times in ns
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def seconds(text: str) -> float:
    """Read a duration: ``250ms``, ``1.5s``, ``2h``, ``30d``.

    Raises:
        typer.BadParameter: it is none.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no duration: write 250ms, 1.5s, 10m, 2h or 30d")
    return float(found[1]) * _SECONDS[found[2]]


def duration_ns(text: str) -> int:
    """Read a duration, in ns."""
    return round(min(seconds(text), _LONGEST_S) * 1e9)


def moment_ns(text: str) -> int:
    """Read a time: ISO 8601, of the local zone where it has none, or how long ago it was.

    Raises:
        typer.BadParameter: it is neither.
    """
    if _DURATION.fullmatch(text.strip()):
        return time.time_ns() - duration_ns(text)
    try:
        return round(datetime.fromisoformat(text.strip().replace("Z", "+00:00")).timestamp() * 1e9)
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(
            f"{text!r} is no time: write 10m for ten minutes ago, or 2026-11-23T12:30"
        ) from None


def size_bytes(text: str) -> int:
    """Read a size: ``500MB``, ``1GiB``, ``1048576``.

    Raises:
        typer.BadParameter: it is none.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no size: write 500MB, 1GiB or a number of bytes")
    unit: int = (1024 if found[3] else 1000) ** _POWERS[found[2].lower()]
    return round(float(found[1]) * unit)


def size_text(size: int) -> str:
    """Write a size as people read it: ``1.2 MB``."""
    if size < 1000:
        return f"{size} bytes"
    amount = float(size)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"


def clock(time_ns: int, *, fractions: bool = False) -> str:
    """Write a time in the local zone: ``2026-11-23 12:30:05``, or ``12:30:05.250``."""
    try:
        moment = datetime.fromtimestamp(time_ns / 1e9)
    except (ValueError, OverflowError, OSError):  # no year that a calendar has
        return f"{time_ns} ns"
    if fractions:
        return moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03}"
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def failure(kind: str, told: str) -> str:
    """Write an error's kind and its message, each once."""
    if kind in told:
        return told or "error"
    return f"{kind}: {told}" if told else kind


def counted(number: int, noun: str) -> str:
    """``1 trace``, ``1,000 traces``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
