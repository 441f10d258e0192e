"""The build: keyed by what pins it, whole or not there, one builder at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backends.build import BACKENDS, HERE

SLOW_GO = """#!/bin/sh
echo "$@" >> "$CALLS"
sleep 1
while [ $# -gt 0 ]; do
    [ "$1" = -o ] && { echo built > "$2"; exit ${STATUS:-0}; }
    shift
done
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a `go` that takes a second and notes its calls."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "go").write_text(SLOW_GO)
    (tools / "go").chmod(0o755)
    return tmp_path


def builder(place: Path, backend: str = "jaeger", **variables: str) -> subprocess.Popen[str]:
    """Start to build one backend, with those tools."""
    code = f"from backends.build import BACKENDS, ensure; ensure(BACKENDS['{backend}'])"
    environment = {
        "PATH": f"{place / 'tools'}:{os.environ['PATH']}",
        "PYTHONPATH": str(HERE.parent),
        "XDG_CACHE_HOME": str(place / "cache"),
        "CALLS": str(place / "calls"),
        **variables,
    }
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def calls(place: Path) -> int:
    """How often `go` was called."""
    return len((place / "calls").read_text().splitlines())


def built(place: Path) -> list[str]:
    """The complete builds in the cache."""
    return [it.name for it in (place / "cache/otelbridge-backends").glob("jaeger-*")]


def test_two_builders_build_once(place: Path) -> None:
    """The second waits for the first, says so, and takes what it made."""
    said = [each.communicate()[0] for each in [builder(place), builder(place)]]
    assert calls(place) == 1
    assert built(place) == [BACKENDS["jaeger"].folder.name]
    assert sum("waiting" in text for text in said) == 1


def test_a_second_run_builds_nothing(place: Path) -> None:
    """What is there is taken as it is."""
    builder(place).communicate()
    said, _ = builder(place).communicate()
    assert calls(place) == 1
    assert "building" not in said


def test_a_build_that_fails_leaves_nothing(place: Path) -> None:
    """The next one starts afresh."""
    failed = builder(place, STATUS="1")
    said, _ = failed.communicate()
    assert failed.returncode != 0
    assert "left with status 1" in said
    assert built(place) == []
    builder(place).communicate()
    assert len(built(place)) == 1


def test_a_build_that_is_killed_leaves_nothing(place: Path) -> None:
    """Half a build is never taken for whole, and its remains go with the next build."""
    killed = builder(place)
    while not (place / "calls").exists():
        assert killed.poll() is None
    killed.kill()
    killed.communicate()
    assert built(place) == []
    assert len(list((place / "cache/otelbridge-backends").glob("unfinished-*"))) == 1
    builder(place).communicate()
    assert len(built(place)) == 1
    assert not list((place / "cache/otelbridge-backends").glob("unfinished-*"))


def test_a_jar_that_is_not_the_one_listed_is_refused(place: Path) -> None:
    """What Maven brings is compared with the checksums."""
    mvn = place / "tools/mvn"
    mvn.write_text(
        '#!/bin/sh\nfor word; do case "$word" in -DoutputDirectory=*) folder="${word#*=}";; esac; '
        'done\nmkdir -p "$folder"\necho evil > "$folder/HdrHistogram-2.2.2.jar"\n'
    )
    mvn.chmod(0o755)
    failed = builder(place, "kafka")
    said, _ = failed.communicate()
    assert failed.returncode != 0
    assert "Not the jars that kafka/sha256sums.txt lists: HdrHistogram-2.2.2.jar" in said
    assert not list((place / "cache/otelbridge-backends").glob("kafka-*"))
