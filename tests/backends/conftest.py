"""Collects these tests only when they are asked for, shows logs, prints figures at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from backends import figures, servers
from backends.fleet import Fleet
from backends.outages import Outage, backend_away, kafka

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder alone unless the command line names it: `make test-backends` does."""
    named = (Path(arg.split("::")[0]).resolve() for arg in config.invocation_params.args)
    return None if any(HERE in (path, *path.parents) for path in named) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put those that wait for the long outages last."""
    items.sort(key=_waits)


def _waits(item: pytest.Item) -> bool:
    return item.name.startswith("test_a_long_outage")


@pytest.fixture(scope="session", autouse=True)
def long_outages(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[list[Outage]]]]:
    """Begin the long outages, if a test will ask for them; other tests run meanwhile."""
    asked = any(map(_waits, request.session.items))
    with ThreadPoolExecutor() as pool:
        yield {
            run.__name__: pool.submit(_all, run, tmp_path_factory.mktemp(run.__name__))
            for run in (backend_away, kafka)
            if asked
        }


def _all(run: Callable[[Path], Iterator[Outage]], folder: Path) -> list[Outage]:
    return list(run(folder))


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
