"""What tracing adds to programs of LangChain and LangGraph: ours, and on demand that of others.

An instrumentation cannot be taken in and out between laps, so each contestant is a process of its
own. They run their laps in turns, one at a time; the others wait.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks.comparison import comparison
from benchmarks.contests import OURS
from benchmarks.environment import ROOT, Sdk, clean_environment
from benchmarks.langchain_contestant import ALONE
from benchmarks.peers import PEERS, python_with
from benchmarks.timing import Effort, Spread, Times

LANGCHAIN: Final = "LangChain alone"
PEER_BUDGET: Final = 0.5
"""Of what ours adds for a span, over what the cheapest other adds that has a span for each node."""


@dataclass(frozen=True)
class Contest:
    """A program that is timed."""

    name: str
    program: str
    budget: float
    """Of LangChain with ours over LangChain alone."""
    sdk: Sdk = "recording"
    nodes: int = 0
    """How many steps of a graph it takes; others are judged where there are some."""


CONTESTS: Final = (
    Contest("lambda, 2 events", "lambda", 1.4),
    Contest("graph of 20 steps", "graph", 1.3, nodes=20),
    Contest("async graph of 20 steps", "async graph", 1.3, nodes=20),
    Contest("fake chat model", "chat", 1.6),
    Contest("stream, 1,000 chunks", "stream", 1.15),
    Contest("astream, 1,000 chunks", "async stream", 1.2),
    Contest("lambda, 2 events", "lambda", 1.15, "unsampled"),
    Contest("graph of 20 steps", "graph", 1.05, "unsampled"),
)


class Contestant:
    """A process, and what it is asked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, *words: Any) -> Any:
        """Return the answer to a question.

        Raises:
            RuntimeError: the process has ended; why is on stderr.
        """
        assert self._process.stdin
        assert self._process.stdout
        try:
            print(json.dumps(words), file=self._process.stdin, flush=True)
            return json.loads(self._process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            raise RuntimeError(f"{self._process.args} did not answer {words}") from None


def measure(effort: Effort, *, peers: bool) -> list[dict[str, Any]]:
    """The outcome of each contest, ready for JSON.

    Args:
        effort: of each contest.
        peers: install and time the others too.
    """
    others = {name: (python_with(peer), peer.instrumentor) for name, peer in PEERS.items() if peers}
    sides = {
        OURS: (sys.executable, "otelbridge.langchain:LangChainInstrumentor"),
        LANGCHAIN: (sys.executable, ALONE),
        **others,
    }
    results = []
    for sdk in dict.fromkeys(contest.sdk for contest in CONTESTS):
        with ExitStack() as stack:
            contestants = {
                name: stack.enter_context(contestant(python, sdk, instrumentor))
                for name, (python, instrumentor) in sides.items()
            }
            results += [
                _result(contest, contestants, effort) for contest in CONTESTS if contest.sdk == sdk
            ]
    return results


@contextmanager
def contestant(python: str, sdk: Sdk, instrumentor: str) -> Iterator[Contestant]:
    """Run a contestant, in its own interpreter, for the time of a ``with`` block."""
    words = [python, "-m", "benchmarks.langchain_contestant", sdk, instrumentor]
    with subprocess.Popen(
        words,
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:  # The end closes its input, which it takes as its own end.
        yield Contestant(process)


def _result(
    contest: Contest, contestants: Mapping[str, Contestant], effort: Effort
) -> dict[str, Any]:
    spans = {name: one.ask("spans", contest.program) for name, one in contestants.items()}
    times = _race(contest.program, contestants, effort)
    others = [name for name in contestants if name not in (OURS, LANGCHAIN)]
    budgets = {OURS: contest.budget, **dict.fromkeys(others)}
    return {
        **comparison(contest.name, times, LANGCHAIN, budgets),
        "sdk": contest.sdk,
        "spans": spans,
        "a span": beside_cheapest(contest, times, spans) if others else None,
    }


def _race(program: str, contestants: Mapping[str, Contestant], effort: Effort) -> dict[str, Times]:
    counts = {name: one.ask("runs_in", program, effort.lap_s) for name, one in contestants.items()}
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    stop_at = time.monotonic() + effort.seconds
    for done in range(effort.rounds):
        if done >= effort.least_rounds and time.monotonic() > stop_at:
            break
        for name in order:
            samples[name].append(contestants[name].ask("lap", program, counts[name]))
        order.append(order.pop(0))
    return {
        name: Times(samples[name], one.ask("garbage", program)) for name, one in contestants.items()
    }


def beside_cheapest(
    contest: Contest, times: Mapping[str, Times], spans: Mapping[str, int]
) -> dict[str, Any] | None:
    """What ours adds for each of its spans, beside the cheapest other with a span for each node."""
    added = {
        name: [
            (ours - alone) / spans[name] * 1e6
            for ours, alone in zip(time.seconds, times[LANGCHAIN].seconds, strict=True)
        ]
        for name, time in times.items()
        if name != LANGCHAIN and contest.nodes and spans[name] >= contest.nodes
    }
    others = [name for name in added if name != OURS]
    if not others or OURS not in added:
        return None
    cheapest = min(others, key=lambda name: statistics.median(added[name]))
    ratios = [ours / theirs for ours, theirs in zip(added[OURS], added[cheapest], strict=True)]
    return {
        "cheapest": cheapest,
        "microseconds": {name: asdict(Spread.of(samples)) for name, samples in added.items()},
        "ratio": {**asdict(Spread.of(ratios)), "budget": PEER_BUDGET},
    }
