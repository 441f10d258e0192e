"""Every attribute of LangChain and LangGraph that is replaced is needed: without it a test fails.

    python tests/langchain/seam_ablation.py [SEAM ...]           all, or those named
    python tests/langchain/seam_ablation.py --write [SEAM ...]   and keep which test fails for each

Leaves out one after another (``OTELBRIDGE_LEFT_OUT``) and runs first the test that
``needed_by.toml`` names for it; if that passes, or is no more, all tests here until one fails.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NEEDED_BY = HERE / "needed_by.toml"
HEAD = "# For each attribute that is replaced, a test that fails when it is not.\n"
OPTIONS = ["-q", "--tb=short", "-x", "-p", "no:cacheprovider"]
# Nothing that is imported beforehand has asserts that pytest would rewrite.
OPTIONS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
PASSED, FAILED, NO_SUCH_TEST = 0, 1, 4
FAILURE = re.compile(r"^(?:FAILED|ERROR) (\S+?::.*?)(?: - .*)?$", re.MULTILINE)

# A child begins as a copy of this process, in which what takes long to import is there already.
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Found:
    """What happened without one seam.

    Attributes:
        seam: what was left out; empty: nothing.
        test: the test that failed; None when all passed.
        told: what pytest printed.
        seconds: how long it took.
    """

    seam: str
    test: str | None
    told: str
    seconds: float


def seams() -> list[str]:
    """Return what is replaced in this version of Python and of both libraries."""
    with _fork.Pool(1) as pool:
        return pool.apply(_seams)


def _seams() -> list[str]:
    from otelbridge import langchain
    from otelbridge.langchain import _installed

    langchain.instrument()
    assert _installed._state.patches is not None
    made = _installed._state.patches._made
    return [f"{owner.__name__.rpartition('.')[2]}.{name}" for owner, name, *_ in made]


def import_what_takes_long() -> None:
    """Import what the tests trace, and what runs them."""
    from otelbridge.langchain import _seams

    for name in (*_seams.SEAMS, "pytest", "opentelemetry.sdk.trace"):
        importlib.import_module(name)


def all_without(chosen: Iterable[str], known: Mapping[str, str], into: Path) -> Iterator[Found]:
    """Leave out each seam, as many at a time as there are processors.

    Yields:
        What was found without one, as soon as it is.

    Raises:
        SystemExit: pytest ended otherwise than by passing or failing; what it printed is shown.
    """
    waiting, running = list(chosen), {}
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            seam = waiting.pop(0)
            log = into / f"{seam}.log"
            process = _fork.Process(target=without, args=(seam, known, log))
            process.start()
            running[process.sentinel] = (seam, process, log, time.monotonic())
        for sentinel in wait(list(running)):
            seam, process, log, started = running.pop(int(sentinel))  # type: ignore[call-overload]
            process.join()
            told = log.read_text()
            if process.exitcode not in (PASSED, FAILED):
                raise SystemExit(f"{told}\n{seam}: pytest left with status {process.exitcode}")
            failures = FAILURE.findall(told) if process.exitcode else []
            yield Found(seam, failures[-1] if failures else None, told, time.monotonic() - started)


def without(seam: str, known: Mapping[str, str], log: Path) -> None:
    """Leave out one seam, in a child process, which ends with pytest's status."""
    os.environ.update(OTELBRIDGE_LEFT_OUT=seam, HYPOTHESIS_PROFILE="dev")
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    status = NO_SUCH_TEST if seam not in known else run([known[seam]])
    sys.exit(status if status == FAILED else run(_by_likelihood()))


def run(chosen: list[str]) -> int:
    """Run tests in this process, and return pytest's status."""
    import pytest

    return int(pytest.main([*OPTIONS, *chosen]))


def _by_likelihood() -> list[str]:
    """The files of tests here: those of the seams first, those that take minutes last."""
    files = (path.relative_to(ROOT).as_posix() for path in HERE.glob("test_*.py"))
    return sorted(
        files,
        key=lambda path: ("cancel" in path, "/test_lc_" not in path, "graphs" not in path, path),
    )


def main() -> int:
    """Leave out one seam after another.

    Returns:
        The exit status: 0 when for each a test fails that passes with all of them, else 1.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep which test fails for each")
    parser.add_argument("seams", nargs="*", metavar="SEAM", help="these alone")
    options = parser.parse_args()
    os.chdir(ROOT)
    started = time.monotonic()
    known: dict[str, str] = tomllib.loads(NEEDED_BY.read_text()) if NEEDED_BY.exists() else {}
    import_what_takes_long()
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for one in all_without(options.seams or seams(), known, Path(scratch)):
            found.append(one)
            print(f"{one.seam}: {one.test or 'NOTHING FAILS'} ({one.seconds:.0f} s)", flush=True)
            if options.write and one.test:
                known[one.seam] = one.test
                _write(known)
    needless = [one.seam for one in found if one.test is None]
    seconds = time.monotonic() - started
    print(f"{len(found)} seams, {len(needless)} that no test needs: {seconds:.0f} s")
    print("With every seam in place, the same tests:", flush=True)
    failing = sorted({one.test for one in found if one.test})
    return 1 if needless or (failing and run(failing)) else 0


def _write(needed_by: Mapping[str, str]) -> None:
    # A string of JSON is one of TOML.
    lines = (
        f"{json.dumps(seam)} = {json.dumps(test)}\n" for seam, test in sorted(needed_by.items())
    )
    NEEDED_BY.write_text(HEAD + "".join(lines))


if __name__ == "__main__":
    sys.exit(main())
