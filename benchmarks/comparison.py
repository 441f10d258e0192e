"""The outcome of a race as plain data: what JSON holds, and the table shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.timing import Spread, Times, ratios


def comparison(
    name: str,
    times: Mapping[str, Times],
    against: str,
    budgets: Mapping[str, float | None],
    *,
    parts: int = 1,
) -> dict[str, Any]:
    """Compare contestants with one of them.

    Args:
        name: what was measured.
        times: of all contestants.
        against: the one that the others are compared with.
        budgets: of each of the others, over that one; None: told, not judged.
        parts: how many there are, in one run, of what the times are told for.
    """
    return {
        "name": name,
        "against": against,
        "rounds": len(times[against].seconds),
        "microseconds": {side: _us(time.seconds, parts) for side, time in times.items()},
        "garbage": {side: time.garbage / parts for side, time in times.items()},
        "ratios": {
            side: {**asdict(ratios(times[side], times[against])), "budget": budget}
            for side, budget in budgets.items()
        },
    }


def _us(seconds: list[float], parts: int) -> dict[str, float]:
    return asdict(Spread.of([second / parts * 1e6 for second in seconds]))
