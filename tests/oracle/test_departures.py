"""Each departure from langchain-core, by number: what upstream gives, and what ours gives."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from . import departures, streams
from .forms import afirst_chunks, first_chunks, in_a_thread, settle
from .libraries import BOTH, OURS, UPSTREAM, Library
from .recorder import Recorder, record
from .running import NO_CONFIG_IN_TASKS

in_async_code = pytest.mark.skipif(
    NO_CONFIG_IN_TASKS, reason="upstream needs Python 3.11 in async code"
)


def dispatching(lib: Library) -> Any:
    """A runnable that dispatches one event."""

    def body(value: int) -> int:
        lib.dispatch_custom_event("event", {"value": value})
        return value

    return lib.RunnableLambda(body)


@pytest.mark.parametrize(
    "make",
    [
        lambda told: {"handle_custom_event": lambda *given: told.append(given)},
        lambda told: {"handleCustomEvent": lambda *given: told.append(given)},
        lambda told: lambda *given: told.append(given),
        lambda told: type("Plain", (), {"handle_custom_event": lambda _, *g: told.append(g)})(),
    ],
    ids=["mapping", "camel case", "function", "object"],
)
def test_1_handlers_may_be_mappings_functions_and_plain_objects(make: Any) -> None:
    """Upstream knows its own handlers only and logs an error for others; ours calls them."""
    told: dict[str, list[Any]] = {"langchain_core": [], "otelbridge": []}
    logging.getLogger("langchain_core.callbacks.manager").setLevel(logging.CRITICAL)
    for lib in BOTH:
        try:
            dispatching(lib).invoke(1, {"callbacks": [make(told[lib.name])]})
        except AttributeError:  # upstream looks for `raise_error` on what it cannot call
            assert lib is UPSTREAM
    assert told["langchain_core"] == []
    ((name, data, *_),) = told["otelbridge"]
    assert (name, data) == ("event", {"value": 1})


def test_1_handler_of_upstream_is_called_by_ours() -> None:
    """An instance of langchain-core's own handler class works as it is."""
    seen = record(UPSTREAM)
    dispatching(OURS).invoke(1, {"callbacks": [seen.handler]})
    assert seen.events() == [("event", {"value": 1})]


def test_1_function_takes_as_many_arguments_as_it_declares() -> None:
    """A plain function is given name, data, run id, tags and metadata, as far as it asks."""
    told: list[Any] = []
    handlers = [
        lambda name: told.append((name,)),
        lambda name, data: told.append((name, data)),
        lambda name, data, run_id: told.append((name, data, isinstance(run_id, UUID))),
        lambda name, data, run_id, tags: told.append((name, tags)),
        lambda name, data, run_id, tags, metadata: told.append((name, tags, metadata)),
    ]
    config = {"callbacks": handlers, "tags": ["t"], "metadata": {"m": 1}}
    dispatching(OURS).invoke(1, config)
    assert told == [
        ("event",),
        ("event", {"value": 1}),
        ("event", {"value": 1}, True),
        ("event", ["t"]),
        ("event", ["t"], {"m": 1}),
    ]


def _listed_twice(lib: Library) -> Recorder:
    seen = record(lib)
    dispatching(lib).invoke(1, {"callbacks": [seen.handler, seen.handler]})
    return seen


def _bound_and_passed(lib: Library) -> Recorder:
    seen = record(lib)
    bound = dispatching(lib).with_config(callbacks=[seen.handler])
    bound.invoke(1, {"callbacks": [seen.handler]})
    return seen


@pytest.mark.parametrize("program", [_listed_twice, _bound_and_passed])
def test_2_handler_that_is_listed_twice_is_called_once(
    program: Callable[[Library], Recorder],
) -> None:
    """Upstream tells it of the run's start and end twice."""
    upstream, ours = program(UPSTREAM).calls(), program(OURS).calls()
    assert upstream != ours
    assert departures.called_once(upstream) == ours


def _nested_callbacks(lib: Library) -> tuple[Recorder, Recorder]:
    outer, inner = record(lib), record(lib)

    def caller(value: int) -> int:
        return dispatching(lib).invoke(value, {"callbacks": [inner.handler]})

    lib.RunnableLambda(caller).invoke(1, {"callbacks": [outer.handler], "tags": ["t"]})
    return outer, inner


