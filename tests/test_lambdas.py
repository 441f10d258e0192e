"""Functions as runnables."""

from __future__ import annotations

import asyncio
from operator import itemgetter
from typing import Any

import pytest
from ways import captured_cleanly, every_way, taken, traces

from otelbridge import RunnableLambda, chain


async def adouble(x: Any) -> Any:
    return x * 2


def double(x: Any) -> Any:
    return x * 2


@pytest.mark.parametrize(
    ("args", "message"),
    [((5,), "needs a function, and was given 5"), ((adouble, adouble), "two async functions")],
)
def test_wrong_function_is_refused(args: Any, message: str) -> None:
    """With its cure."""
    with pytest.raises(TypeError, match=message):
        RunnableLambda(*args)


def test_async_function_alone_serves_async_forms() -> None:
    """The sync ones say so."""
    with pytest.raises(TypeError, match="use ainvoke, or give it a sync one"):
        RunnableLambda(adouble).invoke(1)
    with pytest.raises(TypeError, match="use astream, or give it a sync one"):
        list(RunnableLambda(adouble).stream(1))


@every_way
def test_returned_runnable_runs_in_its_place(way: Any) -> None:
    """As a run below the function's, up to the recursion limit."""

    def choose(x: Any) -> Any:
        return RunnableLambda(double)

    def forever(x: Any) -> Any:
        return RunnableLambda(forever)

    with captured_cleanly() as captured:
        assert way(RunnableLambda(choose), 2) == 4
        lines = traces(captured)
        with pytest.raises(RecursionError, match="Raise recursion_limit in the config"):
            way(RunnableLambda(forever), 2, {"recursion_limit": 2})
    assert lines == ["choose", "  double"]


async def aspell(x: Any) -> Any:
    for letter in f"<{x}>":
        yield letter


def spell(x: Any) -> Any:
    yield from f"<{x}>"


async def areferring(x: Any) -> Any:
    yield "first"
    yield RunnableLambda(aspell)


def referring(x: Any) -> Any:
    yield "first"
    yield RunnableLambda(spell)


async def aendless(x: Any) -> Any:
    yield RunnableLambda(aendless)


@pytest.mark.parametrize("form", ["stream", "astream", "atransform"])
def test_runnable_that_a_generator_yields_last_streams_on(form: str) -> None:
    """Its chunks follow, with the input of the generator; its run is below the generator's."""
    function = RunnableLambda(referring if form == "stream" else areferring)
    with captured_cleanly() as captured:
        first, runnable, *rest = [*chunks_of(function, form)]
    assert (first, type(runnable), rest) == ("first", RunnableLambda, ["<", "5", ">"])
    names = ("referring", "spell") if form == "stream" else ("areferring", "aspell")
    assert traces(captured) == [names[0], f"  {names[1]}"]


@pytest.mark.parametrize("form", ["astream", "atransform"])
def test_generators_that_yield_one_another_end_at_the_limit(form: str) -> None:
    """With an error that hides no other."""
    with captured_cleanly(), pytest.raises(RecursionError, match="Raise recursion_limit") as raised:
        chunks_of(RunnableLambda(aendless), form, {"recursion_limit": 2})
    assert raised.value.__context__ is None


def chunks_of(runnable: Any, form: str, config: Any = None) -> list[Any]:
    """Return the chunks of a stream that the runnable makes of 5."""
    if form == "stream":
        return list(runnable.stream(5, config))
    given = 5 if form == "astream" else source()
    return asyncio.run(taken(getattr(runnable, form)(given, config)))


async def source() -> Any:
    yield 5


def test_functions_compare_and_show() -> None:
    """Equal by their function; a getter and a lambda show what they are."""
    assert RunnableLambda(double) == chain(double)
    assert RunnableLambda(double) != RunnableLambda(str)
    assert RunnableLambda(double) != RunnableLambda(adouble)
    assert RunnableLambda(double) != double
    assert "itemgetter('a')" in repr(RunnableLambda(itemgetter("a")))
    assert repr(RunnableLambda(adouble)).startswith("RunnableLambda(afunc=")
