"""RunnablePassthrough, RunnableAssign, RunnablePick: what passes, what is added, what is kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import langchain_core.runnables as upstream
import pytest
from ways import (
    BATCHES,
    CALLS,
    STREAMS,
    Way,
    afirst_of,
    cancelled,
    captured_cleanly,
    every_way,
    first_of,
    taken,
    traces,
)

import otelbridge
from otelbridge import (
    AddableDict,
    RunnableAssign,
    RunnableConfig,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    RunnablePick,
    dispatch_custom_event,
)

each_stream = pytest.mark.parametrize("way", STREAMS, ids=lambda way: way.__name__)


@every_way
def test_passthrough_gives_its_input(way: Way) -> None:
    """The output is the input itself, as one run."""
    value = object()
    with captured_cleanly() as captured:
        assert way(RunnablePassthrough(), value) is value
    assert traces(captured) == ["RunnablePassthrough"]


@every_way
@pytest.mark.parametrize("lib", [upstream, otelbridge], ids=["upstream", "ours"])
def test_passthrough_calls_its_function_for_its_effect(way: Way, lib: Any) -> None:
    """The function sees the whole input, the config and the arguments; its result is dropped."""
    seen: list[Any] = []

    def look(value: Any, config: RunnableConfig, extra: int = 0) -> str:
        seen.append((value, sorted(config["tags"]), extra))
        return "dropped"

    assert way(lib.RunnablePassthrough(look), 1, {"tags": ["t"]}, extra=5) == 1
    assert seen == [(1, ["t"], 5)]


def test_passthrough_calls_a_coroutine_function_in_async_code() -> None:
    """A coroutine function serves the async forms, also when given in the first place."""
    seen: list[Any] = []

    async def look(value: Any) -> None:
        seen.append(value)

    for passthrough in (RunnablePassthrough(look), RunnablePassthrough(afunc=look)):
        assert asyncio.run(passthrough.ainvoke(1)) == 1
        assert asyncio.run(taken(passthrough.astream(2))) == [2]
        assert passthrough.invoke(3) == 3
    assert seen == [1, 2, 1, 2]


def test_passthrough_observes_the_sum_of_a_stream() -> None:
    """In a stream the function is called once, at the end, with the chunks added."""
    seen: list[Any] = []

    async def source() -> AsyncIterator[str]:
        for chunk in "ab":
            yield chunk

    passthrough = RunnablePassthrough(seen.append)
    assert list(passthrough.transform(iter("ab"))) == ["a", "b"]
    assert asyncio.run(taken(passthrough.atransform(source()))) == ["a", "b"]
    assert list(passthrough.transform(iter([1, "b"]))) == [1, "b"]
    assert list(passthrough.transform(iter([]))) == []
    assert seen == ["ab", "ab", "b"]


def test_passthrough_that_is_closed_early_observes_nothing() -> None:
    """A consumer that stops ends the run as closed; the function is not called for a part."""
    seen: list[Any] = []

    async def first() -> None:
        chunks: Any = passthrough.atransform(source())
        assert await chunks.__anext__() == "a"
        await chunks.aclose()

    async def source() -> AsyncIterator[str]:
        for chunk in "ab":
            yield chunk

    passthrough = RunnablePassthrough(seen.append)
    with captured_cleanly() as captured:
        chunks: Any = passthrough.transform(iter("ab"))
        assert next(chunks) == "a"
        chunks.close()
        asyncio.run(first())
    assert traces(captured) == ["RunnablePassthrough ~closed"] * 2
    assert seen == []


def plus(lib: Any) -> Any:
    def one(x: dict[str, int]) -> int:
        return x["n"] + 1

    def two(x: dict[str, int]) -> int:
        return x["n"] + 2

    return lib.RunnablePassthrough.assign(one=one, two=two)


@every_way
def test_assign_adds_keys(way: Way) -> None:
    """The mapper's keys are added to, or replace, those of the input; the input stays as it is."""
    given = {"n": 1, "one": "replaced"}
    with captured_cleanly() as captured:
        result = way(plus(otelbridge), given, {"max_concurrency": 1})
    assert result == plus(upstream).invoke(given) == {"n": 1, "one": 2, "two": 3}
    assert given == {"n": 1, "one": "replaced"}
    lines = traces(captured)
    assert lines[:2] == ["RunnableAssign<one,two>", "  RunnableParallel<one,two>"]
    assert sorted(lines[2:]) == ["    one #map:key:one", "    two #map:key:two"]


@every_way
@pytest.mark.parametrize("lib", [upstream, otelbridge], ids=["upstream", "ours"])
def test_assign_needs_a_dict(way: Way, lib: Any) -> None:
    """Another input is a ValueError, in every form and on both libraries."""
    with captured_cleanly() as captured:
        with pytest.raises(ValueError, match="must be a dict"):
            way(lib.RunnablePassthrough.assign(n=lambda x: 1), 5)
    if lib is otelbridge:
        assert traces(captured)[0] == "RunnableAssign<n> !ValueError"


def test_assign_streams_the_input_before_the_mapper_is_done() -> None:
    """Other keys pass while the mapper still works; its chunks follow as they come."""

    def slow(x: dict[str, Any]) -> Iterator[str]:
        yield "a"
        assert may_go_on.wait(10)
        yield "b"

    may_go_on = threading.Event()
    chunks = RunnablePassthrough.assign(slow=slow).stream({"n": 1})
    assert next(chunks) == {"n": 1}
    assert next(chunks) == {"slow": "a"}
    may_go_on.set()
    assert list(chunks) == [{"slow": "b"}]


