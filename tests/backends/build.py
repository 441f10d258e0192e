"""Builds the real backends that tests/backends runs: Jaeger, a Collector, Kafka.

    python tests/backends/build.py            builds what is missing; `make backends` does this
    python tests/backends/build.py --where    prints where each is, and builds nothing

Needs Go (1.26 or later), Maven and a Java runtime. Everything that is downloaded is pinned and
checked: Go modules by the go.sum files beside this one, Kafka's jars by ``kafka/sha256sums.txt``.

What is built is kept outside the checkout, in ``$XDG_CACHE_HOME/otelbridge-backends`` (default
``~/.cache``), in one folder for each backend, named by a hash of the files that pin it. A folder
appears under that name when it is complete, in one step, so a build that was cut short is never
taken for whole; a lock for each backend lets one of several builders work and the others wait.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
GO_FLAGS = ["-mod=readonly", "-trimpath", "-ldflags=-s -w", "-p=2"]  # -p=2: under 4 GiB of memory


@dataclass(frozen=True)
class Backend:
    """One thing to build.

    Attributes:
        name: its folder in the cache.
        sources: folders beside this file that pin it.
        tools: commands that must be there.
        make: builds it from copies of ``sources``, all in the folder given, into the other folder.
    """

    name: str
    sources: tuple[str, ...]
    tools: tuple[str, ...]
    make: Callable[[Path, Path], None]

    @property
    def folder(self) -> Path:
        """Where it is when it is complete."""
        digest = hashlib.sha256()
        for path in sorted(path for source in self.sources for path in (HERE / source).iterdir()):
            digest.update(f"{path.relative_to(HERE).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return cache() / f"{self.name}-{digest.hexdigest()[:16]}"


def cache() -> Path:
    """The folder that holds every build."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "otelbridge-backends"


def jaeger(sources: Path, into: Path) -> None:
    """Build Jaeger; its module has a ``replace``, so that ``go install`` would refuse it."""
    go(sources / "jaeger", into / "jaeger", "github.com/jaegertracing/jaeger/cmd/jaeger")


def collector(sources: Path, into: Path) -> None:
    """Let the Collector Builder write the Collector's main package, then build that."""
    builder = sources / "ocb"
    go(sources / "builder", builder, "go.opentelemetry.io/collector/cmd/builder")
    generate = ["--config", "manifest.yaml", "--skip-get-modules", "--skip-compilation"]
    command([str(builder), *generate], sources / "collector")
    go(sources / "collector", into / "otelcol", ".")


def kafka(sources: Path, into: Path) -> None:
    """Fetch Kafka's jars and compare each with its checksum."""
    jars = into / "lib"
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
    command(["mvn", "--batch-mode", "--quiet", *goal], sources / "kafka")
    lines = (sources / "kafka" / "sha256sums.txt").read_text().splitlines()
    expected = {name: digest for digest, name in (line.split() for line in lines)}
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in jars.iterdir()}
    if strange := sorted(dict(expected.items() ^ found.items())):
        raise SystemExit(f"Not the jars that kafka/sha256sums.txt lists: {', '.join(strange)}")


BACKENDS = {
    "jaeger": Backend("jaeger", ("jaeger",), ("go",), jaeger),
    "collector": Backend("collector", ("collector", "builder"), ("go",), collector),
    "kafka": Backend("kafka", ("kafka",), ("mvn", "java"), kafka),
}


def go(module: Path, output: Path, package: str) -> None:
    """Build one Go program, from exactly the modules that its go.sum knows."""
    command(["go", "build", *GO_FLAGS, "-o", str(output), package], module)


def command(words: list[str], folder: Path) -> None:
    """Run a step; when it fails, end with what it printed."""
    settings = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", "GOTOOLCHAIN": "local"}
    environment = {**os.environ, **settings}
    ran = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    if ran.returncode:
        shown = (ran.stdout + ran.stderr)[-8000:]
        raise SystemExit(f"{shown}\n{' '.join(words)} left with status {ran.returncode}")


def ensure(backend: Backend) -> None:
    """Build it unless it is there."""
    if backend.folder.exists():
        print(f"{backend.name}: {backend.folder}", flush=True)
        return
    if missing := [tool for tool in backend.tools if shutil.which(tool) is None]:
        raise SystemExit(f"{backend.name}: {' and '.join(missing)} must be installed to build it")
    started = time.monotonic()
    with locked(backend):
        if not backend.folder.exists():
            print(f"{backend.name}: building, which takes minutes the first time ...", flush=True)
            build(backend)
    print(f"{backend.name}: {backend.folder} ({time.monotonic() - started:.0f} s)", flush=True)


def build(backend: Backend) -> None:
    """Build in a folder of its own, which then gets its place in one step."""
    prefix = f"unfinished-{backend.name}-"
    for left_behind in cache().glob(f"{prefix}*"):  # by a build that was killed: we hold the lock
        shutil.rmtree(left_behind)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=cache()) as scratch:
        sources, made = Path(scratch, "sources"), Path(scratch, "made")
        made.mkdir()
        for source in backend.sources:
            shutil.copytree(HERE / source, sources / source)
        backend.make(sources, made)
        made.rename(backend.folder)


@contextmanager
def locked(backend: Backend) -> Iterator[None]:
    """Hold the backend's lock; it is released when this process ends, however it ends."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{backend.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{backend.name}: another process builds it; waiting ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Build, or print, every backend."""
    parser = argparse.ArgumentParser(description="Build the backends that tests/backends runs.")
    parser.add_argument("--where", action="store_true", help="print the folders, build nothing")
    options = parser.parse_args()
    started = time.monotonic()
    for backend in BACKENDS.values():
        if options.where:
            print(backend.folder)
        else:
            ensure(backend)
    if not options.where:
        print(f"All backends are there, after {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
