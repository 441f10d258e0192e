"""Says at the end how many schedules the laws were checked on."""

from __future__ import annotations

import sys
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figure."""
    counting = sys.modules.get("laws.counting")
    if counting is not None and counting.schedules:
        terminalreporter.write_line(f"laws: {counting.schedules:,} schedules")
