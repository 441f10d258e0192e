"""``python -m benchmarks [--short] [--json FILE] [--check] [--only NAME]``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import imports, langchain, memory, timing
from benchmarks.environment import PROTOCOLS, SDKS, in_child, machine, versions
from benchmarks.report import lines, table

PARTS: Final = (*SDKS, "export", "encode", "imports", "memory", "store", "langchain")


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    rounds: int
    contest_s: float
    export_s: float
    imports: int
    runs: int
    side_runs: int
    """Of the memory cases other than plain runs."""
    spans: int
    """In the store that is asked."""


SHORT: Final = Effort(
    rounds=25, contest_s=0.5, export_s=0.5, imports=5, runs=6_000, side_runs=3_000, spans=50_000
)
FULL: Final = Effort(
    rounds=250,
    contest_s=4.0,
    export_s=8.0,
    imports=21,
    runs=200_000,
    side_runs=50_000,
    spans=1_000_000,
)


def measure(effort: Effort, parts: tuple[str, ...], *, peers: bool = False) -> dict[str, Any]:
    """Everything in ``parts``, each in fresh processes; on LangChain, with others if ``peers``."""
    start = time.monotonic()
    results = {
        "machine": machine(),
        "versions": versions(),
        "contests": [
            contest
            for sdk in SDKS
            if sdk in parts
            for contest in in_child(
                "benchmarks.contests", [sdk, str(effort.rounds), str(effort.contest_s)]
            )
        ],
        "export": [*_export(effort, parts), *_encode(effort, parts)],
        "imports": imports.measure(effort.imports) if "imports" in parts else None,
        "memory": [
            in_child("benchmarks.memory", [case, str(_runs(effort, case))])
            for case in (memory.CASES if "memory" in parts else ())
        ],
        "store": (
            in_child(
                "benchmarks.store",
                [str(effort.rounds), str(effort.export_s), str(effort.spans)],
            )
            if "store" in parts
            else None
        ),
        "langchain": (
            langchain.measure(timing.Effort(effort.rounds, effort.contest_s), peers=peers)
            if "langchain" in parts
            else []
        ),
    }
    return {**results, "seconds": round(time.monotonic() - start, 1)}


def _export(effort: Effort, parts: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for protocol in PROTOCOLS if "export" in parts else ():
        arguments = [protocol, str(effort.rounds), str(effort.export_s)]
        yield from in_child("benchmarks.export", arguments)


def _encode(effort: Effort, parts: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if "encode" in parts:
        arguments = [str(effort.rounds), str(effort.contest_s / 2)]
        yield from in_child("benchmarks.export_encode", arguments)


def _runs(effort: Effort, case: str) -> int:
    return effort.runs if case in ("invoke", "ainvoke", "by_hand") else effort.side_runs


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, write the JSON.

    Returns:
        The exit status: 0, or with ``--check`` 1 when something is far over its budget.
    """
    parser = argparse.ArgumentParser("python -m benchmarks", description="What otelbridge costs.")
    parser.add_argument("--short", action="store_true", help="a minute or so, with more noise")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument(
        "--check", action="store_true", help="fail when a budget is missed by more than a quarter"
    )
    parser.add_argument("--only", choices=PARTS, help="measure this part alone")
    parser.add_argument(
        "--peers",
        action="store_true",
        help="install what else traces LangChain, and time it beside ours",
    )
    options = parser.parse_args(arguments)
    parts = (options.only,) if options.only else PARTS
    results = measure(SHORT if options.short else FULL, parts, peers=options.peers)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    all_lines = lines(results)
    print(table(all_lines))
    print(f"\n{_conditions(results)}")
    far_over = [line.what.strip() for line in all_lines if line.far_over]
    if far_over:
        print("Far over budget:", "; ".join(far_over))
    return 1 if options.check and far_over else 0


def _conditions(results: dict[str, Any]) -> str:
    where, packages = results["machine"], results["versions"]
    return (
        f"{where['implementation']} {where['python']}, {where['processor']}, {where['cpus']} CPUs; "
        + ", ".join(f"{name} {version}" for name, version in packages.items())
        + f"; {results['seconds']} s.\n"
        "Times are medians for one run of a program, ratios those of rounds' ratios.\n"
        "langchain: langchain-core alone, against hand-made spans. (bare): against spans with no\n"
        "attributes. grpc, http: export by the pipeline, for one span, against the SDK's batch\n"
        "processor with the official exporter, the receiver in another process. encode: a span to\n"
        "bytes, against the official encoder. Memory is resident memory; obj: objects that the\n"
        "collector still tracks. LangChain: its programs traced, against themselves alone."
    )


if __name__ == "__main__":
    sys.exit(main())
