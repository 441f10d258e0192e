"""A sequence of generators passes each chunk on as it comes; events go out between the chunks."""

from __future__ import annotations

from collections.abc import Iterator

from otelbridge import RunnableGenerator, RunnableParallel, dispatch_custom_event
from otelbridge.testing import capture_runs


def count(numbers: Iterator[int]) -> Iterator[int]:
    for number in numbers:
        for each in range(number):
            print(f"  made {each}")
            yield each


def double(numbers: Iterator[int]) -> Iterator[list[int]]:
    for number in numbers:
        yield [number, number]


def spell(numbers: Iterator[int]) -> Iterator[str]:
    for number in numbers:
        dispatch_custom_event("spelled", number)
        yield ("zero", "one", "two", "three")[number] + " "


if __name__ == "__main__":
    chain = RunnableGenerator(count) | RunnableGenerator(spell)
    print("each chunk is passed on before the next is made:")
    for chunk in chain.stream(3):
        print(f"  read {chunk}")

    print("the branches of a parallel step stream too; their chunks add up:")
    both = RunnableParallel(lists=RunnableGenerator(double), words=RunnableGenerator(spell))
    print(f"  {both.invoke(2)}")
    print(f"  {sum(1 for _ in both.stream(2))} chunks")

    print("a consumer that leaves early closes the stream, and its runs end:")
    with capture_runs() as runs:
        for chunk in chain.stream(3):
            print(f"  read {chunk}")
            break
    print(runs.tree())
