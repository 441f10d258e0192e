"""Collects these tests only when they are asked for, shows logs, prints figures at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends import figures, servers
from backends.fleet import Fleet

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder alone unless the command line names it: `make test-backends` does."""
    named = (Path(arg.split("::")[0]).resolve() for arg in config.invocation_params.args)
    return None if any(HERE in (path, *path.parents) for path in named) else True


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Starts servers and programs in folders of their own; ends them after the module's tests."""
    with Fleet(tmp_path_factory.mktemp("fleet")) as made:
        yield made


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Add the end of each server's log to a failed test."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed:
        for server in servers.started:
            report.sections.append((f"the end of {server.log}", server.tail()))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what was measured."""
    if figures.lines:
        terminalreporter.section("figures")
        for line in figures.lines:
            terminalreporter.write_line(line)
