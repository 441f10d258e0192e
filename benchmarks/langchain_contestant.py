"""One contestant in the contests on LangChain: a process that runs laps when it is told to.

``python -m benchmarks.langchain_contestant recording MODULE:CLASS`` instruments with that class, or
with none (``-``). Then it answers each line of its input, JSON ``[method, *arguments]``, with JSON.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import sys
from typing import Any

from opentelemetry import trace

from benchmarks.environment import SDKS, set_up
from benchmarks.timing import PROCESSOR, frozen_heap, garbage_of, runs_in, timed

ALONE = "-"


class Contestant:
    """What can be asked for; every program is one of ``benchmarks.langchain_programs``."""

    def __init__(self, sdk: str, instrumentor: str) -> None:
        self._ended = set_up(next(known for known in SDKS if known == sdk))
        if instrumentor != ALONE:
            module, _, name = instrumentor.partition(":")
            kind: Any = getattr(importlib.import_module(module), name)
            kind().instrument(tracer_provider=trace.get_tracer_provider())
        # Only now: an application imports LangChain after it has been instrumented.
        programs = importlib.import_module("benchmarks.langchain_programs")
        self._laps = programs.laps(asyncio.new_event_loop())

    def spans(self, program: str) -> int:
        """How many spans one run leaves."""
        before = self._ended()
        self._laps[program](1)
        return self._ended() - before

    def runs_in(self, program: str, lap_s: float) -> int:
        """How many runs take ``lap_s`` seconds, found while warming up."""
        return runs_in(self._laps[program], lap_s)

    def lap(self, program: str, count: int) -> float:
        """How many seconds one run takes, in a lap of ``count``."""
        seconds = timed(self._laps[program], count, PROCESSOR)
        gc.collect()
        return seconds

    def garbage(self, program: str) -> float:
        """How many objects in reference cycles one run leaves to the collector."""
        return garbage_of(self._laps[program])


def main(arguments: list[str]) -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # What a library prints is no answer.
    contestant = Contestant(*arguments)
    with frozen_heap():
        for line in sys.stdin:
            method, *words = json.loads(line)
            print(json.dumps(getattr(contestant, method)(*words)), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