def test_3_callbacks_passed_to_a_nested_call_add_to_the_inherited_ones() -> None:
    """Upstream tells the inherited handler nothing of the nested run, and makes it a root."""
    outer, inner = _nested_callbacks(UPSTREAM)
    assert [name for name, _, _ in outer.runs()] == ["caller"]
    assert [name for name, _, _ in inner.runs()] == ["body"]

    before, told = list(outer.calls_made), list(inner.calls_made)
    outer.calls_made = departures.nested_callbacks_added(before, told, "caller")
    inner.calls_made = departures.nested_callbacks_linked(told, before[0].run_id)
    ours_outer, ours_inner = _nested_callbacks(OURS)
    assert ours_outer.calls() == outer.calls()
    assert ours_inner.runs() == inner.runs()


@in_async_code
async def test_4_sync_dispatch_in_async_code_does_not_hold_up_the_loop() -> None:
    """Upstream waits for the async handler in another thread's loop; ours schedules it."""
    for lib in BOTH:
        order: list[str] = []
        loops: list[bool] = []

        class Slow(lib.AsyncCallbackHandler):
            async def on_custom_event(
                self, name: str, *_: Any, order: Any = order, loops: Any = loops, **__: Any
            ) -> None:
                await asyncio.sleep(0)
                order.append(f"handler {name}")
                loops.append(threading.current_thread() is threading.main_thread())

        async def body(value: int, lib: Library = lib, order: Any = order) -> int:
            lib.dispatch_custom_event("one", value)
            lib.dispatch_custom_event("two", value)
            order.append("body")
            return value

        await lib.RunnableLambda(body).ainvoke(1, {"callbacks": [Slow()]})
        order.append("after the run")
        if lib is UPSTREAM:
            assert order == ["handler one", "handler two", "body", "after the run"]
            assert loops == [False, False]
        else:
            assert order == ["body", "handler one", "handler two", "after the run"]
            assert loops == [True, True]


@in_async_code
async def test_4_error_of_an_async_handler_comes_at_the_end_of_the_run() -> None:
    """Upstream logs it even with `raise_error`; ours raises it when the run ends."""
    logging.getLogger("langchain_core.callbacks.manager").setLevel(logging.CRITICAL)
    logging.getLogger("otelbridge").setLevel(logging.CRITICAL)
    results: list[Any] = []
    for lib in BOTH:

        class Failing(lib.AsyncCallbackHandler):
            raise_error = True

            async def on_custom_event(self, *_: Any, **__: Any) -> None:
                raise KeyError("handler")

        async def body(value: int, lib: Library = lib) -> int:
            lib.dispatch_custom_event("one", value)
            return value

        try:
            results.append(await lib.RunnableLambda(body).ainvoke(1, {"callbacks": [Failing()]}))
        except KeyError as error:
            results.append(str(error))
    assert results == [1, "'handler'"]


@in_async_code
async def test_4_sync_invoke_on_the_loop_is_awaited_by_drain() -> None:
    """Where no async run is above, `drain` awaits what a sync `invoke` has scheduled."""
    import otelbridge

    seen = record(OURS, asynchronous=True)
    dispatching(OURS).invoke(1, {"callbacks": [seen.handler]})
    await otelbridge.drain()
    assert [hook for hook, _, _ in seen.calls()] == [
        "on_chain_start",
        "on_custom_event",
        "on_chain_end",
    ]


def fail(_value: Any) -> Any:
    raise ValueError("first")


@pytest.mark.parametrize("form", ["invoke", pytest.param("ainvoke", marks=in_async_code)])
def test_5_attempts_of_fallbacks_are_children_of_their_run(form: str) -> None:
    """Upstream tells them as siblings of the run with the fallbacks."""

    def program(lib: Library) -> Recorder:
        seen = record(lib)
        rescued = lib.RunnableLambda(fail).with_fallbacks([dispatching(lib)])
        sequence = lib.RunnableLambda(int) | rescued
        called = getattr(sequence, form)(1, {"callbacks": [seen.handler], "tags": ["t"]})
        if form == "ainvoke":
            asyncio.run(called)
        return seen

    upstream, ours = program(UPSTREAM), program(OURS)
    assert [name for name, _, _ in upstream.runs()[0][2]].count("body") == 1
    assert upstream.calls() != ours.calls()
    upstream.calls_made = departures.attempts_keep_their_parent(upstream.calls_made)
    assert ours.calls() == upstream.calls()


