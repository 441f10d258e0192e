"""Standard output of a command: escaped, coloured on a terminal alone, quiet when nobody reads."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from otelbridge.cli._records import as_json
from otelbridge.errors import OtelbridgeError
from otelbridge.export.terminal import (
    Part,
    escape,
    is_terminal,
    paint,
    showable,
    wants_colour,
    width_of,
)

_STYLES = {"": "", "name": "bold", "dim": "dim", "event": "cyan", "error": "red"}
_STYLES["outcome"] = "yellow"
_BEYOND_ASCII = re.compile("[^\n -~]")
_NO_LIMIT = 1_000_000
"""Columns of what is no terminal: nothing is cut for a program that reads on."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: of the column.
        is_number: whether it stands at the right.
        may_be_cut: whether it gives way where the terminal is narrow.
    """

    title: str
    is_number: bool = False
    may_be_cut: bool = False


class Output:
    """What a command prints on standard output, as it is when this is made."""

    def __init__(self) -> None:
        # None where it was closed before we began: then nothing is written, as by ``print``.
        self._stream: TextIO = sys.stdout or io.StringIO()
        self.colour = wants_colour(self._stream)
        self.is_terminal = is_terminal(self._stream)
        self.width = width_of(self._stream) if self.is_terminal else None

    def line(self, *parts: Part) -> None:
        """Print one line of styled parts, escaped, and cut to the terminal's width."""
        self.text(paint(parts, self.width, colour=self.colour) + "\n")

    def lines(self, text: str) -> None:
        """Print text of several lines, each escaped and none cut."""
        self.text("".join(escape(line) + "\n" for line in text.splitlines()))

    def json(self, found: Any, *, indent: int | None = None) -> None:
        """Print a value as JSON, on one line without ``indent``."""
        text = json.dumps(as_json(found), indent=indent, ensure_ascii=False)
        self.text(_BEYOND_ASCII.sub(self._in_json, text) + "\n")

    def _in_json(self, found: re.Match[str]) -> str:
        """Write as JSON escapes it what a terminal must not get, and what the stream lacks."""
        text = found[0]
        if text.isprintable() and showable(text, self._stream) == text:
            return text
        units = text.encode("utf-16-be")
        return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[Part]]) -> None:
        """Print a table; every row has one part for each column."""
        table = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
        for column in columns:
            # Rich makes those columns narrow that may wrap; the cells themselves do not.
            table.add_column(
                column.title,
                justify="right" if column.is_number else "left",
                no_wrap=not column.may_be_cut,
                min_width=len(column.title),
            )
        for row in rows:
            table.add_row(*(_cell(style, text) for style, text in row))
        held = io.StringIO()
        Console(
            file=held,
            width=self.width or _NO_LIMIT,
            force_terminal=self.colour,
            color_system="standard" if self.colour else None,
            no_color=not self.colour,
            legacy_windows=False,
        ).print(table)
        self.text("".join(line.rstrip() + "\n" for line in held.getvalue().splitlines()))

    def text(self, text: str) -> None:
        """Print text that is escaped already and may hold colours.

        Raises:
            typer.Exit: the reader of a pipe has left; nothing that follows would be read.
            OtelbridgeError: it cannot be written.
        """
        try:
            self._stream.write(showable(text, self._stream))
            self._stream.flush()
        except BrokenPipeError:
            raise reader_left() from None
        except OSError as error:
            reader_left()
            raise OtelbridgeError(
                f"standard output cannot be written ({error.strerror}): see where it goes"
            ) from error


def reader_left() -> typer.Exit:
    """Return what ends a command that nobody reads on, as in ``otelbridge list | head -1``."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return typer.Exit(0)


def _cell(style: str, text: str) -> Text:
    return Text(escape(text), style=_STYLES[style], no_wrap=True, overflow="ellipsis")
