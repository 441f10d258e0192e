"""Timing in turns: small rounds of each contestant, one after another, again and again.

What else the machine does meets all contestants alike, so a ratio is taken within each round and
the median of those ratios is the result. Each pays for its own garbage: what is there at the start
is frozen out of the collector's sight, every lap begins with nothing to collect, and the collector
runs while laps are timed, as it does in a program.

Time is the processor's, where the system counts it finely enough: what other programs take from
this one is not in it. Where threads wait for one another, it is the time on the wall.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

Lap = Callable[[int], None]
"""Runs a program so many times."""


class Staged(Protocol):
    """A program that needs work before and after a lap, which is not timed."""

    def set_stage(self, count: int) -> None:
        """Make ready what a lap of so many runs needs."""

    def lap(self, count: int) -> None:
        """Run the program so many times."""

    def clear_stage(self, count: int) -> None:
        """Let what the lap has begun come to its end."""


Clock = Callable[[], int]
"""Tells nanoseconds."""

WALL: Final[Clock] = time.perf_counter_ns
PROCESSOR: Final[Clock] = (
    time.process_time_ns if time.get_clock_info("process_time").resolution <= 1e-6 else WALL
)
CALLER: Final[Clock] = (
    time.thread_time_ns if time.get_clock_info("thread_time").resolution <= 1e-6 else WALL
)
"""Counts the calling thread's own processor time."""

WARM_UP_S: Final = 0.03
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
    """Objects in reference cycles that one run left to the collector (counted apart)."""


@dataclass(frozen=True)
class Effort:
    """How long a race goes on: so many rounds, or fewer if that would take too long."""

    rounds: int
    seconds: float
    lap_s: float = 0.01
    """A small program's lap: so long that its first runs, which find the processor's caches and
    predictors full of another contestant, count for little."""
    least_rounds: int = 5
    count: int | None = None
    """Runs of a lap, the same for all; None: as many as take ``lap_s``, for each its own."""


def race(
    laps: Mapping[str, Lap | Staged], effort: Effort, clock: Clock = PROCESSOR
) -> dict[str, Times]:
    """Time the contestants in turns."""
    counts = {name: effort.count or runs_in(lap, effort.lap_s) for name, lap in laps.items()}
    samples: dict[str, list[float]] = {name: [] for name in laps}
    order = list(laps)
    stop_at = time.monotonic() + effort.seconds
    with frozen_heap():
        for done in range(effort.rounds):
            if done >= effort.least_rounds and time.monotonic() > stop_at:
                break
            for name in order:
                samples[name].append(timed(laps[name], counts[name], clock))
                gc.collect()
            # Whoever came first comes last in the next round, so that no place is always the same.
            order.append(order.pop(0))
        return {name: Times(samples[name], garbage_of(laps[name])) for name in laps}


def ratios(ours: Times, theirs: Times) -> Spread:
    """Ours over theirs, round by round."""
    return Spread.of([a / b for a, b in zip(ours.seconds, theirs.seconds, strict=True)])


def timed(lap: Lap | Staged, count: int, clock: Clock) -> float:
    """How many seconds one run takes, in a lap of so many."""
    if callable(lap):
        start = clock()
        lap(count)
        return (clock() - start) / count / 1e9
    lap.set_stage(count)
    gc.freeze()
    elapsed = timed(lap.lap, count, clock)
    lap.clear_stage(count)
    return elapsed


def runs_in(lap: Lap | Staged, lap_s: float) -> int:
    """How many runs take about ``lap_s`` seconds, found while warming up."""
    count, elapsed, warm_until = 1, 0.0, time.perf_counter() + WARM_UP_S
    while time.perf_counter() < warm_until:
        elapsed = timed(lap, count, WALL)
        if elapsed * count < WARM_UP_S / 4:
            count *= 2
    return max(1, round(lap_s / elapsed))


def garbage_of(lap: Lap | Staged) -> float:
    """How many objects in reference cycles one run leaves to the collector."""
    runs = 2
    gc.collect()
    gc.disable()
    try:
        timed(lap, runs, WALL)
        return gc.collect() / runs
    finally:
        gc.enable()


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Keep what is there from the collector's sight."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
