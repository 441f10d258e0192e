"""LangChain's and LangGraph's own tests end alike, test by test, without and with instrumentation.

    python tests/langchain/upstream/noninterference.py [--only SUITE] [PYTEST_ARGUMENTS]

``make noninterference`` does this, in an environment of its own. The tests are those of the source
distributions of the versions that are installed; only ``tests/`` and ``pyproject.toml`` are taken
out, into ``$XDG_CACHE_HOME/otelbridge-upstream`` (default ``~/.cache``).

Each suite runs alone, and instrumented with content captured, which does all that is done without
and more; that of langchain-core, which is quick, without content too. Each time is one process, so
that tests meet the same order and the same neighbours. What fails every time is equal.
Some of these tests measure time: files with a difference run once more, one process at a time, and
the difference counts if it is there again. ``allowed_differences.toml`` names those that may be.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
WAYS = ("alone", "instrumented", "content")
SETTINGS = ("OTEL_", "OTELBRIDGE_", "LANGCHAIN_", "LANGSMITH_", "LANGGRAPH_", "PYTEST_")
"""Beginnings of the names of settings that would change what is tested."""

# The options in the suites' own settings are replaced: they ask for reports that nobody reads here.
PYTEST = [
    sys.executable,
    "-m",
    "pytest",
    "-o",
    "addopts=",
    "-p",
    "beside_upstream",
    "-q",
    "--tb=short",
]
PLUGINS = [
    "-p",
    "no:cacheprovider",
    "--benchmark-disable",
    "--disable-socket",
    "--allow-unix-socket",
]


@dataclass(frozen=True, eq=False)
class Suite:
    """The tests of one distribution.

    Attributes:
        name: of the distribution.
        tests: where they are in it.
        settings: what their environment needs.
        ways: how they are run; the first is alone.
    """

    name: str
    tests: str
    settings: Mapping[str, str]
    ways: tuple[str, ...] = WAYS

    @property
    def version(self) -> str:
        """The version that is installed, whose tests are run."""
        return importlib.metadata.version(self.name)

    @property
    def folder(self) -> Path:
        """Where its tests are, when they have been fetched."""
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(base) / "otelbridge-upstream" / f"{self.name}-{self.version}"


SUITES = (
    Suite("langgraph", "tests", {"NO_DOCKER": "true"}, ("alone", "content")),
    Suite("langchain-core", "tests/unit_tests", {}),
)


@dataclass(frozen=True)
class Ran:
    """What one process told.

    Attributes:
        outcomes: of each test, by its id.
        spans: how many were started, ended, and ended with content.
        still_open: those that had not ended when the process did, each with the test that began it.
        seconds: how long it took.
    """

    outcomes: Mapping[str, str]
    spans: Mapping[str, int]
    still_open: Sequence[str]
    seconds: float


Rounds = Mapping[str, Ran]
"""One suite's runs, by way."""


@dataclass(frozen=True)
class Difference:
    """A test that does not end the same way every time."""

    suite: str
    test: str
    outcomes: Mapping[str, str]
    """By the way it was run."""

    def __str__(self) -> str:
        told = "; ".join(f"{way}: {what}" for way, what in self.outcomes.items())
        return f"{self.suite}: {self.test}\n    {told}"

    @property
    def file(self) -> str:
        """The file that the test is in."""
        return self.test.partition("::")[0]


def differences(suite: str, rounds: Rounds) -> list[Difference]:
    """Return the tests whose outcomes are not all equal; one that was not run has none."""
    everything = dict.fromkeys(test for ran in rounds.values() for test in ran.outcomes)
    told = (
        Difference(
            suite, test, {way: ran.outcomes.get(test, "not run") for way, ran in rounds.items()}
        )
        for test in everything
    )
    return [difference for difference in told if len(set(difference.outcomes.values())) > 1]


def complaints(
    found: Iterable[Difference], allowed: Mapping[tuple[str, str], str], suites: Iterable[str]
) -> list[str]:
    """Return what is wrong: differences that are not allowed, and allowed ones that are not there.

    Args:
        found: the differences.
        allowed: the reason of each that may be, by suite and test.
        suites: those that have been run.
    """
    found, suites = list(found), set(suites)
    there = {(difference.suite, difference.test) for difference in found}
    return [
        *(
            f"differs: {difference}"
            for difference in found
            if (difference.suite, difference.test) not in allowed
        ),
        *(
            f"allowed to differ, and does not: {suite}: {test}"
            for suite, test in allowed
            if suite in suites and (suite, test) not in there
        ),
    ]


def not_instrumented(rounds: Rounds) -> list[str]:
    """Return what shows that a way was not what its name says, and the spans that never ended."""
    claims: dict[str, dict[str, Callable[[Mapping[str, int]], bool]]] = {
        "alone": {"alone, and spans were made": lambda spans: spans["started"] == 0},
        "instrumented": {
            "instrumented, and no spans were made": lambda spans: spans["ended"] > 0,
            "instrumented, and content was captured": lambda spans: spans["with content"] == 0,
        },
        "content": {"with content, and none was captured": lambda spans: spans["with content"] > 0},
    }
    wrong = [
        claim
        for way, ran in rounds.items()
        for claim, holds in claims[way].items()
        if not holds(ran.spans)
    ]
    left = [
        f"{way}, and never ended: {span}" for way, ran in rounds.items() for span in ran.still_open
    ]
    return [*wrong, *left]


