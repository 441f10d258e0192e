"""Custom events: who hears of them, with what, and from where they may be dispatched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from .. import streams
from ..forms import in_a_thread
from ..libraries import Library
from ..recorder import record
from . import case


@case()
def dispatch_in_a_lambda(lib: Library) -> Any:
    def body(value: str) -> str:
        lib.dispatch_custom_event("event1", {"reversed": value[::-1]})
        lib.dispatch_custom_event("event2", 5)
        return value

    seen = record(lib)
    result = lib.RunnableLambda(body).invoke("hello", {"callbacks": [seen.handler]})
    return result, seen.calls()


@case()
async def dispatch_in_an_async_lambda(lib: Library) -> Any:
    async def body(value: str) -> str:
        await lib.adispatch_custom_event("event1", {"reversed": value[::-1]})
        await lib.adispatch_custom_event("event2", 5)
        return value

    seen = record(lib, asynchronous=True)
    result = await lib.RunnableLambda(body).ainvoke("hello", {"callbacks": [seen.handler]})
    return result, seen.calls()


@case()
async def dispatch_with_the_config_passed_by_hand(lib: Library) -> Any:
    async def body(value: str, config: Any) -> str:
        await lib.adispatch_custom_event("event1", {"reversed": value[::-1]}, config=config)
        await lib.adispatch_custom_event("event2", 5, config=config)
        return value

    seen = record(lib)
    result = await lib.RunnableLambda(body).ainvoke("hello", {"callbacks": [seen.handler]})
    return result, seen.calls()


@case()
async def sync_dispatch_in_an_async_lambda(lib: Library) -> Any:
    async def body(value: int) -> int:
        lib.dispatch_custom_event("first", value)
        await lib.adispatch_custom_event("second", value)
        lib.dispatch_custom_event("third", value)
        return value

    seen = record(lib)
    await lib.RunnableLambda(body).ainvoke(1, {"callbacks": [seen.handler]})
    return seen.calls()


@case()
async def sync_dispatch_in_an_async_lambda_to_an_async_handler(lib: Library) -> Any:
    async def body(value: int) -> int:
        lib.dispatch_custom_event("first", value)
        await lib.adispatch_custom_event("second", value)
        lib.dispatch_custom_event("third", value)
        return value

    seen = record(lib, asynchronous=True)
    await lib.RunnableLambda(body).ainvoke(1, {"callbacks": [seen.handler]})
    return seen.calls()


@case()
async def sync_lambda_called_with_ainvoke(lib: Library) -> Any:
    def body(value: int) -> int:
        lib.dispatch_custom_event("from an executor", {"value": value})
        return value

    seen = record(lib, asynchronous=True)
    await lib.RunnableLambda(body).ainvoke(1, {"callbacks": [seen.handler]})
    return seen.calls()


@case()
def event_carries_tags_and_metadata_of_its_run(lib: Library) -> Any:
    def body(value: int) -> int:
        lib.dispatch_custom_event("event", value)
        return value

    seen = record(lib)
    runnable = lib.RunnableLambda(body).with_config(tags=["bound"], metadata={"bound": True})
    runnable.invoke(
        1, {"callbacks": [seen.handler], "tags": ["passed"], "metadata": {"passed": True}}
    )
    return seen.calls()


@case()
def event_in_a_step_has_the_tags_of_the_step(lib: Library) -> Any:
    def body(value: int) -> int:
        lib.dispatch_custom_event("event", value)
        return value

    seen = record(lib)
    sequence = lib.RunnableLambda(body) | lib.RunnableLambda(body, name="again")
    sequence.invoke(1, {"callbacks": [seen.handler], "tags": ["passed"]})
    return seen.calls()


@case()
def event_with_the_config_by_hand_has_the_tags_of_the_run(lib: Library) -> Any:
    def body(value: int, config: Any) -> int:
        lib.dispatch_custom_event("event", value, config=config)
        return value

    seen = record(lib)
    sequence = lib.RunnableLambda(body) | lib.RunnableLambda(body, name="again")
    config = {"callbacks": [seen.handler], "tags": ["passed"], "metadata": {"k": 1}}
    sequence.invoke(1, config)
    return seen.calls()


@case()
def event_config_may_add_tags_and_metadata(lib: Library) -> Any:
    def body(value: int) -> int:
        extra = {"tags": ["for this event"], "metadata": {"only": "here"}}
        lib.dispatch_custom_event("event", value, config=extra)
        lib.dispatch_custom_event("plain", value)
        return value

    seen = record(lib)
    lib.RunnableLambda(body).invoke(1, {"callbacks": [seen.handler], "tags": ["passed"]})
    return seen.calls()


@case()
def nested_runs_dispatch_for_themselves(lib: Library) -> Any:
    def inner(value: int) -> int:
        lib.dispatch_custom_event("inner", value)
        return value + 1

    def outer(value: int) -> int:
        lib.dispatch_custom_event("before", value)
        result = lib.RunnableLambda(inner).invoke(value)
        lib.dispatch_custom_event("after", result)
        return result

    seen = record(lib)
    lib.RunnableLambda(outer).invoke(1, {"callbacks": [seen.handler], "tags": ["passed"]})
    return seen.calls()


@case()
async def nested_async_runs_dispatch_for_themselves(lib: Library) -> Any:
    async def inner(value: int) -> int:
        await lib.adispatch_custom_event("inner", value)
        return value + 1

    async def outer(value: int) -> int:
        await lib.adispatch_custom_event("before", value)
        result = await lib.RunnableLambda(inner).ainvoke(value)
        await lib.adispatch_custom_event("after", result)
        return result

    seen = record(lib, asynchronous=True)
    await lib.RunnableLambda(outer).ainvoke(1, {"callbacks": [seen.handler]})
    return seen.calls()


@case()
def event_of_the_outer_run_from_the_inner_body(lib: Library) -> Any:
    def outer(value: int, config: Any) -> int:
        def inner(given: int) -> int:
            lib.dispatch_custom_event("for the outer run", given, config=config)
            lib.dispatch_custom_event("for the inner run", given)
            return given

        return lib.RunnableLambda(inner).invoke(value)

    seen = record(lib)
    lib.RunnableLambda(outer).invoke(1, {"callbacks": [seen.handler]})
    return seen.calls()


@case()
def dispatch_in_a_plain_thread_with_the_config(lib: Library) -> Any:
    def body(value: int, config: Any) -> int:
        in_a_thread(lambda: lib.dispatch_custom_event("from a thread", value, config=config))
        return value

    seen = record(lib)
    lib.RunnableLambda(body).invoke(1, {"callbacks": [seen.handler]})
    return seen.calls()


@case()
def dispatch_in_a_plain_thread_without_the_config(lib: Library) -> Any:
    def body(value: int) -> int:
        return in_a_thread(lambda: lib.dispatch_custom_event("lost", value))

    seen = record(lib)
    try:
        lib.RunnableLambda(body).invoke(1, {"callbacks": [seen.handler]})
    except RuntimeError as error:
        return "raised", error, seen.calls()
    return seen.calls()


@case()
def nested_invoke_in_a_plain_thread_with_the_config(lib: Library) -> Any:
    def inner(value: int) -> int:
        lib.dispatch_custom_event("inner", value)
        return value

    def body(value: int, config: Any) -> int:
        return in_a_thread(lambda: lib.RunnableLambda(inner).invoke(value, config))

    seen = record(lib)
    config = {"callbacks": [seen.handler], "tags": ["passed"], "metadata": {"k": 1}}
    lib.RunnableLambda(body).invoke(1, config)
    return seen.calls()


@case()
async def dispatch_in_asyncio_to_thread(lib: Library) -> Any:
    async def body(value: int) -> int:
        await asyncio.to_thread(lib.dispatch_custom_event, "from a thread", value)
        return value

    seen = record(lib)
    await lib.RunnableLambda(body).ainvoke(1, {"callbacks": [seen.handler]})
    return seen.calls()


@case()
async def dispatch_in_a_task(lib: Library) -> Any:
    async def body(value: int) -> int:
        await asyncio.create_task(lib.adispatch_custom_event("from a task", value))
        return value

    seen = record(lib, asynchronous=True)
    await lib.RunnableLambda(body).ainvoke(1, {"callbacks": [seen.handler]})
    return seen.calls()


@case()
async def dispatch_in_a_gather_keeps_the_run(lib: Library) -> Any:
    async def body(value: int) -> int:
        await asyncio.gather(*(lib.adispatch_custom_event("one", step) for step in range(3)))
        return value

    seen = record(lib)
    await lib.RunnableLambda(body).ainvoke(1, {"callbacks": [seen.handler]})
    return sorted(seen.events()), seen.calls()[0], seen.calls()[-1]


@case()
def dispatch_outside_a_run(lib: Library) -> Any:
    return lib.dispatch_custom_event("nowhere", 1)


@case()
async def adispatch_outside_a_run(lib: Library) -> Any:
    return await lib.adispatch_custom_event("nowhere", 1)


@case()
def dispatch_outside_a_run_with_an_unlinked_config(lib: Library) -> Any:
    seen = record(lib)
    try:
        lib.dispatch_custom_event("nowhere", 1, config={"callbacks": [seen.handler]})
    except RuntimeError as error:
        return error, seen.calls()
    return seen.calls()


@case()
def dispatch_after_the_run_has_ended(lib: Library) -> Any:
    kept: list[Any] = []

    def body(value: int, config: Any) -> int:
        kept.append(config)
        return value

    seen = record(lib)
    lib.RunnableLambda(body).invoke(1, {"callbacks": [seen.handler]})
    lib.dispatch_custom_event("late", 2, config=kept[0])
    return seen.calls()


@case()
def dispatch_in_a_generator_lambda(lib: Library) -> Any:
    def body(value: int) -> Iterator[int]:
        for step in range(value):
            lib.dispatch_custom_event("step", step)
            yield step

    seen = record(lib)
    chunks = list(lib.RunnableLambda(body).stream(3, {"callbacks": [seen.handler]}))
    return chunks, seen.calls()


@case()
async def dispatch_in_an_async_generator_lambda(lib: Library) -> Any:
    async def body(value: int) -> AsyncIterator[int]:
        for step in range(value):
            await lib.adispatch_custom_event("step", step)
            yield step

    seen = record(lib, asynchronous=True)
    runnable = lib.RunnableLambda(body)
    chunks = [chunk async for chunk in runnable.astream(3, {"callbacks": [seen.handler]})]
    return chunks, seen.calls()


@case()
def dispatch_in_a_chain_of_generators(lib: Library) -> Any:
    def first(chunks: Iterator[str]) -> Iterator[str]:
        for chunk in chunks:
            lib.dispatch_custom_event("first", chunk)
            yield from chunk

    def second(chunks: Iterator[str]) -> Iterator[str]:
        for chunk in chunks:
            lib.dispatch_custom_event("second", chunk)
            yield chunk.upper()

    seen = record(lib)
    sequence = lib.RunnableGenerator(first) | second
    chunks = list(sequence.stream("ab", {"callbacks": [seen.handler]}))
    return chunks, seen.calls()


@case()
def dispatch_between_the_chunks_of_another_stream(lib: Library) -> Any:
    def body(value: int) -> Iterator[int]:
        for step in range(value):
            lib.dispatch_custom_event("step", step)
            yield step

    def outer(value: int) -> int:
        for chunk in lib.RunnableLambda(body).stream(value):
            lib.dispatch_custom_event("outer", chunk)
        return value

    seen = record(lib)
    lib.RunnableLambda(outer).invoke(2, {"callbacks": [seen.handler]})
    return seen.calls()


@case()
def dispatch_in_a_failing_body(lib: Library) -> Any:
    def body(value: int) -> int:
        lib.dispatch_custom_event("before the end", value)
        raise ValueError("the end")

    seen = record(lib)
    try:
        lib.RunnableLambda(body).invoke(1, {"callbacks": [seen.handler]})
    except ValueError as error:
        return error, seen.calls()
    return None


@case()
def dispatch_at_each_attempt(lib: Library) -> Any:
    tries: list[int] = []

    def body(value: int) -> int:
        tries.append(value)
        lib.dispatch_custom_event("try", len(tries))
        if len(tries) < 3:
            raise ValueError("again")
        return value

    seen = record(lib)
    runnable = lib.RunnableLambda(body).with_retry(wait_exponential_jitter=False)
    return runnable.invoke(1, {"callbacks": [seen.handler], "tags": ["t"]}), seen.calls()


@case()
def dispatch_in_parallel_branches(lib: Library) -> Any:
    def left(value: int) -> int:
        lib.dispatch_custom_event("left", value)
        return value

    def right(value: int) -> int:
        lib.dispatch_custom_event("right", value)
        return value

    seen = record(lib)
    parallel = lib.RunnableParallel(left=left, right=right)
    return parallel.invoke(1, {"callbacks": [seen.handler], "tags": ["t"]}), seen.runs()


@case()
async def dispatch_in_a_tool(lib: Library) -> Any:
    @lib.tool
    async def lookup(word: str) -> str:
        """Look a word up."""
        await lib.adispatch_custom_event("looking", {"word": word})
        return word.upper()

    seen = record(lib, asynchronous=True)
    result = await lookup.ainvoke({"word": "run"}, {"callbacks": [seen.handler], "tags": ["t"]})
    return result, seen.calls()


@case()
def dispatch_in_a_sync_tool(lib: Library) -> Any:
    @lib.tool
    def lookup(word: str) -> str:
        """Look a word up."""
        lib.dispatch_custom_event("looking", {"word": word})
        return word.upper()

    seen = record(lib)
    result = lookup.invoke({"word": "run"}, {"callbacks": [seen.handler], "metadata": {"k": 1}})
    return result, seen.calls()


@case()
def dispatch_with_a_name_that_is_used_twice(lib: Library) -> Any:
    def body(value: int) -> int:
        lib.dispatch_custom_event("same", value)
        lib.dispatch_custom_event("same", value)
        return value

    seen = record(lib)
    lib.RunnableLambda(body).invoke(1, {"callbacks": [seen.handler]})
    return seen.events()


@case()
def event_data_arrives_by_reference(lib: Library) -> Any:
    sent = {"list": [1, 2], "nested": {"deep": object()}}
    same: list[bool] = []

    class Keeper(lib.BaseCallbackHandler):
        def on_custom_event(self, _name: str, data: Any, **_named: Any) -> None:
            same.append(data is sent)

    def body(value: int) -> int:
        lib.dispatch_custom_event("event", sent)
        return value

    lib.RunnableLambda(body).invoke(1, {"callbacks": [Keeper()]})
    return same


@case()
def ignore_custom_event(lib: Library) -> Any:
    def body(value: int) -> int:
        lib.dispatch_custom_event("event", value)
        return value

    seen = record(lib, ignore_custom_event=True)
    lib.RunnableLambda(body).invoke(1, {"callbacks": [seen.handler]})
    return seen.calls()


@case()
async def events_of_the_guide_in_the_event_stream(lib: Library) -> Any:
    async def reflect(value: str) -> str:
        await lib.adispatch_custom_event("event1", {"reversed": value[::-1]})
        await lib.adispatch_custom_event("event2", 5)
        return value

    events = lib.RunnableLambda(reflect).astream_events("hello world", version="v2")
    return streams.normalised([event async for event in events])


@case()
async def events_of_the_guide_with_the_config_by_hand(lib: Library) -> Any:
    async def reflect(value: str, config: Any) -> str:
        await lib.adispatch_custom_event("event1", {"reversed": value[::-1]}, config=config)
        await lib.adispatch_custom_event("event2", 5, config=config)
        return value

    events = lib.RunnableLambda(reflect).astream_events("hello world", version="v2")
    return streams.normalised([event async for event in events])


@case()
def on_custom_event_is_given_no_more_than_documented(lib: Library) -> Any:
    given: list[Any] = []

    class Strict(lib.BaseCallbackHandler):
        def on_custom_event(
            self, name: str, data: Any, *, run_id: Any, tags: Any = None, metadata: Any = None
        ) -> None:
            given.append((name, data, run_id is not None, tags, metadata))

    def body(value: int) -> int:
        lib.dispatch_custom_event("event", value)
        return value

    lib.RunnableLambda(body).invoke(1, {"callbacks": [Strict()], "tags": ["t"]})
    return given
