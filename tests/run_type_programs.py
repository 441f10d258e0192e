"""Checks the programs in ``tests/type_programs/`` as their users would: away from the checkout.

    python tests/run_type_programs.py [--python INTERPRETER]

Each program is copied into an empty folder, where otelbridge is what INTERPRETER has installed, and
read there by mypy and basedpyright, both strict. A line that is wrong on purpose names the rules of
both that must object, as in ``# error: arg-type, reportArgumentType``. Nothing else may be wrong.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

PROGRAMS = sorted((Path(__file__).parent / "type_programs").glob("*.py"))
BIN = Path(sys.executable).parent

Found = set[tuple[int, str]]
"""Lines, each with a rule that objects to it."""


def main() -> int:
    """Check every program; return how many objections were missing or too many."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", default=sys.executable, help="has otelbridge installed")
    python = parser.parse_args().python
    wrong = 0
    with TemporaryDirectory() as folder:
        for program in PROGRAMS:
            copied = Path(shutil.copy(program, folder))
            wanted = _wanted(copied.read_text())
            found = _by_mypy(copied, python) | _by_pyright(copied, python)
            for line, rule in sorted(wanted - found):
                print(f"{program.name}:{line}: no objection by {rule}")
            for line, rule in sorted(found - wanted):
                print(f"{program.name}:{line}: {rule}")
            wrong += len(wanted ^ found)
            print(f"{program.name}: {'wrong' if wrong else 'ok'}")
    return min(wrong, 100)


def _wanted(text: str) -> Found:
    found: Found = set()
    for number, line in enumerate(text.splitlines(), start=1):
        _, marked, rules = line.partition("# error: ")
        found |= {(number, rule.strip()) for rule in rules.split(",") if marked}
    return found


def _by_mypy(program: Path, python: str) -> Found:
    said = _run(
        *(BIN / "mypy", "--strict", "--python-version=3.10", "--python-executable", python),
        *("--cache-dir", program.parent / "cache", "--no-error-summary", program.name),
        cwd=program.parent,
    )
    found = re.findall(rf"^{program.name}:(\d+): error: .*\[([\w-]+)\]$", said, re.MULTILINE)
    if len(found) != said.count("error: "):
        raise SystemExit(f"mypy could not check {program.name}:\n{said}")
    return {(int(line), rule) for line, rule in found}


def _by_pyright(program: Path, python: str) -> Found:
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.10", "include": [program.name]}
    (program.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    said = _run(*(BIN / "basedpyright", "--outputjson", "--pythonpath", python), cwd=program.parent)
    return {
        (each["range"]["start"]["line"] + 1, each["rule"])
        for each in json.loads(said)["generalDiagnostics"]
        if each["severity"] == "error"
    }


def _run(*command: str | Path, cwd: Path) -> str:
    return subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False
    ).stdout


if __name__ == "__main__":
    sys.exit(main())
