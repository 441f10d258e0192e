"""What the oracle's programs change in the process is put back."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

_LOGGERS = ("otelbridge", "langchain_core.callbacks.manager")


@pytest.fixture(autouse=True)
def _log_levels() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels):
        logger.setLevel(level)
