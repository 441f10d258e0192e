"""What ``import otelbridge`` costs over ``import opentelemetry.trace, asyncio``.

Each figure is from fresh processes that find byte code, as an installed package has it. Time is the
processor's, so that a busy machine or a cold disk is not measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.environment import clean_environment
from benchmarks.timing import Spread

TIME_BUDGET_MS: Final = 20.0
MEMORY_BUDGET_MIB: Final = 3.0

# Text for `python -c`, so that nothing but the interpreter's own start is imported before it.
_TIME_AND_RSS: Final = """
import opentelemetry.trace, asyncio, gc, os, time
def rss():
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None
gc.collect()
before, start = rss(), time.process_time()
import otelbridge
elapsed = time.process_time() - start
gc.collect()
after = rss()
print("{", f'"ms": {elapsed * 1e3}', end="")
if after is not None:
    print(f', "rss_mib": {(after - before) / 2**20}', end="")
print("}")
"""
_TRACEMALLOC: Final = """
import opentelemetry.trace, asyncio, gc, tracemalloc
tracemalloc.start(1)
before = tracemalloc.get_traced_memory()[0]
import otelbridge
gc.collect()
print("{", f'"traced_mib": {(tracemalloc.get_traced_memory()[0] - before) / 2**20}', "}")
"""


def measure(runs: int) -> dict[str, Any]:
    """Import otelbridge in ``runs`` fresh processes for time and memory each.

    Returns:
        Spreads of ``ms`` (time), ``rss_mib`` (resident memory, where /proc tells it) and
        ``traced_mib`` (by tracemalloc), with the budgets.
    """
    with TemporaryDirectory() as byte_code:
        _fresh(_TIME_AND_RSS, byte_code)  # The first run writes what the others read.
        samples = [_fresh(_TIME_AND_RSS, byte_code) for _ in range(runs)]
        traced = [_fresh(_TRACEMALLOC, byte_code) for _ in range(max(2, runs // 4))]
    return {
        "runs": runs,
        "time_budget_ms": TIME_BUDGET_MS,
        "memory_budget_mib": MEMORY_BUDGET_MIB,
        "ms": _spread(sample["ms"] for sample in samples),
        "rss_mib": _spread(sample["rss_mib"] for sample in samples if "rss_mib" in sample),
        "traced_mib": _spread(sample["traced_mib"] for sample in traced),
    }


def _spread(samples: Iterable[float]) -> dict[str, float] | None:
    values = list(samples)
    return asdict(Spread.of(values)) if values else None


def _fresh(program: str, byte_code: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).resolve().parent.parent,
        env={**clean_environment(), "PYTHONPYCACHEPREFIX": byte_code},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result
