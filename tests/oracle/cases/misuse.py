"""Mistakes of the caller: the same kind of exception on both; the words may differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..forms import adrained
from ..libraries import Library
from . import case


def _kinds(calls: list[Callable[[], Any]]) -> list[str]:
    kinds: list[str] = []
    for call in calls:
        try:
            call()
            kinds.append("accepted")
        except Exception as error:
            kinds.append(type(error).__name__)
    return kinds


@case()
def things_that_are_not_runnable(lib: Library) -> Any:
    good = lib.RunnableLambda(str)
    return _kinds(
        [
            lambda: lib.RunnableLambda(5),
            lambda: lib.RunnableLambda(None),
            lambda: lib.RunnableLambda("text"),
            lambda: good | 5,
            lambda: "text" | good,
            lambda: good | None,
            lambda: good | ["list"],
            lambda: lib.RunnableParallel(a=5),
            lambda: lib.RunnableSequence(good, 5),
            lambda: lib.RunnablePassthrough.assign(a=5),
            lambda: good.pipe(5),
            lambda: lib.coerce_to_runnable(5),
        ]
    )


@case()
def generators_that_are_not_generators(lib: Library) -> Any:
    return _kinds(
        [
            lambda: lib.RunnableGenerator(str),
            lambda: lib.RunnableGenerator(5),
            lambda: lib.RunnableGenerator(lambda chunks: chunks),
        ]
    )


@case()
def branches_that_are_wrong(lib: Library) -> Any:
    good = lib.RunnableLambda(str)
    return _kinds(
        [
            lambda: lib.RunnableBranch(good),
            lambda: lib.RunnableBranch(),
            lambda: lib.RunnableBranch((good, good), 5),
            lambda: lib.RunnableBranch((good,), good),
            lambda: lib.RunnableBranch((good, good, good), good),
            lambda: lib.RunnableBranch("text", good),
        ]
    )


@case()
def both_an_async_function_and_an_afunc(lib: Library) -> Any:
    async def body(value: int) -> int:
        return value

    return lib.RunnableLambda(body, afunc=body)


@case()
def generator_used_in_the_other_world(lib: Library) -> Any:
    async def shout(chunks: Any) -> Any:
        async for chunk in chunks:
            yield chunk

    runnable = lib.RunnableGenerator(shout)
    return _kinds([lambda: runnable.invoke("a"), lambda: list(runnable.stream("a"))])


@case()
async def sync_generator_used_in_async_code(lib: Library) -> Any:
    def shout(chunks: Iterator[str]) -> Iterator[str]:
        yield from chunks

    runnable = lib.RunnableGenerator(shout)
    try:
        streamed: Any = await adrained(runnable.astream("a"))
    except NotImplementedError as error:
        streamed = error
    try:
        return streamed, await runnable.ainvoke("a")
    except NotImplementedError as error:
        return streamed, error


@case()
def exception_key_wants_a_dictionary(lib: Library) -> Any:
    good = lib.RunnableLambda(str)
    runnable = good.with_fallbacks([good], exception_key="error")
    return _kinds(
        [
            lambda: runnable.invoke("text"),
            lambda: runnable.batch(["text"]),
            lambda: list(runnable.stream("text")),
            lambda: runnable.invoke({}),
        ]
    )


@case()
def wrong_inputs(lib: Library) -> Any:
    return _kinds(
        [
            lambda: lib.RunnableLambda(str).map().invoke(5),
            lambda: lib.RouterRunnable({}).invoke({"key": "a", "input": 1}),
            lambda: lib.RouterRunnable({}).invoke({}),
            lambda: lib.RunnablePick("a").invoke(5),
        ]
    )


@case()
def wrong_configs(lib: Library) -> Any:
    runnable = lib.RunnableLambda(str)
    return _kinds(
        [
            lambda: runnable.invoke(1, {"unknown": 1}),
            lambda: runnable.invoke(1, {"tags": []}),
            lambda: runnable.invoke(1, {"callbacks": None}),
            lambda: runnable.invoke(1, {"callbacks": []}),
            lambda: runnable.batch([1, 2], [{}, {}, {}]),
            lambda: runnable.invoke(1, {"metadata": None, "tags": None}),
        ]
    )


@case()
def abstract_runnable(lib: Library) -> Any:
    class Empty(lib.Runnable):
        pass

    return _kinds([lib.Runnable, Empty])


@case()
def runnable_parallel_steps_of_wrong_types(lib: Library) -> Any:
    return _kinds(
        [
            lambda: lib.RunnableParallel(["a"]),
            lambda: lib.RunnableParallel({"a": "text"}),
            lambda: lib.RunnableParallel(None),
        ]
    )
