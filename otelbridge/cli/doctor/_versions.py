"""Whether what is installed fits together."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from otelbridge._version import __version__
from otelbridge.cli.doctor._check import Check, Patient

_REQUIREMENT = re.compile(r"([\w.-]+)\s*>=\s*([\d.]+)[^;]*(?:;.*extra == ['\"]([\w-]+)['\"])?")
_CHECKED_EXTRAS = (None, "view")  # the others ask for more where they are used
_TOGETHER = (
    *("opentelemetry-api", "opentelemetry-sdk", "opentelemetry-proto"),
    *("opentelemetry-exporter-otlp-proto-grpc", "opentelemetry-exporter-otlp-proto-http"),
)


def look(patient: Patient) -> Iterator[Check]:
    """Look at Python, at what otelbridge requires, and at OpenTelemetry's parts."""
    yield Check(
        "python", "ok", f"Python {platform.python_version()} at {sys.executable}, {_system()}"
    )
    yield from _requirements()
    yield _parts()


def _system() -> str:
    return f"{platform.system()} {platform.machine()}"


def _requirements() -> Iterator[Check]:
    told = [f"otelbridge {__version__}"]
    for requirement in requires("otelbridge") or ():
        found = _REQUIREMENT.match(requirement)
        if found is None or found[3] not in _CHECKED_EXTRAS:
            continue
        name, least = found[1], found[2]
        have = _version(name)
        if have is None or _order(have) < _order(least):
            yield Check(
                "packages",
                "fail",
                f"{name} is {'not installed' if have is None else have}, and {least} is needed",
                f"pip install '{name}>={least}'",
            )
        else:
            told.append(f"{name} {have}")
    yield Check("packages", "ok", ", ".join(told))


def _parts() -> Check:
    versions = {name: have for name in _TOGETHER if (have := _version(name)) is not None}
    if len(set(versions.values())) > 1:
        return Check(
            "opentelemetry",
            "fail",
            "its parts are of different versions: "
            + ", ".join(f"{name} {have}" for name, have in versions.items()),
            "pip install --upgrade " + " ".join(versions),
        )
    return Check("opentelemetry", "ok", f"{', '.join(set(versions.values()))}, all parts alike")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _order(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)[:3]]
