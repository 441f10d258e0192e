"""`RunnableLambda`: which functions it takes, and how it calls them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from operator import itemgetter
from typing import Any

from .. import departures
from ..forms import adrained, drained
from ..libraries import Library
from ..recorder import record
from . import case


@case()
def config_is_filled_in_by_its_name(lib: Library) -> Any:
    def body(value: int, config: Any) -> Any:
        return value, config

    config = {"tags": ["t"], "metadata": {"k": 1}, "configurable": {"c": 2}, "run_name": "n"}
    return lib.RunnableLambda(body).invoke(1, config)


@case()
async def config_is_filled_in_for_async_functions(lib: Library) -> Any:
    async def body(value: int, config: Any) -> Any:
        return value, config

    return await lib.RunnableLambda(body).ainvoke(1, {"tags": ["t"], "max_concurrency": 3})


@case()
def config_by_keyword_only(lib: Library) -> Any:
    def body(value: int, *, config: Any) -> Any:
        return value, sorted(config)

    return lib.RunnableLambda(body).invoke(1)


@case()
def run_manager_is_filled_in(lib: Library) -> Any:
    seen = record(lib)

    def body(value: int, run_manager: Any) -> Any:
        child = run_manager.get_child("a tag")
        lib.RunnableLambda(lambda inner: inner, name="inner").invoke(value, {"callbacks": child})
        return run_manager.run_id is not None, run_manager.tags, run_manager.metadata

    config = {"callbacks": [seen.handler], "tags": ["t"], "metadata": {"k": 1}}
    return lib.RunnableLambda(body).invoke(1, config), seen.calls()


@case()
def keywords_are_passed_on(lib: Library) -> Any:
    def body(value: int, plus: int = 0, **more: Any) -> Any:
        return value + plus, more

    return lib.RunnableLambda(body).invoke(1, None, plus=2, other=3)


@case()
def keywords_of_stream_are_passed_on(lib: Library) -> Any:
    def body(value: int, plus: int = 0) -> Iterator[int]:
        yield value
        yield value + plus

    return list(lib.RunnableLambda(body).stream(1, None, plus=2))


@case()
def unknown_keywords_fail_in_the_function(lib: Library) -> Any:
    seen = record(lib)
    try:
        lib.RunnableLambda(lambda value: value).invoke(1, {"callbacks": [seen.handler]}, other=3)
    except TypeError as error:
        return error, seen.calls()
    return None


@case()
def generator_results_are_added(lib: Library) -> Any:
    def words(value: int) -> Iterator[str]:
        yield from ("a", "b", str(value))

    def mixed(value: int) -> Iterator[Any]:
        yield from (1, "b", value)

    def nothing(_value: int) -> Iterator[Any]:
        yield from ()

    def dictionaries(value: int) -> Iterator[Any]:
        yield {"a": 1}
        yield {"b": value}

    functions = (words, mixed, nothing, dictionaries)
    return [lib.RunnableLambda(function).invoke(1) for function in functions]


@case()
async def async_generator_results_are_added(lib: Library) -> Any:
    async def words(value: int) -> AsyncIterator[str]:
        for word in ("a", "b", str(value)):
            yield word

    async def mixed(value: int) -> AsyncIterator[Any]:
        for word in (1, "b", value):
            yield word

    return [await lib.RunnableLambda(function).ainvoke(1) for function in (words, mixed)]


@case()
async def sync_generator_in_ainvoke_and_astream(lib: Library) -> Any:
    def words(value: int) -> Iterator[str]:
        yield from ("a", "b", str(value))

    seen = record(lib)
    runnable, config = lib.RunnableLambda(words), {"callbacks": [seen.handler]}
    whole = await runnable.ainvoke(1, config)
    return whole, await adrained(runnable.astream(1, config)), seen.calls()


@case()
def function_may_be_any_callable(lib: Library) -> Any:
    class Adder:
        def __init__(self, by: int) -> None:
            self.by = by

        def __call__(self, value: int) -> int:
            return value + self.by

        def method(self, value: int) -> int:
            return value - self.by

    functions = (Adder(2), Adder(3).method, partial(pow, 2), str, itemgetter, len)
    results = []
    for function in functions:
        seen = record(lib)
        try:
            given = lib.RunnableLambda(function).invoke("4", {"callbacks": [seen.handler]})
            results.append(given if isinstance(given, (int, str)) else type(given).__name__)
        except TypeError as error:
            results.append(error)
        results.append(seen.calls())
    return results


@case()
async def callable_objects_may_be_async(lib: Library) -> Any:
    class Adder:
        async def __call__(self, value: int) -> int:
            return value + 1

    class Method:
        async def add(self, value: int) -> int:
            return value + 2

    runnables = [lib.RunnableLambda(function) for function in (Adder(), Method().add)]
    return [await runnable.ainvoke(1) for runnable in runnables]


@case()
def returned_runnable_is_called_with_the_input(lib: Library) -> Any:
    def choose(value: int) -> Any:
        return lib.RunnableLambda(lambda given: given * 10, name="chosen")

    seen = record(lib)
    config = {"callbacks": [seen.handler], "tags": ["t"]}
    runnable = lib.RunnableLambda(choose)
    return runnable.invoke(4, config), list(runnable.stream(5, config)), seen.calls()


@case()
async def returned_runnable_is_awaited(lib: Library) -> Any:
    async def choose(value: int) -> Any:
        async def chosen(given: int) -> AsyncIterator[int]:
            yield given
            yield given + 1

        return lib.RunnableLambda(chosen)

    seen = record(lib)
    runnable, config = lib.RunnableLambda(choose), {"callbacks": [seen.handler]}
    chunks = await adrained(runnable.astream(5, config))
    return await runnable.ainvoke(4, config), chunks, seen.calls()


@case()
def recursion_counts_down(lib: Library) -> Any:
    limits: list[int] = []

    def body(value: int, config: Any) -> Any:
        limits.append(config["recursion_limit"])
        return value if value == 0 else lib.RunnableLambda(lambda _: runnable_of(value - 1))

    def runnable_of(value: int) -> Any:
        return lib.RunnableLambda(lambda _, config: body(value, config))

    result = lib.RunnableLambda(body).invoke(3, {"recursion_limit": 10})
    return result, limits


@case()
def recursion_ends_with_an_error(lib: Library) -> Any:
    def body(_value: int) -> Any:
        return runnable

    runnable = lib.RunnableLambda(body)
    results: list[Any] = []
    for call in (runnable.invoke, lambda *given: list(runnable.stream(*given))):
        seen = record(lib)
        try:
            call(1, {"recursion_limit": 2, "callbacks": [seen.handler]})
        except RecursionError as error:
            results += [error, seen.calls()]
    return results


@case()
async def recursion_ends_with_an_error_in_async_code(lib: Library) -> Any:
    async def body(_value: int) -> Any:
        return runnable

    runnable = lib.RunnableLambda(body)
    seen = record(lib)
    config = {"recursion_limit": 2, "callbacks": [seen.handler]}
    streamed = await adrained(runnable.astream(1, config))
    try:
        await runnable.ainvoke(1, config)
    except RecursionError as error:
        return error, streamed, seen.calls()
    return None


@case()
def recursion_limit_of_zero(lib: Library) -> Any:
    runnable = lib.RunnableLambda(lambda _value: lib.RunnableLambda(str))
    plain = lib.RunnableLambda(str).invoke(1, {"recursion_limit": 0})
    try:
        runnable.invoke(1, {"recursion_limit": 0})
    except RecursionError as error:
        return plain, error
    return None


@case()
def async_function_cannot_be_called_synchronously(lib: Library) -> Any:
    async def body(value: int) -> int:
        return value

    runnable = lib.RunnableLambda(body)
    results: list[Any] = []
    for call in (
        lambda: runnable.invoke(1),
        lambda: list(runnable.stream(1)),
        lambda: runnable.batch([1, 2], return_exceptions=True),
        lambda: (runnable | str).invoke(1),
    ):
        try:
            results.append(call())
        except TypeError as error:
            results.append(error)
    return results


@case()
def transform_adds_its_input_up(lib: Library) -> Any:
    seen = record(lib)
    runnable, config = lib.RunnableLambda(lambda given: given), {"callbacks": [seen.handler]}
    inputs: list[list[Any]] = [["a", "b"], [1, 2], [{"a": 1}, {"b": 2}], [[1], [2]], [1, "b"]]
    results = [list(runnable.transform(iter(chunks), config)) for chunks in inputs]
    return results, seen.calls()


@case(departure=departures.empty_stream_is_none)
def transform_of_nothing(lib: Library) -> Any:
    seen = record(lib)
    runnable = lib.RunnableLambda(lambda given: given)
    return drained(runnable.transform(iter(()), {"callbacks": [seen.handler]})), seen.calls()


@case()
def none_as_input_and_output(lib: Library) -> Any:
    seen = record(lib)
    runnable, config = lib.RunnableLambda(lambda given: given), {"callbacks": [seen.handler]}
    return runnable.invoke(None, config), list(runnable.stream(None, config)), seen.calls()


@case()
def exception_keeps_its_identity(lib: Library) -> Any:
    thrown = KeyError("this one")

    def body(_value: int) -> int:
        raise thrown

    try:
        (lib.RunnableLambda(body) | str).invoke(1)
    except KeyError as error:
        return error is thrown, error.__cause__ is None, error.__context__ is None
    return None


@case()
def base_exceptions_pass_through(lib: Library) -> Any:
    results: list[Any] = []
    for kind in (KeyboardInterrupt, SystemExit, GeneratorExit):
        seen = record(lib)

        def body(_value: int, kind: type[BaseException] = kind) -> int:
            raise kind("stop")

        try:
            lib.RunnableLambda(body).invoke(1, {"callbacks": [seen.handler]})
        except BaseException as error:
            results += [error, seen.calls()]
    return results


@case()
def chain_decorator(lib: Library) -> Any:
    @lib.chain
    def step(value: int) -> int:
        return value + 1

    @lib.chain
    def words(value: int) -> Iterator[str]:
        yield from ("a", str(value))

    seen = record(lib)
    config = {"callbacks": [seen.handler]}
    results = [step.invoke(1, config), list(words.stream(1, config)), step.get_name()]
    return results, seen.calls()


@case()
async def chain_decorator_on_async_functions(lib: Library) -> Any:
    @lib.chain
    async def step(value: int) -> int:
        return value + 1

    @lib.chain
    async def words(value: int) -> AsyncIterator[str]:
        yield "a"
        yield str(await step.ainvoke(value))

    seen = record(lib)
    return await adrained(words.astream(1, {"callbacks": [seen.handler]})), seen.calls()


@case()
def lambda_as_a_decorator(lib: Library) -> Any:
    @lib.RunnableLambda
    def step(value: int) -> int:
        return value + 1

    return step.invoke(1), step.get_name(), (step | step).invoke(1)


@case()
def return_of_an_exception_is_a_result(lib: Library) -> Any:
    seen = record(lib)
    runnable = lib.RunnableLambda(lambda value: ValueError(value))
    return runnable.invoke("kept", {"callbacks": [seen.handler]}), seen.calls()


@case()
def name_can_be_given(lib: Library) -> Any:
    seen = record(lib)
    runnable = lib.RunnableLambda(lambda value: value, name="given")
    runnable.invoke(1, {"callbacks": [seen.handler]})
    runnable.invoke(1, {"callbacks": [seen.handler], "run_name": "called"})
    return seen.calls()