@in_async_code
def test_5_attempts_of_fallbacks_called_in_a_body_are_children_in_the_event_stream() -> None:
    """The event stream names the same parents as the handlers."""

    async def program(lib: Library) -> list[dict[str, Any]]:
        async def body(value: int) -> int:
            return await rescued.ainvoke(value)

        rescued = lib.RunnableLambda(fail).with_fallbacks([dispatching(lib)])
        events = lib.RunnableLambda(body, name="caller").astream_events(1, version="v2")
        return [event async for event in events]

    upstream, ours = asyncio.run(program(UPSTREAM)), asyncio.run(program(OURS))
    assert streams.normalised(upstream) != streams.normalised(ours)
    expected = departures.attempts_keep_their_parent_in_events(upstream)
    assert streams.normalised(ours) == streams.normalised(expected)


def test_5_binding_in_a_branch_is_a_child_of_the_branch() -> None:
    """Upstream takes the run of the context, where the branch has put none, for its parent."""

    def program(lib: Library) -> Recorder:
        def caller(value: int) -> int:
            bound = dispatching(lib).with_config(run_name="bound")
            return lib.RunnableBranch((bool, bound), int).invoke(value)

        seen = record(lib)
        lib.RunnableLambda(caller).invoke(1, {"callbacks": [seen.handler]})
        return seen

    upstream, ours = program(UPSTREAM), program(OURS)
    assert [name for name, _, _ in upstream.runs()[0][2]] == ["RunnableBranch", "bound"]
    upstream.calls_made = departures.bindings_keep_their_parent(upstream.calls_made, "bound")
    assert ours.calls() == upstream.calls()


@in_async_code
async def test_6_event_stream_does_not_write_into_the_data_of_an_event() -> None:
    """Upstream writes the call's input into the first event's data, and fails on other data."""
    for lib in BOTH:
        data: dict[str, Any] = {"mine": 1}

        async def body(value: int, lib: Library = lib, data: Any = data) -> int:
            await lib.adispatch_custom_event("progress", data)
            return value

        runnable = lib.RunnableLambda(body)
        events = runnable.astream_events(7, version="v2", include_names=["progress"])
        told = [event async for event in events]
        assert data == ({"mine": 1, "input": 7} if lib is UPSTREAM else {"mine": 1})
        if lib is UPSTREAM:
            expected = departures.data_left_alone(streams.normalised(told))
        else:
            assert streams.normalised(told) == expected


@in_async_code
async def test_6_event_stream_of_data_that_is_no_dictionary() -> None:
    """Upstream fails when the first event that it yields has other data."""
    for lib in BOTH:

        async def body(value: int, lib: Library = lib) -> int:
            await lib.adispatch_custom_event("progress", 5)
            return value

        events = lib.RunnableLambda(body).astream_events(
            7, version="v2", include_names=["progress"]
        )
        if lib is UPSTREAM:
            with pytest.raises(TypeError):
                [event async for event in events]
        else:
            assert [event["data"] async for event in events] == [5]


@in_async_code
async def test_6_event_stream_of_a_map() -> None:
    """Upstream refuses; ours gives the events of the map and of each element."""
    for lib in BOTH:
        events = lib.RunnableLambda(str).map().astream_events([1, 2], version="v2")
        if lib is UPSTREAM:
            with pytest.raises(NotImplementedError):
                [event async for event in events]
        else:
            told = [event async for event in events]
            assert [event["name"] for event in told].count("str") == 4
            assert told[0]["data"] == {"input": [1, 2]}
            assert told[-1]["data"] == {"output": ["1", "2"]}


@in_async_code
def test_6_stream_events_is_the_sync_form() -> None:
    """Upstream has it for version 3 only; ours yields what `astream_events` yields."""
    with pytest.raises(NotImplementedError):
        list(dispatching(UPSTREAM).stream_events(1, version="v2"))

    async def collect() -> list[Any]:
        return [event async for event in dispatching(OURS).astream_events(1, version="v2")]

    told = list(dispatching(OURS).stream_events(1, version="v2"))
    assert streams.normalised(told) == streams.normalised(asyncio.run(collect()))


def test_7_dispatch_outside_of_a_run_says_what_to_do() -> None:
    """Both raise a `RuntimeError`; ours has a name, and can be told to do nothing."""
    import otelbridge

    for lib in BOTH:
        with pytest.raises(RuntimeError):
            lib.dispatch_custom_event("nowhere", 1)
    with pytest.raises(otelbridge.NoActiveRunError):
        OURS.dispatch_custom_event("nowhere", 1)
    assert OURS.dispatch_custom_event("nowhere", 1, required=False) is None


