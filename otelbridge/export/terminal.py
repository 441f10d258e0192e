"""What a terminal needs: escaped text, column widths, colours, characters that it can show.

Names and data come from users and from what users read, so nothing of them reaches a terminal
unescaped: no control character, no line break, no escape sequence, no change of direction.
"""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TextIO

Part = tuple[str, str]  # style, text

_STYLES = {"": "", "name": "1", "dim": "2", "event": "36", "error": "31", "outcome": "33"}
_PLAIN = str.maketrans("├└│─·✗→←…µ", "|`|-*x><~u")
_WIDTH_OF_A_FILE = 200


def paint(parts: Iterable[Part], width: int | None, *, colour: bool) -> str:
    """Join styled parts to one line, escaped, and cut to ``width`` columns."""
    line, room = "", width
    for style, text in parts:
        if room is None:
            clean = escape(text)
        else:
            # What cannot fit is not worth escaping: one value may be many KiB.
            most = 4 * room
            clean, room = _fit(escape(text[:most]) + "…" * (len(text) > most), room)
        if clean:
            line += f"\x1b[{_STYLES[style]}m{clean}\x1b[0m" if colour and style else clean
        if room == 0:
            break
    return line if colour else line.rstrip()


def escape(text: str) -> str:
    """Write every character that is not printable as Python escapes it."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def cells(text: str) -> int:
    """Return how many columns a terminal gives to ``text``."""
    return len(text) if text.isascii() else sum(_cell(char) for char in text)


def wants_colour(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether to colour: NO_COLOR and FORCE_COLOR decide, else whether it is a terminal.

    Source: https://no-color.org and https://force-color.org; NO_COLOR wins.
    """
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return environ.get("TERM") != "dumb" and is_terminal(stream)


def width_of(stream: TextIO) -> int:
    """Return the columns of a terminal, and a width that cuts little for anything else."""
    return shutil.get_terminal_size().columns if is_terminal(stream) else _WIDTH_OF_A_FILE


def is_terminal(stream: TextIO) -> bool:
    """Tell whether ``stream`` is a terminal; one that cannot say so is none."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # a stand-in without isatty, or a closed stream
        return False


def showable(text: str, stream: TextIO) -> str:
    """Return ``text`` with what the stream's encoding lacks replaced by plain characters."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        plain = text.translate(_PLAIN)
        return plain.encode(encoding, "backslashreplace").decode(encoding)
    return text


def _fit(text: str, room: int) -> tuple[str, int]:
    """Return as much of ``text`` as ``room`` columns take, and the columns left (0 when cut)."""
    if cells(text) <= room:
        return text, room - cells(text)
    kept = text[:room]
    while kept and cells(kept) >= room:
        kept = kept[:-1]
    return kept + "…", 0


def _cell(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
