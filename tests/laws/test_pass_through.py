"""Exceptions, interrupts and cancels come out of a run as they went in."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest

from otelbridge import (
    Runnable,
    RunnableBranch,
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
        "batch of two": lambda: runnable.batch([1, 2]),
    }


def async_forms(runnable: Runnable[Any, Any]) -> dict[str, Callable[[], Any]]:
    """Return the ways to run in async code."""
    return {
        "ainvoke": lambda: runnable.ainvoke(1),
        "astream": lambda: _drained(runnable.astream(1)),
        "abatch": lambda: runnable.abatch([1]),
        "abatch of two": lambda: runnable.abatch([1, 2]),
    }


def check(it: Raises, raised: BaseException, captured: CapturedRuns) -> None:
    """Assert that nothing of the exception has changed, and what the spans say of it."""
    unchanged(it, raised)
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


def unchanged(it: Raises, raised: BaseException) -> None:
    """Assert that an exception is what it was when the user raised it."""
    assert raised is it.error
    assert raised.__cause__ is it.cause
    assert raised.__context__ is it.context
    assert raised.__suppress_context__
    assert it.cause.__context__ is None
    assert it.context.__context__ is None
    frames = traceback.extract_tb(raised.__traceback__)
    assert [frame.name for frame in frames if frame.filename == __file__][-1] == "users"
    assert frames[-1].filename == __file__


@pytest.mark.parametrize("form", ["invoke", "stream", "batch", "batch of two"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ERRORS)
def test_sync_forms(
    kind: type[BaseException], name: str, form: str, captured: CapturedRuns
) -> None:
    """What a body raises comes out of every sync form."""
    it = Raises(kind)
    with pytest.raises(BaseException) as raised:
        sync_forms(composites(it)[name])[form]()
    unchanged(it, raised.value)
    if name == "lambda" and form != "batch of two":
        check(it, raised.value, captured)


@pytest.mark.parametrize("form", ["ainvoke", "astream", "abatch", "abatch of two"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ERRORS)
def test_async_forms(
    kind: type[BaseException], name: str, form: str, captured: CapturedRuns
) -> None:
    """What a body raises comes out of every async form, as it comes out of the loop."""
    it = Raises(kind)
    runnable = composites(it)[name]
    raised = raised_on_a_loop(async_forms(runnable)[form]())
    captured.assert_clean()
    if kind is asyncio.CancelledError and (name == "parallel" or form.startswith("abatch")):
        assert type(raised) is asyncio.CancelledError  # asyncio makes a new one of a task's
        return
    unchanged(it, raised)
    if name == "lambda" and form != "abatch of two":
        check(it, raised, captured)


def raised_on_a_loop(work: Coroutine[Any, Any, Any]) -> BaseException:
    """What awaiting the work raises, or else what comes out of its loop."""
    raised: list[BaseException] = []

    async def main() -> None:
        try:
            await work
        except BaseException as error:
            raised.append(error)

    try:
        asyncio.run(main())
    except (KeyboardInterrupt, SystemExit) as error:  # in a task: the loop ends at once
        return error
    return raised[0]


# ------------------------------------------------------------------ plain functions


class Bodies:
    """Traced functions of every kind, all of which raise what ``it`` raises."""

    def __init__(self, it: Raises) -> None:
        self.it = it

    @traced
    def method(self) -> None:
        """Raise."""
        self.it.users(1)

    @traced
    async def amethod(self) -> None:
        """Raise after giving way."""
        await asyncio.sleep(0)
        self.it.users(1)

    @classmethod
    @traced
    def of_class(cls, it: Raises) -> None:
        """Raise."""
        it.users(1)

    @staticmethod
    @traced
    def of_nothing(it: Raises) -> None:
        """Raise."""
        it.users(1)

    @property
    @traced
    def asked(self) -> None:
        """Raise."""
        self.it.users(1)

    @traced
    def chunks(self) -> Iterator[int]:
        """Raise after a chunk."""
        yield 1
        self.it.users(1)

    @traced
    async def achunks(self) -> AsyncIterator[int]:
        """Raise after a chunk."""
        yield 1
        await asyncio.sleep(0)
        self.it.users(1)


def block(it: Raises) -> None:
    """Raise in a block."""
    with start_run("block"):
        it.users(1)


async def ablock(it: Raises) -> None:
    """Raise in an async block."""
    async with start_run("block"):
        await asyncio.sleep(0)
        it.users(1)


async def _drained(chunks: AsyncIterator[Any]) -> None:
    async for _ in chunks:
        pass


FUNCTIONS: dict[str, Callable[[Raises], Any]] = {
    "function": lambda it: traced(it.users)(1),
    "method": lambda it: Bodies(it).method(),
    "class method": Bodies.of_class,
    "static method": Bodies.of_nothing,
    "property": lambda it: Bodies(it).asked,
    "generator": lambda it: list(Bodies(it).chunks()),
    "block": block,
}
COROUTINES: dict[str, Callable[[Raises], Coroutine[Any, Any, Any]]] = {
    "coroutine": lambda it: Bodies(it).amethod(),
    "async generator": lambda it: _drained(Bodies(it).achunks()),
    "async block": ablock,
}


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("what", FUNCTIONS)
def test_functions_and_blocks(what: str, kind: type[BaseException], captured: CapturedRuns) -> None:
    """What a traced function of any kind, or a block, raises comes out of it."""
    it = Raises(kind)
    with pytest.raises(BaseException) as raised:
        FUNCTIONS[what](it)
    unchanged(it, raised.value)
    check(it, raised.value, captured)


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("what", COROUTINES)
def test_coroutines_and_async_blocks(
    what: str, kind: type[BaseException], captured: CapturedRuns
) -> None:
    """As for sync functions."""
    it = Raises(kind)
    raised = raised_on_a_loop(COROUTINES[what](it))
    unchanged(it, raised)
    check(it, raised, captured)


@pytest.mark.parametrize("kind", ERRORS)
def test_function_in_a_block(kind: type[BaseException], captured: CapturedRuns) -> None:
    """An exception passes through runs within runs, and each tells of it."""
    it = Raises(kind)
    with pytest.raises(BaseException) as raised, start_run("block"):
        traced(it.users)(1)
    unchanged(it, raised.value)
    check(it, raised.value, captured)


# ------------------------------------------------------------------ thrown in from outside


def thrown_into(generator: Any, error: BaseException) -> BaseException:
    """What comes out when it is thrown in at the first chunk."""
    next(generator)
    with pytest.raises(BaseException) as raised:
        generator.throw(error)
    return raised.value


async def athrown_into(generator: Any, error: BaseException) -> BaseException:
    """As ``thrown_into``."""
    await anext(generator)
    with pytest.raises(BaseException) as raised:
        await generator.athrow(error)
    return raised.value


def passes(values: Iterator[int]) -> Iterator[int]:
    """Pass each on."""
    yield from values


async def apasses(values: AsyncIterator[int]) -> AsyncIterator[int]:
    """Pass each on."""
    async for value in values:
        yield value


@traced
def numbers() -> Iterator[int]:
    """Yield."""
    yield 1


@traced
async def anumbers() -> AsyncIterator[int]:
    """Yield."""
    yield 1


STREAMS: dict[str, Callable[[], Any]] = {
    "traced": numbers,
    "lambda": lambda: RunnableLambda(lambda value: iter([value])).stream(1),
    "generator": lambda: RunnableGenerator(passes).stream(1),
    "sequence": lambda: (RunnableGenerator(passes) | RunnableGenerator(passes)).stream(1),
    "branch": lambda: RunnableBranch((bool, RunnableGenerator(passes)), abs).stream(1),
}
ASTREAMS: dict[str, Callable[[], Any]] = {
    "traced": anumbers,
    "generator": lambda: RunnableGenerator(apasses).astream(1),
    "sequence": lambda: (RunnableGenerator(apasses) | RunnableGenerator(apasses)).astream(1),
    "branch": lambda: RunnableBranch((bool, RunnableGenerator(apasses)), abs).astream(1),
}


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("what", STREAMS)
def test_thrown_into_a_stream(what: str, kind: type[BaseException], captured: CapturedRuns) -> None:
    """What its consumer throws into a stream comes out of it, without a cause or a context."""
    error = kind("thrown")
    raised = thrown_into(STREAMS[what](), error)
    assert raised is error
    assert (raised.__cause__, raised.__context__) == (None, None)
    captured.assert_clean()


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("what", ASTREAMS)
async def test_thrown_into_an_async_stream(
    what: str, kind: type[BaseException], captured: CapturedRuns
) -> None:
    """As for sync streams."""
    error = kind("thrown")
    raised = await athrown_into(ASTREAMS[what](), error)
    assert raised is error
    assert (raised.__cause__, raised.__context__) == (None, None)
    captured.assert_clean()
