"""The sampler keeps what it must, whole, and a share of the rest."""

from __future__ import annotations

import math

import pytest

from backends import jaeger_api, ledger
from backends.figures import note
from backends.fleet import Fleet, Program
from backends.servers import Collector, Jaeger, until

TRACES = 1000
PERCENT = 10


@pytest.fixture(scope="module")
def jaeger(fleet: Fleet) -> Jaeger:
    """Jaeger in memory."""
    return fleet.jaeger("jaeger")


def sampler(fleet: Fleet, jaeger: Jaeger, name: str, **settings: str) -> Collector:
    """A sampler that waits less long than in earnest."""
    waits = {"OTELCOL_DECISION_WAIT": "25s", "OTELCOL_DECISION_WAIT_AFTER_ROOT": "2s"}
    near = {"OTELCOL_NEXT": f"http://{jaeger.address('GRPC')}"}
    return fleet.collector(name, "gateway-sampler", **(waits | near | settings))


def whole(program: Program, jaeger: Jaeger) -> tuple[dict[str, int], dict[str, int]]:
    """Spans in each trace: as made, and as stored."""
    stored = ledger.by_id(jaeger_api.traces(jaeger.page, program.service))
    return _sizes(ledger.by_id(program.made)), _sizes(stored)


def _sizes(spans: dict[tuple[str, str], list[ledger.Span]]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for trace_id, _ in spans:
        sizes[trace_id] = sizes.get(trace_id, 0) + 1
    return sizes


def must_be_kept(program: Program) -> set[str]:
    """The traces with an error or an event on the list."""
    return {
        span["trace_id"]
        for span in program.made
        if span["status"][0] == 2 or any(event[1] == "escalated" for event in span["events"])
    }


def test_errors_and_listed_events_are_kept_whole(fleet: Fleet, jaeger: Jaeger) -> None:
    """Of 1,000 traces 10 have an error and 10 a listed event; two more have it at the very end.

    The late ones last 12 s, and their first span is at the sampler long before their last.
    """
    gateway = sampler(fleet, jaeger, "sampler", OTELCOL_KEEP_PERCENT=str(PERCENT))
    endpoint = f"http://{gateway.address('GRPC')}"
    program = fleet.program("sampling", "sampled", endpoint, f"--traces={TRACES}", "--seconds=12")
    assert program.ended()["flushed"] is True
    kept = must_be_kept(program)
    assert len(kept) == 22

    def complete() -> bool:
        made, stored = whole(program, jaeger)
        return all(stored.get(trace_id) == made[trace_id] for trace_id in kept)

    until(complete, 60, "what must be kept is there", 1)
    gateway.stop()  # decides on the trace that still waits
    made, stored = whole(program, jaeger)
    assert {it: made[it] for it in stored} == stored, "a trace is not whole"
    share = len(stored.keys() - kept) / (len(made) - len(kept))
    bound = 4 * math.sqrt(PERCENT * (100 - PERCENT) / (len(made) - len(kept))) / 100
    assert abs(share - PERCENT / 100) <= bound
    note(
        "tail sampling",
        traces=len(made),
        must_be_kept=len(kept),
        kept_whole=len(kept & stored.keys()),
        share_of_the_rest=f"{share:.1%} (asked {PERCENT} %, bound {bound:.1%})",
    )


def test_sigterm_decides_on_every_trace(fleet: Fleet, jaeger: Jaeger) -> None:
    """Traces that still wait when the sampler is told to stop are decided, and none is lost.

    What it cannot send in time is on its disk, for its next start.
    """
    settings = {"OTELCOL_DECISION_WAIT": "120s", "OTELCOL_DECISION_WAIT_AFTER_ROOT": "60s"}
    gateway = sampler(fleet, jaeger, "stopped", OTELCOL_KEEP_PERCENT="100", **settings)
    endpoint = f"http://{gateway.address('GRPC')}"
    program = fleet.program("load", "waiting", endpoint, "--rate=400", "--seconds=3")
    assert program.ended()["flushed"] is True
    assert not jaeger_api.traces(jaeger.page, program.service), "nothing was to be decided yet"
    assert gateway.stop() == 0
    made, at_once = whole(program, jaeger)
    gateway.start()
    until(lambda: whole(program, jaeger)[1] == made, 30, "every trace is there, whole", 1)
    note(
        "sampler ended by SIGTERM",
        traces=len(made),
        at_once=len(at_once),
        after_its_next_start=len(whole(program, jaeger)[1]),
        lost=0,
    )


def test_a_full_sampler_loses_nothing(fleet: Fleet, jaeger: Jaeger) -> None:
    """More traces than it may hold: senders wait, no trace is pushed out undecided."""
    settings = {"OTELCOL_TRACES": "100", "OTELCOL_DECISION_WAIT_AFTER_ROOT": "1s"}
    gateway = sampler(fleet, jaeger, "full", OTELCOL_KEEP_PERCENT="100", **settings)
    agent = fleet.collector("agent", "agent", OTELCOL_NEXT=f"http://{gateway.address('GRPC')}")
    endpoint = f"http://{agent.address('GRPC')}"
    program = fleet.program("load", "many", endpoint, "--rate=400", "--seconds=4")
    assert program.ended()["flushed"] is True

    def all_there() -> bool:
        made, stored = whole(program, jaeger)
        return made == stored

    until(all_there, 90, "all traces are there", 1)
    note("sampler that may hold 100 traces", traces=len(whole(program, jaeger)[0]), lost=0)


def test_kill_9_loses_at_most_the_window(fleet: Fleet, jaeger: Jaeger) -> None:
    """What was decided is safe; what waited in memory for its decision is lost, and counted."""
    gateway = sampler(fleet, jaeger, "killed", OTELCOL_KEEP_PERCENT="100")
    agent = fleet.collector("agent-2", "agent", OTELCOL_NEXT=f"http://{gateway.address('GRPC')}")
    endpoint = f"http://{agent.address('GRPC')}"
    program = fleet.program("load", "window", endpoint, "--rate=200", "--seconds=16")
    until(lambda: len(program.made) > 200 * 12, 60, "the program has worked for 12 s")
    gateway.kill()
    killed_ns = max(span["end"] for span in program.made)
    gateway.start()
    assert program.ended()["flushed"] is True
    ends = {it["trace_id"]: it["end"] for it in program.made if not it["parent_id"]}

    def lost() -> set[str]:
        return ends.keys() - whole(program, jaeger)[1].keys()

    def settled() -> bool:
        return all(ends[it] <= killed_ns for it in lost())

    until(settled, 60, "what was made after the kill is there", 1)
    window_s = (killed_ns - min((ends[it] for it in lost()), default=killed_ns)) / 1e9
    note("sampler ended by kill -9", traces=len(ends), lost=len(lost()), window_s=window_s)
    assert window_s < 10, "more is lost than the decision window, 2 s, and the way there"
