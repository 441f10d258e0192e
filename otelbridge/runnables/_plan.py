"""A plan: what a composite runnable does step by step, written once for its sync and async form.

A plan is a generator that yields each step it wants done and is sent the step's answer; what it
returns is the plan's result. It never does a step itself, so it neither blocks nor awaits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

Step = TypeVar("Step")
T = TypeVar("T")


class Failed:
    """The answer of a step whose exception is for the plan to deal with.

    Exceptions are answers and are never thrown into a plan: one that passes through a generator
    comes out changed where it is a StopIteration.
    """

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


def follow(plan: Generator[Step, Any, T], do: Callable[[Step], Any]) -> T:
    """Do each step of ``plan`` by ``do`` and return the plan's result.

    An exception that ``do`` raises ends the plan and passes through unchanged.
    """
    answer: Any = None
    while True:
        try:
            step = plan.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result
        answer = do(step)


async def afollow(plan: Generator[Step, Any, T], do: Callable[[Step], Awaitable[Any]]) -> T:
    """Do each step of ``plan`` by awaiting ``do``; otherwise as ``follow``."""
    answer: Any = None
    while True:
        try:
            step = plan.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result
        answer = await do(step)


def answer_of(result: Any) -> Any:
    """Return ``result``, or raise the exception that it stands for."""
    if not isinstance(result, Failed):
        return result
    try:
        raise result.error
    finally:
        # The traceback holds this frame; without this the exception would hold itself alive.
        del result
