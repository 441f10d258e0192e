"""A store with three traces in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from traces import lines

from otelbridge.store import Store


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store with the traces of ``traces.lines``; do not change it."""
    path = tmp_path_factory.mktemp("store") / "traces.db"
    with Store(path) as store:
        assert store.import_otlp(lines()).rejected == 0
    return path


@pytest.fixture
def own(filled: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copy(filled, tmp_path / "own.db"))
