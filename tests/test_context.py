"""Where a run is while its body works, and how steps run in a Context of their own."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry import context as otel
from opentelemetry import trace
from ways import captured_cleanly, taken, threaded

from otelbridge import (
    Run,
    RunnableGenerator,
    RunnableLambda,
    adispatch_custom_event,
    current_run,
    dispatch_custom_event,
    start_run,
)
from otelbridge.context import (
    Inside,
    Pump,
    Step,
    Steps,
    body_context,
    closable,
    steppable,
)
from otelbridge.run import begin

place: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="outside")


def named(name: str) -> contextvars.Context:
    """A Context in which ``place`` is that name."""
    context = contextvars.copy_context()
    context.run(place.set, name)
    return context


class Waits:
    """An awaitable that gives way once, and notes where it was when it was resumed."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    def __await__(self) -> Generator[str, Any, Any]:
        self.seen.append(place.get())
        given = yield "waiting"
        self.seen.append(place.get())
        return given


def driven(awaitable: Awaitable[Any], *given: Any) -> Any:
    """The result of an awaitable that is sent these values, each from outside."""
    steps = awaitable.__await__()
    try:
        steps.send(None)
        for value in given:
            steps.send(value)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits for more")


# ------------------------------------------------------------------ the current run


def names_seen(form: str) -> list[Any]:
    """The name of the current run: before a run, in it, in one below it, after that, at the end."""
    seen: list[Any] = []

    def note() -> None:
        run = current_run()
        span = trace.get_current_span()
        assert run is None or run.name == getattr(span, "name", None)
        seen.append(run and run.name)

    def inner(value: Any) -> Any:
        note()
        return value

    def outer(value: Any) -> Any:
        note()
        RunnableLambda(inner).invoke(value)
        note()
        return value

    async def aouter(value: Any) -> Any:
        note()
        await asyncio.sleep(0)
        await RunnableLambda(inner).ainvoke(value)
        note()
        return value

    def parts(values: Iterator[Any]) -> Iterator[Any]:
        for value in values:
            note()
            RunnableLambda(inner).invoke(value)
            yield value
            note()

    async def aparts(values: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for value in values:
            note()
            await RunnableLambda(inner).ainvoke(value)
            yield value
            await asyncio.sleep(0)
            note()

    async def ainvoke() -> None:
        note()
        await RunnableLambda(aouter, name="outer").ainvoke(1)
        note()

    async def astream() -> None:
        note()
        async for _ in RunnableGenerator(aparts, name="outer").astream(1):
            assert current_run() is None
        note()

    if form == "sync":
        note()
        RunnableLambda(outer).invoke(1)
        note()
    elif form == "stream":
        note()
        for _ in RunnableGenerator(parts, name="outer").stream(1):
            assert current_run() is None
        note()
    elif form == "thread":
        note()
        threaded(lambda: RunnableLambda(outer).invoke(1))
        note()
    else:
        asyncio.run(ainvoke() if form == "async" else astream())
    return seen


@pytest.mark.parametrize("form", ["sync", "async", "stream", "astream", "thread"])
def test_current_run_is_that_of_the_body_and_of_nobody_else(form: str) -> None:
    """Each body sees its own run and span, and whoever calls or consumes sees none."""
    with captured_cleanly():
        assert names_seen(form) == [None, "outer", "inner", "outer", None]


def test_current_run_of_a_context_that_was_kept() -> None:
    """An OTel Context names the run in whose body it was taken, wherever it is looked into."""
    with captured_cleanly():
        with start_run("one") as run:
            kept = otel.get_current()
        assert current_run() is None
        assert current_run(kept) is run
        assert current_run(otel.Context()) is None


@pytest.mark.parametrize("carrier", ["task", "to_thread", "copied context", "gather"])
async def test_what_carries_the_context_carries_the_run(carrier: str) -> None:
    """A task, a thread of asyncio's and a copied Context begin in the run that made them."""

    async def look() -> Run | None:
        await asyncio.sleep(0)
        return current_run()

    async def body(value: Any) -> Run | None:
        if carrier == "task":
            return await asyncio.create_task(look())
        if carrier == "to_thread":
            return await asyncio.to_thread(current_run)
        if carrier == "gather":
            return (await asyncio.gather(look(), look()))[1]
        return contextvars.copy_context().run(current_run)

    with captured_cleanly():
        found = await RunnableLambda(body, name="mine").ainvoke(1)
    assert found is not None
    assert found.name == "mine"


def test_raw_thread_starts_outside_of_any_run() -> None:
    """A plain thread has a Context of its own, so that only a config links it to a run."""
    seen: list[Run | None] = []
    with captured_cleanly(), start_run("one"):
        thread = threading.Thread(target=lambda: seen.append(current_run()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_body_context_keeps_what_is_there() -> None:
    """The span and the run are put into a new OTel Context beside the caller's own values."""
    with captured_cleanly() as captured, start_run("one") as run:
        key = otel.create_key("mine")
        base = otel.set_value(key, 1, otel.Context())
        span = captured.tracer.start_span("own")
        made = body_context(run, span, base)
        span.end()
    assert (made[key], current_run(made), trace.get_current_span(made)) == (1, run, span)
    assert type(made) is otel.Context
    assert current_run(base) is None


def test_body_runs_in_a_copy_of_the_callers_context() -> None:
    """What is set inside it stays inside; what was set before it is seen in it."""
    key = otel.create_key("mine")
    with captured_cleanly():
        token, attached = place.set("before"), otel.attach(otel.set_value(key, 1))
        try:
            run = begin("one", None, None)
        finally:
            otel.detach(attached)
            place.reset(token)
        owned = run.context
        assert owned.run(otel.get_value, key) == 1
        assert otel.get_value(key) is None
        assert owned.run(current_run) is run
        assert owned.run(place.get) == "before"
        owned.run(place.set, "inside")
        assert (owned.run(place.get), place.get()) == ("inside", "outside")
        run.end()


# ------------------------------------------------------------------ Inside


def test_inside_shares_the_callers_variables() -> None:
    """The code has the OTel Context given, and all other context variables are the caller's."""
    key = otel.create_key("mine")
    inside = Inside(otel.set_value(key, 1))

    def code() -> Any:
        place.set("by the code")
        return otel.get_value(key)

    def program() -> None:
        place.set("by the caller")
        assert inside.run(place.get) == "by the caller"
        assert inside.run(code) == 1
        assert place.get() == "by the code"
        assert otel.get_value(key) is None

    contextvars.copy_context().run(program)


def test_inside_keeps_what_the_code_attached() -> None:
    """A span that the code made current is current again in its next step, and nowhere else."""
    key = otel.create_key("mine")
    inside = Inside(otel.get_current())
    token = inside.run(otel.attach, otel.set_value(key, 2))
    assert otel.get_value(key) is None
    assert inside.run(otel.get_value, key) == 2
    inside.run(otel.detach, token)
    assert inside.run(otel.get_value, key) is None


def test_inside_gives_the_caller_its_context_back_after_an_error() -> None:
    """An exception leaves the caller's OTel Context as it was."""
    before = otel.get_current()
    inside = Inside(otel.set_value(otel.create_key("mine"), 1))
    with pytest.raises(ZeroDivisionError):
        inside.run(lambda: 1 // 0)
    assert otel.get_current() is before


# ------------------------------------------------------------------ Steps


async def works(seen: list[str]) -> Any:
    """Note where each step is."""
    try:
        given = await Waits(seen)
        place.set("changed")
        return given
    finally:
        seen.append(f"end {place.get()}")


def test_steps_run_inside_their_context_alone() -> None:
    """Each step is inside, also after the coroutine has set a variable; the driver is outside."""
    seen: list[str] = []
    context = named("inside")
    assert driven(Steps(works(seen), context), "given") == "given"
    assert seen == ["inside", "inside", "end changed"]
    assert (place.get(), context.run(place.get)) == ("outside", "changed")


def test_steps_pass_what_is_thrown() -> None:
    """An exception thrown at an await is raised there, inside, and comes out as the same object."""
    seen: list[str] = []
    steps = Steps(works(seen), named("inside")).__await__()
    assert steps.send(None) == "waiting"
    error = KeyError("thrown")
    with pytest.raises(KeyError) as raised:
        steps.throw(error)
    assert raised.value is error
    assert seen == ["inside", "end inside"]


def test_steps_close_inside() -> None:
    """Closed where it waits, the coroutine cleans up inside its context."""
    seen: list[str] = []
    steps = Steps(works(seen), named("inside"))
    steps.send(None)
    steps.close()
    assert seen == ["inside", "end inside"]


def test_steps_closed_in_another_context_detach_nothing() -> None:
    """GeneratorExit that comes in another Context and thread leaves both as they were."""
    key = otel.create_key("mine")
    ended: list[Any] = []

    async def body() -> None:
        token = otel.attach(otel.set_value(key, 1))
        try:
            await Waits([])
        finally:
            ended.append(otel.get_value(key))
            otel.detach(token)
            ended.append(otel.get_value(key))

    steps = Steps(body(), named("inside"))
    steps.send(None)

    def close() -> None:
        steps.close()
        ended.append(otel.get_value(key))

    thread = threading.Thread(target=close)
    thread.start()
    thread.join()
    assert ended == [1, None, None]


def test_steps_take_the_next_awaitable() -> None:
    """One object serves for coroutine after coroutine, all in the same context."""
    seen: list[str] = []
    steps = Steps(works(seen), named("inside"))
    driven(steps, 1)
    steps.then(works(seen))
    assert driven(steps, 2) == 2
    assert seen == ["inside", "inside", "end changed", "changed", "changed", "end changed"]


async def test_steps_make_no_task() -> None:
    """The coroutine is the caller's task's own, so that cancel and timeouts are the caller's."""

    async def body() -> Any:
        await asyncio.sleep(0)
        return asyncio.current_task()

    assert await Steps(body(), named("inside")) is asyncio.current_task()


async def test_steps_are_cancelled_where_they_wait() -> None:
    """A cancelled task raises CancelledError at the await, inside the context."""
    seen: list[str] = []

    async def body() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append(place.get())
            raise

    task = asyncio.ensure_future(Steps(body(), named("inside")))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (seen, place.get()) == (["inside"], "outside")


@pytest.mark.parametrize("kind", ["coroutine", "future", "awaitable"])
async def test_steps_take_any_awaitable(kind: str) -> None:
    """Whatever can be awaited can be stepped."""

    async def body() -> str:
        return "result"

    class Own:
        def __await__(self) -> Generator[Any, Any, str]:
            return body().__await__()

    given: Any = {"coroutine": body, "future": asyncio.get_running_loop().create_future}.get(
        kind, Own
    )()
    if kind == "future":
        given.set_result("result")
    assert await Steps(given, named("inside")) == "result"


def test_steppable_leaves_a_coroutine_as_it_is() -> None:
    """Only what has no ``send`` and ``throw`` is wrapped."""
    coroutine = works([])
    assert steppable(coroutine) is coroutine
    coroutine.close()
    seen: list[str] = []
    assert driven(steppable(Waits(seen)), 3) == 3


# ------------------------------------------------------------------ steps of async generators


async def numbers(seen: list[Any]) -> AsyncGenerator[int, None]:
    """Yield after a wait, and wait again when closed."""
    try:
        await Waits(seen)
        yield 1
    finally:
        seen.append("closed")


@pytest.mark.parametrize("by", ["Steps", "closable"])
def test_closed_step_of_an_async_generator_closes_it(by: str) -> None:
    """On every Python: before 3.13 a step that is closed would leave its generator suspended."""
    seen: list[Any] = []
    generator = numbers(seen)
    step: Any = (
        Steps(generator.__anext__(), named("inside"))
        if by == "Steps"
        else steppable(closable(generator.__anext__()))
    )
    step.send(None)
    step.close()
    assert seen[-1] == "closed"
    with pytest.raises(StopAsyncIteration):
        generator.__anext__().send(None)


def test_closed_step_that_goes_on_is_an_error() -> None:
    """A generator that yields when it is closed is told so, as Python tells it."""

    async def stubborn() -> AsyncGenerator[int, None]:
        try:
            await Waits([])
        except GeneratorExit:
            await Waits([])
        yield 1

    step: Any = Step(stubborn().__anext__())
    step.send(None)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        step.close()


async def test_closable_leaves_other_awaitables_alone() -> None:
    """A coroutine closes well by itself."""
    coroutine = works([])
    assert closable(coroutine) is coroutine
    coroutine.close()


# ------------------------------------------------------------------ Pump


class Source:
    """An async iterator that gives some of its chunks at once, and waits before others."""

    def __init__(self, waits: str) -> None:
        self.waits = waits
        self.seen: list[str] = []
        self.closed = False

    async def chunks(self) -> AsyncGenerator[int, None]:
        try:
            for number, waits in enumerate(self.waits):
                if waits == "w":
                    await Waits(self.seen)
                self.seen.append(place.get())
                yield number
        finally:
            self.closed = True
            self.seen.append(f"end {place.get()}")


def pumping(source: Source) -> tuple[Pump[int], Callable[..., Any]]:
    """A pump over the source's chunks in a context named ``inside``."""
    enter = named("inside").run
    pull = source.chunks().__anext__
    return Pump(enter(pull), pull, enter), enter


async def pumped(pump: Pump[int], enter: Callable[..., Any]) -> list[int]:
    """Every chunk, as a stream's run takes them."""
    found: list[int] = []
    with suppress(StopAsyncIteration):
        while True:
            waiting = enter(pump.send, None)
            if waiting is not pump.box:
                await pump.rest(waiting)
            found.append(pump.box[0])
    return found


@pytest.mark.parametrize("waits", ["", "-", "w", "---", "www", "-w-w", "w-w-"])
def test_pump_gives_each_chunk_once(waits: str) -> None:
    """Chunks that are there and chunks that are waited for come in order, all steps inside."""
    source = Source(waits)
    found = driven(pumped(*pumping(source)), *"x" * waits.count("w"))
    assert found == list(range(len(waits)))
    assert set(source.seen) <= {"inside", "end inside"}
    assert source.closed
    assert place.get() == "outside"


def test_pump_passes_what_is_thrown() -> None:
    """An exception thrown at an await comes out of the source, as the same object."""
    source = Source("w")
    pump, enter = pumping(source)
    rest: Any = pump.rest(enter(pump.send, None))
    assert next(iter(rest)) == "waiting"
    error = KeyError("thrown")
    with pytest.raises(KeyError) as raised:
        rest.throw(error)
    assert raised.value is error
    assert source.closed


def test_pump_closed_where_it_waits_closes_its_source() -> None:
    """The source cleans up inside its context."""
    source = Source("w")
    pump, enter = pumping(source)
    rest: Any = pump.rest(enter(pump.send, None))
    next(iter(rest))
    rest.close()
    assert source.seen == ["inside", "end inside"]


async def test_pump_is_cancelled_where_it_waits() -> None:
    """A cancelled consumer raises CancelledError in the source, inside."""
    seen: list[str] = []

    async def chunks() -> AsyncGenerator[int, None]:
        try:
            await asyncio.sleep(60)
            yield 1
        except asyncio.CancelledError:
            seen.append(place.get())
            raise

    enter = named("inside").run
    pull = chunks().__anext__
    task = asyncio.create_task(pumped(Pump(enter(pull), pull, enter), enter))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["inside"]


# ------------------------------------------------------------------ whole streams


async def letters(words: AsyncIterator[str]) -> AsyncIterator[str]:
    """Yield letters, each with an event, from inside an OTel Context of its own."""
    async for word in words:
        for letter in word:
            token = otel.attach(otel.set_value("letter", letter))
            try:
                await adispatch_custom_event("letter", letter)
                await asyncio.sleep(0)
                yield letter
            finally:
                otel.detach(token)


async def test_chunks_may_be_pulled_from_any_task() -> None:
    """Each chunk by a task of its own, closed by another: every step is in the run's Context."""
    with captured_cleanly() as captured:
        chunks = RunnableGenerator(letters, name="letters").astream("abc")
        pulled = [await asyncio.create_task(anext(chunks)) for _ in range(2)]  # type: ignore[arg-type]
        await asyncio.create_task(chunks.aclose())  # type: ignore[attr-defined]
        assert otel.get_value("letter") is None
    assert pulled == ["a", "b"]
    (span,) = captured.spans
    assert [dict(event.attributes or {}) for event in span.events] == [{"data": "a"}, {"data": "b"}]


def test_generator_left_to_its_loop_detaches_in_its_own_context() -> None:
    """A stream that ``asyncio.run`` closes gets GeneratorExit elsewhere, and logs nothing."""
    left: list[Any] = []

    async def main() -> None:
        left.append(RunnableGenerator(letters, name="letters").astream("abc"))
        assert await anext(left[0]) == "a"

    with captured_cleanly() as captured:
        asyncio.run(main())
        left.clear()
    assert [span.name for span in captured.spans] == ["letters"]


def test_chunks_may_be_pulled_from_any_thread() -> None:
    """Each chunk by a thread of its own: the body's variables and its run go with it."""

    def parts(words: Iterator[str]) -> Iterator[str]:
        for word in words:
            for letter in word:
                before = place.get()
                place.set(letter)
                dispatch_custom_event("letter", before)
                yield letter

    pulled: list[str] = []
    with captured_cleanly() as captured:
        chunks = RunnableGenerator(parts, name="letters").stream("abc")
        pulled.append(next(chunks))
        for _ in range(2):
            thread = threading.Thread(target=lambda: pulled.append(next(chunks)))
            thread.start()
            thread.join()
        assert list(chunks) == []
    assert pulled == ["a", "b", "c"]
    (span,) = captured.spans
    found = [dict(event.attributes or {})["data"] for event in span.events]
    assert found == ["outside", "a", "b"]


async def test_streams_that_take_turns_keep_their_own_contexts() -> None:
    """Two streams, a chunk of each in turn, closed in the order in which they began."""
    with captured_cleanly():
        one, other = (RunnableGenerator(letters, name=name).astream("ab") for name in "xy")
        assert [await anext(one), await anext(other), await anext(one)] == ["a", "a", "b"]
        await one.aclose()  # type: ignore[attr-defined]
        assert await taken(other) == ["b"]
        assert current_run() is None
