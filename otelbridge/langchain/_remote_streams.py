"""Event streams, version 3, of graphs on a LangGraph server: a CLIENT span from start to close.

``RemoteGraph.stream_events`` and ``astream_events`` give an object that starts the graph's run on
the server when it is entered (``with``, ``async with``). A subclass takes the place of its class.
Relied on are ``_sdk._headers``, which are sent with every request from then on, ``_run_done`` and
``interrupted`` of ``_sdk``, which say how the run on the server stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from opentelemetry.propagate import inject

from otelbridge._tracing import guard
from otelbridge.context import Inside, Steps
from otelbridge.langchain._patch import Patches

if TYPE_CHECKING:
    from otelbridge.langchain._runs import LangChainRun

Begin = Callable[[Any, str, Any], "LangChainRun | None"]
"""Begins the run of a graph, by the name of its client and the call's config."""


def enter(graph: Any, patches: Patches, begin: Begin) -> None:
    """Enter ``RemoteGraph``, where it has event streams of version 3: from langgraph 1.2."""
    if "stream_events" in vars(graph):
        patches.put(graph, "stream_events", partial(_around, begin))
        patches.put(graph, "astream_events", partial(_async_around, begin))


def _around(begin: Begin, original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def stream_events(graph: Any, input: Any, config: Any = None, **kwargs: Any) -> Any:
        stream = original(graph, input, config, **kwargs)
        if kwargs.get("version") == "v3":
            _follow(stream, _Stream, partial(begin, graph, "sync_client", config))
        return stream

    return stream_events


def _async_around(
    begin: Begin, original: Callable[..., Coroutine[Any, Any, Any]]
) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(original)
    async def astream_events(graph: Any, input: Any, config: Any = None, **kwargs: Any) -> Any:
        stream = await original(graph, input, config, **kwargs)
        _follow(stream, _AsyncStream, partial(begin, graph, "client", config))
        return stream

    return astream_events


class _Call:
    """The run of one stream, from when it is entered."""

    def __init__(self, begin: Callable[[], LangChainRun | None]) -> None:
        self._begin = begin
        self._run: LangChainRun | None = None

    def open(self, stream: Any) -> Inside | None:
        """Begin the run; the stream's requests send its trace context."""
        try:
            self._run = run = self._begin()
            if run is None:
                return None
            headers = stream._sdk._headers
            carrier: dict[str, str] = {}
            inject(carrier, run.otel)
            headers.update({key: carrier[key] for key in carrier if key not in headers})
            return Inside(run.otel)
        except Exception:
            guard("begin the run of a remote graph")
            return None

    def close(self, error: BaseException | None) -> None:
        """End the run, if it has begun."""
        run, self._run = self._run, None
        if run is not None:
            run.finish(error)

    def leave(self, stream: Any, error: BaseException | None) -> BaseException | None:
        """Return what the run ends by when the stream is left."""
        if error is not None or self._run is None:
            return error
        try:
            done = stream._sdk._run_done
            if done.done():
                return _terminal(done)
            if not stream._sdk.interrupted:
                return GeneratorExit()
            self._run.interrupt()
        except Exception:
            guard("find out how the run of a remote graph ended")
        return None


def _terminal(done: Any) -> BaseException | None:
    try:
        failure: BaseException | None = done.result().error
    except (Exception, asyncio.CancelledError) as error:
        return error
    return failure


class _Followed:
    _otelbridge: _Call

    def __del__(self) -> None:
        self._otelbridge.close(GeneratorExit())  # entered, and never left


class _Stream(_Followed):
    """What a sync event stream is made to be."""

    def __enter__(self) -> Any:
        call = self._otelbridge
        inside = call.open(self)
        enter: Callable[[], Any] = super().__enter__  # type: ignore[misc]
        try:
            return enter() if inside is None else inside.run(enter)
        except BaseException as error:
            call.close(error)
            raise

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> Any:
        ended_by = self._otelbridge.leave(self, error)
        try:
            return super().__exit__(kind, error, trace)  # type: ignore[misc]
        finally:
            self._otelbridge.close(ended_by)

    def abort(self) -> None:
        """Cancel the run on the server."""
        try:
            super().abort()  # type: ignore[misc]
        finally:
            self._otelbridge.close(asyncio.CancelledError())


class _AsyncStream(_Followed):
    """What an async event stream is made to be."""

    async def __aenter__(self) -> Any:
        call = self._otelbridge
        inside = call.open(self)
        entering: Coroutine[Any, Any, Any] = super().__aenter__()  # type: ignore[misc]
        try:
            return await (entering if inside is None else Steps(entering, inside))
        except BaseException as error:
            call.close(error)
            raise

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> Any:
        ended_by = self._otelbridge.leave(self, error)
        try:
            return await super().__aexit__(kind, error, trace)  # type: ignore[misc]
        finally:
            self._otelbridge.close(ended_by)

    async def abort(self) -> None:
        """Cancel the run on the server."""
        try:
            await super().abort()  # type: ignore[misc]
        finally:
            self._otelbridge.close(asyncio.CancelledError())


def _follow(stream: Any, how: type[_Followed], begin: Callable[[], LangChainRun | None]) -> None:
    try:
        stream._otelbridge = _Call(begin)
        kind = type(stream)
        if (how, kind) not in _followed:
            members = {"__module__": kind.__module__}
            _followed[how, kind] = type(kind.__name__, (how, kind), members)
        stream.__class__ = _followed[how, kind]
    except Exception:
        guard("follow the event stream of a remote graph")


_followed: dict[tuple[type, type], type] = {}
