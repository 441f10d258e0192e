"""`astream_events`: the dictionaries, their order, the filters, and what happens on errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from .. import departures, streams
from ..forms import adrained, afirst_chunks
from ..libraries import UPSTREAM, Library
from ..recorder import record
from . import case


async def letters(word: str) -> AsyncIterator[str]:
    for letter in word:
        yield letter


async def shout(chunks: AsyncIterator[str]) -> AsyncIterator[str]:
    async for chunk in chunks:
        yield chunk.upper()


async def told(lib: Library, runnable: Any, given: Any, config: Any = None, **named: Any) -> Any:
    named.setdefault("version", "v2")
    results = await adrained(runnable.astream_events(given, config, **named))
    events = [event for event in results if isinstance(event, dict)]
    return streams.normalised(events), [error for error in results if not isinstance(error, dict)]


@case()
async def events_of_a_lambda(lib: Library) -> Any:
    return await told(lib, lib.RunnableLambda(str), 1)


@case()
async def events_of_an_async_generator(lib: Library) -> Any:
    return await told(lib, lib.RunnableLambda(letters), "abc")


@case()
async def events_of_a_sequence(lib: Library) -> Any:
    return await told(lib, lib.RunnableLambda(str) | len | lib.RunnableLambda(str), 12)


@case()
async def events_of_a_streaming_sequence(lib: Library) -> Any:
    return await told(lib, lib.RunnableLambda(letters) | shout | lib.RunnablePassthrough(), "ab")


@case()
async def events_of_nested_sequences(lib: Library) -> Any:
    inner = (lib.RunnableLambda(letters) | shout).with_config(run_name="inner", tags=["in"])
    outer = (lib.RunnableLambda(str) | inner).with_config(metadata={"k": 1})
    return await told(lib, outer, "ab", {"tags": ["t"], "metadata": {"m": 1}})


@case()
async def events_of_nested_calls_in_a_body(lib: Library) -> Any:
    async def body(word: str) -> Any:
        parts = [part async for part in lib.RunnableLambda(letters).astream(word)]
        return parts, await lib.RunnableLambda(str).ainvoke(word)

    return await told(lib, lib.RunnableLambda(body), "ab")


@case()
async def events_of_a_parallel(lib: Library) -> Any:
    parts = {"letters": lib.RunnableLambda(letters), "text": lib.RunnableLambda(str)}
    parallel = lib.RunnableParallel(parts)
    events = [event async for event in parallel.astream_events("ab", version="v2")]
    return streams.by_run(events)


@case()
async def events_of_a_tool_in_a_sequence(lib: Library) -> Any:
    @lib.tool
    async def double(text: str) -> str:
        """Double a text."""
        await lib.adispatch_custom_event("doubling", text)
        return text * 2

    sequence = lib.RunnableLambda(lambda text: {"text": text}) | double
    return await told(lib, sequence, "ab")


@case()
async def events_of_a_tool_alone(lib: Library) -> Any:
    @lib.tool
    def double(text: str) -> str:
        """Double a text."""
        return text * 2

    return await told(lib, double, {"text": "ab"}, {"tags": ["t"]})


@case()
async def events_of_a_failing_tool(lib: Library) -> Any:
    @lib.tool
    def broken(text: str) -> str:
        """Fail."""
        raise ValueError(text)

    return await told(lib, broken, {"text": "ab"})


@case()
async def events_of_a_failing_lambda(lib: Library) -> Any:
    async def fail(_value: int) -> int:
        await lib.adispatch_custom_event("before", 1)
        raise ValueError("body")

    return await told(lib, lib.RunnableLambda(str) | fail, 1)


@case()
async def events_of_a_branch(lib: Library) -> Any:
    long = lib.RunnableLambda(letters)
    branch = lib.RunnableBranch((lambda word: len(word) > 1, long), lib.RunnableLambda(str))
    return await told(lib, branch, "ab"), await told(lib, branch, "a")


@case()
async def events_of_retries(lib: Library) -> Any:
    tries: list[int] = []

    async def unsteady(value: int) -> int:
        tries.append(value)
        await lib.adispatch_custom_event("try", len(tries))
        if len(tries) < 2:
            raise ValueError("again")
        return value

    runnable = lib.RunnableLambda(unsteady).with_retry(wait_exponential_jitter=False)
    return await told(lib, runnable, 1)


@case()
async def events_of_fallbacks(lib: Library) -> Any:
    async def fail(_value: int) -> int:
        raise ValueError("first")

    runnable = lib.RunnableLambda(fail).with_fallbacks([lib.RunnableLambda(letters)])
    return await told(lib, runnable, "ab")


@case()
async def events_of_an_assign(lib: Library) -> Any:
    runnable = lib.RunnablePassthrough.assign(n=len)
    events = [event async for event in runnable.astream_events({"a": 1}, version="v2")]
    return streams.by_run(events)


@case()
async def events_carry_a_given_run_id(lib: Library) -> Any:
    runnable = lib.RunnableLambda(str)
    events = runnable.astream_events(1, {"run_id": UUID(int=5)}, version="v2")
    return [event["run_id"] async for event in events]


@case()
async def events_name_all_parents(lib: Library) -> Any:
    async def innermost(value: int) -> int:
        await lib.adispatch_custom_event("deep", value)
        return value

    async def inner(value: int) -> int:
        return await lib.RunnableLambda(innermost).ainvoke(value)

    outer = lib.RunnableLambda(inner) | str
    return await told(lib, outer, 1)


def _nested(lib: Library) -> Any:
    """A sequence whose second step calls a sequence, in which the last body dispatches."""

    def deep(word: str) -> str:
        lib.dispatch_custom_event("deep", {"word": word})
        return word

    def shallow(word: str) -> str:
        lib.dispatch_custom_event("shallow", {"word": word})
        inner = (lib.RunnableLambda(str.upper, name="upper") | deep).with_config(run_name="inner")
        return inner.invoke(word)

    return lib.RunnableLambda(str, name="text") | shallow


def _closed_after(count: int) -> Any:
    async def program(lib: Library) -> Any:
        events = _nested(lib).astream_events("ab", version="v2")
        return streams.normalised(await afirst_chunks(events, count))

    program.__name__ = f"events_closed_after_{count}"
    program.__module__ = __name__
    return program


for _count in (0, 1, 2, 5, 8, 11):
    case()(_closed_after(_count))


@case()
async def events_of_nested_calls_in_the_sync_twin(lib: Library) -> Any:
    if lib is UPSTREAM:  # it has the async form only
        return await told(lib, _nested(lib), "ab")
    events = await asyncio.to_thread(lambda: list(_nested(lib).stream_events("ab", version="v2")))
    return streams.normalised(events), []


@case()
async def events_beside_a_handler(lib: Library) -> Any:
    seen = record(lib, asynchronous=True)
    events = await told(lib, lib.RunnableLambda(letters), "ab", {"callbacks": [seen.handler]})
    return events, seen.calls()


@case()
async def events_of_sync_dispatches(lib: Library) -> Any:
    def body(value: int) -> int:
        lib.dispatch_custom_event("from an executor", value)
        return value

    async def async_body(value: int) -> int:
        lib.dispatch_custom_event("from the loop", value)
        return value

    sequence = lib.RunnableLambda(body) | async_body
    return await told(lib, sequence, 1)


@case()
async def events_of_keywords(lib: Library) -> Any:
    async def scale(value: int, by: int = 1) -> int:
        return value * by

    return await told(lib, lib.RunnableLambda(scale), 2, by=5)


@case()
async def events_of_bound_arguments_and_config(lib: Library) -> Any:
    async def scale(value: int, by: int = 1) -> int:
        return value * by

    bound = lib.RunnableLambda(scale).bind(by=3).with_config(tags=["b"], run_name="bound")
    return await told(lib, bound, 2, {"tags": ["t"]})


@case()
async def events_of_mutable_inputs_and_outputs(lib: Library) -> Any:
    async def body(given: dict[str, int]) -> dict[str, int]:
        return {**given, "more": 1}

    return await told(lib, lib.RunnableLambda(body) | lib.RunnablePassthrough(), {"a": 1})


def _filtered(**named: Any) -> Any:
    async def program(lib: Library) -> Any:
        async def body(value: str) -> str:
            await lib.adispatch_custom_event("progress", {"value": value})
            return value

        @lib.tool
        async def double(text: str) -> str:
            """Double a text."""
            await lib.adispatch_custom_event("doubling", {"text": text})
            return text * 2

        first = lib.RunnableLambda(body).with_config(tags=["first"])
        last = lib.RunnableLambda(letters).with_config(tags=["last"], run_name="ending")
        sequence = first | (lambda text: {"text": text}) | double | last
        events, errors = await told(lib, sequence, "ab", **named)
        if lib is UPSTREAM and events:
            events = departures.data_left_alone(events)
        return events, errors

    program.__name__ = "events_filtered_by_" + "_and_".join(
        f"{key}_{'_'.join(value)}" for key, value in named.items()
    )
    program.__module__ = __name__
    return program


for _filter in (
    {"include_names": ["body"]},
    {"include_names": ["progress"]},
    {"include_names": ["ending", "double"]},
    {"include_types": ["tool"]},
    {"include_types": ["chain"]},
    {"include_types": ["progress"]},
    {"include_tags": ["first"]},
    {"include_tags": ["seq:step:3"]},
    {"include_tags": ["last"], "include_names": ["body"]},
    {"exclude_names": ["RunnableSequence"]},
    {"exclude_types": ["chain"]},
    {"exclude_types": ["tool"]},
    {"exclude_tags": ["first", "last"]},
    {"include_types": ["tool"], "exclude_names": ["doubling"]},
    {"include_tags": ["nowhere"]},
):
    case()(_filtered(**_filter))


@case()
async def another_version_is_refused(lib: Library) -> Any:
    results: list[Any] = []
    for version in ("v7", "", None):
        results.append(await adrained(lib.RunnableLambda(str).astream_events(1, version=version)))
    return results


@case()
async def version_is_v2_when_not_given(lib: Library) -> Any:
    events = lib.RunnableLambda(str).astream_events(1)
    return streams.normalised([event async for event in events])


@case()
async def events_are_of_the_call_not_of_another(lib: Library) -> Any:
    async def body(value: int) -> int:
        own = lib.RunnableLambda(str).astream_events(value, version="v2")
        return len([event async for event in own])

    return await told(lib, lib.RunnableLambda(body), 1)


@case()
async def event_stream_with_a_manager_as_callbacks(lib: Library) -> Any:
    seen = record(lib)
    manager = lib.AsyncCallbackManager(
        handlers=[seen.handler], inheritable_handlers=[seen.handler], inheritable_tags=["m"]
    )
    return await told(lib, lib.RunnableLambda(str), 1, {"callbacks": manager}), seen.calls()


@case()
async def event_stream_in_a_body_is_linked_to_its_run(lib: Library) -> Any:
    async def body(value: int, config: Any) -> Any:
        events = lib.RunnableLambda(str).astream_events(value, config, version="v2")
        return streams.normalised([event async for event in events])

    seen = record(lib)
    result = await lib.RunnableLambda(body).ainvoke(1, {"callbacks": [seen.handler]})
    return result, [call[:2] for call in seen.calls()]
