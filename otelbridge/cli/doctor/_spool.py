"""What waits on disk to be sent, and what receivers have refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from otelbridge.cli._values import counted, size_text
from otelbridge.cli.doctor._check import Check, Patient, failed
from otelbridge.errors import ConfigurationError
from otelbridge.export.arguments import Arguments
from otelbridge.export.keeping import Keeping

_CURE = "set OTELBRIDGE_SPOOL to a folder of this user's own, or to off"


def look(patient: Patient) -> Iterator[Check]:
    """Look at the spool's folder."""
    try:
        folder = Keeping.of(Arguments(), patient.environ).folder
    except ConfigurationError as error:
        yield failed("spool", error)
        return
    if folder is None:
        yield Check("spool", "ok", "off: what cannot be sent now waits in memory only")
        return
    yield _usable(folder)
    refused = sorted(folder.glob("*/rejected-*.jsonl")) if folder.is_dir() else []
    if refused:
        yield Check(
            "refused spans",
            "warn",
            f"receivers have refused spans for good: {_count(refused)} in {refused[-1].parent}",
            "read why (jq .reason), then delete the files",
        )


def _usable(folder: Path) -> Check:
    above = folder
    while not above.exists() and above != above.parent:
        above = above.parent
    if not above.is_dir():
        return Check("spool", "fail", f"{folder} cannot be made: {above} is a file", _CURE)
    if not os.access(above, os.W_OK | os.X_OK):
        return Check("spool", "fail", f"{above} may not be written by this user", _CURE)
    segments = list(folder.glob("*/*/*.v1")) if above == folder else []
    if waiting := sum(path.stat().st_size for path in segments):
        services = ", ".join(sorted({path.parts[-3] for path in segments}))
        return Check(
            "spool",
            "warn",
            f"{size_text(waiting)} of spans wait in {folder}, of {services}",
            "run the service again with its endpoint, which sends them, or delete its folder there",
        )
    return Check("spool", "ok", f"{folder}, nothing waits")


def _count(files: list[Path]) -> str:
    lines = 0
    for path in files:
        with path.open("rb") as file:
            lines += sum(1 for _ in file)
    return counted(lines, "span")
