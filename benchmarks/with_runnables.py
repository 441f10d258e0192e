"""The workloads as runnables: one text for otelbridge and for langchain-core."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from benchmarks.workloads import (
    BATCH,
    CHUNKS,
    CHUNKS_PER_EVENT,
    EVENTS,
    STEPS,
    TEXT,
    Labels,
    Programs,
    step,
)


@dataclass(frozen=True)
class Library:
    """The names that the workloads use, from either library."""

    lambda_: Any
    generator: Any
    dispatch: Any
    adispatch: Any


def otelbridge() -> Library:
    """Our library."""
    names = importlib.import_module("otelbridge")
    return Library(
        names.RunnableLambda,
        names.RunnableGenerator,
        names.dispatch_custom_event,
        names.adispatch_custom_event,
    )


def langchain_core() -> Library | None:
    """langchain-core, or nothing where it is not installed."""
    try:
        runnables = importlib.import_module("langchain_core.runnables")
        callbacks = importlib.import_module("langchain_core.callbacks")
    except ImportError:
        return None
    return Library(
        runnables.RunnableLambda,
        runnables.RunnableGenerator,
        callbacks.dispatch_custom_event,
        callbacks.adispatch_custom_event,
    )


def langchain_handler(listener: Any) -> Any:
    """``listener`` in the form that langchain-core calls: a subclass, with ``on_custom_event``."""
    base: Any = importlib.import_module("langchain_core.callbacks").BaseCallbackHandler

    class Handler(base):  # type: ignore[misc]
        def on_custom_event(self, name: str, data: Any, *, run_id: Any, **_: Any) -> Any:
            return listener.handle_custom_event(name, data, run_id)

    return Handler()


def langchain_async_handler(listener: Any) -> Any:
    """``listener`` as an async handler of langchain-core."""
    base: Any = importlib.import_module("langchain_core.callbacks").AsyncCallbackHandler

    class Handler(base):  # type: ignore[misc]
        async def on_custom_event(self, name: str, data: Any, *, run_id: Any, **_: Any) -> Any:
            return await listener.handle_custom_event(name, data, run_id)

    return Handler()


def programs(library: Library, labels: Labels, handler: Any, async_handler: Any) -> Programs:
    """The workloads with ``library``; ``handler`` is passed as a callback of each call."""
    config = config_of(labels, handler)
    async_config = config_of(labels, async_handler)
    reflect, areflect = (
        library.lambda_(reflect_with(library)),
        library.lambda_(areflect_with(library)),
    )
    steps = sequence_of(library, silent_steps())
    loud_steps = sequence_of(library, dispatching_steps(library))
    chunks, many = library.generator(chunks_with(library)), library.lambda_(many_with(library))
    batch = list(BATCH)
    return Programs(
        invoke=lambda: reflect.invoke(TEXT, config),
        ainvoke=lambda: areflect.ainvoke(TEXT, config),
        ainvoke_async_handler=lambda: areflect.ainvoke(TEXT, async_config),
        sequence=lambda: steps.invoke(TEXT, config),
        sequence_with_events=lambda: loud_steps.invoke(TEXT, config),
        batch=lambda: reflect.batch(batch, config),
        abatch=lambda: areflect.abatch(batch, config),
        astream=lambda: chunks.astream(TEXT, config),
        events=lambda: many.invoke(TEXT, config),
    )


def config_of(labels: Labels, handler: Any) -> dict[str, Any]:
    """The run config that a caller writes."""
    config: dict[str, Any] = {"callbacks": [handler]}
    if labels.tags:
        config["tags"] = list(labels.tags)
    if labels.metadata:
        config["metadata"] = dict(labels.metadata)
    return config


def sequence_of(library: Library, functions: list[Any]) -> Any:
    """The functions as one sequence."""
    first, *others = functions
    sequence = library.lambda_(first)
    for function in others:
        sequence = sequence | function
    return sequence


def reflect_with(library: Library) -> Any:
    """Two events in a sync body."""
    dispatch = library.dispatch

    def reflect(value: str) -> str:
        dispatch("event1", {"reversed": value[::-1]})
        dispatch("event2", 5)
        return value

    return reflect


def areflect_with(library: Library) -> Any:
    """Two events in an async body."""
    adispatch = library.adispatch

    async def areflect(value: str) -> str:
        await adispatch("event1", {"reversed": value[::-1]})
        await adispatch("event2", 5)
        return value

    return areflect


def silent_steps() -> list[Any]:
    """Five functions that compute and do nothing else."""

    def named(number: int) -> Any:
        def body(value: str) -> str:
            return step(value)

        body.__name__ = f"step{number}"
        return body

    return [named(number) for number in range(1, STEPS + 1)]


def dispatching_steps(library: Library) -> list[Any]:
    """Five functions that dispatch one event each."""
    dispatch = library.dispatch

    def named(number: int) -> Any:
        def body(value: str) -> str:
            dispatch("step", {"value": value})
            return step(value)

        body.__name__ = f"step{number}"
        return body

    return [named(number) for number in range(1, STEPS + 1)]


def chunks_with(library: Library) -> Any:
    """An async generator of many chunks that dispatches an event now and then."""
    adispatch = library.adispatch

    async def chunks(values: AsyncIterator[str]) -> AsyncIterator[str]:
        async for value in values:
            for number in range(CHUNKS):
                if number % CHUNKS_PER_EVENT == 0:
                    await adispatch("progress", {"chunk": number})
                yield value

    return chunks


def many_with(library: Library) -> Any:
    """A body with more events than a span holds."""
    dispatch = library.dispatch

    def many(value: str) -> str:
        for number in range(EVENTS):
            dispatch("progress", {"i": number})
        return value

    return many
