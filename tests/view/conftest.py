"""A store and a viewer for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otelbridge.store import Store
from otelbridge.view import Server, start


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store(tmp_path / "traces.db") as made:
        yield made


@pytest.fixture
def viewer(store: Store) -> Iterator[Server]:
    """A viewer of that store, with both receivers, on free ports."""
    with start(store, port=0, otlp_http_port=0, otlp_grpc_port=0) as server:
        yield server
