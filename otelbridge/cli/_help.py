"""A command's help: its docstring, then examples, then what its exit status says."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def prose(command: Callable[..., Any]) -> str:
    """Return the docstring with each paragraph as one line, for a terminal of any width."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def foot(*examples: str, status: str) -> str:
    """Return paragraphs of rich markup: the examples, one a line, and the exit status."""
    lines = "\n".join(f"  $ {example}" for example in examples)
    return f"\b\n[bold]Examples[/]\n{_plain(lines)}\n\n[bold]Exit status[/]  {_plain(status)}"


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
