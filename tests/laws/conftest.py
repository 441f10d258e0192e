"""Says at the end how many schedules the laws were checked on."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module", autouse=True)
def _thawed() -> Iterator[None]:
    """What ``watched`` has kept from the garbage collector is given back to it."""
    yield
    gc.unfreeze()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figure."""
    counting = sys.modules.get("laws.counting")
    if counting is not None and counting.schedules:
        terminalreporter.write_line(f"laws: {counting.schedules:,} schedules")
