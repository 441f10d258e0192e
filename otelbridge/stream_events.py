"""The event stream: what happens in a run, as dicts, in the order in which it happens.

A handler like any other takes it from the runs. At most ``MOST_UNREAD`` events wait to be read:
whoever would add one more waits, if it can.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from time import time_ns
from typing import Any, TypedDict, cast
from uuid import UUID

from otelbridge import _run_ids
from otelbridge._backlog import running_loop
from otelbridge.config import RunnableConfig, ensure_config
from otelbridge.handlers import BaseCallbackHandler
from otelbridge.manager import CallbackManager

MOST_UNREAD = 1_000


class _Event(TypedDict):
    event: str
    run_id: str
    name: str
    data: Any
    parent_ids: list[str]


class StreamEvent(_Event, total=False):
    """One event of an event stream.

    Attributes:
        event: ``on_<run type>_<start|stream|end|error>`` or ``on_custom_event``.
        run_id: text of the run's id.
        name: the run's name; of a custom event, the event's.
        tags: the run's.
        metadata: the run's.
        data: ``input``, ``output``, ``chunk`` or ``error``; of a custom event, its data.
        parent_ids: of the runs above, from the root down.
    """

    tags: list[str]
    metadata: dict[str, Any]


class _Filter:
    """Which events the consumer wants."""

    def __init__(self, options: Mapping[str, Sequence[str] | None]) -> None:
        self._options = options
        self._includes = any(options[f"include_{part}"] is not None for part in _PARTS)

    def wants(self, event: StreamEvent, kind: str) -> bool:
        values = {"names": [event["name"]], "types": [kind], "tags": event.get("tags") or []}
        if self._includes and not any(self._hits("include", part, values[part]) for part in _PARTS):
            return False
        return not any(self._hits("exclude", part, values[part]) for part in _PARTS)

    def _hits(self, verb: str, part: str, values: list[str]) -> bool:
        chosen = self._options[f"{verb}_{part}"]
        return chosen is not None and any(value in chosen for value in values)


_PARTS = ("names", "types", "tags")
_OPTIONS = tuple(f"{verb}_{part}" for verb in ("include", "exclude") for part in _PARTS)


class _About(TypedDict):
    """What is kept of a live run."""

    name: str
    tags: list[str]
    metadata: dict[str, Any]
    kind: str
    parents: list[str]
    inputs: Any


_UNKNOWN: Any = object()


class _Collector(BaseCallbackHandler):
    """Turns hooks into events. Subclasses say how an event is handed over.

    The methods return what a dispatching coroutine awaits for room, or None.
    """

    raise_error = False

    def __init__(self, options: Mapping[str, Sequence[str] | None], root: UUID, value: Any) -> None:
        self._filter = _Filter(options)
        self._runs: dict[UUID, _About] = {}
        self._root = root
        self._value = value
        self._first_run: str | None = None
        self.root_streams = False

    def __copy__(self) -> _Collector:
        return self

    def __deepcopy__(self, memo: Any) -> _Collector:
        return self

    def put(self, event: StreamEvent) -> Any:
        """Hand an event over."""
        raise NotImplementedError

    def _send(self, what: str, run_id: UUID, about: _About, data: Any) -> Any:
        event: StreamEvent = {
            "event": f"on_{about['kind']}_{what}",
            "run_id": str(run_id),
            "name": about["name"],
            "tags": about["tags"],
            "metadata": about["metadata"],
            "data": data,
            "parent_ids": about["parents"],
        }
        return self._offer(event, about["kind"])

    def _offer(self, event: StreamEvent, kind: str) -> Any:
        if not self._filter.wants(event, kind):
            return None
        # The first event that is sent has the stream's input, and its run's end has none
        # (langchain-core's convention); a custom event's data is the user's and stays as it is.
        if self._first_run is None:
            self._first_run = event["run_id"]
            if event["event"] != "on_custom_event":
                event["data"] = {**event["data"], "input": self._value}
        elif event["run_id"] == self._first_run and event["event"].endswith("_end"):
            event["data"].pop("input", None)
        return self.put(event)

    def _parents(self, parent_run_id: UUID | None) -> list[str]:
        if parent_run_id is None:
            return []
        above = self._runs.get(parent_run_id)
        return [*(above["parents"] if above else ()), str(parent_run_id)]

    def _started(self, kind: str, inputs: Any, data: Any, run_id: UUID, kwargs: Any) -> Any:
        about: _About = {
            "name": kwargs.get("name") or "Unnamed",
            "tags": kwargs.get("tags") or [],
            "metadata": kwargs.get("metadata") or {},
            "kind": kind,
            "parents": self._parents(kwargs.get("parent_run_id")),
            "inputs": inputs,
        }
        self._runs[run_id] = about
        return self._send("start", run_id, about, data)

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        to_come = _is_to_come(inputs)
        data = {} if to_come else {"input": inputs}
        kind = kwargs.get("run_type") or "chain"
        return self._started(kind, _UNKNOWN if to_come else inputs, data, run_id, kwargs)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        about = self._runs.pop(run_id, None)
        if about is None:
            return None
        known = None if about["inputs"] is _UNKNOWN else about["inputs"]
        inputs = kwargs.get("inputs") or known or {}
        return self._send("end", run_id, about, {"output": outputs, "input": inputs})

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        # Upstream streams no event here; the entry goes, so that nothing is kept.
        self._runs.pop(run_id, None)

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: UUID, **kwargs: Any) -> Any:
        inputs = kwargs.get("inputs")
        kwargs["name"] = kwargs.get("name") or (serialized or {}).get("name")
        return self._started("tool", inputs, {"input": inputs or {}}, run_id, kwargs)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        about = self._runs.pop(run_id, None)
        if about is None:
            return None
        return self._send("end", run_id, about, {"output": output, "input": about["inputs"]})

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        about = self._runs.pop(run_id, None)
        if about is None:
            return None
        data = {
            "error": error,
            "input": about["inputs"],
            "tool_call_id": kwargs.get("tool_call_id"),
        }
        return self._send("error", run_id, about, data)

    def on_stream_chunk(self, chunk: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        about = self._runs.get(run_id)
        if about is None:
            return None
        self.root_streams = self.root_streams or run_id == self._root
        return self._send("stream", run_id, about, {"chunk": chunk})

    def on_root_chunk(self, chunk: Any) -> Any:
        """Take a chunk that the consumer's stream gave, unless its run has told it already."""
        if self.root_streams:
            return None
        about = self._runs.get(self._root)
        return None if about is None else self._send("stream", self._root, about, {"chunk": chunk})

    def on_custom_event(
        self,
        name: str,
        data: Any,
        *,
        run_id: UUID,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        about = self._runs.get(run_id)
        event: StreamEvent = {
            "event": "on_custom_event",
            "run_id": str(run_id),
            "name": name,
            "tags": tags or [],
            "metadata": metadata or {},
            "data": data,
            "parent_ids": about["parents"] if about else [],
        }
        return self._offer(event, name)


def _is_to_come(inputs: Any) -> bool:
    return isinstance(inputs, dict) and len(inputs) == 1 and inputs.get("input", 0) == ""


class _AsyncCollector(_Collector):
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
        return self._wait() if on_loop else self._wait_in_thread()

    async def _wait(self) -> None:
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
    chosen = {name: options.pop(name, None) for name in _OPTIONS}
    config, root = _rooted(config)
    collector = _AsyncCollector(chosen, root, input)
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


def _listen(config: RunnableConfig, collector: _Collector) -> None:
    manager = CallbackManager.of(config.get("callbacks"))
    if manager.parent_run_id is None:
        config["callbacks"] = [*manager.handlers, collector]
    else:
        manager.add_handler(collector, inherit=True)
        config["callbacks"] = manager


class _SyncCollector(_Collector):
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
    chosen = {name: options.pop(name, None) for name in _OPTIONS}
    config, root = _rooted(config)
    collector = _SyncCollector(chosen, root, input)
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