def test_8_event_after_the_end_reaches_the_handlers() -> None:
    """Both call the handlers; ours also keeps the event in the trace."""

    def program(lib: Library) -> list[Any]:
        kept: list[Any] = []

        def body(value: int, config: Any) -> int:
            kept.append(config)
            return value

        seen = record(lib)
        lib.RunnableLambda(body).invoke(1, {"callbacks": [seen.handler]})
        in_a_thread(lambda: lib.dispatch_custom_event("late", 2, config=kept[0]))
        return seen.calls()

    assert program(OURS) == program(UPSTREAM)
    assert program(OURS)[-1][0] == "on_custom_event"


@in_async_code
async def test_9_handlers_are_called_in_list_order() -> None:
    """In async code upstream first calls those with `run_inline`, and then all others at once."""
    for lib in BOTH:
        order: list[tuple[str, Any]] = []
        listed = [_ordered(lib, order, name, inline=name == "b") for name in "ab"]

        async def body(value: int, lib: Library = lib) -> int:
            await lib.adispatch_custom_event("event", value)
            return value

        await lib.RunnableLambda(body).ainvoke(1, {"callbacks": listed})
        if lib is UPSTREAM:
            assert [name for name, _ in order] == ["b", "a", "b", "a", "b", "a"]
            expected = departures.in_list_order(order, "ab")
        else:
            assert order == expected


def _ordered(lib: Library, order: list[tuple[str, Any]], name: str, inline: bool) -> Any:
    def hook(kind: str) -> Any:
        def told(_self: Any, *_values: Any, **_named: Any) -> None:
            order.append((name, kind))

        return told

    kinds = ("on_chain_start", "on_custom_event", "on_chain_end")
    hooks = {kind: hook(kind) for kind in kinds}
    return type("Ordered", (lib.BaseCallbackHandler,), {**hooks, "run_inline": inline})()


@in_async_code
async def test_9_sync_handler_runs_inline_in_async_code() -> None:
    """Upstream calls it in a thread pool; ours on the loop's own thread."""
    inline: dict[str, bool] = {}
    for lib in BOTH:

        class Where(lib.BaseCallbackHandler):
            def on_chain_start(self, *_: Any, lib: Library = lib, **__: Any) -> None:
                inline[lib.name] = threading.current_thread() is threading.main_thread()

        await lib.RunnableLambda(str).ainvoke(1, {"callbacks": [Where()]})
    assert inline == {"langchain_core": False, "otelbridge": True}


@in_async_code
async def test_10_cancel_and_early_close_are_told_as_upstream_tells_them() -> None:
    """Handlers get the error hook with `CancelledError` or `GeneratorExit` on both."""

    async def program(lib: Library) -> list[Any]:
        reached = asyncio.Event()

        async def waiting(value: int) -> AsyncIterator[int]:
            yield value
            reached.set()
            await asyncio.sleep(60)

        cancelled, closed = record(lib), record(lib)
        runnable = lib.RunnableLambda(waiting)
        task = asyncio.create_task(runnable.ainvoke(1, {"callbacks": [cancelled.handler]}))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await afirst_chunks(runnable.astream(1, {"callbacks": [closed.handler]}), 1)
        await settle()
        return [cancelled.calls(), closed.calls()]

    assert await program(OURS) == await program(UPSTREAM)


def test_11_closing_a_sync_stream_closes_its_earlier_steps() -> None:
    """Upstream first reads the rest of the earlier steps' chunks; ours closes them at once."""

    def program(lib: Library) -> tuple[Any, list[str], Recorder]:
        did: list[str] = []

        def first(value: int) -> Iterator[int]:
            try:
                for step in range(value):
                    did.append(f"made {step}")
                    yield step
            finally:
                did.append("first closed")

        def second(chunks: Iterator[int]) -> Iterator[int]:
            yield from chunks

        seen = record(lib)
        sequence = lib.RunnableLambda(first) | second
        chunks = first_chunks(sequence.stream(4, {"callbacks": [seen.handler]}), 2)
        gc.collect()
        return chunks, did, seen

    chunks, did, seen = program(UPSTREAM)
    assert did == ["made 0", "made 1", "made 2", "made 3", "first closed"]
    our_chunks, our_did, ours = program(OURS)
    assert our_chunks == chunks == [0, 1]
    assert our_did == ["made 0", "made 1", "first closed"]
    hooks = sorted(call[:2] for call in seen.calls())
    assert sorted(call[:2] for call in ours.calls()) == hooks
    assert all(call[0] != "on_chain_error" for call in seen.calls())
