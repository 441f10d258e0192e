"""Every file of collector-config/ is accepted and run by the real binaries."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from backends.fleet import Fleet
from backends.servers import CONFIGURATIONS, Collector, Jaeger, Server, configured

COLLECTORS = ["agent", "gateway-balancer", "gateway-kafka", "gateway-sampler", "ingest-kafka"]
JAEGERS = ["jaeger", "jaeger-badger"]
OVERLAYS = ["secure"]  # merged over a Collector's file
FILES = sorted(path.stem for path in CONFIGURATIONS.glob("*.yaml") if path.stem != "compose")


def server(name: str, folder: Path) -> Server:
    """The server that a file is for, not started."""
    return Jaeger(name, folder) if name in JAEGERS else Collector(folder, name)


def without_comments(name: str) -> str:
    """The text of a file."""
    lines = (CONFIGURATIONS / f"{name}.yaml").read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def test_every_file_is_tested() -> None:
    """No file of the folder is without a test."""
    assert sorted([*COLLECTORS, *JAEGERS, *OVERLAYS]) == FILES


@pytest.mark.parametrize("name", [*COLLECTORS, *JAEGERS])
def test_the_real_binary_accepts_the_defaults(name: str, tmp_path: Path) -> None:
    """`validate` accepts the file with no variable set."""
    binary = server(name, tmp_path).command()[0]
    ran = subprocess.run(
        [binary, "validate", *configured([name])],
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in ran.stderr.splitlines() if "application version" not in line]
    assert (ran.returncode, ran.stdout, said) == (0, "", [])


@pytest.mark.parametrize("name", [*COLLECTORS, *JAEGERS])
def test_the_real_binary_starts_and_stops(name: str, fleet: Fleet) -> None:
    """It starts where its next hop is away, warns of nothing outdated, and ends by SIGTERM."""
    if name in JAEGERS:
        started: Server = fleet.jaeger(name, name)
    else:
        started = fleet.collector(name, name)
    assert started.stop() == 0
    assert not re.search("deprecat|renamed", started.printed(), re.IGNORECASE)


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_acknowledged_before_it_is_stored(name: str) -> None:
    """No batch processor anywhere; every queue is on disk."""
    text = without_comments(name)
    assert not re.search(r"^  batch\b|[\[ ,]batch[\],]", text, re.MULTILINE)
    for queue in re.findall(r"sending_queue:\n\s+(\S+: \S+)", text):
        assert queue in ("storage: file_storage", "enabled: false")


def test_every_variable_is_explained() -> None:
    """README.md names each variable of the files, and none that is not there."""
    files = "".join(without_comments(name) for name in FILES)
    used = set(re.findall(r"\$\{env:(\w+)", files))
    explained = re.findall(
        r"`((?:OTELCOL|JAEGER)_[A-Z_]+)", (CONFIGURATIONS / "README.md").read_text()
    )
    assert set(explained) == used


@pytest.mark.parametrize("name", [*COLLECTORS, *JAEGERS])
def test_everything_listens_on_this_machine_alone(name: str) -> None:
    """Each address is from the environment and its default is on the loopback interface."""
    text = without_comments(name)
    endpoints = re.findall(r"(?:endpoint|host): (.*)", text)
    assert endpoints
    for endpoint in endpoints:
        assert re.fullmatch(r"\$\{env:[A-Z_]+:-(http://)?127\.0\.0\.1(:\d+)?\}", endpoint)
