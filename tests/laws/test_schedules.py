"""Schedules: programs as data, stopped, dropped, pulled and interleaved in every way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ways import apart

from . import counting
from .counting import at_least, looked_for
from .programs import Boom, Built, Node, bodies, built, may_fail_together, programs
from .stepping import Cancelling, by_hand
from .watching import Token, Watch, collect, watched

# The floors of all tests together are more than 2,000 schedules in CI.
EXAMPLES = 60 if counting.CI else 8


# ---------------------------------------------------------------------- sync forms


def _invoke(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    runnable.invoke(token, config)


def _batch(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    runnable.batch([token, token], config)


def _batch_with_exceptions(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    runnable.batch([token, token], config, return_exceptions=True)


def _stream(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    for _ in runnable.stream(token, config):
        watch.outside()


def _stream_closed(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    chunks = runnable.stream(token, config)
    _pull(chunks, draw(st.integers(0, 4)), watch)
    chunks.close()
    watch.outside()


def _stream_dropped(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    chunks = runnable.stream(token, config)
    _pull(chunks, draw(st.integers(0, 4)), watch)
    del chunks
    collect()
    watch.outside()


def _stream_dropped_in_a_cycle(
    runnable: Any, token: Any, config: Any, watch: Watch, draw: Any
) -> None:
    chunks = runnable.stream(token, config)
    _pull(chunks, draw(st.integers(1, 4)), watch)
    cycle = [chunks]
    cycle.append(cycle)
    del chunks, cycle
    apart(collect)


def _stream_in_threads(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    chunks = runnable.stream(token, config)
    for _ in range(draw(st.integers(1, 6))):
        if apart(_next_there, chunks, watch) is None:
            break
    apart(chunks.close)


def _streams_interleaved(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    streams = [runnable.stream(token, config) for _ in range(3)]
    for which in draw(st.lists(st.integers(0, 2), max_size=6)):
        with suppress(Boom):
            _pull(streams[which], 1, watch)
    for which in draw(st.permutations(range(3))):
        streams[which].close()
        watch.outside()


def _stream_events(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    for event in runnable.stream_events(token, config):
        watch.took(event)
        watch.outside()


def _stream_events_closed(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    events = runnable.stream_events(token, config)
    for event in _first(events, draw(st.integers(0, 8))):
        watch.took(event)
    events.close()
    watch.outside()


def _pull(chunks: Iterator[Any], count: int, watch: Watch) -> None:
    for _ in _first(chunks, count):
        watch.outside()


def _first(chunks: Iterator[Any], count: int) -> Iterator[Any]:
    for _ in range(count):
        try:
            yield next(chunks)
        except StopIteration:
            return


def _next_there(chunks: Iterator[Any], watch: Watch) -> Any:
    with watch.captured.active():  # a raw thread carries no context
        chunk = next(chunks, None)
        watch.outside()
        return chunk


SYNC = [
    _invoke,
    _batch,
    _batch_with_exceptions,
    _stream,
    _stream_closed,
    _stream_dropped,
    _stream_dropped_in_a_cycle,
    _stream_in_threads,
    _streams_interleaved,
    _stream_events,
    _stream_events_closed,
]


def _name(form: Callable[..., Any]) -> str:
    return form.__name__.strip("_")


# Python ends what is in cyclic garbage in any order. OTel's own block around a span is a generator,
# which then detaches outside of its context; nobody can help that but who writes ``with``.


@pytest.mark.parametrize("form", SYNC, ids=_name)
def test_sync_schedules_keep_the_laws(form: Callable[..., None]) -> None:
    """A program run in a sync form, wherever it fails or is dropped, keeps the laws."""
    spans = form is not _stream_dropped_in_a_cycle

    @looked_for(EXAMPLES)
    @given(programs(spans=spans), st.data())
    def run(program: Node, data: st.DataObject) -> None:
        threads = threading.active_count()
        with watched() as watch:
            made = built(program, watch, in_async=False)
            _do_sync(form, made, watch, data.draw)
            watch.check(made.parents, streams=form is _stream_events)
        assert threading.active_count() == threads
        counting.count()

    with at_least(EXAMPLES):
        run()


def _do_sync(form: Callable[..., None], made: Built, watch: Watch, draw: Any) -> None:
    config = {"callbacks": [watch.listener()]}
    with suppress(Boom):
        form(made.runnable, watch.token(), config, watch, draw)


# ---------------------------------------------------------------------- async forms on a loop


async def _ainvoke(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    await runnable.ainvoke(token, config)


async def _abatch(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    await runnable.abatch([token, token], config, return_exceptions=True)


async def _astream(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    async for _ in runnable.astream(token, config):
        watch.outside()


async def _astream_closed(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    chunks = runnable.astream(token, config)
    await _apull(chunks, draw(st.integers(0, 4)), watch)
    await chunks.aclose()
    watch.outside()


async def _astream_dropped(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    chunks = runnable.astream(token, config)
    await _apull(chunks, draw(st.integers(0, 4)), watch)
    del chunks
    collect()
    await settled()
    watch.outside()


async def _astream_dropped_in_a_cycle(
    runnable: Any, token: Any, config: Any, watch: Watch, draw: Any
) -> None:
    chunks = runnable.astream(token, config)
    await _apull(chunks, draw(st.integers(0, 4)), watch)
    cycle = [chunks]
    cycle.append(cycle)
    del chunks, cycle
    collect()
    await settled()
    watch.outside()


async def _astream_left_over(
    runnable: Any, token: Any, config: Any, watch: Watch, draw: Any
) -> None:
    chunks = runnable.astream(token, config)
    watch.left_over.append(chunks)
    await _apull(chunks, draw(st.integers(0, 4)), watch)


async def _astream_in_tasks(
    runnable: Any, token: Any, config: Any, watch: Watch, draw: Any
) -> None:
    chunks = runnable.astream(token, config)
    for _ in range(draw(st.integers(1, 6))):
        if await asyncio.create_task(_anext_of(chunks)) is None:
            break
        watch.outside()
    await asyncio.create_task(chunks.aclose())


async def _astreams_interleaved(
    runnable: Any, token: Any, config: Any, watch: Watch, draw: Any
) -> None:
    streams = [runnable.astream(token, config) for _ in range(3)]
    for which in draw(st.lists(st.integers(0, 2), max_size=6)):
        with suppress(Boom):
            await _apull(streams[which], 1, watch)
    for which in draw(st.permutations(range(3))):
        await streams[which].aclose()
        watch.outside()


async def _astream_events(runnable: Any, token: Any, config: Any, watch: Watch, draw: Any) -> None:
    async for event in runnable.astream_events(token, config):
        watch.took(event)
        watch.outside()


async def _astream_events_closed(
    runnable: Any, token: Any, config: Any, watch: Watch, draw: Any
) -> None:
    events = runnable.astream_events(token, config)
    wanted = draw(st.integers(0, 8))
    while wanted and (event := await _anext_of(events)) is not None:
        watch.took(event)
        wanted -= 1
    await events.aclose()
    watch.outside()


async def _apull(chunks: AsyncIterator[Any], count: int, watch: Watch) -> None:
    for _ in range(count):
        if await _anext_of(chunks) is None:
            return
        watch.outside()


async def _anext_of(chunks: AsyncIterator[Any]) -> Any:
    try:
        return await chunks.__anext__()
    except StopAsyncIteration:
        return None


async def settled() -> None:
    """Let every other task come to its end."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


