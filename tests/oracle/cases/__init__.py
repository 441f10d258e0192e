"""The written programs, by subject. Each module fills `CASES` with the `case` decorator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..running import Case, Program

CASES: list[Case] = []


def case(departure: Callable[[Any], Any] | None = None) -> Callable[[Program], Program]:
    """Put a program into the table."""

    def add(program: Program) -> Program:
        CASES.append(Case(program, departure))
        return program

    return add
