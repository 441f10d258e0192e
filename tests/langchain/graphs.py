"""What the tests of graphs share: the ways to run one, and their traces as text."""

from __future__ import annotations

import asyncio
import operator
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import pytest
import ways
from typing_extensions import TypedDict
from ways import captured_cleanly, in_thread, taken

from otelbridge.langchain import OtelCallbackHandler, instrumented
from otelbridge.testing import CapturedRuns

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # langgraph 1.0 warns of itself when it is imported
    from langgraph.prebuilt import ToolNode, ToolRuntime

__all__ = ["ToolNode", "ToolRuntime"]

# Before, no context reaches async code, and LangGraph's ``get_config()`` fails there.
ASYNC_CONTEXT = sys.version_info >= (3, 11)


class Words(TypedDict):
    """The state of most graphs here: words, which add up."""

    words: Annotated[list[str], operator.add]


def invoke(graph: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``invoke``."""
    return graph.invoke(value, config, **kwargs)


def ainvoke(graph: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``ainvoke``."""
    return asyncio.run(graph.ainvoke(value, config, **kwargs))


def stream(graph: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``stream``."""
    return list(graph.stream(value, config, **kwargs))


def astream(graph: Any, value: Any, config: Any = None, **kwargs: Any) -> Any:
    """By ``astream``."""
    return asyncio.run(taken(graph.astream(value, config, **kwargs)))


WAYS: tuple[Callable[..., Any], ...] = (invoke, ainvoke, stream, astream, in_thread)
SYNC_WAYS: tuple[Callable[..., Any], ...] = (invoke, stream, in_thread)
ASYNC_WAYS: tuple[Callable[..., Any], ...] = (ainvoke, astream)
CONTEXT_WAYS = WAYS if ASYNC_CONTEXT else SYNC_WAYS
every_way_with_context = pytest.mark.parametrize("way", CONTEXT_WAYS, ids=lambda way: way.__name__)
every_stream_with_context = pytest.mark.parametrize(
    "way", [stream, astream] if ASYNC_CONTEXT else [stream], ids=lambda way: way.__name__
)
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
every_sync_way = pytest.mark.parametrize("way", SYNC_WAYS, ids=lambda way: way.__name__)
every_async_way = pytest.mark.parametrize("way", ASYNC_WAYS, ids=lambda way: way.__name__)


@contextmanager
def traced(**options: Any) -> Iterator[CapturedRuns]:
    """Capture the runs of LangGraph, instrumented, and check that each has ended."""
    with captured_cleanly() as captured, instrumented(**options):
        yield captured


@contextmanager
def traced_by_handler(**options: Any) -> Iterator[tuple[CapturedRuns, dict[str, Any]]]:
    """The same for one call: the config that is yielded has the handler."""
    with captured_cleanly() as captured:
        yield captured, {"callbacks": [OtelCallbackHandler(**options)]}


def traces(captured: CapturedRuns) -> list[str]:
    """Return the traces so far, one line a span, and forget them."""
    return ways.traces(captured, of_runs=False)
