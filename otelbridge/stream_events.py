"""The event stream: what happens in a run, as dicts, in the order in which it happens.

A handler like any other takes it from the runs. At most ``MOST_UNREAD`` events wait to be read:
whoever would add one more waits, if it can.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from contextvars import copy_context
from time import time_ns
from typing import Any, cast
from uuid import UUID

from otelbridge import _run_ids
from otelbridge._backlog import running_loop
from otelbridge._event_collector import OPTIONS, Collector, StreamEvent, known_to_all
from otelbridge.config import RunnableConfig, ensure_config
from otelbridge.manager import CallbackManager

__all__ = ["MOST_UNREAD", "StreamEvent", "aevents", "events"]

MOST_UNREAD = 1_000


class _AsyncCollector(Collector):
    """Hands events to a consumer on an event loop.

    A coroutine waits for room by awaiting what ``put`` returns, a thread inside ``put``. A sync
    dispatch on the loop's own thread can do neither: its event is queued, and the awaitable goes
    to the run's backlog, so that the run's next await or chunk waits.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._loop = asyncio.get_running_loop()
        self._events: deque[StreamEvent] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._thread_room = threading.Event()
        self.closed = False

    def put(self, event: StreamEvent) -> Any:
        if self.closed:
            return None
        self._events.append(event)
        on_loop = running_loop() is self._loop
        if on_loop:
            self._arrived.set()
        else:
            with suppress(RuntimeError):  # the loop has closed, and with it the consumer
                self._loop.call_soon_threadsafe(self._arrived.set)
        if len(self._events) < MOST_UNREAD:
            return None
        return _Room(self.wait) if on_loop else self._wait_in_thread()

    async def wait(self) -> None:
        """Wait for room."""
        while len(self._events) >= MOST_UNREAD and not self.closed:
            self._room.clear()
            await self._room.wait()

    def _wait_in_thread(self) -> None:
        while len(self._events) >= MOST_UNREAD and not self.closed:
            self._thread_room.clear()
            if len(self._events) >= MOST_UNREAD and not self.closed:
                self._thread_room.wait(timeout=1.0)

    async def take(self) -> StreamEvent | None:
        """Return the next event, or None when there is none now."""
        if not self._events:
            return None
        event = self._events.popleft()
        if len(self._events) < MOST_UNREAD:
            self._room.set()
            self._thread_room.set()
        return event

    async def arrived(self) -> None:
        """Wait until something has been put, or the work is done."""
        await self._arrived.wait()
        self._arrived.clear()

    def done(self, _: object = None) -> None:
        """Say that no event will follow."""
        self._arrived.set()

    def close(self) -> None:
        """Let nobody wait any more."""
        self.closed = True
        self._events.clear()
        self._room.set()
        self._thread_room.set()


class _Room(Awaitable[None]):
    """Waits for room, if it is awaited. LangChain's sync callbacks run coroutines, in a thread."""

    __slots__ = ("_wait",)

    def __init__(self, wait: Callable[[], Awaitable[None]]) -> None:
        self._wait = wait

    def __await__(self) -> Generator[Any, Any, None]:
        return self._wait().__await__()


def aevents(
    runnable: Any,
    input: Any,
    config: RunnableConfig | None,
    version: str,
    options: dict[str, Any],
) -> AsyncIterator[StreamEvent]:
    """Return the event stream of ``runnable.astream(input, config)``."""
    if version != "v2":
        return _refused(version, "astream_events")
    return _aevents(runnable, input, config, options)


async def _refused(version: str, function: str) -> AsyncIterator[StreamEvent]:
    raise _unsupported(version, function)
    yield  # makes this an async generator, so that the error comes where upstream's does


def _unsupported(version: str, function: str) -> NotImplementedError:
    return NotImplementedError(
        f"{function}(version={version!r}) is not supported. Use version='v2'."
    )


