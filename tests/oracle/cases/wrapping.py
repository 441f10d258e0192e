"""Bindings, retries and fallbacks: what they wrap, what they pass on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from .. import departures
from ..forms import adrained, drained
from ..libraries import UPSTREAM, Library
from ..recorder import Recorder, record
from . import case


class Other(Exception):
    """An error that is not the one that is handled."""


def expected_of_ours(lib: Library, seen: Recorder) -> Any:
    if lib is UPSTREAM:
        seen.calls_made = departures.attempts_keep_their_parent(seen.calls_made)
    return seen.calls()


@case()
def bind_passes_arguments(lib: Library) -> Any:
    def scale(number: int, by: int = 1, plus: int = 0) -> int:
        return number * by + plus

    bound = lib.RunnableLambda(scale).bind(by=3)
    more = bound.bind(plus=1)
    return bound.invoke(2), more.invoke(2), more.invoke(2, None, by=10), list(more.stream(2))


@case()
async def bind_passes_arguments_in_async_code(lib: Library) -> Any:
    async def scale(number: int, by: int = 1) -> AsyncIterator[int]:
        yield number
        yield number * by

    bound = lib.RunnableLambda(scale).bind(by=3)
    return await bound.ainvoke(2), await adrained(bound.astream(2)), await bound.abatch([1, 2])


@case()
def bind_in_a_sequence(lib: Library) -> Any:
    def scale(number: int, by: int = 1) -> int:
        return number * by

    step = lib.RunnableLambda(scale).bind(by=2)
    return (step | step | str).invoke(3), (step | step).batch([1, 2])


@case()
def retry_counts_its_attempts(lib: Library) -> Any:
    results: list[Any] = []
    for most in (1, 2, 4):
        tries: list[int] = []

        def fail(number: int, tries: list[int] = tries) -> int:
            tries.append(number)
            raise ValueError(len(tries))

        runnable = lib.RunnableLambda(fail).with_retry(
            stop_after_attempt=most, wait_exponential_jitter=False
        )
        try:
            runnable.invoke(1)
        except ValueError as error:
            results.append((most, len(tries), error))
    return results


@case()
def retry_of_chosen_errors(lib: Library) -> Any:
    results: list[Any] = []
    for kinds in ((ValueError,), (KeyError,), (KeyError, ValueError)):
        tries: list[int] = []

        def fail(number: int, tries: list[int] = tries) -> int:
            tries.append(number)
            raise ValueError("no")

        runnable = lib.RunnableLambda(fail).with_retry(
            retry_if_exception_type=kinds, stop_after_attempt=2, wait_exponential_jitter=False
        )
        try:
            runnable.invoke(1)
        except ValueError:
            results.append(len(tries))
    return results


@case()
def retry_does_not_catch_interrupts(lib: Library) -> Any:
    tries: list[int] = []

    def stop(number: int) -> int:
        tries.append(number)
        raise KeyboardInterrupt

    try:
        lib.RunnableLambda(stop).with_retry(wait_exponential_jitter=False).invoke(1)
    except KeyboardInterrupt:
        return tries
    return None


@case()
async def retry_in_async_code(lib: Library) -> Any:
    tries: list[int] = []

    async def unsteady(number: int) -> int:
        tries.append(number)
        if len(tries) < 3:
            raise ValueError("again")
        return number

    seen = record(lib, asynchronous=True)
    runnable = lib.RunnableLambda(unsteady).with_retry(wait_exponential_jitter=False)
    return await runnable.ainvoke(1, {"callbacks": [seen.handler]}), seen.calls()


@case()
def retry_does_not_retry_streams(lib: Library) -> Any:
    tries: list[int] = []

    def unsteady(number: int) -> Iterator[int]:
        tries.append(number)
        yield number
        raise ValueError("after one")

    seen = record(lib)
    runnable = lib.RunnableLambda(unsteady).with_retry(wait_exponential_jitter=False)
    return drained(runnable.stream(1, {"callbacks": [seen.handler]})), tries, seen.calls()


@case()
def retry_keeps_what_is_bound(lib: Library) -> Any:
    def scale(number: int, by: int = 1) -> int:
        return number * by

    seen = record(lib)
    bound = lib.RunnableLambda(scale).bind(by=3).with_config(tags=["b"])
    runnable = bound.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    named = runnable.with_config(run_name="named")
    return runnable.invoke(2), named.invoke(2, {"callbacks": [seen.handler]}), seen.calls()


@case()
def retry_inside_a_sequence(lib: Library) -> Any:
    tries: list[int] = []

    def unsteady(number: int) -> int:
        tries.append(number)
        if len(tries) < 2:
            raise ValueError("again")
        return number

    seen = record(lib)
    step = lib.RunnableLambda(unsteady).with_retry(wait_exponential_jitter=False)
    result = (lib.RunnableLambda(int) | step | str).invoke("1", {"callbacks": [seen.handler]})
    return result, seen.calls()


@case()
def fallbacks_first_error_is_raised(lib: Library) -> Any:
    def fail(_number: int) -> int:
        raise ValueError("first")

    def fail_too(_number: int) -> int:
        raise KeyError("second")

    seen = record(lib)
    runnable = lib.RunnableLambda(fail).with_fallbacks([lib.RunnableLambda(fail_too)])
    try:
        runnable.invoke(1, {"callbacks": [seen.handler]})
    except ValueError as error:
        return error, expected_of_ours(lib, seen)
    return None


@case()
def fallbacks_for_chosen_errors(lib: Library) -> Any:
    def fail(_number: int) -> int:
        raise Other("not handled")

    seen = record(lib)
    runnable = lib.RunnableLambda(fail).with_fallbacks(
        [lib.RunnableLambda(str)], exceptions_to_handle=(ValueError,)
    )
    try:
        runnable.invoke(1, {"callbacks": [seen.handler]})
    except Other as error:
        return error, expected_of_ours(lib, seen)
    return None


@case()
async def fallbacks_in_async_code(lib: Library) -> Any:
    async def fail(_number: int) -> int:
        await lib.adispatch_custom_event("failing", 1)
        raise ValueError("first")

    async def rescue(number: int) -> str:
        await lib.adispatch_custom_event("rescuing", number)
        return str(number)

    seen = record(lib, asynchronous=True)
    runnable = lib.RunnableLambda(fail).with_fallbacks([lib.RunnableLambda(rescue)])
    sequence = lib.RunnableLambda(int) | runnable
    result = await sequence.ainvoke("1", {"callbacks": [seen.handler], "tags": ["t"]})
    return result, expected_of_ours(lib, seen)


@case()
def fallbacks_in_a_stream(lib: Library) -> Any:
    def fail_at_once(_number: int) -> Iterator[int]:
        raise ValueError("at once")
        yield 0

    def count(number: int) -> Iterator[int]:
        yield from range(number)

    seen = record(lib)
    runnable = lib.RunnableLambda(fail_at_once).with_fallbacks([lib.RunnableLambda(count)])
    return drained(runnable.stream(3, {"callbacks": [seen.handler], "tags": ["t"]})), seen.calls()


@case()
def fallbacks_do_not_help_after_the_first_chunk(lib: Library) -> Any:
    def fail_later(number: int) -> Iterator[int]:
        yield number
        raise ValueError("later")

    seen = record(lib)
    runnable = lib.RunnableLambda(fail_later).with_fallbacks([lib.RunnableLambda(str)])
    return drained(runnable.stream(3, {"callbacks": [seen.handler]})), seen.calls()


@case()
async def fallbacks_in_an_async_stream(lib: Library) -> Any:
    async def fail_at_once(_number: int) -> AsyncIterator[int]:
        raise ValueError("at once")
        yield 0

    async def count(number: int) -> AsyncIterator[int]:
        for step in range(number):
            yield step

    seen = record(lib)
    runnable = lib.RunnableLambda(fail_at_once).with_fallbacks([lib.RunnableLambda(count)])
    return await adrained(runnable.astream(3, {"callbacks": [seen.handler]})), seen.calls()


@case()
def fallbacks_hear_of_the_error(lib: Library) -> Any:
    def fail(_given: Any) -> int:
        raise ValueError("first")

    runnable = lib.RunnableLambda(fail).with_fallbacks(
        [lib.RunnableLambda(lambda given: given)], exception_key="why"
    )
    streamed = list(runnable.stream({"n": 2}))
    return runnable.invoke({"n": 1}), runnable.batch([{"n": 3}, {"n": 4}]), streamed


@case()
def fallbacks_pass_attributes_on(lib: Library) -> Any:
    def scale(number: int, by: int = 1) -> int:
        return number * by

    runnable = lib.RunnableLambda(scale).with_fallbacks([lib.RunnableLambda(scale)])
    return runnable.bind(by=3).invoke(2), runnable.invoke(2, None, by=4)


@case()
def fallbacks_within_fallbacks(lib: Library) -> Any:
    def fail(_number: int) -> int:
        raise ValueError("no")

    seen = record(lib)
    inner = lib.RunnableLambda(fail, name="a").with_fallbacks([lib.RunnableLambda(fail, name="b")])
    outer = inner.with_config(run_name="inner").with_fallbacks([lib.RunnableLambda(str, name="c")])
    result = outer.invoke(1, {"callbacks": [seen.handler]})
    return result, sorted(call[0] for call in seen.calls())


@case()
def retry_of_fallbacks(lib: Library) -> Any:
    tries: list[str] = []

    def fail(_number: int) -> int:
        tries.append("first")
        raise ValueError("no")

    def fail_too(_number: int) -> int:
        tries.append("second")
        raise ValueError("no")

    runnable = lib.RunnableLambda(fail).with_fallbacks([lib.RunnableLambda(fail_too)])
    retrying = runnable.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    try:
        retrying.invoke(1)
    except ValueError as error:
        return error, tries
    return None
