"""The viewer over a store full of traces, and pages in a real Chromium that look at it.

Collected only when they are asked for, as `make test-browser` does.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser.viewing import Look, Viewer, looking
from playwright.sync_api import Browser, expect, sync_playwright
from view import synthetic

from otelbridge.store import Store

HERE = Path(__file__).parent
# A busy machine is no slow page: what must be quick is measured where it is tested.
expect.set_options(timeout=20_000)
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert found, "no Chromium here: make test-browser says what to install"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--force-color-profile=srgb"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    """A viewer over every kind of trace; tests look and change nothing."""
    with Store(tmp_path_factory.mktemp("shown") / "traces.db") as store:
        for request in synthetic.all_kinds(time.time_ns()):
            store.add(request)
        with Viewer(store) as viewer:
            yield viewer


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[Viewer]:
    """A viewer over an empty store."""
    with Store(tmp_path / "traces.db") as store, Viewer(store) as viewer:
        yield viewer


@pytest.fixture
def look(chromium: Browser) -> Iterator[Look]:
    """Opens pages; at the end none may have failed, or asked anything of another host."""
    with looking(chromium) as look:
        yield look


@pytest.fixture(scope="session")
def artefacts() -> Callable[[str], Path]:
    """Where a screenshot goes, by its name."""
    folder = HERE.parent.parent / "artefacts"
    folder.mkdir(exist_ok=True)
    return lambda name: folder / f"{name}.png"
