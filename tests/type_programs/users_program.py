"""What a user's program sees of the types; ``tests/run_type_programs.py`` checks it from elsewhere.

It is read by type checkers and never run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

from typing_extensions import assert_type

from otelbridge import (
    BaseTool,
    Run,
    Runnable,
    RunnableConfig,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    RunnableSequence,
    StreamEvent,
    Tool,
    adispatch_custom_event,
    chain,
    configure,
    current_run,
    dispatch_custom_event,
    ensure_config,
    get_config,
    start_run,
    tool,
    trace_group,
    traced,
)
from otelbridge.testing import CapturedRuns, capture_runs

# ------------------------------------------------------------------ @traced keeps every signature


@traced
def add(a: int, b: int = 2, *, scale: float = 1.0) -> float:
    """Add."""
    return (a + b) * scale


@traced(name="fetch it", run_type="tool")
async def fetch(url: str) -> bytes:
    """Fetch."""
    await adispatch_custom_event("fetching", {"url": url})
    return url.encode()


@traced
def lines(text: str) -> Generator[str, int, bool]:
    """Yield, take, return."""
    taken = yield text
    return taken > 1


@traced
async def alines(text: str) -> AsyncIterator[str]:
    """Yield."""
    yield text


class Store:
    """Methods of every kind."""

    @traced
    def get(self, key: str) -> int | None:
        """Get."""
        return len(key)

    @traced(run_type="tool")
    async def aget(self, key: str) -> int:
        """Get."""
        return len(key)

    @classmethod
    @traced
    def opened(cls, path: str) -> Store:
        """Open."""
        return cls()

    @staticmethod
    @traced
    def suffix(path: str) -> str:
        """Split."""
        return path

    @property
    @traced
    def size(self) -> int:
        """Count."""
        return 1

    @traced
    def keys(self) -> Iterator[str]:
        """Iterate."""
        yield "key"


async def traced_functions(store: Store) -> None:
    """Calls have the types of the functions as they were written."""
    assert_type(add(1), float)
    assert_type(add(1, b=3, scale=2.0), float)
    assert_type(await fetch("url"), bytes)
    assert_type(lines("text"), Generator[str, int, bool])
    async for line in alines("text"):
        assert_type(line, str)
    assert_type(store.get("key"), int | None)
    assert_type(await store.aget("key"), int)
    assert_type(Store.opened("path"), Store)
    assert_type(Store.suffix("path"), str)
    assert_type(store.size, int)
    assert_type(next(store.keys()), str)
    keeps_parameters: Callable[[int, int], float] = add
    keeps_parameters(1, 2)
    add("1")  # error: arg-type, reportArgumentType
    add(1, scal=2.0)  # error: call-arg, reportCallIssue
    store.get(1)  # error: arg-type, reportArgumentType


# ------------------------------------------------------------------ blocks


async def blocks() -> None:
    """A block gives its run, in both forms."""
    with start_run("load", tags=["t"], metadata={"k": 1}) as run:
        assert_type(run, Run)
        run.event("progress", {"percent": 5})
        run.end("output")
    async with start_run("load", run_type="tool") as run:
        assert_type(run, Run)
    with trace_group("group") as group:
        RunnableLambda(add).invoke(1, {"callbacks": group})
    assert_type(current_run(), Run | None)
    assert_type(get_config(), RunnableConfig)
    dispatch_custom_event("progress", 5, config=get_config(), required=False)
    start_run("load", tag=["t"])  # error: call-arg, reportCallIssue


# ------------------------------------------------------------------ runnables


def length(text: str) -> int:
    """Count."""
    return len(text)


def length_with(text: str, config: RunnableConfig) -> int:
    """Count, by a config."""
    return len(text) + len(config)


async def alength(text: str) -> int:
    """Count."""
    return len(text)


def letters(text: str) -> Iterator[str]:
    """Spell."""
    yield from text


async def aletters(text: str) -> AsyncIterator[str]:
    """Spell."""
    for letter in text:
        yield letter


def shout(parts: Iterator[str]) -> Iterator[str]:
    """Transform."""
    for part in parts:
        yield part.upper()


@chain
def chained(text: str) -> int:
    """Count."""
    return len(text)


@chain
async def achained(text: str) -> int:
    """Count."""
    return len(text)


@chain
def spelt(text: str) -> Iterator[str]:
    """Spell."""
    yield from text


async def runnables(config: RunnableConfig) -> None:
    """A function of each kind becomes a runnable with its input and output."""
    assert_type(RunnableLambda(length), RunnableLambda[str, int])
    RunnableLambda(length_with).invoke("a", config)
    assert_type(RunnableLambda(alength), RunnableLambda[str, int])
    assert_type(RunnableLambda(length, alength), RunnableLambda[str, int])
    assert_type(RunnableLambda(letters), RunnableLambda[str, str])
    assert_type(RunnableLambda(aletters), RunnableLambda[str, str])
    assert_type(RunnableGenerator(shout), RunnableGenerator[str, str])
    assert_type(chained, Runnable[str, int])
    assert_type(achained, Runnable[str, int])
    assert_type(spelt, Runnable[str, str])

    assert_type(chained.invoke("a"), int)
    assert_type(await achained.ainvoke("a", config), int)
    chained.batch(["a"], [config])
    await chained.abatch(["a"], return_exceptions=True)
    for letter in spelt.stream("abc"):
        assert_type(letter, str)
    async for letter in spelt.astream("abc"):
        assert_type(letter, str)
    async for event in chained.astream_events("abc", version="v2"):
        assert_type(event, StreamEvent)
        assert_type(event["name"], str)
    chained.invoke(1)  # error: arg-type, reportArgumentType
    chained.invoke("a", {"tag": []})  # error: arg-type, reportArgumentType


def composed() -> None:
    """What is composed takes the first one's input and gives the last one's output."""
    piped = RunnableLambda(letters) | RunnableLambda(length)
    assert_type(piped, Runnable[str, int])
    assert_type(piped.with_config(run_name="named"), Runnable[str, int])
    assert_type(piped.with_retry(stop_after_attempt=2).invoke("a"), int)
    assert_type(piped.with_fallbacks([chained]).invoke("a"), int)
    assert_type(piped.bind(stop="x").invoke("a"), int)
    assert_type(piped.map().invoke(["a"]), list[Any])
    parallel: RunnableParallel[str] = RunnableParallel(length=chained, text=RunnablePassthrough())
    assert_type(parallel.invoke("a"), dict[str, Any])
    sequence: RunnableSequence[str, int] = RunnableSequence(spelt, chained)
    assert_type(sequence.invoke("a"), int)


# ------------------------------------------------------------------ tools, configs, set-up, tests


@tool
def multiply(a: int, b: int) -> int:
    """Multiply."""
    return a * b


@tool("named", description="Divide.")
async def divide(a: int, b: int) -> float:
    """Divide."""
    return a / b


def others() -> None:
    """Tools are tools, configs are typed dictionaries, handles and captures have their methods."""
    assert_type(multiply, Tool)
    assert_type(divide, Tool)
    assert_type(tool("counted", chained, description="Count."), Tool)
    tools: list[BaseTool] = [multiply, divide]
    tools[0].invoke({"a": 1, "b": 2})
    assert_type(multiply.name, str)
    config: RunnableConfig = {"tags": ["t"], "metadata": {"k": 1}, "callbacks": [print]}
    assert_type(ensure_config(config), RunnableConfig)
    with configure(service_name="mine") as handle:
        handle.flush()
    with capture_runs() as captured:
        assert_type(captured, CapturedRuns)
        assert_type(captured.names, list[str])
    configure(endpont="http://localhost:4317")  # error: call-arg, reportCallIssue
