"""What the embedded store costs a program, and how fast it answers when it is large.

``python -m benchmarks.store 40 8 1000000`` times the contests, each in 40 rounds or, if that takes
longer, for 8 seconds, asks a store of a million spans, and prints JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from benchmarks import many_spans, with_runnables
from benchmarks.by_hand import ByHand
from benchmarks.comparison import comparison
from benchmarks.listeners import AsyncListener, Listener
from benchmarks.timing import CALLER, WALL, Clock, Effort, Spread, Staged, race
from benchmarks.workloads import PLAIN, TEXT
from otelbridge import configure
from otelbridge.demo.corpus import find_files
from otelbridge.demo.pipeline import index_files
from otelbridge.store import Filter, Store
from otelbridge.store.sink import StoreSink

STORED, UNSTORED, HAND = "stored", "not stored", "by hand"
RUNS: Final = 2_000
"""Of a lap: so many that the writer works beside the program, and not behind it alone."""
LOOKS: Final = 20
ASKED: Final = 7


class Switch(SpanProcessor):
    """Passes spans on, or not: both contestants are one program with one provider."""

    target: SpanProcessor | None = None

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Pass it on."""
        if self.target is not None:
            self.target.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass it on."""
        if self.target is not None:
            self.target.on_end(span)


class Working:
    """Laps of a program, with or without a store.

    Args:
        program: is run.
        switch: decides whether its spans are stored.
        sink: where to; None: nowhere.
        to_the_end: whether a lap lasts until all is committed.
    """

    def __init__(
        self,
        program: Callable[[], object],
        switch: Switch | None = None,
        sink: StoreSink | None = None,
        *,
        to_the_end: bool = False,
    ) -> None:
        self._program = program
        self._switch = switch
        self._sink = sink
        self._to_the_end = to_the_end

    def set_stage(self, count: int) -> None:
        """Turn the switch."""
        if self._switch is not None:
            self._switch.target = self._sink

    def lap(self, count: int) -> None:
        """Do what is timed."""
        for _ in range(count):
            self._program()
        if self._to_the_end:
            self._flush()

    def clear_stage(self, count: int) -> None:
        """Wait for what is not committed yet, and for the index of it."""
        self._flush()
        if self._sink is not None:
            self._sink._upkeep.finish(60)

    def _flush(self) -> None:
        """Wait until all is committed.

        Raises:
            RuntimeError: some was lost, so that the time means nothing.
        """
        if self._sink is not None and not self._sink.force_flush():
            raise RuntimeError(f"the store has not got all spans: {self._sink.stats()}")


def contests(folder: Path, effort: Effort) -> list[dict[str, Any]]:
    """What a program pays, beside itself without a store and beside spans made by hand."""
    switch, sink = Switch(), StoreSink(folder / "contests.db")
    provider, by_hand = TracerProvider(), TracerProvider()
    provider.add_span_processor(switch)
    listener, waiting = Listener(), AsyncListener()
    with configure(tracer_provider=provider, store=False):
        ours = with_runnables.programs(with_runnables.otelbridge(), PLAIN, listener, waiting).invoke
        hand = ByHand(by_hand.get_tracer("benchmark"), PLAIN, listener, waiting)
        files = find_files(None)
        pipeline = index_files()

        def sides(program: Callable[[], object], *, to_the_end: bool) -> dict[str, Staged]:
            return {
                STORED: Working(program, switch, sink, to_the_end=to_the_end),
                UNSTORED: Working(program, switch),
            }

        runs = replace(effort, count=RUNS)
        to_the_end: dict[str, Staged] = {
            STORED: Working(ours, switch, sink, to_the_end=True),
            HAND: Working(lambda: hand.reflect(TEXT)),
        }
        found = [
            _contest("invoke with 2 events, to committed", to_the_end, runs, WALL, HAND, 2.2),
            _contest(
                "invoke with 2 events, its own thread",
                sides(ours, to_the_end=False), runs, CALLER, UNSTORED, None,
            ),
            _contest(
                "the demo's pipeline",
                sides(lambda: pipeline.invoke(files), to_the_end=False),
                replace(effort, count=1), WALL, UNSTORED, 1.05,
            ),
        ]  # fmt: skip
    sink.shutdown()
    return found


def _contest(
    name: str,
    laps: Mapping[str, Staged],
    effort: Effort,
    clock: Clock,
    against: str,
    budget: float | None,
) -> dict[str, Any]:
    return comparison(f"store: {name}", race(laps, effort, clock), against, {STORED: budget})


def claim(name: str, samples: list[float], unit: str, budget: float) -> dict[str, Any]:
    """Compare what was measured with a bound."""
    spread = Spread.of(samples)
    return {
        "name": f"store: {name}", "unit": unit, "budget": budget,
        "low": spread.low, "median": spread.median, "high": spread.high,
    }  # fmt: skip


def added(contest: Mapping[str, Any]) -> dict[str, Any]:
    """What a run costs its own thread more, of that contest."""
    times = contest["microseconds"]
    more = {at: times[STORED][at] - times[UNSTORED][at] for at in ("low", "median", "high")}
    return {"name": "store: added to a run's own thread", "unit": "µs", "budget": 15, **more}


def visible(folder: Path) -> dict[str, Any]:
    """How long an event takes from its dispatch to another connection's view."""
    sink = StoreSink(folder / "visible.db")
    provider = TracerProvider()
    provider.add_span_processor(sink)
    samples = []
    with Store(folder / "visible.db") as store:
        with provider.get_tracer("benchmark").start_as_current_span("run") as span:
            for number in range(LOOKS):
                cursor = store.cursor()
                began = time.monotonic()
                span.add_event(f"event {number}")
                while not any(it.kind == "event" for it in store.changes(cursor)):
                    time.sleep(0.001)
                samples.append((time.monotonic() - began) * 1e3)
                time.sleep(0.037)  # at no fixed distance from the writer's looks
    provider.shutdown()
    return claim("an event is visible", samples, "ms", 250)


