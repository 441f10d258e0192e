"""The functions in a generated program's steps: every kind, doing the same acts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from .forms import in_a_thread
from .freeze import freeze, sort_key
from .libraries import Library
from .programs import ERRORS, Act, Call, Fail, Say


def digest(value: Any) -> str:
    """A short text for any value, the same for dictionaries filled in another order."""
    if isinstance(value, str) and len(value) <= 12:
        return value
    return f"{crc32(sort_key(_plain(value)).encode()):x}"


def _plain(value: Any) -> Any:
    return freeze(dict(value)) if isinstance(value, dict) else freeze(value)


@dataclass
class Body:
    """What a step does, in each form of function.

    Args:
        lib: the library whose runnables call it.
        name: of the step; part of what it gives.
        acts: what it does, each with the runnable that it calls, if any.
    """

    lib: Library
    name: str
    acts: Sequence[tuple[Act, Any]]

    def __post_init__(self) -> None:
        self._calls: Counter[tuple[int, str]] = Counter()

    def function(self, kind: str) -> Any:
        """The function of that kind, under the step's name."""
        made = getattr(self, f"_{kind}")()
        made.__name__ = self.name
        return made

    def answer(self, value: Any) -> str:
        """What the step gives for a value."""
        return f"{self.name}<{digest(value)}>"

    def act(self, value: Any, config: Any, acts: slice = slice(None)) -> None:
        """Do the acts in sync code."""
        for index, (act, callee) in list(enumerate(self.acts))[acts]:
            if isinstance(act, Fail):
                self._maybe_fail(index, act, value)
            elif isinstance(act, Say):
                self._say(act, config)
            else:
                self._call(act, callee, value, config)

    async def aact(self, value: Any, config: Any, acts: slice = slice(None)) -> None:
        """Do the acts in async code."""
        for index, (act, callee) in list(enumerate(self.acts))[acts]:
            if isinstance(act, Fail):
                self._maybe_fail(index, act, value)
            elif isinstance(act, Say):
                await self._asay(act, config)
            else:
                await self._acall(act, callee, value, config)

    def _maybe_fail(self, index: int, act: Fail, value: Any) -> None:
        call = (index, digest(value))
        self._calls[call] += 1
        if self._calls[call] <= act.times:
            raise ERRORS[act.error](f"{self.name} at {self._calls[call]}")

    def _say(self, act: Say, config: Any) -> None:
        dispatch = self.lib.dispatch_custom_event
        if act.how == "thread":
            in_a_thread(lambda: dispatch(act.name, act.data, config=config))
        elif act.how == "config":
            dispatch(act.name, act.data, config=config)
        else:
            dispatch(act.name, act.data)

    async def _asay(self, act: Say, config: Any) -> None:
        if act.how == "sync":
            self.lib.dispatch_custom_event(act.name, act.data)
        elif act.how == "thread":
            await asyncio.to_thread(self._say, act, config)
        elif act.how == "config":
            await self.lib.adispatch_custom_event(act.name, act.data, config=config)
        else:
            await self.lib.adispatch_custom_event(act.name, act.data)

    def _call(self, act: Call, callee: Any, value: Any, config: Any) -> None:
        given = digest(value)
        if act.how == "thread":
            in_a_thread(lambda: callee.invoke(given, config))
        elif act.how == "config":
            callee.invoke(given, config)
        else:
            callee.invoke(given)

    async def _acall(self, act: Call, callee: Any, value: Any, config: Any) -> None:
        given = digest(value)
        if act.how == "sync":
            callee.invoke(given)
        elif act.how == "thread":
            await asyncio.to_thread(callee.invoke, given, config)
        elif act.how == "config":
            await callee.ainvoke(given, config)
        else:
            await callee.ainvoke(given)

    def _plain(self) -> Callable[..., Any]:
        def plain(value: Any, config: Any) -> str:
            self.act(value, config)
            return self.answer(value)

        return plain

    def _coroutine(self) -> Callable[..., Any]:
        async def coroutine(value: Any, config: Any) -> str:
            await self.aact(value, config)
            return self.answer(value)

        return coroutine

    def _tool(self) -> Callable[..., Any]:
        def tool(value: Any, config: Any) -> str:
            """Do the acts."""
            self.act(value, config)
            return self.answer(value)

        return self._annotated(tool)

    def _async_tool(self) -> Callable[..., Any]:
        async def async_tool(value: Any, config: Any) -> str:
            """Do the acts."""
            await self.aact(value, config)
            return self.answer(value)

        return self._annotated(async_tool)

    def _annotated(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A tool's config is known by its type, which is the library's own."""
        function.__annotations__.update(value=str, config=self.lib.RunnableConfig)
        return function

    def _generator(self) -> Callable[..., Any]:
        def generator(value: Any, config: Any) -> Iterator[str]:
            self.act(value, config, slice(0, 1))
            yield self.answer(value)
            self.act(value, config, slice(1, None))
            yield "+"

        return generator

    def _async_generator(self) -> Callable[..., Any]:
        async def async_generator(value: Any, config: Any) -> AsyncIterator[str]:
            await self.aact(value, config, slice(0, 1))
            yield self.answer(value)
            await self.aact(value, config, slice(1, None))
            yield "+"

        return async_generator

    def _chunks(self) -> Callable[..., Any]:
        def chunks(values: Iterator[Any], config: Any) -> Iterator[str]:
            given = []
            for value in values:
                given.append(value)
                if isinstance(value, str):
                    yield self.answer(value)
            self.act(_total(given), config)
            yield self.answer(_total(given))

        return chunks

    def _async_chunks(self) -> Callable[..., Any]:
        async def async_chunks(values: AsyncIterator[Any], config: Any) -> AsyncIterator[str]:
            given = []
            async for value in values:
                given.append(value)
                if isinstance(value, str):
                    yield self.answer(value)
            await self.aact(_total(given), config)
            yield self.answer(_total(given))

        return async_chunks


def _total(values: Sequence[Any]) -> Any:
    """The values as one, the same in whatever order branches gave them."""
    return sorted(map(sort_key, map(_plain, values)))
