"""What runnables say of themselves: names, texts, equality, and what is bound to them."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from ..libraries import Library
from ..shapes import SHAPES
from . import case


def add_one(number: int) -> int:
    return number + 1


def double(number: int) -> int:
    return number * 2


def shout(chunks: Iterator[str]) -> Iterator[str]:
    yield from chunks


@case()
def names_of_every_shape(lib: Library) -> Any:
    return {name: shape.build(lib).get_name() for name, shape in SHAPES.items()}


@case()
def names_with_a_suffix(lib: Library) -> Any:
    runnables = [
        lib.RunnableLambda(add_one),
        lib.RunnableLambda(lambda number: number),
        lib.RunnableLambda(add_one, name="small"),
        lib.RunnableLambda(add_one) | double,
        lib.RunnableParallel(a=add_one),
        lib.RunnablePassthrough(),
        lib.RunnableGenerator(shout),
    ]
    named = [runnable.get_name("Input") for runnable in runnables]
    return named, [runnable.get_name(name="Other") for runnable in runnables]


@case()
def names_given(lib: Library) -> Any:
    return [
        lib.RunnableSequence(add_one, double, name="seq").get_name(),
        lib.RunnableGenerator(shout, name="gen").get_name(),
        lib.RunnableLambda(add_one).with_config(run_name="bound").get_name(),
        lib.RunnableLambda(add_one).bind(a=1).get_name(),
        lib.RunnableLambda(add_one).with_retry().get_name(),
        lib.RunnableLambda(add_one).map().get_name(),
        lib.RunnablePassthrough.assign(a=add_one, b=double).get_name(),
        lib.RunnablePick(["a", "b"]).get_name(),
        lib.RunnableLambda(add_one).with_fallbacks([]).get_name(),
        lib.RunnableParallel(a=add_one, b=double).get_name(),
    ]


@case()
def texts_of_lambdas(lib: Library) -> Any:
    async def async_step(number: int) -> int:
        return number

    return [
        repr(lib.RunnableLambda(lambda number: number + 1)),
        repr(lib.RunnableLambda(add_one)),
        repr(lib.RunnableLambda(itemgetter("a"))),
        repr(lib.RunnableLambda(async_step)),
        repr(lib.RunnableGenerator(shout)),
        repr(lib.RunnableLambda(len)),
    ]


@case()
def texts_of_compositions(lib: Library) -> Any:
    sequence = lib.RunnableLambda(lambda number: number + 1) | lib.RunnableLambda(double)
    return [repr(sequence), repr(lib.RunnableParallel(a=add_one, b=sequence))]


@case()
def equality(lib: Library) -> Any:
    one, same = lib.RunnableLambda(add_one), lib.RunnableLambda(add_one)
    return [
        one == same,
        one == lib.RunnableLambda(double),
        one == 5,
        lib.RunnableGenerator(shout) == lib.RunnableGenerator(shout),
        (one | double) == (same | double),
        (one | double) == (one | add_one),
        lib.RunnableParallel(a=one) == lib.RunnableParallel(a=same),
        one.with_config(tags=["a"]) == same.with_config(tags=["a"]),
        one.with_config(tags=["a"]) == same.with_config(tags=["b"]),
        lib.RunnablePassthrough() == lib.RunnablePassthrough(),
        lib.RunnablePick("a") == lib.RunnablePick("a"),
    ]


@case()
def what_is_bound(lib: Library) -> Any:
    bound = lib.RunnableLambda(add_one).bind(a=1).bind(b=2).with_config(tags=["t"])
    return dict(bound.kwargs), dict(bound.config), type(bound).__name__, bound.bound.get_name()


@case()
def what_composites_are_made_of(lib: Library) -> Any:
    sequence = lib.RunnableLambda(add_one) | double | str
    fallbacks = lib.RunnableLambda(add_one).with_fallbacks([lib.RunnableLambda(double)])
    retry = lib.RunnableLambda(add_one).with_retry(stop_after_attempt=5)
    return [
        [step.get_name() for step in sequence.steps],
        [sequence.first.get_name(), len(sequence.middle), sequence.last.get_name()],
        fallbacks.runnable.get_name(),
        [fallback.get_name() for fallback in fallbacks.fallbacks],
        [step.get_name() for step in fallbacks.runnables],
        retry.max_attempt_number,
        retry.wait_exponential_jitter,
        retry.bound.get_name(),
    ]


@case()
def kinds_of_results(lib: Library) -> Any:
    one = lib.RunnableLambda(add_one)
    made = [
        one | double,
        one | {"a": double},
        one.map(),
        one.bind(a=1),
        one.with_config(tags=["a"]),
        one.with_retry(),
        one.with_fallbacks([one]),
        one.assign(a=double),
        one.pick("a"),
        one.with_listeners(),
        lib.RunnablePassthrough.assign(a=double),
        lib.chain(add_one),
        lib.coerce_to_runnable({"a": double}),
        lib.coerce_to_runnable(shout),
        lib.coerce_to_runnable(double),
        one.bind(a=1).with_retry(),
        one.with_config(tags=["a"]).map(),
    ]
    return [type(runnable).__name__ for runnable in made]


@case()
def one_name_two_classes(lib: Library) -> Any:
    runnable = lib.RunnableLambda(str)
    return lib.RunnableMap is lib.RunnableParallel, isinstance(runnable, lib.Runnable)


@case()
def attributes_of_the_bound_runnable(lib: Library) -> Any:
    class Counter(lib.Runnable):
        count = 3

        def invoke(self, given: int, config: Any = None, **kwargs: Any) -> int:
            return given + self.count

        def tags_of(self, config: Any = None) -> Any:
            return (config or {}).get("tags")

    bound = Counter().with_config(tags=["t"])
    return bound.count, bound.invoke(1), bound.tags_of(), bound.tags_of(config={"tags": ["u"]})
