"""Keeps of each test how many schedules the laws were checked on."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import pytest

from . import counting


@pytest.fixture(scope="module", autouse=True)
def _thawed() -> Iterator[None]:
    """What ``watched`` has kept from the garbage collector is given back to it."""
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _counted(record_property: Callable[[str, object], None]) -> Iterator[None]:
    """A test's report carries the figure; tests/conftest.py adds up those of every process."""
    before = counting.schedules
    yield
    record_property("schedules", counting.schedules - before)
