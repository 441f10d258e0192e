"""What a native run passes on to the LangChain code in its body: its config."""

from __future__ import annotations


def open_() -> None:
    """Let LangChain see the config of native runs."""


def close() -> None:
    """Undo ``open_``."""
