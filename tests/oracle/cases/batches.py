"""Batches in every form: order, configs, failures and the number that runs at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from ..libraries import Library
from ..recorder import record
from . import case


def fail_on_odd(number: int) -> int:
    if number % 2:
        raise ValueError(number)
    return number


@case()
def batch_keeps_the_order(lib: Library) -> Any:
    def slow_first(number: int) -> int:
        time.sleep(0.01 if number == 0 else 0)
        return number * 10

    return lib.RunnableLambda(slow_first).batch([0, 1, 2])


@case()
def batch_of_nothing(lib: Library) -> Any:
    runnable = lib.RunnableLambda(str)
    return runnable.batch([]), list(runnable.batch_as_completed([])), (runnable | len).batch([])


@case()
async def abatch_of_nothing(lib: Library) -> Any:
    runnable = lib.RunnableLambda(str)
    done = [pair async for pair in runnable.abatch_as_completed([])]
    return await runnable.abatch([]), done, await (runnable | len).abatch([])


@case()
def batch_returns_exceptions(lib: Library) -> Any:
    seen = record(lib)
    runnable, config = lib.RunnableLambda(fail_on_odd), {"callbacks": [seen.handler]}
    results = runnable.batch([0, 1, 2, 3], config, return_exceptions=True)
    return results, seen.runs()


@case()
async def abatch_returns_exceptions(lib: Library) -> Any:
    seen = record(lib, asynchronous=True)
    runnable, config = lib.RunnableLambda(fail_on_odd), {"callbacks": [seen.handler]}
    results = await runnable.abatch([0, 1, 2, 3], config, return_exceptions=True)
    return results, seen.runs()


@case()
def batch_raises_the_first_failure(lib: Library) -> Any:
    results: list[Any] = []
    for runnable in (lib.RunnableLambda(fail_on_odd), lib.RunnableLambda(fail_on_odd) | str):
        for inputs in ([0, 1, 2], [1], [2, 4]):
            try:
                results.append(runnable.batch(inputs))
            except ValueError as error:
                results.append(error)
    return results


@case()
async def abatch_raises_the_first_failure(lib: Library) -> Any:
    results: list[Any] = []
    for runnable in (lib.RunnableLambda(fail_on_odd), lib.RunnableLambda(fail_on_odd) | str):
        for inputs in ([0, 1, 2], [1], [2, 4]):
            try:
                results.append(await runnable.abatch(inputs))
            except ValueError as error:
                results.append(error)
    return results


@case()
def batch_of_a_sequence_drops_failures_from_later_steps(lib: Library) -> Any:
    seen = record(lib)
    sequence = lib.RunnableLambda(fail_on_odd) | str | lib.RunnableLambda(len)
    config = {"callbacks": [seen.handler], "tags": ["t"]}
    return sequence.batch([0, 1, 22, 3], config, return_exceptions=True), seen.runs()


@case()
async def abatch_of_a_sequence_drops_failures_from_later_steps(lib: Library) -> Any:
    seen = record(lib)
    sequence = lib.RunnableLambda(fail_on_odd) | str | lib.RunnableLambda(len)
    config = {"callbacks": [seen.handler], "tags": ["t"]}
    return await sequence.abatch([0, 1, 22, 3], config, return_exceptions=True), seen.runs()


@case()
def batch_of_a_sequence_where_all_fail(lib: Library) -> Any:
    seen = record(lib)
    sequence = lib.RunnableLambda(fail_on_odd) | str
    config = {"callbacks": [seen.handler]}
    return sequence.batch([1, 3], config, return_exceptions=True), seen.runs()


@case()
def batch_with_base_exceptions(lib: Library) -> Any:
    def stop(_number: int) -> int:
        raise KeyboardInterrupt

    try:
        return lib.RunnableLambda(stop).batch([1], return_exceptions=True)
    except KeyboardInterrupt as error:
        return error


@case()
def batch_honours_max_concurrency(lib: Library) -> Any:
    lock, running, most = threading.Lock(), [0], [0]

    def body(number: int) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.002)
        with lock:
            running[0] -= 1
        return number

    runnable = lib.RunnableLambda(body)
    results = runnable.batch(list(range(6)), {"max_concurrency": 2})
    done = dict(runnable.batch_as_completed(list(range(6)), {"max_concurrency": 2}))
    return results, done, most[0] <= 2


@case()
async def abatch_honours_max_concurrency(lib: Library) -> Any:
    running, most = [0], [0]

    async def body(number: int) -> int:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await asyncio.sleep(0.001)
        running[0] -= 1
        return number

    runnable = lib.RunnableLambda(body)
    results = await runnable.abatch(list(range(6)), {"max_concurrency": 2})
    first = most[0]
    done = runnable.abatch_as_completed(list(range(6)), {"max_concurrency": 3})
    pairs = dict([pair async for pair in done])
    return results, pairs, first, most[0]


@case()
def batch_as_completed_gives_indices(lib: Library) -> Any:
    def slow(number: int) -> int:
        time.sleep(number / 10)
        return number * 10

    return list(lib.RunnableLambda(slow).batch_as_completed([3, 0]))


@case()
async def abatch_as_completed_gives_indices(lib: Library) -> Any:
    async def slow(number: int) -> int:
        await asyncio.sleep(number / 10)
        return number * 10

    return [pair async for pair in lib.RunnableLambda(slow).abatch_as_completed([3, 0])]


@case()
def batch_as_completed_raises_or_returns(lib: Library) -> Any:
    runnable = lib.RunnableLambda(fail_on_odd)
    returned = dict(runnable.batch_as_completed([1, 2], return_exceptions=True))
    try:
        list(runnable.batch_as_completed([1]))
    except ValueError as error:
        return returned, error
    return None


@case()
def batch_with_a_list_of_configs(lib: Library) -> Any:
    seen = record(lib)
    sequence = lib.RunnableLambda(str) | len
    configs = [
        {"callbacks": [seen.handler], "tags": [f"t{n}"], "run_name": f"run {n}"} for n in range(2)
    ]
    return sequence.batch([1, 22], configs), seen.runs()


@case()
def batch_with_too_few_configs(lib: Library) -> Any:
    return lib.RunnableLambda(str).batch([1, 2], [{}])


@case()
def batch_with_bound_config_and_arguments(lib: Library) -> Any:
    def scale(number: int, by: int = 1) -> int:
        return number * by

    seen = record(lib)
    bound = lib.RunnableLambda(scale).bind(by=3).with_config(tags=["b"], run_name="bound")
    return bound.batch([1, 2], {"callbacks": [seen.handler], "tags": ["t"]}), seen.runs()


@case()
def batch_of_retries_tries_only_the_failed_again(lib: Library) -> Any:
    seen = record(lib)
    tried: list[int] = []

    def unsteady(number: int) -> int:
        tried.append(number)
        if number == 2 and tried.count(2) < 2:
            raise ValueError("once")
        return number

    runnable = lib.RunnableLambda(unsteady).with_retry(wait_exponential_jitter=False)
    results = runnable.batch([1, 2, 3], {"callbacks": [seen.handler]})
    return results, sorted(tried), seen.runs()


@case()
async def abatch_of_retries_that_give_up(lib: Library) -> Any:
    seen = record(lib)
    runnable = lib.RunnableLambda(fail_on_odd).with_retry(
        wait_exponential_jitter=False, stop_after_attempt=2
    )
    config = {"callbacks": [seen.handler]}
    return await runnable.abatch([1, 2, 3], config, return_exceptions=True), seen.runs()


@case()
def batch_of_fallbacks_uses_them_for_the_failed(lib: Library) -> Any:
    seen = record(lib)
    runnable = lib.RunnableLambda(fail_on_odd).with_fallbacks([lib.RunnableLambda(str)])
    return runnable.batch([0, 1, 2], {"callbacks": [seen.handler]}), seen.runs()


@case()
def batch_of_fallbacks_where_some_fail_for_good(lib: Library) -> Any:
    seen = record(lib)
    again = lib.RunnableLambda(fail_on_odd, name="again")
    runnable = lib.RunnableLambda(fail_on_odd).with_fallbacks([again])
    config = {"callbacks": [seen.handler]}
    returned = runnable.batch([0, 1], config, return_exceptions=True)
    try:
        runnable.batch([0, 1], config)
    except ValueError as error:
        return returned, error, seen.runs()
    return None


@case()
def batch_of_routers_and_branches(lib: Library) -> Any:
    branch = lib.RunnableBranch((lambda number: number > 1, str), lib.RunnableLambda(float))
    return branch.batch([1, 2, 3])


@case()
def batch_in_a_body_is_linked_to_its_run(lib: Library) -> Any:
    def body(number: int) -> Any:
        return lib.RunnableLambda(str).batch([number, number + 1])

    seen = record(lib)
    return lib.RunnableLambda(body).invoke(1, {"callbacks": [seen.handler]}), seen.runs()
