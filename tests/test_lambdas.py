"""Functions as runnables."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import pytest
from ways import captured_cleanly, every_way, traces

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


def test_functions_compare_and_show() -> None:
    """Equal by their function; a getter and a lambda show what they are."""
    assert RunnableLambda(double) == chain(double)
    assert RunnableLambda(double) != RunnableLambda(str)
    assert RunnableLambda(double) != RunnableLambda(adouble)
    assert RunnableLambda(double) != double
    assert "itemgetter('a')" in repr(RunnableLambda(itemgetter("a")))
    assert repr(RunnableLambda(adouble)).startswith("RunnableLambda(afunc=")
