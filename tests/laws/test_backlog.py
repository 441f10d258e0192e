"""What sync code leaves to async handlers: never waited for there, in order, done at the end."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from otelbridge import (
    AsyncCallbackHandler,
    BaseCallbackHandler,
    Runnable,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    _backlog,
    adispatch_custom_event,
    chain,
    current_run,
    dispatch_custom_event,
    drain,
    start_run,
    traced,
)
from otelbridge.testing import CapturedRuns, capture_runs

MANY = 50


@pytest.fixture(name="captured")
def _captured() -> Iterator[CapturedRuns]:
    """Capture the runs of one test."""
    with capture_runs() as captured:
        yield captured


class Slow(AsyncCallbackHandler):
    """An async handler that gives way several times between the two notes that it makes."""

    def __init__(self, said: list[Any] | None = None) -> None:
        self.said: list[Any] = [] if said is None else said
        self.threads: set[int] = set()

    async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self.threads.add(threading.get_ident())
        self.said.append(("begun", data))
        for _ in range(3):
            await asyncio.sleep(0)
        self.said.append(("done", data))


def in_order(count: int) -> list[tuple[str, int]]:
    """Return what ``Slow`` notes of events 0, 1, ... that reach it one after another."""
    return [(state, n) for n in range(count) for state in ("begun", "done")]


def dispatch_many() -> None:
    """Dispatch ``MANY`` events from sync code."""
    for n in range(MANY):
        dispatch_custom_event("e", n)


async def on_the_loop(value: Any) -> Any:
    """Dispatch on the loop's own thread."""
    dispatch_many()
    return value


def in_a_worker(value: Any) -> Any:
    """Dispatch in a thread of the executor, when it is invoked asynchronously."""
    dispatch_many()
    return value


async def in_to_thread(value: Any) -> Any:
    """Dispatch in a thread that carries the context."""
    await asyncio.to_thread(dispatch_many)
    return value


async def in_a_task(value: Any) -> Any:
    """Dispatch in a task of its own."""
    await asyncio.ensure_future(on_the_loop(value))
    return value


async def in_a_run_below(value: Any) -> Any:
    """Dispatch in a sync run below the async one, on the loop's own thread."""
    return RunnableLambda(in_a_worker).invoke(value)


