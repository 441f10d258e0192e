"""Every attribute of LangChain and LangGraph that is replaced is needed: without it a test fails.

    python tests/langchain/seam_ablation.py [SEAM ...]           all, or those named
    python tests/langchain/seam_ablation.py --write [SEAM ...]   and keep which test fails for each

Leaves out one after another (``OTELBRIDGE_LEFT_OUT``) and runs first the test that
``needed_by.toml`` names for it; if that passes, or is no more, all tests here until one fails.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NEEDED_BY = HERE / "needed_by.toml"
HEAD = (
    "# A test that fails when the attribute is not replaced: `make seam-ablation` tries it first.\n"
)
PYTEST = [sys.executable, "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", "-x"]
FAILED, NO_SUCH_TEST = 1, 4

# Text for `python -c`: what is replaced in this version of Python and of both libraries.
_SEAMS = """
import importlib
from otelbridge import langchain
from otelbridge.langchain import _installed, _seams
langchain.instrument()
for name in _seams.SEAMS:
    importlib.import_module(name)
for owner, name, *_ in _installed._state.patches._made:
    print(f"{owner.__name__.rpartition('.')[2]}.{name}")
"""


@dataclass(frozen=True)
class Found:
    """What happened without one seam.

    Attributes:
        seam: what was left out.
        test: the test that failed; None when all passed.
        told: what pytest printed at the end.
        seconds: how long it took.
    """

    seam: str
    test: str | None
    told: str
    seconds: float


def seams() -> list[str]:
    """Return the names of all attributes that are replaced here."""
    done = subprocess.run(
        [sys.executable, "-c", _SEAMS], cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True
    )
    return list(dict.fromkeys(done.stdout.split()))


def without(seam: str, known: Mapping[str, str]) -> Found:
    """Leave out one seam, and return what fails."""
    started = time.monotonic()
    status, told = (NO_SUCH_TEST, "") if seam not in known else _tests(seam, [known[seam]])
    if status != FAILED:
        status, told = _tests(seam, [str(HERE)])
    test = None
    if status == FAILED and (
        line := re.search(r"^(?:FAILED|ERROR) (\S+?::.*?)(?: - |$)", told, re.M)
    ):
        test = line[1]
    return Found(seam, test, told, time.monotonic() - started)


def _tests(left_out: str, chosen: Iterable[str]) -> tuple[int, str]:
    """Run tests, and return pytest's status and what it printed."""
    done = subprocess.run(
        [*PYTEST, *chosen],
        cwd=ROOT,
        env={**os.environ, "OTELBRIDGE_LEFT_OUT": left_out, "HYPOTHESIS_PROFILE": "dev"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def main() -> int:
    """Leave out one seam after another.

    Returns:
        The exit status: 0 when for each a test fails that passes with all of them, else 1.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep which test fails for each")
    parser.add_argument("seams", nargs="*", metavar="SEAM", help="these alone")
    options = parser.parse_args()
    started = time.monotonic()
    known: dict[str, str] = tomllib.loads(NEEDED_BY.read_text()) if NEEDED_BY.exists() else {}
    chosen = options.seams or seams()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = []
        for one in pool.map(lambda seam: without(seam, known), chosen):
            print(f"{one.seam}: {one.test or 'NOTHING FAILS'} ({one.seconds:.0f} s)", flush=True)
            found.append(one)
    failing = sorted({one.test for one in found if one.test})
    status, told = _tests("", failing) if failing else (0, "")
    if status:
        print(f"{told}\nThese fail with every seam in place")
    if options.write:
        _write({**known, **{one.seam: one.test for one in found if one.test}})
    needless = [one.seam for one in found if one.test is None]
    seconds = time.monotonic() - started
    print(f"{len(found)} seams, {len(needless)} that no test needs: {seconds:.0f} s")
    return 1 if needless or status else 0


def _write(needed_by: Mapping[str, str]) -> None:
    lines = (f"{_quoted(seam)} = {_quoted(test)}\n" for seam, test in sorted(needed_by.items()))
    NEEDED_BY.write_text(HEAD + "".join(lines))


def _quoted(text: str) -> str:
    return "'" + text + "'"  # literal, as ids of tests have no quotes


if __name__ == "__main__":
    sys.exit(main())
