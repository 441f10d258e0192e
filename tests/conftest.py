"""What every test shares: a clean environment, and how hard Hypothesis looks.

``HYPOTHESIS_PROFILE`` chooses a profile; without it CI gets ``ci``, and a person ``dev``.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from unreachable import refusing_endpoint, silent_endpoint

# Whoever runs the tests may use OpenTelemetry or LangSmith; their settings are not the tests'.
KEPT = frozenset({"OTELBRIDGE_LEFT_OUT"})  # see tests/langchain/conftest.py
for name in list(os.environ):
    if name.startswith(("OTEL_", "OTELBRIDGE_", "LANGCHAIN_", "LANGSMITH_")) and name not in KEPT:
        del os.environ[name]

# A shell ignores Ctrl-C for what it starts in the background, and programs inherit that; those that
# the tests start are sent it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

BROWSER = Path(__file__).parent / "browser"

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


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the browser's tests alone unless the command line names them: they need Playwright."""
    if collection_path != BROWSER:
        return None
    named = (Path(arg.split("::")[0]).resolve() for arg in config.invocation_params.args)
    return None if any(BROWSER in (path, *path.parents) for path in named) else True


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: more workers than processors, for many tests wait for a process or a time."""
    return min((os.cpu_count() or 1) + 2, 8)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print on how many schedules the laws were checked."""
    schedules = sum(
        figure
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "teardown"
        for name, figure in report.user_properties
        if name == "schedules"
    )
    if schedules:
        terminalreporter.write_line(f"laws: {schedules:,} schedules")


@pytest.fixture(scope="session", autouse=True)
def _kept_apart(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests cannot send waits on disk, and what they send nowhere goes into a store.

    Not where the person who runs them keeps theirs. Pytest deletes it.
    """
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        os.environ[name] = str(tmp_path_factory.mktemp(name))


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
def refused() -> str:
    """An endpoint where nobody listens."""
    return refusing_endpoint()


@pytest.fixture
def silent() -> Iterator[str]:
    """An endpoint that accepts connections and never answers."""
    with silent_endpoint() as url:
        yield url