def test_assign_streams_chunk_by_chunk_in_async_code() -> None:
    """The same on a loop, with chunks of the input passing one at a time."""

    async def source() -> AsyncIterator[dict[str, Any]]:
        yield AddableDict({"n": 1, "slow": "replaced"})
        yield AddableDict({"m": 2})

    async def slow(x: Any) -> AsyncIterator[str]:
        yield str(sorted(x))
        yield "b"

    async def main() -> list[Any]:
        return await taken(RunnablePassthrough.assign(slow=step).atransform(source()))

    step: Any = RunnableLambda(slow)
    first = "['m', 'n', 'slow']"
    assert asyncio.run(main()) == [{"n": 1}, {"m": 2}, {"slow": first}, {"slow": "b"}]


@each_stream
def test_failure_in_a_mapper_ends_the_stream(way: Way) -> None:
    """What a mapper raises ends every run above it and passes unchanged."""

    def fail(x: Any) -> Any:
        raise KeyError("no")

    with captured_cleanly() as captured:
        with pytest.raises(KeyError, match="no"):
            way(RunnablePassthrough.assign(bad=fail), {"n": 1})
    assert traces(captured) == [
        "RunnableAssign<bad> !KeyError",
        "  RunnableParallel<bad> !KeyError",
        "    fail #map:key:bad !KeyError",
    ]


def letters(x: Any) -> Iterator[str]:
    for letter in "abc":
        dispatch_custom_event("letter", letter)
        yield letter


async def aletters(x: Any) -> AsyncIterator[str]:
    for letter in "abc":
        dispatch_custom_event("letter", letter)
        yield letter


@pytest.mark.parametrize("first", [first_of, afirst_of], ids=["stream", "astream"])
@pytest.mark.parametrize("given", [{"n": 1}, {}], ids=["passed", "added"])
def test_closing_assign_early_ends_every_run(first: Way, given: dict[str, Any]) -> None:
    """A consumer that stops, before or amid the mapper's chunks, leaves no run unfinished."""
    assign = RunnablePassthrough.assign(letters=RunnableLambda(letters, aletters))
    with captured_cleanly() as captured:
        assert first(assign, given) == (given or {"letters": "a"})
    lines = traces(captured)
    assert lines[0] == "RunnableAssign<letters> ~closed"


def test_cancelling_assign_ends_every_run() -> None:
    """A cancelled assign cancels its mapper, called or streamed."""

    async def wait(x: Any) -> Any:
        started.set()
        await asyncio.sleep(60)

    assign = RunnablePassthrough.assign(wait=wait)
    for form in (lambda: assign.ainvoke({}), lambda: taken(assign.astream({}))):
        started = asyncio.Event()
        with captured_cleanly() as captured:
            cancelled(form(), started)
        assert traces(captured) == [
            "RunnableAssign<wait> ~cancelled",
            "  RunnableParallel<wait> ~cancelled",
            "    wait #map:key:wait ~cancelled",
        ]


PICKS: list[tuple[Any, Any]] = [
    ("a", 1),
    ("missing", None),
    (["a", "b"], {"a": 1, "b": 2}),
    (["a", "missing"], {"a": 1}),
    (["missing"], None),
]


@every_way
@pytest.mark.parametrize(("keys", "expected"), PICKS)
def test_pick_takes_keys(way: Way, keys: Any, expected: Any) -> None:
    """One key gives its value, a list gives a dict of those that are there, nothing gives None."""
    given = {"a": 1, "b": 2, "c": 3}
    with captured_cleanly() as captured:
        assert way(RunnablePick(keys), given) == expected
    assert upstream.RunnablePick(keys).invoke(given) == expected
    names = [keys] if isinstance(keys, str) else keys
    assert traces(captured) == [f"RunnablePick<{','.join(names)}>"]


@every_way
def test_pick_needs_a_dict(way: Way) -> None:
    """Another input is a ValueError."""
    with pytest.raises(ValueError, match="must be a dict"):
        way(RunnablePick("a"), 5)


def test_pick_streams_only_what_it_picks() -> None:
    """Chunks without the key are left out of a stream; a dict of keys adds up again."""
    chunks = [AddableDict(a="x"), AddableDict(b="y"), AddableDict(a="z")]

    async def source() -> AsyncIterator[Any]:
        for chunk in chunks:
            yield chunk

    assert list(RunnablePick("a").transform(iter(chunks))) == ["x", "z"]
    assert asyncio.run(taken(RunnablePick(["a"]).atransform(source()))) == [{"a": "x"}, {"a": "z"}]


@pytest.mark.parametrize("way", [*CALLS, *BATCHES], ids=lambda way: way.__name__)
def test_assign_and_pick_of_any_runnable(way: Way) -> None:
    """The methods ``assign`` and ``pick`` of a runnable follow it in a sequence."""
    runnable = RunnableLambda(lambda n: {"n": n}).assign(double=lambda x: 2 * x["n"])
    assert way(runnable, 2) == {"n": 2, "double": 4}
    assert way(runnable.pick("double"), 2) == 4


def test_names_equality_and_repr() -> None:
    """Names are made of the keys, as upstream's; equal parts make equal runnables."""
    for lib in (upstream, otelbridge):
        assert lib.RunnablePick(["a", "b"]).get_name() == "RunnablePick<a,b>"
        assert lib.RunnablePassthrough.assign(a=str).get_name() == "RunnableAssign<a>"
        assert lib.RunnablePick("a").with_config(run_name="x").get_name() == "RunnablePick<a>"
    assert RunnablePick("a", name="mine").get_name() == "mine"
    assert RunnablePick("a") == RunnablePick("a") != RunnablePick("b")
    assert RunnablePassthrough() == RunnablePassthrough() != RunnablePassthrough(print)
    assign = RunnableAssign(RunnableParallel({"a": str}))
    assert assign == RunnablePassthrough.assign(a=str)
    assert repr(RunnablePick("a")) == "RunnablePick(keys='a')"