ASYNC = [
    _ainvoke,
    _abatch,
    _astream,
    _astream_closed,
    _astream_dropped,
    _astream_dropped_in_a_cycle,
    _astream_left_over,
    _astream_in_tasks,
    _astreams_interleaved,
    _astream_events,
    _astream_events_closed,
]

handlers = st.lists(st.sampled_from(["sync", "async"]), min_size=1, max_size=2)


def _config(watch: Watch, kinds: list[str]) -> dict[str, Any]:
    made = [watch.listener() if kind == "sync" else watch.async_listener() for kind in kinds]
    return {"callbacks": made}


def on_a_loop(watch: Watch, main: Callable[[], Awaitable[Any]], *, shuts_down: bool = True) -> None:
    """Run ``main()`` on a new loop, to which nothing may happen that a log would tell of.

    Args:
        watch: is told what the loop has to say.
        main: the work.
        shuts_down: close left-over async generators, as ``asyncio.run`` does.
    """
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, about: watch.logged.append(f"loop: {about}"))
    try:
        with suppress(Boom, asyncio.CancelledError):
            loop.run_until_complete(main())
        loop.run_until_complete(settled())
        if shuts_down:
            loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


@pytest.mark.parametrize("form", ASYNC, ids=_name)
def test_async_schedules_keep_the_laws(form: Callable[..., Awaitable[None]]) -> None:
    """A program run in an async form, wherever it fails or is dropped, keeps the laws."""
    spans = form is not _astream_dropped_in_a_cycle

    @looked_for(EXAMPLES)
    @given(programs(spans=spans), handlers, st.booleans(), st.data())
    def run(program: Node, kinds: list[str], shuts_down: bool, data: st.DataObject) -> None:
        shuts_down = shuts_down or any(
            getattr(body, "cleans_up", False) for body in bodies(program)
        )
        with watched() as watch:
            made = built(program, watch, in_async=True)

            async def main() -> None:
                await form(made.runnable, watch.token(), _config(watch, kinds), watch, data.draw)

            on_a_loop(watch, main, shuts_down=shuts_down)
            watch.left_over.clear()
            watch.check(made.parents, streams=form is _astream_events)
        counting.count()

    with at_least(EXAMPLES):
        run()


