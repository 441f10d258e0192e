"""Runs each program of examples/ alone and compares what it prints with examples/expected/.

    python tests/run_examples.py [--python PYTHON] [--alone] [--write] [NAME ...]

``--python`` names the interpreter that runs them (another installation's, say); ``--alone`` leaves
out those whose docstring says ``Needs: pip install ...``, which the extra ``examples`` has;
``--write`` stores what they print as expected, with UUIDs as ``<uuid>``: read the difference before
you commit it.
The programs run outside the checkout, with warnings as errors, and may not write to standard error.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from expected_output import difference, generalise

EXAMPLES = Path(__file__).parent.parent / "examples"
NEEDS = "\nNeeds: pip install "
TIMEOUT_S = 60


def main() -> int:
    """Check the examples; the exit status says whether all are as expected."""
    parser = argparse.ArgumentParser(description="Run the examples and check what they print.")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that runs them")
    parser.add_argument(
        "--alone", action="store_true", help="only those that need otelbridge alone"
    )
    parser.add_argument("--write", action="store_true", help="store what they print as expected")
    parser.add_argument("names", nargs="*", help="examples, without .py (default: all)")
    options = parser.parse_args()

    examples = sorted(EXAMPLES.glob("*.py"))
    if options.names:
        examples = [EXAMPLES / f"{Path(name).stem}.py" for name in options.names]
    if options.alone:
        examples = [path for path in examples if NEEDS not in path.read_text("utf-8")]
    with ThreadPoolExecutor(max_workers=2) as pool:
        faults = list(pool.map(lambda path: check(path, options.python, options.write), examples))
    report = dict(zip((path.stem for path in examples), faults, strict=True))
    for text in sorted((EXAMPLES / "expected").glob("*.txt")):
        if not (EXAMPLES / f"{text.stem}.py").exists():
            report[text.name] = "this text belongs to no example"
    for name, fault in report.items():
        print(f"{'FAILED' if fault else 'ok':<6} {name}", fault, sep="\n" if fault else "")
    failed = sum(map(bool, report.values()))
    print(f"{len(report) - failed} examples as expected, {failed} failed")
    return 1 if failed or not examples else 0


def check(example: Path, python: str, write: bool) -> str:
    """Run one example; what is wrong with it, or an empty text."""
    environment = {name: it for name, it in os.environ.items() if not name.startswith("OTEL")}
    with tempfile.TemporaryDirectory() as elsewhere:
        environment |= {"XDG_DATA_HOME": elsewhere, "XDG_STATE_HOME": elsewhere}
        try:
            ran = subprocess.run(
                [python, "-W", "error", str(example)],
                cwd=elsewhere,
                env=environment,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"it still ran after {TIMEOUT_S} s"
    if ran.returncode or ran.stderr:
        return f"{ran.stdout}{ran.stderr}it left with status {ran.returncode}"
    expected = EXAMPLES / "expected" / f"{example.stem}.txt"
    if write:
        if not expected.exists() or difference(expected.read_text("utf-8"), ran.stdout):
            expected.parent.mkdir(exist_ok=True)
            expected.write_text(generalise(ran.stdout), "utf-8")
        return ""
    if not expected.exists():
        return f"{expected} is missing: make it with --write"
    return difference(expected.read_text("utf-8"), ran.stdout)


if __name__ == "__main__":
    sys.exit(main())
