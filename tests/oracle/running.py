"""Running one program on one library: its result, or its error, as frozen data."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from .freeze import freeze
from .libraries import UPSTREAM, Library

Program = Callable[[Library], Any]

NO_CONFIG_IN_TASKS = sys.version_info < (3, 11)
"""Before Python 3.11 upstream does not pass the config by itself in async code."""


@dataclass(frozen=True)
class Case:
    """A written program and what is known about the difference that it shows, if any.

    Args:
        program: gets a library and gives what is to be compared; may be a coroutine function.
        departure: maps upstream's outcome to the one that is expected of ours.
    """

    program: Program
    departure: Callable[[Any], Any] | None = None

    @property
    def name(self) -> str:
        """The test's name: where the program is written, and what it is called."""
        module = self.program.__module__.rpartition(".")[2]
        return f"{module}:{self.program.__name__}"


def outcome(program: Program, lib: Library) -> Any:
    """What the program gives on that library, frozen; an exception counts as an outcome."""
    try:
        result = program(lib)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
    except Exception as error:
        return ("raised", freeze(error))
    return freeze(result)


def skip_where_upstream_cannot(program: Program) -> None:
    """Skip an async program on the Python versions where upstream loses the config."""
    if NO_CONFIG_IN_TASKS and inspect.iscoroutinefunction(program):
        pytest.skip(f"{UPSTREAM.name} needs Python 3.11 to pass the config by itself in async code")
