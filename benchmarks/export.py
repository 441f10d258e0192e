"""What export costs, beside the SDK's batch processor with the official exporter.

``python -m benchmarks.export grpc 40 8`` times the contests over one protocol, each in 40 rounds
or, if that takes longer, for 8 seconds, and prints JSON. The same spans go to the same receiver,
whose process is another; a lap with a span that does not arrive is an error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from opentelemetry import trace

from benchmarks.by_hand import ByHand
from benchmarks.comparison import comparison
from benchmarks.exporters import DURABLE, OURS, SDK, Side, sides
from benchmarks.listeners import AsyncListener, Listener
from benchmarks.sink import Sink, sink
from benchmarks.timing import CALLER, PROCESSOR, WALL, Clock, Effort, race
from benchmarks.workloads import PLAIN, TEXT

WORK: Final = 2_000
"""How far each turn of the busy loop counts: some 30 µs, so that it is not all telemetry."""


class Ending:
    """Laps that end spans, which were started before.

    Args:
        side: the contestant.
        receiver: what it sends to.
        to_the_end: whether a lap lasts until its spans are acknowledged.
    """

    def __init__(self, side: Side, receiver: Sink, *, to_the_end: bool) -> None:
        self._side = side
        self._receiver = receiver
        self._to_the_end = to_the_end
        self._spans: list[trace.Span] = []

    def set_stage(self, count: int) -> None:
        """Start the spans of a lap."""
        self._spans = self._side.open_spans(count)

    def lap(self, count: int) -> None:
        """Do what is timed."""
        for span in self._spans:
            span.end()
        if self._to_the_end:
            self._flush()

    def clear_stage(self, count: int) -> None:
        """Wait for the rest of the lap.

        Raises:
            RuntimeError: not all has arrived, so that the time means nothing.
        """
        self._spans.clear()
        self._flush()
        if (received := self._receiver.received()) != count:
            raise RuntimeError(f"{count} spans were ended, and {received} have arrived")

    def _flush(self) -> None:
        if not self._side.flush():
            raise RuntimeError("the receiver has not acknowledged all spans")


class Looping(Ending):
    """Laps of a program that is busy, and makes runs meanwhile."""

    def __init__(self, side: Side, receiver: Sink, *, to_the_end: bool) -> None:
        super().__init__(side, receiver, to_the_end=to_the_end)
        self._reflect = ByHand(side.tracer, PLAIN, Listener(), AsyncListener()).reflect

    def set_stage(self, count: int) -> None:
        """Need nothing."""

    def lap(self, count: int) -> None:
        """Do what is timed."""
        for _ in range(count):
            self._reflect(TEXT)
            sum(range(WORK))
        super().lap(count)


@dataclass(frozen=True)
class Contest:
    """One thing that is measured on every side, and the budgets of ours against the SDK's."""

    name: str
    kind: type[Ending]
    clock: Clock
    budgets: Mapping[str, float | None]
    """By contestant; None: told, not judged."""
    to_the_end: bool = False
    spans: int = 1_024
    """Of a lap: some batches, and no more than the SDK's queue takes without a loss."""


CONTESTS: Final = (
    Contest("end to acknowledged", Ending, PROCESSOR, {OURS: 0.6, DURABLE: 1.0}, to_the_end=True),
    Contest("span.end()", Ending, CALLER, {OURS: 2.0, DURABLE: None}),
    Contest("busy loop", Looping, WALL, {OURS: 1.0}, spans=2_048),
    Contest("busy loop and flush", Looping, WALL, {OURS: 1.0}, to_the_end=True, spans=2_048),
)


def results(protocol: str, effort: Effort) -> list[dict[str, Any]]:
    """The outcome of each contest over one protocol, ready for JSON."""
    with sink() as receiver, TemporaryDirectory() as spool:
        contestants = sides(protocol, receiver.urls[protocol], Path(spool))
        try:
            return [
                _result(contest, protocol, contestants, receiver, effort) for contest in CONTESTS
            ]
        finally:
            for side in contestants.values():
                side.close()


def _result(
    contest: Contest, protocol: str, contestants: Mapping[str, Side], receiver: Sink, effort: Effort
) -> dict[str, Any]:
    laps = {
        name: contest.kind(contestants[name], receiver, to_the_end=contest.to_the_end)
        for name in (*contest.budgets, SDK)
    }
    times = race(laps, replace(effort, count=contest.spans), contest.clock)
    return comparison(f"{protocol}: {contest.name}", times, SDK, contest.budgets)


def main(arguments: list[str]) -> None:
    """Time the contests over the protocol named by the first argument and print them as JSON."""
    effort = Effort(rounds=int(arguments[1]), seconds=float(arguments[2]))
    json.dump(results(arguments[0], effort), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
