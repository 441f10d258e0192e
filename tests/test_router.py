"""RouterRunnable: the runnable under the input's key, run in the router's place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import langchain_core.runnables as upstream
import pytest
from ways import BATCHES, CALLS, Way, captured_cleanly, every_way, stream, traces

import otelbridge
from otelbridge import RouterRunnable, RunnableLambda

# A router takes its key from one whole input, so transform is left to the plain form.
DIRECT = (*CALLS, *BATCHES, stream)


def arithmetic(lib: Any) -> Any:
    def square(x: int) -> int:
        return x * x

    return lib.RouterRunnable({"add": lib.RunnableLambda(lambda x: x + 1), "square": square})


@every_way
def test_router_runs_the_runnable_under_the_key(way: Way) -> None:
    """The chosen runnable gets the inner input; the router leaves no run of its own."""
    given = {"key": "square", "input": 3}
    with captured_cleanly() as captured:
        assert way(arithmetic(otelbridge), given) == arithmetic(upstream).invoke(given) == 9
    assert traces(captured) == ["square"]


@every_way
def test_unknown_key_is_a_value_error(way: Way) -> None:
    """A key that there is no runnable for raises, and the message says which keys there are."""
    with pytest.raises(ValueError, match=r"'cube'.*'add', 'square'"):
        way(arithmetic(otelbridge), {"key": "cube", "input": 3})


def test_batch_runs_nothing_where_a_key_is_unknown() -> None:
    """One unknown key refuses the whole batch before anything is run, sync and async."""
    router = arithmetic(otelbridge)
    inputs = [{"key": "add", "input": 1}, {"key": "cube", "input": 3}]
    with captured_cleanly() as captured:
        with pytest.raises(ValueError, match="do not have a corresponding runnable: \\['cube'\\]"):
            router.batch(inputs)
        with pytest.raises(ValueError, match="corresponding runnable"):
            asyncio.run(router.abatch(inputs, return_exceptions=True))
    assert traces(captured) == []


def test_batch_keeps_order_and_exceptions() -> None:
    """Results come in the order of the inputs, exceptions in their places."""

    def fail(x: Any) -> Any:
        raise ValueError("no")

    router: Any = RouterRunnable({"same": lambda x: x, "fail": fail})
    inputs = [{"key": key, "input": n} for n, key in enumerate(["same", "fail", "same"])]
    for results in (
        router.batch(inputs, return_exceptions=True),
        asyncio.run(router.abatch(inputs, return_exceptions=True)),
    ):
        assert [results[0], type(results[1]), results[2]] == [0, ValueError, 2]
    assert router.batch([]) == []


def test_router_streams_and_passes_arguments() -> None:
    """Chunks come one at a time, and keyword arguments reach the chosen runnable."""

    def count(x: int, by: int = 1) -> Iterator[int]:
        yield x
        yield x * by

    router: Any = RouterRunnable({"count": RunnableLambda(count)})
    assert list(router.stream({"key": "count", "input": 2}, by=5)) == [2, 10]


def test_equality_and_repr() -> None:
    """Routers of equal runnables are equal."""
    one = RouterRunnable({"s": str})
    assert one == RouterRunnable({"s": str})
    assert one != RouterRunnable({"t": str})
    assert repr(one) == f"RouterRunnable(runnables={one.runnables!r})"