def fetch(suite: Suite) -> None:
    """Take a suite's tests out of its source distribution, unless they are there."""
    if suite.folder.exists():
        return
    suite.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=suite.folder.parent) as scratch:
        made = Path(scratch, "made")
        with tarfile.open(_archive(suite, Path(scratch))) as archive:
            archive.extractall(Path(scratch, "all"), filter="data")
        (unpacked,) = Path(scratch, "all").iterdir()
        shutil.copytree(unpacked / "tests", made / "tests")
        shutil.copy(unpacked / "pyproject.toml", made)
        try:
            made.rename(suite.folder)
        except OSError:  # another process was as quick
            if not suite.folder.exists():
                raise


def _archive(suite: Suite, into: Path) -> Path:
    # Naming the one package, and not `:all:`, lets what builds its metadata come as wheels.
    words = ["download", "--no-deps", "--no-binary", suite.name, "--dest", str(into)]
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    subprocess.run([*pip, f"{suite.name}=={suite.version}"], check=True)
    (archive,) = into.glob("*.tar.gz")
    return archive


def run(suite: Suite, way: str, chosen: Iterable[str]) -> Ran:
    """Run a suite, or the chosen part of it, in a process of its own.

    Raises:
        SystemExit: the process did not come to its end; what it printed is shown.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        results, basetemp = Path(scratch, "results.json"), Path(scratch, "tmp")
        done = subprocess.run(
            [*PYTEST, *PLUGINS, f"--basetemp={basetemp}", *chosen],
            cwd=suite.folder,
            env={
                **_surroundings(),
                **suite.settings,
                "UPSTREAM_WAY": way,
                "UPSTREAM_RESULTS": str(results),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        if done.returncode not in (0, 1) or not results.exists():
            raise SystemExit(
                f"{done.stdout[-8000:]}\n{suite.name}, {way}: left with status {done.returncode}"
            )
        told = json.loads(results.read_text())
    return Ran(told["tests"], told["spans"], told["open"], time.monotonic() - started)


def _surroundings() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # the second and third time need not compile it again
    return {**kept, "PYTHONPATH": str(HERE / "plugin")}


def run_all(suites: Iterable[Suite], chosen: list[str]) -> dict[str, Rounds]:
    """Run every suite every way: as many at a time as there are processors, and one that waits."""
    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        running: dict[str, dict[str, Future[Ran]]] = {
            suite.name: {
                way: pool.submit(run, suite, way, chosen or [suite.tests]) for way in suite.ways
            }
            for suite in suites
        }
        return {
            suite: {way: future.result() for way, future in ways.items()}
            for suite, ways in running.items()
        }


def confirmed(
    suite: Suite, found: list[Difference], allowed: Collection[tuple[str, str]]
) -> list[Difference]:
    """Return the differences that may be, and those that are there again in a second run."""
    expected = [one for one in found if (one.suite, one.test) in allowed]
    doubted = [one for one in found if one not in expected]
    if not doubted:
        return expected
    files = sorted({difference.file for difference in doubted})
    print(f"{suite.name}: once more, one process at a time: {', '.join(files)}", flush=True)
    rounds = {way: run(suite, way, files) for way in suite.ways}
    again = {one.test for one in differences(suite.name, rounds)}
    for difference in doubted:
        if difference.test not in again:
            print(f"differed once, and not again: {difference}", flush=True)
    return [*expected, *(one for one in doubted if one.test in again)]


def allowed_differences() -> dict[tuple[str, str], str]:
    """Return the reason of each difference that may be, by suite and test."""
    listed: dict[str, Any] = tomllib.loads((HERE / "allowed_differences.toml").read_text())
    return {
        (entry["suite"], entry["test"]): entry["reason"] for entry in listed.get("difference", ())
    }


def told(suite: Suite, rounds: Rounds) -> str:
    """Return a suite's counts, a line for each way."""
    return "\n".join(
        f"{suite.name} {suite.version}, {way}: {len(ran.outcomes):,} tests ("
        + ", ".join(f"{count:,} {what}" for what, count in _counts(ran))
        + f"), {ran.spans['ended']:,} spans, {ran.seconds:.0f} s"
        for way, ran in rounds.items()
    )


def failing_anyway(rounds: Rounds) -> list[str]:
    """Return the tests that fail without instrumentation, which is no difference."""
    return [test for test, what in rounds["alone"].outcomes.items() if what.startswith("failed")]


def _counts(ran: Ran) -> list[tuple[str, int]]:
    return Counter(what.partition(" ")[0] for what in ran.outcomes.values()).most_common()


def main() -> int:
    """Run the suites and tell what differs.

    Returns:
        The exit status: 0 when nothing differs but what is allowed to, else 1.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=[suite.name for suite in SUITES], help="this suite alone")
    options, chosen = parser.parse_known_args()
    started = time.monotonic()
    suites = [suite for suite in SUITES if options.only in (None, suite.name)]
    for suite in suites:
        fetch(suite)
    results = run_all(suites, chosen)
    allowed, wrong = allowed_differences(), []
    found = {suite: differences(suite.name, results[suite.name]) for suite in suites}
    for suite in suites:
        print("\n".join([told(suite, results[suite.name]), *map(str, found[suite])]))
        print(f"fail without instrumentation: {failing_anyway(results[suite.name])}", flush=True)
    for suite in suites:
        there = confirmed(suite, found[suite], allowed)
        wrong += complaints(there, allowed, () if chosen else [suite.name])
        claims = [] if chosen else not_instrumented(results[suite.name])
        wrong += [f"{suite.name}: {claim}" for claim in claims]
    seconds = time.monotonic() - started
    print("\n".join([*wrong, f"{len(wrong) or 'nothing'} wrong, {seconds:.0f} s"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
