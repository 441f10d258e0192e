"""Which workloads are timed, against what, and with which budget; runs in a process of its own.

``python -m benchmarks.contests recording 40 2`` times all contests of one set-up, each in 40 rounds
or, if that takes longer, for 2 seconds, and prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from opentelemetry import trace

from benchmarks import by_hand, with_runnables
from benchmarks.drive import awaited, streamed, sync
from benchmarks.environment import SDKS, Sdk, set_up
from benchmarks.listeners import AsyncListener, Listener
from benchmarks.timing import PROCESSOR, WALL, Clock, Effort, Lap, Spread, Times, race, ratios
from benchmarks.workloads import CHUNKS, LABELLED, PLAIN, Labels, Programs

OURS: Final = "otelbridge"
HAND: Final = "by hand"
BARE: Final = "by hand, no attributes"
UPSTREAM: Final = "langchain-core"
GENERATOR: Final = "the generator itself"
LEAST: Final = "the least in a Context"


@dataclass(frozen=True)
class Workload:
    """One line of the contest: a program of each side, and the budgets of ours against theirs."""

    name: str
    program: str
    """Which of ``Programs``."""
    drive: Callable[[asyncio.AbstractEventLoop, Callable[[], Any]], Lap]
    budget: float | None
    """Of ours over the hand-made program; None: told, not judged."""
    bare_budget: float | None = None
    """Of ours over the hand-made program without attributes, where there is one."""
    clock: Clock = PROCESSOR


W1: Final = Workload("W1 invoke, 2 events", "invoke", sync, 1.15, 1.4)
W2: Final = Workload("W2 ainvoke, 2 events", "ainvoke", awaited, 1.15, 1.4)
RECORDING: Final = (
    W1,
    W2,
    Workload("W2 with an async handler", "ainvoke_async_handler", awaited, 1.15),
    Workload("W3 sequence of 5", "sequence", sync, 1.0),
    Workload("W3 with an event a step", "sequence_with_events", sync, 1.0),
    Workload("W4 batch of 100", "batch", sync, 1.15, clock=WALL),
    Workload("W4 abatch of 100", "abatch", awaited, 1.15),
    Workload("W5 astream, 1,000 chunks", "astream", streamed, None),
    Workload("W6 10,000 events in a run", "events", sync, 1.15),
)
CHEAP: Final = tuple(
    Workload(name, program, drive, 1.2)
    for name, program, drive in (
        ("W1 invoke, 2 events", "invoke", sync),
        ("W2 ainvoke, 2 events", "ainvoke", awaited),
        ("W3 sequence of 5", "sequence", sync),
    )
)
"""What is timed where nothing records: 1.2x the API's own path, run by the same hand-made code."""

CHUNK_BUDGET_US: Final = 0.5


class Contests:
    """The contests of one set-up, timed in this process."""

    def __init__(self, sdk: Sdk, effort: Effort) -> None:
        set_up(sdk)
        self._sdk = sdk
        self._effort = effort
        self._loop = asyncio.new_event_loop()
        self._tracer = trace.get_tracer("benchmarks")
        self._bare = by_hand.Bare(self._tracer, Listener())

    def results(self) -> list[dict[str, Any]]:
        """The outcome of each contest, ready for JSON."""
        if self._sdk != "recording":
            return [self._contest(workload, PLAIN, "") for workload in CHEAP]
        return [
            self._contest(workload, labels, suffix)
            for workload in RECORDING
            for labels, suffix in ((PLAIN, ""), (LABELLED, ", tags and metadata"))
        ]

    def close(self) -> None:
        """Close the event loop."""
        self._loop.close()

    def _contest(self, workload: Workload, labels: Labels, suffix: str) -> dict[str, Any]:
        laps = {
            name: workload.drive(self._loop, program)
            for name, program in self._programs(workload, labels).items()
        }
        times = race(laps, self._effort, workload.clock)
        # With tags and metadata ours makes more than the bare program: told, but not judged.
        bare_budget = workload.bare_budget if labels is PLAIN else None
        budgets = {HAND: workload.budget, BARE: bare_budget}
        return {
            "name": workload.name + suffix,
            "sdk": self._sdk,
            "rounds": len(times[OURS].seconds),
            "microseconds": {name: _us(time.seconds) for name, time in times.items()},
            "garbage": {name: time.garbage for name, time in times.items()},
            "ratios": _judged(times, budgets),
            "upstream": asdict(ratios(times[UPSTREAM], times[HAND])) if UPSTREAM in times else None,
            "chunk": _chunk(times) if GENERATOR in times else None,
        }

    def _programs(self, workload: Workload, labels: Labels) -> dict[str, Callable[[], Any]]:
        sides = {HAND: self._hand(labels), OURS: self._ours(labels)}
        upstream = self._upstream(labels)
        if upstream is not None:
            sides[UPSTREAM] = upstream
        programs: dict[str, Callable[[], Any]] = {
            name: getattr(side, workload.program) for name, side in sides.items()
        }
        if workload.program in ("invoke", "ainvoke"):
            programs[BARE] = getattr(self._bare, workload.program)
        if workload.program == "astream":
            programs[GENERATOR] = by_hand.generator_itself
            programs[LEAST] = by_hand.least_stream
        return programs

    def _hand(self, labels: Labels) -> Programs:
        return by_hand.programs(self._tracer, labels, Listener(), AsyncListener())

    def _ours(self, labels: Labels) -> Programs:
        library = with_runnables.otelbridge()
        return with_runnables.programs(library, labels, Listener(), AsyncListener())

    def _upstream(self, labels: Labels) -> Programs | None:
        library = with_runnables.langchain_core()
        if library is None:
            return None
        return with_runnables.programs(
            library,
            labels,
            with_runnables.langchain_handler(Listener()),
            with_runnables.langchain_async_handler(AsyncListener()),
        )


def _us(seconds: list[float]) -> dict[str, float]:
    return asdict(Spread.of([second * 1e6 for second in seconds]))


def _judged(
    times: Mapping[str, Times], budgets: Mapping[str, float | None]
) -> dict[str, dict[str, Any]]:
    """Ours over each opponent that has a budget or is worth telling."""
    return {
        opponent: {**asdict(ratios(times[OURS], times[opponent])), "budget": budget}
        for opponent, budget in budgets.items()
        if opponent in times
    }


def _chunk(times: Mapping[str, Times]) -> dict[str, Any]:
    """What each side adds to a chunk of the generator itself, in microseconds."""
    plain = times[GENERATOR].seconds

    def added(name: str) -> dict[str, float]:
        pairs = zip(times[name].seconds, plain, strict=True)
        return asdict(Spread.of([(with_run - alone) / CHUNKS * 1e6 for with_run, alone in pairs]))

    sides = [name for name in times if name != GENERATOR]
    return {"budget": CHUNK_BUDGET_US, "added": {name: added(name) for name in sides}}


def main(arguments: list[str]) -> None:
    """Time the contests of the set-up named by the first argument and print them as JSON."""
    sdk = next(known for known in SDKS if known == arguments[0])
    contests = Contests(sdk, Effort(rounds=int(arguments[1]), seconds=float(arguments[2])))
    try:
        json.dump(contests.results(), sys.stdout)
    finally:
        contests.close()


if __name__ == "__main__":
    main(sys.argv[1:])
