"""Exceptions, interrupts and cancels come out of a run as they went in."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from otelbridge import (
    Runnable,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    semconv,
    start_run,
    traced,
)
from otelbridge.testing import CapturedRuns, capture_runs

GraphBubbleUp = type("GraphBubbleUp", (Exception,), {"__module__": "langgraph.errors"})
Interrupt = type("Interrupt", (GraphBubbleUp,), {})

ERRORS: list[type[BaseException]] = [
    LookupError,
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    asyncio.CancelledError,
    Interrupt,
]
OUTCOMES = {
    GeneratorExit: "closed",
    asyncio.CancelledError: "cancelled",
    Interrupt: "interrupted",
}


@pytest.fixture(name="captured")
def _captured() -> Iterator[CapturedRuns]:
    """Capture the runs of one test."""
    with capture_runs() as captured:
        yield captured


class Raises:
    """Bodies that raise one exception with a cause and a context of the user's own."""

    def __init__(self, kind: type[BaseException]) -> None:
        self.cause = ValueError("cause")
        self.context = TypeError("context")
        self.error = kind("the user's")

    def users(self, value: Any) -> Any:
        """Raise."""
        try:
            raise self.context
        except TypeError:
            raise self.error from self.cause

    async def ausers(self, value: Any) -> Any:
        """Raise after giving way."""
        self.users(value)

    def parts(self, values: Iterator[Any]) -> Iterator[Any]:
        """Raise after a chunk."""
        for value in values:
            yield value
            self.users(value)

    async def aparts(self, values: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Raise after a chunk."""
        async for value in values:
            yield value
            self.users(value)


def composites(it: Raises) -> dict[str, Runnable[Any, Any]]:
    """Return runnables in which the exception is raised."""
    leaf: Runnable[Any, Any] = RunnableLambda(it.users, it.ausers)
    return {
        "lambda": leaf,
        "sequence": RunnableLambda(lambda x: x).with_config(run_name="fine") | leaf,
        "parallel": RunnableParallel(a=leaf),
        "retry": leaf.with_retry(retry_if_exception_type=(OSError,)),
        "fallbacks": leaf.with_fallbacks([leaf], exceptions_to_handle=(OSError,)),
        "generator": RunnableGenerator(it.parts, it.aparts),
    }


def sync_forms(runnable: Runnable[Any, Any]) -> dict[str, Callable[[], Any]]:
    """Return the ways to run in sync code."""
    return {
        "invoke": lambda: runnable.invoke(1),
        "stream": lambda: list(runnable.stream(1)),
        "batch": lambda: runnable.batch([1]),
    }


def check(it: Raises, raised: BaseException, captured: CapturedRuns) -> None:
    """Assert that nothing of the exception has changed, and what the spans say of it."""
    assert raised is it.error
    assert raised.__cause__ is it.cause
    assert raised.__context__ is it.context
    assert it.cause.__context__ is None
    assert it.context.__context__ is None
    frames = traceback.extract_tb(raised.__traceback__)
    assert frames[-1].name == "users"
    assert frames[-1].filename == __file__
    captured.assert_clean()
    outcome = OUTCOMES.get(type(raised))
    failed = [span for span in captured.spans if span.name != "fine"]
    assert failed
    for span in failed:
        attributes = span.attributes or {}
        records = [event for event in span.events if event.name == semconv.EXCEPTION]
        if outcome is None:
            assert span.status.status_code.name == "ERROR"
            assert attributes[semconv.ERROR_TYPE] == type(raised).__qualname__
            assert len(records) == 1
        else:
            assert span.status.status_code.name == "UNSET"
            assert attributes[semconv.RUN_OUTCOME] == outcome
            assert not records


NAMES = ["lambda", "sequence", "parallel", "retry", "fallbacks", "generator"]


@pytest.mark.parametrize("form", ["invoke", "stream", "batch"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [LookupError, KeyboardInterrupt, SystemExit, Interrupt])
def test_sync_forms(
    kind: type[BaseException], name: str, form: str, captured: CapturedRuns
) -> None:
    """What a body raises comes out of every sync form."""
    it = Raises(kind)
    with pytest.raises(BaseException) as raised:
        sync_forms(composites(it)[name])[form]()
    if name == "lambda":
        check(it, raised.value, captured)
    assert raised.value is it.error
    assert raised.value.__cause__ is it.cause
    assert raised.value.__context__ is it.context


@pytest.mark.parametrize("form", ["ainvoke", "astream"])
@pytest.mark.parametrize("name", ["lambda", "sequence", "retry", "fallbacks", "generator"])
@pytest.mark.parametrize("kind", [LookupError, asyncio.CancelledError, Interrupt])
async def test_async_forms(
    kind: type[BaseException], name: str, form: str, captured: CapturedRuns
) -> None:
    """What a body raises comes out of every async form."""
    it = Raises(kind)
    runnable = composites(it)[name]
    with pytest.raises(BaseException) as raised:
        if form == "ainvoke":
            await runnable.ainvoke(1)
        else:
            async for _ in runnable.astream(1):
                pass
    check(it, raised.value, captured)


@pytest.mark.parametrize("kind", ERRORS)
def test_plain_functions(kind: type[BaseException], captured: CapturedRuns) -> None:
    """What a traced function or a block raises comes out of it."""
    it = Raises(kind)
    with pytest.raises(BaseException) as raised, start_run("block"):
        traced(it.users)(1)
    check(it, raised.value, captured)
