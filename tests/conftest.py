"""What every test shares: a clean environment, and how hard Hypothesis looks.

``HYPOTHESIS_PROFILE`` chooses a profile; without it CI gets ``ci``, and a person ``dev``.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from unreachable import refusing_endpoint, silent_endpoint

# Whoever runs the tests may use OpenTelemetry or LangSmith; their settings are not the tests'.
KEPT = frozenset({"OTELBRIDGE_LEFT_OUT"})  # see tests/langchain/conftest.py
for name in list(os.environ):
    if name.startswith(("OTEL_", "OTELBRIDGE_", "LANGCHAIN_", "LANGSMITH_")) and name not in KEPT:
        del os.environ[name]

# What tests cannot send waits on disk, but not where the person who runs them keeps theirs.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="otelbridge-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)

# A slow machine is no defect of the code under test.
settings.register_profile(
    "dev", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# The same examples each time: a submission fails for what it changed, not for its luck.
settings.register_profile(
    "ci", settings.get_profile("dev"), max_examples=200, derandomize=True, print_blob=True
)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)


@pytest.fixture(autouse=True)
def _log_levels_last_one_test() -> Iterator[None]:
    """A test that silences a logger silences it for itself alone."""
    loggers = [
        it for it in logging.root.manager.loggerDict.values() if isinstance(it, logging.Logger)
    ]
    before = [(logger, logger.level) for logger in loggers]
    yield
    for logger, level in before:
        if logger.level != level:
            logger.setLevel(level)


@pytest.fixture
def untraced() -> Iterator[None]:
    """No coverage within: it keeps objects for each thread, and the test counts objects."""
    here, threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    yield
    sys.settrace(here)
    threading.settrace(threads)  # type: ignore[arg-type]


@pytest.fixture
def refused() -> str:
    """An endpoint where nobody listens."""
    return refusing_endpoint()


@pytest.fixture
def silent() -> Iterator[str]:
    """An endpoint that accepts connections and never answers."""
    with silent_endpoint() as url:
        yield url