async def in_parts(value: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Dispatch between chunks."""
    async for item in value:
        for n in range(MANY):
            dispatch_custom_event("e", n)
            if n % 10 == 0:
                yield item


BODIES: list[Runnable[Any, Any]] = [
    RunnableLambda(on_the_loop),
    RunnableLambda(in_a_worker),
    RunnableLambda(in_to_thread),
    RunnableLambda(in_a_task),
    RunnableLambda(in_a_run_below),
    RunnableGenerator(in_parts),
    RunnableLambda(on_the_loop) | RunnableLambda(str),
    RunnableParallel(a=RunnableLambda(on_the_loop)),
    RunnableLambda(on_the_loop).with_retry(),
    RunnableLambda(on_the_loop).with_fallbacks([RunnableLambda(str)]),
]
NAMES = "loop worker to_thread task below generator sequence parallel retry fallbacks".split()


async def stream(body: Runnable[Any, Any], config: Any) -> None:
    """Read a stream to its end."""
    async for _ in body.astream("in", config):
        pass


async def events(body: Runnable[Any, Any], config: Any) -> None:
    """Read an event stream to its end."""
    async for _ in body.astream_events("in", config, version="v2"):
        pass


async def batch(body: Runnable[Any, Any], config: Any) -> None:
    """Run a batch of one."""
    await body.abatch(["in"], config)


async def ainvoke(body: Runnable[Any, Any], config: Any) -> None:
    """Invoke once."""
    await body.ainvoke("in", config)


@pytest.mark.parametrize("form", [ainvoke, stream, events, batch])
@pytest.mark.parametrize("body", BODIES, ids=NAMES)
async def test_async_handlers_are_awaited_in_order_before_the_run_ends(
    body: Runnable[Any, Any], form: Callable[..., Awaitable[None]], captured: CapturedRuns
) -> None:
    """Each event is handled to its end before the next, on the loop, all before the result."""
    slow = Slow()
    await form(body, {"callbacks": [slow]})
    assert slow.said == in_order(MANY)
    assert slow.threads == {threading.get_ident()}
    assert sum(len(span.events) for span in captured.spans) == MANY
    captured.assert_clean()


@pytest.mark.parametrize("where", ["loop", "thread", "to_thread"])
async def test_a_sync_dispatch_does_not_wait_for_an_async_handler(where: str) -> None:
    """A handler that waits for what its dispatcher does next gets it."""
    went_on = threading.Event()
    said: list[str] = []

    class Waits(AsyncCallbackHandler):
        async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
            while not went_on.is_set():
                await asyncio.sleep(0)
            said.append(name)

    def body(value: Any) -> None:
        dispatch_custom_event("e", value)
        said.append("dispatched")
        went_on.set()

    async def abody(value: Any) -> None:
        if where == "to_thread":
            await asyncio.to_thread(body, value)
        else:
            body(value)

    run: Runnable[Any, Any] = RunnableLambda(body if where == "thread" else abody)
    await run.ainvoke(1, {"callbacks": [Waits()]})
    assert said == ["dispatched", "e"]


@pytest.mark.parametrize("kind", ["start_run", "traced", "generator"])
async def test_runs_of_plain_functions_wait_for_their_handlers(kind: str) -> None:
    """An async block, a coroutine function and an async generator end after their handlers."""
    slow = Slow()

    @traced
    async def function() -> None:
        dispatch_many()

    @traced
    async def generator() -> AsyncIterator[int]:
        dispatch_many()
        yield 1

    async with start_run("above", config={"callbacks": [slow]}):
        if kind == "start_run":
            async with start_run("block"):
                dispatch_many()
        elif kind == "traced":
            await function()
        else:
            async for _ in generator():
                pass
    assert slow.said == in_order(MANY)


def test_without_a_loop_an_async_handler_runs_to_its_end_at_once() -> None:
    """A sync program sees the handler done when the dispatch returns, in each form."""
    slow = Slow()
    seen: list[int] = []

    def body(value: Any) -> None:
        for n in range(3):
            dispatch_custom_event("e", n)
            seen.append(len(slow.said))

    def parts(value: Iterator[Any]) -> Iterator[Any]:
        for item in value:
            body(item)
            yield item

    config: Any = {"callbacks": [slow]}
    RunnableLambda(body).invoke(1, config)
    assert (slow.said, seen) == (in_order(3), [2, 4, 6])
    list(RunnableGenerator(parts).stream(1, config))
    assert seen == [2, 4, 6, 8, 10, 12]
    RunnableLambda(body).batch([1, 2], config)
    assert len(slow.said) == 24
    in_a_thread = threading.Thread(target=RunnableLambda(body).invoke, args=(1, config))
    in_a_thread.start()
    in_a_thread.join()
    assert len(slow.said) == 30


async def test_sync_invoke_on_a_loop_is_awaited_by_drain() -> None:
    """Outside of any async run, handlers become tasks of the loop; drain waits for them."""
    slow = Slow()
    RunnableLambda(in_a_worker).invoke(1, {"callbacks": [slow]})
    assert slow.said == []
    await drain()
    assert slow.said == in_order(MANY)
    await drain()  # nothing is left, nothing to wait for


async def test_sync_invoke_on_a_loop_goes_on_without_drain() -> None:
    """The loop works the handlers off by itself."""
    slow = Slow()
    RunnableLambda(in_a_worker).invoke(1, {"callbacks": [slow]})
    while len(slow.said) < 2 * MANY:
        await asyncio.sleep(0)
    assert slow.said == in_order(MANY)


async def test_drain_raises_what_a_handler_wants_raised() -> None:
    """With raise_error the exception comes where the handler is awaited: in drain, once."""

    class Fails(AsyncCallbackHandler):
        raise_error = True

        async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
            raise LookupError(data)

    RunnableLambda(lambda _: dispatch_custom_event("e", 1)).invoke(1, {"callbacks": [Fails()]})
    with pytest.raises(LookupError):
        await drain()
    await drain()


@pytest.mark.parametrize("form", [ainvoke, stream, batch])
@pytest.mark.parametrize("body", BODIES[:8], ids=NAMES[:8])
async def test_raise_error_comes_at_the_end_of_the_run(
    body: Runnable[Any, Any], form: Callable[..., Awaitable[None]], captured: CapturedRuns
) -> None:
    """The body ends as it would; then the first exception is the run's."""
    error = LookupError("the handler's")
    heard: list[int] = []

    class Fails(AsyncCallbackHandler):
        raise_error = True

        async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
            heard.append(data)
            if data == 0:
                raise error

    with pytest.raises(LookupError) as raised:
        await form(body, {"callbacks": [Fails()]})
    assert raised.value is error
    assert heard == list(range(MANY))
    assert any(span.status.status_code.name == "ERROR" for span in captured.spans)
    captured.assert_clean()


class Stuck(AsyncCallbackHandler):
    """An async handler that goes on when it is let, and notes how it ended."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.may_go = asyncio.Event()
        self.said: list[str] = []

    async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self.reached.set()
        try:
            await self.may_go.wait()
            self.said.append(f"{name} done")
        except asyncio.CancelledError:
            self.said.append(f"{name} stopped")
            raise


async def two_then_wait(value: Any) -> None:
    """Dispatch two events, then wait for ever."""
    dispatch_custom_event("first", 1)
    dispatch_custom_event("second", 2)
    await asyncio.Event().wait()


async def test_a_cancelled_run_waits_for_its_handlers(captured: CapturedRuns) -> None:
    """Handlers that end in time are done when the cancelled run ends."""
    stuck = Stuck()
    task = asyncio.ensure_future(RunnableLambda(two_then_wait).ainvoke(1, {"callbacks": [stuck]}))
    await stuck.reached.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    stuck.may_go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stuck.said == ["first done", "second done"]
    assert captured.as_dict()["status"] == "UNSET"
    captured.assert_clean()


async def test_a_cancelled_run_waits_no_longer_than_the_grace(
    monkeypatch: pytest.MonkeyPatch, captured: CapturedRuns
) -> None:
    """A handler that does not end is stopped when the grace is over, and leaves no task."""
    monkeypatch.setattr(_backlog, "CANCEL_GRACE_S", 0.01)
    stuck = Stuck()
    task = asyncio.ensure_future(RunnableLambda(two_then_wait).ainvoke(1, {"callbacks": [stuck]}))
    await stuck.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settled()
    assert stuck.said == ["first stopped"]
    captured.assert_clean()


async def test_a_handler_that_ignores_its_cancel_does_not_keep_the_run(
    monkeypatch: pytest.MonkeyPatch, captured: CapturedRuns
) -> None:
    """The cancelled run ends all the same; the handler is left to the loop."""
    monkeypatch.setattr(_backlog, "CANCEL_GRACE_S", 0.01)
    reached, may_go = asyncio.Event(), asyncio.Event()

    class Stubborn(AsyncCallbackHandler):
        async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
            reached.set()
            while not may_go.is_set():
                try:
                    await may_go.wait()
                except asyncio.CancelledError:
                    continue

    handlers: Any = {"callbacks": [Stubborn()]}
    task = asyncio.ensure_future(RunnableLambda(two_then_wait).ainvoke(1, handlers))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    captured.assert_clean()
    may_go.set()
    await settled()


async def test_a_cancel_while_the_end_waits_is_not_lost(
    monkeypatch: pytest.MonkeyPatch, captured: CapturedRuns
) -> None:
    """A run whose body is done and whose handlers are not takes the cancel after them."""
    stuck = Stuck()

    async def body(value: Any) -> None:
        dispatch_custom_event("first", 1)

    task = asyncio.ensure_future(RunnableLambda(body).ainvoke(1, {"callbacks": [stuck]}))
    await stuck.reached.wait()
    task.cancel()
    await asyncio.sleep(0)
    stuck.may_go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stuck.said == ["first done"]
    captured.assert_clean()


async def test_a_second_cancel_stops_the_handlers(captured: CapturedRuns) -> None:
    """Who cancels twice does not wait."""
    stuck = Stuck()
    task = asyncio.ensure_future(RunnableLambda(two_then_wait).ainvoke(1, {"callbacks": [stuck]}))
    await stuck.reached.wait()
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settled()
    assert stuck.said == ["first stopped"]
    captured.assert_clean()


async def settled() -> None:
    """Wait until no other task is left, which takes no more than some turns of the loop."""
    for _ in range(20):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("what", ["ainvoke", "astream", "dispatch", "adispatch", "invoke"])
@pytest.mark.parametrize("how", ["sync", "async"])
async def test_a_handler_may_run_and_dispatch(what: str, how: str, captured: CapturedRuns) -> None:
    """A handler that itself runs a runnable or dispatches waits for nobody for ever."""
    heard: list[str] = []

    async def below(value: Any) -> Any:
        dispatch_custom_event("below", value)
        return value

    class Runs(AsyncCallbackHandler):
        async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
            heard.append(name)
            await asyncio.sleep(0)
            if name != "outer":
                return
            if what == "ainvoke":
                await RunnableLambda(below).ainvoke(data)
            elif what == "astream":
                async for _ in RunnableLambda(below).astream(data):
                    pass
            elif what == "invoke":
                RunnableLambda(lambda it: dispatch_custom_event("below", it)).invoke(data)
            elif what == "dispatch":
                dispatch_custom_event("below", data)
            else:
                await adispatch_custom_event("below", data)

    async def body(value: Any) -> str:
        if how == "sync":
            dispatch_custom_event("outer", value)
        else:
            await adispatch_custom_event("outer", value)
        return "out"

    result = RunnableLambda(body).ainvoke(1, {"callbacks": [Runs()]})
    assert await asyncio.wait_for(result, 60) == "out"
    assert heard == ["outer", "below"]
    captured.assert_clean()


async def test_a_handler_of_an_end_may_run_and_dispatch(captured: CapturedRuns) -> None:
    """The same holds for the hook of the run's end, while the run waits for it."""
    heard: list[Any] = []

    class Runs(AsyncCallbackHandler):
        async def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
            heard.append(outputs)
            if outputs == "out":
                run = current_run()
                assert run is None or run.name == "above"
                await RunnableLambda(lambda it: it).ainvoke("below", {"callbacks": [self]})

    result = RunnableLambda(lambda _: "out").ainvoke(1, {"callbacks": [Runs()]})
    assert await asyncio.wait_for(result, 60) == "out"
    assert heard == ["out", "below"]
    captured.assert_clean()


@pytest.mark.parametrize("ends", ["end", "error"])
@pytest.mark.parametrize("pending", [True, False])
async def test_handlers_of_both_kinds_keep_their_order_at_the_end(ends: str, pending: bool) -> None:
    """The end is told in list order, after every event, whoever is async."""
    said: list[str] = []

    class Sync(BaseCallbackHandler):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
            said.append(f"{self.name} end")

        def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
            said.append(f"{self.name} error")

    class Async(AsyncCallbackHandler):
        async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
            await asyncio.sleep(0)
            said.append("event")

        async def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
            await asyncio.sleep(0)
            said.append("async end")

        async def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
            await asyncio.sleep(0)
            said.append("async error")

    @chain
    async def body(value: Any) -> None:
        if pending:
            dispatch_custom_event("e", 1)
        if ends == "error":
            raise LookupError

    try:
        await body.ainvoke(1, {"callbacks": [Sync("a"), Async(), Sync("z")]})
    except LookupError:
        said.append("raised")
    wanted = [f"a {ends}", f"async {ends}", f"z {ends}"]
    assert said == (["event"] if pending else []) + wanted + (["raised"] * (ends == "error"))


async def test_events_of_threads_and_the_loop_lose_nothing(captured: CapturedRuns) -> None:
    """32 threads and the loop dispatch into one run: each one's events come whole and in order."""
    heard: list[tuple[int, int]] = []

    class Listens(AsyncCallbackHandler):
        async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
            heard.append(tuple(data))
            await asyncio.sleep(0)

    def dispatcher(who: int) -> None:
        for n in range(20):
            dispatch_custom_event("e", [who, n])

    async def body(value: Any) -> None:
        workers = [asyncio.to_thread(dispatcher, who) for who in range(32)]
        both = asyncio.gather(*workers)
        dispatcher(32)
        await both

    await RunnableLambda(body).ainvoke(1, {"callbacks": [Listens()]})
    assert len(heard) == 33 * 20
    for who in range(33):
        assert [n for one, n in heard if one == who] == list(range(20))


def test_a_loop_that_ends_with_handlers_unawaited_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A forgotten drain is logged once with its cure, and nothing is left behind."""

    async def main() -> None:
        RunnableLambda(in_a_worker).invoke(1, {"callbacks": [Slow()]})

    asyncio.run(main())
    gc.collect()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "otelbridge.drain()" in caplog.text
