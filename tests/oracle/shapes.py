"""One small runnable of every kind, with inputs for it: the rows of the table of forms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from .libraries import Library

SHAPES: dict[str, Shape] = {}


@dataclass(frozen=True)
class Shape:
    """How to build a runnable, and three inputs for it.

    Args:
        build: makes the runnable from a library's parts.
        inputs: what it is called with; one call takes the first.
        branches: whether parts of it run at the same time, so that their order is undefined.
    """

    build: Callable[[Library], Any]
    inputs: tuple[Any, ...]
    branches: bool = False


def _shape(*inputs: Any, branches: bool = False) -> Callable[[Callable[[Library], Any]], Any]:
    def add(build: Callable[[Library], Any]) -> Callable[[Library], Any]:
        SHAPES[build.__name__] = Shape(build, inputs, branches)
        return build

    return add


def add_one(number: int) -> int:
    return number + 1


async def add_ten(number: int) -> int:
    return number + 10


def double(number: int) -> int:
    return number * 2


def count_up(number: int) -> Iterator[str]:
    for step in range(number):
        yield f"{step}."


async def count_up_async(number: int) -> AsyncIterator[str]:
    for step in range(number):
        yield f"{step}."


def shout(chunks: Iterator[str]) -> Iterator[str]:
    for chunk in chunks:
        yield chunk.upper()


async def shout_async(chunks: AsyncIterator[str]) -> AsyncIterator[str]:
    async for chunk in chunks:
        yield chunk.upper()


def fail(number: Any) -> int:
    raise ValueError(f"no {number}")


def fail_on_two(number: int) -> int:
    if number == 2:
        raise ValueError("two is not served")
    return number


@_shape(1, 2, 3)
def lambda_sync(lib: Library) -> Any:
    return lib.RunnableLambda(add_one)


@_shape(1, 2, 3)
def lambda_async(lib: Library) -> Any:
    return lib.RunnableLambda(add_ten)


@_shape(1, 2, 3)
def lambda_both(lib: Library) -> Any:
    return lib.RunnableLambda(add_one, afunc=add_ten)


@_shape(1, 2, 3)
def lambda_without_name(lib: Library) -> Any:
    return lib.RunnableLambda(lambda number: number + 1)


@_shape(3, 2, 1)
def lambda_generator(lib: Library) -> Any:
    return lib.RunnableLambda(count_up)


@_shape(3, 2, 1)
def lambda_async_generator(lib: Library) -> Any:
    return lib.RunnableLambda(count_up_async)


@_shape(3, 2, 1)
def lambda_both_generators(lib: Library) -> Any:
    return lib.RunnableLambda(count_up, afunc=count_up_async)


@_shape(1, 2, 3)
def lambda_returning_a_runnable(lib: Library) -> Any:
    return lib.RunnableLambda(lambda _number: lib.RunnableLambda(double), name="chooser")


@_shape(1, 2, 3)
def lambda_failing(lib: Library) -> Any:
    return lib.RunnableLambda(fail)


@_shape(1, 2, 3)
def sequence(lib: Library) -> Any:
    return lib.RunnableLambda(add_one) | double | lib.RunnableLambda(str)


@_shape(1, 2, 3)
def sequence_named(lib: Library) -> Any:
    steps = (lib.RunnableLambda(add_one), lib.RunnableLambda(double))
    return lib.RunnableSequence(*steps, name="two steps")


@_shape(3, 2, 1)
def sequence_of_generators(lib: Library) -> Any:
    first = lib.RunnableLambda(count_up, afunc=count_up_async)
    return first | lib.RunnableGenerator(shout, atransform=shout_async)


@_shape(1, 2, 3)
def sequence_failing_at_two(lib: Library) -> Any:
    return lib.RunnableLambda(add_one) | fail_on_two | double


@_shape(1, 2, 3)
def sequence_nested(lib: Library) -> Any:
    inner = (lib.RunnableLambda(add_one) | double).with_config(run_name="inner")
    return lib.RunnableLambda(add_one) | inner | lib.RunnableLambda(str)


@_shape(1, 2, 3, branches=True)
def parallel(lib: Library) -> Any:
    return lib.RunnableParallel(one=add_one, two=lib.RunnableLambda(double))


@_shape(1, 2, 3, branches=True)
def parallel_of_one(lib: Library) -> Any:
    return lib.RunnableParallel({"only": lib.RunnableLambda(add_one)})


@_shape(3, 2, 1, branches=True)
def parallel_of_generators(lib: Library) -> Any:
    branch = lib.RunnableLambda(count_up, afunc=count_up_async)
    return lib.RunnableParallel(a=branch, b=branch | lib.RunnableGenerator(shout, shout_async))


@_shape(1, 2, 3, branches=True)
def parallel_in_sequence(lib: Library) -> Any:
    return lib.RunnableLambda(add_one) | {"one": add_one, "two": double} | itemgetter("two")


@_shape("abc", "de", "f")
def generator(lib: Library) -> Any:
    return lib.RunnableGenerator(shout, atransform=shout_async)


@_shape(1, 2, 3)
def passthrough(lib: Library) -> Any:
    return lib.RunnablePassthrough()


@_shape(1, 2, 3)
def passthrough_in_sequence(lib: Library) -> Any:
    return lib.RunnablePassthrough() | add_one


@_shape({"a": 1}, {"a": 2}, {"a": 3}, branches=True)
def assign(lib: Library) -> Any:
    return lib.RunnablePassthrough.assign(b=lambda given: given["a"] + 1)


@_shape({"a": 1}, {"a": 2}, {"a": 3}, branches=True)
def assign_after_lambda(lib: Library) -> Any:
    return lib.RunnableLambda(dict).assign(b=itemgetter("a"), c=lambda given: len(given))


@_shape({"a": 1, "b": 2}, {"a": 3, "c": 4}, {"a": 5})
def pick_one(lib: Library) -> Any:
    return lib.RunnablePassthrough().pick("a")


@_shape({"a": 1, "b": 2}, {"a": 3, "c": 4}, {"b": 5})
def pick_some(lib: Library) -> Any:
    return lib.RunnablePassthrough().pick(["a", "b"])


@_shape(1, -1, 0)
def branch(lib: Library) -> Any:
    return lib.RunnableBranch(
        (lambda number: number > 0, add_one), (lambda number: number < 0, double), str
    )


@_shape(1, 2, 3)
def branch_failing(lib: Library) -> Any:
    return lib.RunnableBranch((lambda number: number > 1, fail), lib.RunnableLambda(double))


@_shape({"key": "one", "input": 1}, {"key": "two", "input": 2}, {"key": "one", "input": 3})
def router(lib: Library) -> Any:
    return lib.RouterRunnable({"one": lib.RunnableLambda(add_one), "two": double})


@_shape([1, 2], [3], [], branches=True)
def each(lib: Library) -> Any:
    return lib.RunnableLambda(add_one).map()


@_shape(1, 2, 3)
def binding_config(lib: Library) -> Any:
    bound = lib.RunnableLambda(add_one)
    return bound.with_config(run_name="named", tags=["bound"], metadata={"by": "binding"})


@_shape(1, 2, 3)
def binding_arguments(lib: Library) -> Any:
    def scale(number: int, by: int = 1) -> int:
        return number * by

    return lib.RunnableLambda(scale).bind(by=7)


@_shape(1, 2, 3)
def retry_that_succeeds_at_last(lib: Library) -> Any:
    tries: dict[int, int] = {}

    def unsteady(number: int) -> int:
        tries[number] = tries.get(number, 0) + 1
        if tries[number] < number:
            raise ValueError(f"try {tries[number]} of {number}")
        return number

    return lib.RunnableLambda(unsteady).with_retry(wait_exponential_jitter=False)


@_shape(1, 2, 3)
def retry_that_gives_up(lib: Library) -> Any:
    return lib.RunnableLambda(fail).with_retry(wait_exponential_jitter=False, stop_after_attempt=2)


@_shape(1, 2, 3)
def retry_of_other_errors(lib: Library) -> Any:
    return lib.RunnableLambda(fail).with_retry(
        wait_exponential_jitter=False, retry_if_exception_type=(KeyError,)
    )


@_shape(1, 2, 3)
def fallbacks_unused(lib: Library) -> Any:
    return lib.RunnableLambda(add_one).with_fallbacks([lib.RunnableLambda(double)])


@_shape(1, 2, 3)
def fallbacks_used(lib: Library) -> Any:
    return lib.RunnableLambda(fail).with_fallbacks([lib.RunnableLambda(double)])


@_shape(1, 2, 3)
def fallbacks_all_failing(lib: Library) -> Any:
    return lib.RunnableLambda(fail).with_fallbacks([lib.RunnableLambda(fail, name="again")])


@_shape(1, 2, 3)
def fallbacks_of_other_errors(lib: Library) -> Any:
    return lib.RunnableLambda(fail).with_fallbacks(
        [lib.RunnableLambda(double)], exceptions_to_handle=(KeyError,)
    )


@_shape({"n": 1}, {"n": 2}, {"n": 3})
def fallbacks_told_the_error(lib: Library) -> Any:
    def read(given: dict[str, Any]) -> str:
        return f"{given['n']} after {given.get('why')!r}"

    return lib.RunnableLambda(fail).with_fallbacks([lib.RunnableLambda(read)], exception_key="why")


@_shape(1, 2, 3)
def chained(lib: Library) -> Any:
    @lib.chain
    def both(number: int) -> int:
        return lib.RunnableLambda(double).invoke(lib.RunnableLambda(add_one).invoke(number))

    return both


@_shape({"a": 1, "b": 2}, {"a": 3, "b": 4}, {"a": 5})
def tool(lib: Library) -> Any:
    @lib.tool
    def total(a: int, b: int = 10) -> int:
        """Add two numbers."""
        return a + b

    return total


@_shape("abc", "de", "f")
def tool_of_text(lib: Library) -> Any:
    @lib.tool
    def backwards(text: str) -> str:
        """Turn a text round."""
        return text[::-1]

    return backwards


@_shape({"a": 1}, {"a": 2}, {"a": 3})
def tool_failing(lib: Library) -> Any:
    @lib.tool
    def broken(a: int) -> int:
        """Fail."""
        raise ValueError(f"no {a}")

    return broken


@_shape(1, 2, 3)
def only_invoke(lib: Library) -> Any:
    class Squares(lib.Runnable):
        def invoke(self, given: int, config: Any = None, **kwargs: Any) -> int:
            return self._call_with_config(lambda number: number**2, given, config, **kwargs)

    return Squares()
