"""Generator functions over chunks as runnables."""

from __future__ import annotations

import gc
import types
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from ways import captured_cleanly, every_way, taken, traces

from otelbridge import RunnableGenerator, dispatch_custom_event


def twice(chunks: Iterator[Any]) -> Iterator[Any]:
    for chunk in chunks:
        dispatch_custom_event("chunk", chunk)
        yield chunk
        yield chunk


async def atwice(chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for chunk in chunks:
        dispatch_custom_event("chunk", chunk)
        yield chunk
        yield chunk


@every_way
def test_chunks_add_up(way: Any) -> None:
    """In each form, as one run."""
    with captured_cleanly() as captured:
        assert way(RunnableGenerator(twice, atwice), "a") == "aa"
    assert traces(captured) == ["twice *chunk"]


async def test_one_kind_serves_its_own_forms() -> None:
    """The others say so; a plain function is refused with the cure."""
    with pytest.raises(NotImplementedError, match="sync one first and the async one"):
        RunnableGenerator(atwice).invoke("a")
    with pytest.raises(NotImplementedError, match="an async generator function as atransform"):
        await taken(RunnableGenerator(twice).astream("a"))
    with pytest.raises(TypeError, match="Wrap a plain function in RunnableLambda"):
        RunnableGenerator(len)


def test_generators_compare_and_show() -> None:
    """By their functions and names."""
    assert RunnableGenerator(twice) == RunnableGenerator(twice)
    assert RunnableGenerator(twice) != RunnableGenerator(atwice)
    assert RunnableGenerator(twice) != twice
    assert repr(RunnableGenerator(twice, name="mine")) == "RunnableGenerator(mine)"


def test_signal_handler_may_raise_while_garbage_is_collected() -> None:
    """Python swallows what is raised in a callback of the collector: ours run no Python."""
    kinds = (types.FunctionType, types.MethodType)
    assert not [
        it
        for it in gc.callbacks
        if (isinstance(it, kinds) and it.__module__.startswith("otelbridge"))
        or type(it).__module__.startswith("otelbridge")
    ]