# ---------------------------------------------------------------------- cancelled at every await


@pytest.mark.parametrize("whom", ["main", "main twice", "inner", "all"])
@pytest.mark.parametrize("form", [_ainvoke, _astream, _astream_events], ids=_name)
def test_cancel_at_every_await_keeps_the_laws(
    form: Callable[..., Awaitable[None]], whom: str
) -> None:
    """Cancelled at any await, of the task itself or of one below it, a program keeps the laws."""

    @looked_for(max(2, EXAMPLES // 2))
    @given(programs(leaves=4), handlers)
    def run(program: Node, kinds: list[str]) -> None:
        at = 0
        reached = True
        while reached:
            at += 1
            reached = _cancelled(form, program, kinds, Cancelling(at, whom))
            counting.count()

    with at_least(EXAMPLES):
        run()


def _cancelled(
    form: Callable[..., Awaitable[None]], program: Node, kinds: list[str], cancelling: Cancelling
) -> bool:
    with watched() as watch:
        made = built(program, watch, in_async=True)

        async def main() -> None:
            config = _config(watch, kinds)
            token = watch.token()
            await cancelling.run(lambda: form(made.runnable, token, config, watch, None))

        on_a_loop(watch, main)
        # A parallel cancels its branches too, when one fails; then the test's cancel is the second.
        stopped = cancelling.whom in ("main twice", "all") or may_fail_together(program)
        watch.check(made.parents, stopped=stopped)
    return cancelling.reached


# ---------------------------------------------------------------------- stepped by hand


@pytest.mark.parametrize("stop", ["cancel", "close"])
@pytest.mark.parametrize("form", [_ainvoke, _astream], ids=_name)
def test_stopped_by_hand_at_every_await_keeps_the_laws(form: Callable[..., Any], stop: str) -> None:
    """A coroutine that is thrown into or closed at any await, without a loop, keeps the laws."""

    @looked_for(max(2, EXAMPLES // 2))
    @given(programs(together=False, awaits_at_end=stop == "cancel"), handlers)
    def run(program: Node, kinds: list[str]) -> None:
        at = 0
        steps = 1
        while steps > at:
            at += 1
            steps = _stepped(form, program, kinds, at, stop)
            counting.count()

    with at_least(EXAMPLES // 2):
        run()


def _stepped(form: Callable[..., Any], program: Node, kinds: list[str], at: int, stop: str) -> int:
    with watched() as watch:
        made = built(program, watch, in_async=True)
        work = form(made.runnable, watch.token(), _config(watch, kinds), watch, None)
        error = asyncio.CancelledError() if stop == "cancel" else None
        stopped = by_hand(work, at, error)
        if stopped.steps >= at and stopped.error is not error:
            watch.problems.append(f"thrown {error!r}, and {stopped.error!r} came out")
        steps = stopped.steps
        del work, stopped, error
        watch.check(made.parents)
    return steps


def test_inputs_can_be_weakly_referred_to() -> None:
    """The check for what is retained sees its own objects go."""
    with watched() as watch:
        token: Token | None = watch.token()
        with pytest.raises(AssertionError, match="retained"):
            watch.check({})
        del token
        watch.check({})
