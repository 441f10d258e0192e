"""Timing in turns: small rounds of each contestant, one after another, again and again.

What else the machine does meets all contestants alike, so a ratio is taken within each round and
the median of those ratios is the result. The garbage collector is off while a lap is timed and runs
between laps; the heap as it was at the start is frozen, so that this is quick.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

Lap = Callable[[int], None]
"""Runs a program so many times."""

WARM_UP_S = 0.03
"""How long each contestant runs before it is timed: caches fill, the interpreter specialises."""


@dataclass(frozen=True)
class Spread:
    """The median of some samples with the quartiles around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Spread:
        """The spread of ``samples`` (at least two)."""
        low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
        return cls(low, median, high)


@dataclass(frozen=True)
class Times:
    """One contestant's samples, in rounds."""

    seconds: list[float]
    """Seconds for one run of the program, in each round."""
    garbage: float
    """Objects in reference cycles that one run left to the collector."""


def race(laps: Mapping[str, Lap], *, rounds: int, lap_s: float) -> dict[str, Times]:
    """Time the contestants in turns; ``lap_s`` is how long a lap should take, in seconds."""
    counts = {name: _runs_in(lap, lap_s) for name, lap in laps.items()}
    samples: dict[str, list[float]] = {name: [] for name in laps}
    garbage = dict.fromkeys(laps, 0)
    order = list(laps)
    with _quiet_collector():
        for _ in range(rounds):
            for name in order:
                samples[name].append(_timed(laps[name], counts[name]))
                garbage[name] += gc.collect()
            # Whoever came first comes last in the next round, so that no place is always the same.
            order.append(order.pop(0))
    return {
        name: Times(samples[name], round(garbage[name] / (rounds * counts[name]), 2))
        for name in laps
    }


def ratios(ours: Times, theirs: Times) -> Spread:
    """Ours over theirs, round by round."""
    return Spread.of([a / b for a, b in zip(ours.seconds, theirs.seconds, strict=True)])


def _timed(lap: Lap, count: int) -> float:
    start = time.perf_counter_ns()
    lap(count)
    return (time.perf_counter_ns() - start) / count / 1e9


def _runs_in(lap: Lap, lap_s: float) -> int:
    """How many runs take about ``lap_s`` seconds, found while warming up."""
    count, elapsed, warm_until = 1, 0.0, time.perf_counter() + WARM_UP_S
    while time.perf_counter() < warm_until:
        elapsed = _timed(lap, count)
        if elapsed * count < WARM_UP_S / 4:
            count *= 2
    return max(1, round(lap_s / elapsed))


@contextmanager
def _quiet_collector() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
