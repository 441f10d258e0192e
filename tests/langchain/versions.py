"""Which versions of LangChain and its kin are installed, for what upstream has changed."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest


def installed(package: str) -> tuple[int, ...]:
    """Return a version's numbers, such as (1, 2, 13)."""
    return tuple(int(number) for number in re.findall(r"\d+", version(package))[:3])


needs_model_events = pytest.mark.skipif(
    installed("langchain-core") < (1, 4),
    reason="stream_events of models, version 3, came with langchain-core 1.4",
)
