"""Where a measurement runs: a fresh interpreter, its SDK recording, unsampled, or absent."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args

from opentelemetry import trace

Sdk = Literal["recording", "unsampled", "absent"]
SDKS: Final[tuple[Sdk, ...]] = get_args(Sdk)
PROTOCOLS: Final = ("grpc", "http")
"""Of the export."""

ROOT: Final = Path(__file__).resolve().parent.parent
_FOREIGN_SETTINGS: Final = (
    "OTEL_",
    "OTELBRIDGE_",
    "LANGCHAIN_",
    "LANGSMITH_",
    "PYTHONDONTWRITEBYTECODE",
)
_PACKAGES: Final = (
    "otelbridge",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp",
    "grpcio",
    "langchain-core",
    "langgraph",
)


def set_up(sdk: Sdk) -> Callable[[], int]:
    """Install the global tracer provider of a measurement, the same for every contestant.

    Returns:
        What tells how many spans have ended since.
    """
    if sdk == "absent":
        return lambda: 0
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

    class Counter(SpanProcessor):
        """Counts ended spans and keeps none."""

        ended = 0

        def on_end(self, span: ReadableSpan) -> None:
            self.ended += 1

    provider = TracerProvider(sampler=ALWAYS_ON if sdk == "recording" else ALWAYS_OFF)
    counter = Counter()
    provider.add_span_processor(counter)
    trace.set_tracer_provider(provider)
    return lambda: counter.ended


def in_child(module: str, arguments: Sequence[str] = ()) -> Any:
    """Run ``python -m module arguments`` with no settings of its surroundings.

    Returns:
        What the child printed, read as JSON.

    Raises:
        subprocess.CalledProcessError: The child failed; what it wrote to stderr was passed through.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def versions() -> dict[str, str]:
    """The versions of what is compared."""
    return {name: _version(name) for name in _PACKAGES}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def clean_environment() -> dict[str, str]:
    """The surroundings without settings that would change what is measured."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_SETTINGS)
    }