async def _aevents(
    runnable: Any, input: Any, config: RunnableConfig | None, options: dict[str, Any]
) -> AsyncIterator[StreamEvent]:
    chosen = {name: options.pop(name, None) for name in OPTIONS}
    config, root = _rooted(config)
    collector = known_to_all(_AsyncCollector)(chosen, root, input)
    _listen(config, collector)

    async def work() -> None:
        chunks = runnable.astream(input, config, **options)
        try:
            async for chunk in chunks:
                if (wait := collector.on_root_chunk(chunk)) is not None:
                    await wait
        finally:
            if (close := getattr(chunks, "aclose", None)) is not None:
                await close()

    task = asyncio.ensure_future(work())
    task.add_done_callback(collector.done)
    try:
        while True:
            event = await collector.take()
            if event is not None:
                yield event
            elif task.done():
                break
            else:
                await collector.arrived()
    finally:
        collector.close()
        task.cancel()
        await _ended(task)
    task.result()


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


def _rooted(config: RunnableConfig | None) -> tuple[RunnableConfig, UUID]:
    full = ensure_config(config)
    root = full.get("run_id")
    if root is None:
        root = full["run_id"] = _run_ids.uuid_of(_run_ids.new_id(time_ns()))
    return full, root


def _listen(config: RunnableConfig, collector: Collector) -> None:
    manager = CallbackManager.of(config.get("callbacks"))
    if manager.parent_run_id is None:
        config["callbacks"] = [*manager.handlers, collector]
    else:
        manager.add_handler(collector, inherit=True)
        config["callbacks"] = manager


class _SyncCollector(Collector):
    """Hands events to a consumer in another thread, which the worker waits for when it is slow."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._events: deque[StreamEvent] = deque()
        self._changed = threading.Condition()
        self._done = False
        self.closed = False

    def put(self, event: StreamEvent) -> Any:
        with self._changed:
            while len(self._events) >= MOST_UNREAD and not self.closed:
                self._changed.wait()
            if not self.closed:
                self._events.append(event)
                self._changed.notify_all()

    def read(self) -> Iterator[StreamEvent]:
        """Yield events until the work is done."""
        while True:
            with self._changed:
                while not self._events and not self._done:
                    self._changed.wait()
                if not self._events:
                    return
                event = self._events.popleft()
                self._changed.notify_all()
            yield event

    def done(self) -> None:
        """Say that no event will follow."""
        with self._changed:
            self._done = True
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()


def events(
    runnable: Any,
    input: Any,
    config: RunnableConfig | None,
    version: str,
    options: dict[str, Any],
) -> Iterator[StreamEvent]:
    """Return the event stream of ``runnable.stream(input, config)``, which works in a thread."""
    if version != "v2":
        raise _unsupported(version, "stream_events")
    return _events(runnable, input, config, options)


def _events(
    runnable: Any, input: Any, config: RunnableConfig | None, options: dict[str, Any]
) -> Iterator[StreamEvent]:
    chosen = {name: options.pop(name, None) for name in OPTIONS}
    config, root = _rooted(config)
    collector = known_to_all(_SyncCollector)(chosen, root, input)
    _listen(config, collector)
    failure: list[BaseException] = []

    def work() -> None:
        chunks = None
        try:
            chunks = runnable.stream(input, config, **options)
            for chunk in chunks:
                collector.on_root_chunk(chunk)
                if collector.closed:
                    break
        except BaseException as error:
            failure.append(error)
        finally:
            try:
                _close(chunks)
            except BaseException as error:
                failure.append(error)
            collector.done()

    thread = threading.Thread(
        target=copy_context().run, args=(work,), name="otelbridge-stream-events", daemon=True
    )
    thread.start()
    try:
        yield from collector.read()
    finally:
        collector.close()
        thread.join()
    if failure:
        raise failure[0]


def _close(chunks: Any) -> None:
    close = cast("Callable[[], None] | None", getattr(chunks, "close", None))
    if close is not None:
        close()