def answers(folder: Path, spans: int) -> list[dict[str, Any]]:
    """How long questions take to a store of so many spans."""
    path = folder / "many.db"
    big = many_spans.write(path, spans)
    with Store(path) as store:
        store.traces()
        last = store.traces()[-1].trace_id
        common, rare = many_spans.COMMON, many_spans.RARE
        questions: tuple[tuple[str, float, Callable[[], object]], ...] = (
            ("list", 100, store.traces),
            ("list, the next page", 100, lambda: store.traces(before=last)),
            ("list, failed ones", 100, lambda: store.traces(Filter(status="error"))),
            ("list, by event", 100, lambda: store.traces(Filter(event=common))),
            ("list, by a common word", 100, lambda: store.traces(Filter(text=common))),
            ("list, by a rare word", 100, lambda: store.traces(Filter(text=rare))),
            ("search, a common word", 100, lambda: store.search(common)),
            ("search, its first letters", 100, lambda: store.search(common[:3])),
            ("search, a rare word", 100, lambda: store.search(rare)),
            ("search, no hit", 100, lambda: store.search("nowhere")),
            (
                "a common word under a filter without hits", 300,
                lambda: store.search(common, Filter(state="running")),
            ),
            (
                "a common word where it is not", 300,
                lambda: store.search(f"{common} {rare}", Filter(status="error", service="s0")),
            ),
            (f"open a trace of {many_spans.BIG:,} spans", 500, lambda: store.get(big)),
        )  # fmt: skip
        return [
            claim(f"{name}, of {spans:,} spans", [_took(ask) for _ in range(ASKED)], "ms", budget)
            for name, budget, ask in questions
        ]


def _took(ask: Callable[[], object]) -> float:
    began = time.thread_time()
    ask()
    return (time.thread_time() - began) * 1e3


def main(arguments: list[str]) -> None:
    """Measure, and print JSON."""
    effort = Effort(rounds=int(arguments[0]), seconds=float(arguments[1]))
    with TemporaryDirectory() as made:
        folder = Path(made)
        raced = contests(folder, effort)
        claims = [added(raced[1]), visible(folder), *answers(folder, int(arguments[2]))]
    json.dump({"contests": raced, "claims": claims}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
