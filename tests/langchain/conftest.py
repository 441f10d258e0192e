"""What the tests of LangChain share: the ways in which its runs are traced.

``OTELBRIDGE_LEFT_OUT`` names attributes (``BaseTool.run,BaseTool.arun``) that are then left as
upstream has them: each must make a test fail.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from laws.watching import nothing_said
from traced import Traced

from otelbridge import langchain
from otelbridge.langchain import _patch
from otelbridge.testing import capture_runs

_patch.left_out.update(
    name for name in os.environ.get("OTELBRIDGE_LEFT_OUT", "").split(",") if name
)


def _traced(way: str) -> Iterator[Traced]:
    gc.freeze()  # what is there before is left out of the collections that tests make
    try:
        yield from _captured(way)
    finally:
        gc.unfreeze()


def _captured(way: str) -> Iterator[Traced]:
    with capture_runs() as captured:
        traced = Traced(way, captured)
        with nothing_said(traced.said):
            try:
                yield traced.on()
            finally:
                langchain.uninstrument()


@pytest.fixture(params=["instrument", "handler"])
def traced(request: pytest.FixtureRequest) -> Iterator[Traced]:
    """Trace by ``instrument()``, and by a handler that each call is given."""
    yield from _traced(request.param)


@pytest.fixture(params=["instrument", "handler", "both"])
def traced_any_way(request: pytest.FixtureRequest) -> Iterator[Traced]:
    """As ``traced``, and by both at once."""
    yield from _traced(request.param)
