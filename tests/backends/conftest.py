"""Collects these tests only when they are asked for, shows logs, prints figures at the end."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from backends import figures, servers
from backends.fleet import Fleet
from backends.outages import Outage, backend_away, kafka_away

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder alone unless the command line names it: `make test-backends` does."""
    named = (Path(arg.split("::")[0]).resolve() for arg in config.invocation_params.args)
    return None if any(HERE in (path, *path.parents) for path in named) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the outages last: they have begun by then."""
    items.sort(key=lambda item: item.path.name == "test_outages.py")


@pytest.fixture(scope="session", autouse=True)
def outages(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[list[Outage]]]]:
    """Begin the long outages, if a test will ask for them."""
    asked = any(item.path.name == "test_outages.py" for item in request.session.items)
    with ThreadPoolExecutor() as pool:
        yield {
            run.__name__: pool.submit(run, tmp_path_factory.mktemp(run.__name__))
            for run in (backend_away, kafka_away)
            if asked
        }


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
