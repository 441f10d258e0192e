"""Sequences, parallels, branches, routers, passthroughs, maps: how they put runnables together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from operator import itemgetter
from typing import Any

from ..forms import adrained, drained
from ..libraries import Library
from ..recorder import record
from . import case


def add_one(number: int) -> int:
    return number + 1


def double(number: int) -> int:
    return number * 2


@case()
def functions_on_either_side_of_a_sequence(lib: Library) -> Any:
    middle = lib.RunnableLambda(double)
    sequences = (add_one | middle, middle | add_one, add_one | middle | str)
    return [(sequence.invoke(3), len(sequence.steps)) for sequence in sequences]


@case()
def dictionaries_on_either_side_of_a_sequence(lib: Library) -> Any:
    middle = lib.RunnablePassthrough()
    before = {"a": add_one, "b": double} | middle
    after = middle | {"a": add_one, "b": lib.RunnableLambda(double)}
    return before.invoke(3), after.invoke(3), after.invoke(4)


@case()
def generators_on_either_side_of_a_sequence(lib: Library) -> Any:
    def letters(chunks: Iterator[str]) -> Iterator[str]:
        for chunk in chunks:
            yield from chunk

    def shout(chunks: Iterator[str]) -> Iterator[str]:
        for chunk in chunks:
            yield chunk.upper()

    sequence = letters | lib.RunnablePassthrough() | shout
    return list(sequence.stream("abc")), sequence.invoke("abc"), type(sequence).__name__


@case()
async def async_generators_in_a_sequence(lib: Library) -> Any:
    async def letters(chunks: AsyncIterator[str]) -> AsyncIterator[str]:
        async for chunk in chunks:
            for letter in chunk:
                yield letter

    sequence = lib.RunnablePassthrough() | letters
    return await adrained(sequence.astream("abc")), await sequence.ainvoke("abc")


@case()
def sequences_are_flattened(lib: Library) -> Any:
    one = lib.RunnableLambda(add_one)
    left = (one | double) | (one | str)
    seen = record(lib)
    result = left.invoke(1, {"callbacks": [seen.handler]})
    return result, len(left.steps), len(left.middle), seen.calls()


@case()
def named_sequences_are_kept_apart(lib: Library) -> Any:
    inner = lib.RunnableSequence(lib.RunnableLambda(add_one), double, name="inner")
    outer = inner | str
    seen = record(lib)
    result = outer.invoke(1, {"callbacks": [seen.handler]})
    return result, len(outer.steps), outer.get_name(), seen.calls()


@case()
def pipe_takes_several_and_a_name(lib: Library) -> Any:
    seen = record(lib)
    sequence = lib.RunnableLambda(add_one).pipe(double, str, name="piped")
    return sequence.invoke(1, {"callbacks": [seen.handler]}), seen.calls()


@case()
def sequence_needs_two_steps(lib: Library) -> Any:
    return lib.RunnableSequence(lib.RunnableLambda(add_one))


@case()
def keywords_go_to_the_first_step(lib: Library) -> Any:
    def scale(number: int, by: int = 1) -> int:
        return number * by

    sequence = lib.RunnableLambda(scale) | lib.RunnableLambda(scale, name="second")
    streamed = list(sequence.stream(2, None, by=5))
    return sequence.invoke(2, None, by=5), streamed, sequence.batch([1, 2], None, by=3)


@case()
def sequence_failing_in_the_middle(lib: Library) -> Any:
    def fail(_number: int) -> int:
        raise ValueError("middle")

    seen = record(lib)
    sequence = lib.RunnableLambda(add_one) | fail | double
    streamed = drained(sequence.stream(1, {"callbacks": [seen.handler]}))
    try:
        sequence.invoke(1, {"callbacks": [seen.handler]})
    except ValueError as error:
        return error, streamed, seen.calls()
    return None


@case()
def parallel_from_every_form(lib: Library) -> Any:
    forms = (
        lib.RunnableParallel(a=add_one, b=double),
        lib.RunnableParallel({"a": add_one}, b=double),
        lib.RunnableParallel(steps__={"a": add_one, "b": double}),
        lib.RunnableMap({"a": add_one, "b": {"c": double}}),
    )
    return [form.invoke(3) for form in forms]


@case()
def parallel_results_are_in_the_order_of_the_keys(lib: Library) -> Any:
    parallel = lib.RunnableParallel(z=add_one, a=double, m=str)
    return list(parallel.invoke(1)), list(parallel.steps__)


@case()
def parallel_failing_branch(lib: Library) -> Any:
    def fail(_number: int) -> int:
        raise ValueError("branch")

    seen = record(lib)
    parallel = lib.RunnableParallel(good=add_one, bad=fail)
    try:
        parallel.invoke(1, {"callbacks": [seen.handler]})
    except ValueError as error:
        return error, seen.runs()
    return None


@case()
def parallel_with_one_worker(lib: Library) -> Any:
    seen = record(lib)
    parallel = lib.RunnableParallel(a=add_one, b=double, c=str)
    result = parallel.invoke(1, {"callbacks": [seen.handler], "max_concurrency": 1})
    return result, seen.runs()


@case()
def parallel_streams_as_its_branches_do(lib: Library) -> Any:
    def letters(chunks: Iterator[str]) -> Iterator[str]:
        for chunk in chunks:
            yield from chunk

    parallel = lib.RunnableParallel(letters=letters, whole=lib.RunnablePassthrough())
    chunks = list(parallel.stream("abc"))
    total = chunks[0]
    for chunk in chunks[1:]:
        total = total + chunk
    return sorted(map(str, chunks)), total, {type(chunk).__name__ for chunk in chunks}


@case()
async def parallel_in_ainvoke_sees_the_config_in_each_branch(lib: Library) -> Any:
    async def branch(number: int, config: Any) -> Any:
        return config["tags"], config["metadata"]

    parallel = lib.RunnableParallel(a=branch, b=lib.RunnableLambda(branch))
    return await parallel.ainvoke(1, {"tags": ["t"], "metadata": {"k": 1}})


@case()
def empty_parallel(lib: Library) -> Any:
    return lib.RunnableParallel({}).invoke(1), list(lib.RunnableParallel({}).stream(1))


@case()
def branch_takes_the_first_true_condition(lib: Library) -> Any:
    seen = record(lib)
    runnable = lib.RunnableBranch(
        (lambda number: number > 10, lambda number: "big"),
        (lib.RunnableLambda(lambda number: number > 5, name="middling?"), lambda number: "mid"),
        lambda number: "small",
    )
    config = {"callbacks": [seen.handler], "tags": ["t"]}
    return [runnable.invoke(number, config) for number in (20, 7, 1)], seen.calls()


@case()
def branch_streams_the_branch_taken(lib: Library) -> Any:
    def letters(word: str) -> Iterator[str]:
        yield from word

    seen = record(lib)
    runnable = lib.RunnableBranch((lambda word: len(word) > 2, letters), str.upper)
    config = {"callbacks": [seen.handler]}
    chunks = [drained(runnable.stream(word, config)) for word in ("abc", "ab")]
    return chunks, seen.calls()


@case()
async def branch_in_async_code(lib: Library) -> Any:
    async def is_long(word: str) -> bool:
        return len(word) > 2

    async def letters(word: str) -> AsyncIterator[str]:
        for letter in word:
            yield letter

    seen = record(lib)
    runnable = lib.RunnableBranch((is_long, lib.RunnableLambda(letters)), str.upper)
    config = {"callbacks": [seen.handler]}
    chunks = [await adrained(runnable.astream(word, config)) for word in ("abc", "ab")]
    return chunks, await runnable.ainvoke("abcd", config), seen.calls()


@case()
def branch_with_a_failing_condition(lib: Library) -> Any:
    def fail(_number: int) -> bool:
        raise ValueError("condition")

    seen = record(lib)
    runnable = lib.RunnableBranch((fail, add_one), double)
    try:
        runnable.invoke(1, {"callbacks": [seen.handler]})
    except ValueError as error:
        return error, drained(runnable.stream(1)), seen.calls()
    return None


@case()
def router_goes_by_the_key(lib: Library) -> Any:
    seen = record(lib)
    router = lib.RouterRunnable({"add": add_one, "double": lib.RunnableLambda(double)})
    config = {"callbacks": [seen.handler]}
    inputs = [{"key": "add", "input": 5}, {"key": "double", "input": 5}]
    results = [router.invoke(given, config) for given in inputs]
    return results, list(router.stream(inputs[0], config)), seen.calls()


@case()
def router_batch_goes_by_each_key(lib: Library) -> Any:
    router = lib.RouterRunnable({"add": add_one, "double": lib.RunnableLambda(double)})
    return router.batch([{"key": "add", "input": 5}, {"key": "double", "input": 5}])


@case()
def router_without_the_key(lib: Library) -> Any:
    router = lib.RouterRunnable({"add": add_one})
    results: list[Any] = []
    wrong = {"key": "missing", "input": 5}
    for call in (lambda: router.invoke(wrong), lambda: router.batch([wrong])):
        try:
            results.append(call())
        except ValueError as error:
            results.append(error)
    return results


@case()
def passthrough_calls_its_function(lib: Library) -> Any:
    noted: list[Any] = []
    seen = record(lib)
    runnable = lib.RunnablePassthrough(noted.append)
    config = {"callbacks": [seen.handler]}
    result = runnable.invoke(1, config)
    streamed = list(runnable.transform(iter("abc"), config))
    return result, streamed, noted, seen.calls()


@case()
async def passthrough_calls_its_async_function(lib: Library) -> Any:
    noted: list[Any] = []

    async def note(value: Any) -> None:
        noted.append(value)

    runnable = lib.RunnablePassthrough(noted.append, afunc=note)
    alone = lib.RunnablePassthrough(afunc=note)
    return await runnable.ainvoke(1), await alone.ainvoke(2), alone.invoke(3), noted


@case()
def passthrough_streams_its_chunks(lib: Library) -> Any:
    def letters(word: str) -> Iterator[str]:
        yield from word

    seen = record(lib)
    sequence = lib.RunnableLambda(letters) | lib.RunnablePassthrough()
    return list(sequence.stream("abc", {"callbacks": [seen.handler]})), seen.calls()


@case()
def assign_adds_to_a_dictionary(lib: Library) -> Any:
    seen = record(lib)
    runnable = lib.RunnablePassthrough.assign(total=lambda given: sum(given.values()), n=len)
    result = runnable.invoke({"a": 1, "b": 2}, {"callbacks": [seen.handler]})
    return result, list(result), seen.runs()


@case()
def assign_replaces_a_key(lib: Library) -> Any:
    runnable = lib.RunnablePassthrough.assign(a=lambda given: given["a"] + 1)
    return runnable.invoke({"a": 1, "b": 2}), sorted(map(str, runnable.stream({"a": 1, "b": 2})))


@case()
def assign_streams_what_passes_first(lib: Library) -> Any:
    def letters(chunks: Iterator[dict[str, str]]) -> Iterator[str]:
        for chunk in chunks:
            yield from chunk["word"]

    runnable = lib.RunnablePassthrough.assign(letters=lib.RunnableGenerator(letters))
    return drained(runnable.stream({"word": "ab"}))


@case()
def assign_wants_a_dictionary(lib: Library) -> Any:
    runnable = lib.RunnablePassthrough.assign(a=len)
    results: list[Any] = []
    for call in (lambda: runnable.invoke("text"), lambda: list(runnable.stream("text"))):
        try:
            results.append(call())
        except Exception as error:
            results.append(error)
    return results


@case()
def runnable_assign_of_a_parallel(lib: Library) -> Any:
    runnable = lib.RunnableAssign(lib.RunnableParallel(n=len))
    return runnable.invoke({"a": 1}), runnable.get_name()


@case()
def pick_from_a_dictionary(lib: Library) -> Any:
    given = {"a": 1, "b": 2}
    picks = (lib.RunnablePick("a"), lib.RunnablePick(["a", "c"]), lib.RunnablePick("c"))
    results = [(pick.invoke(given), list(pick.stream(given)), pick.get_name()) for pick in picks]
    try:
        lib.RunnablePick("a").invoke([1])
    except Exception as error:
        return results, error
    return results


@case()
def pick_streams_chunks_that_have_the_key(lib: Library) -> Any:
    chunks = [{"a": "x"}, {"b": "y"}, {"a": "z"}]
    seen = record(lib)
    config = {"callbacks": [seen.handler]}
    one = list(lib.RunnablePick("a").transform(iter(chunks), config))
    return one, list(lib.RunnablePick(["a"]).transform(iter(chunks), config)), seen.calls()


@case()
def each_maps_a_list(lib: Library) -> Any:
    seen = record(lib)
    runnable = (lib.RunnableLambda(add_one) | double).map()
    return runnable.invoke([1, 2], {"callbacks": [seen.handler]}), seen.runs()


@case()
def each_of_an_empty_list(lib: Library) -> Any:
    seen = record(lib)
    runnable = lib.RunnableLambda(add_one).map()
    return runnable.invoke([], {"callbacks": [seen.handler]}), seen.calls()


@case()
def each_with_one_failing_element(lib: Library) -> Any:
    def fail(_number: int) -> int:
        raise ValueError("element")

    seen = record(lib)
    try:
        lib.RunnableLambda(fail).map().invoke([1], {"callbacks": [seen.handler]})
    except ValueError as error:
        return error, seen.calls()
    return None


@case()
def each_passes_bound_things_on(lib: Library) -> Any:
    def scale(number: int, by: int = 1) -> int:
        return number * by

    seen = record(lib)
    runnable = lib.RunnableLambda(scale).map().bind(by=3).with_config(tags=["bound"])
    return runnable.invoke([2], {"callbacks": [seen.handler]}), seen.calls()


@case()
def nested_invocations_in_a_body(lib: Library) -> Any:
    inner = lib.RunnableLambda(add_one) | {"a": double, "b": str}

    def body(number: int) -> Any:
        return inner.invoke(number), lib.RunnableLambda(double).batch([number, number + 1])

    seen = record(lib)
    config = {"callbacks": [seen.handler], "tags": ["t"], "metadata": {"k": 1}}
    return lib.RunnableLambda(body).invoke(1, config), seen.runs()


@case()
async def nested_invocations_in_an_async_body(lib: Library) -> Any:
    inner = lib.RunnableLambda(add_one) | {"a": double, "b": str}

    async def body(number: int) -> Any:
        return await inner.ainvoke(number), await lib.RunnableLambda(double).abatch([number, 2])

    seen = record(lib, asynchronous=True)
    config = {"callbacks": [seen.handler], "tags": ["t"], "metadata": {"k": 1}}
    return await lib.RunnableLambda(body).ainvoke(1, config), seen.runs()


@case()
async def sync_invoke_in_an_async_body(lib: Library) -> Any:
    async def body(number: int) -> int:
        return (lib.RunnableLambda(add_one) | double).invoke(number)

    seen = record(lib)
    result = await lib.RunnableLambda(body).ainvoke(1, {"callbacks": [seen.handler]})
    return result, seen.calls()


@case()
async def sync_invoke_in_an_async_body_with_an_async_handler(lib: Library) -> Any:
    async def body(number: int) -> int:
        return (lib.RunnableLambda(add_one) | double).invoke(number)

    seen = record(lib, asynchronous=True)
    result = await lib.RunnableLambda(body).ainvoke(1, {"callbacks": [seen.handler]})
    return result, seen.calls()


@case()
def subclass_with_invoke_only(lib: Library) -> Any:
    class Squares(lib.Runnable):
        def invoke(self, given: int, config: Any = None, **kwargs: Any) -> int:
            return int(given) ** 2

    squares = Squares()
    piped = squares | add_one
    return (
        squares.invoke(3),
        squares.batch([1, 2]),
        list(squares.stream(3)),
        list(squares.transform(iter([1, 2]))),
        piped.invoke(3),
        squares.get_name(),
        dict(squares.batch_as_completed([1, 2])),
    )


@case()
async def subclass_with_invoke_only_in_async_code(lib: Library) -> Any:
    class Squares(lib.Runnable):
        def invoke(self, given: int, config: Any = None, **kwargs: Any) -> int:
            return int(given) ** 2

    squares = Squares()
    return (
        await squares.ainvoke(3),
        await squares.abatch([1, 2]),
        await adrained(squares.astream(3)),
        await (squares | add_one).ainvoke(3),
    )


@case()
def addable_dict_adds(lib: Library) -> Any:
    made = lib.AddableDict
    return (
        made(a=1) + made(b=2),
        made(a=1) + made(a=2),
        made(a=[1]) + {"a": [2], "b": None},
        {"a": 1} + made(b=2),
        made(a=None) + made(a=3),
        type(made(a=1) + {"b": 2}).__name__,
    )


@case()
def addable_dict_refuses_what_cannot_be_added(lib: Library) -> Any:
    return lib.AddableDict(a={"x": 1}) + lib.AddableDict(a="not addable")


@case()
def itemgetter_in_a_dictionary(lib: Library) -> Any:
    runnable = {"a": itemgetter("x"), "b": itemgetter("y") | lib.RunnableLambda(str)}
    seen = record(lib)
    parallel = lib.RunnableParallel(runnable)
    return parallel.invoke({"x": 1, "y": 2}, {"callbacks": [seen.handler]}), seen.runs()
