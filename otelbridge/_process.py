"""Which process this is: a run belongs to the one that began it."""

from __future__ import annotations

import os
from collections.abc import Callable

_renewals: list[Callable[[], None]] = []


class _Process:
    """Holds a token that a forked child replaces; comparing it is cheaper than ``getpid``."""

    __slots__ = ("token",)

    def __init__(self) -> None:
        self.token = object()


process = _Process()


def renew_in_child(renew: Callable[[], None]) -> None:
    """Call ``renew`` in every forked child: locks and tables must be new there."""
    _renewals.append(renew)


def _after_fork() -> None:
    process.token = object()
    for renew in _renewals:
        renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
