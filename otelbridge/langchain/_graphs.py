"""What LangGraph has beyond LangChain: stream writers, interrupts, resumed runs, cached nodes.

A graph runs in a loop that ``Pregel.stream`` and ``astream`` enter and leave as a context manager.
When it has been entered, it has read the checkpoint and holds the run's config; it is left by the
exception that stops the graph, an interrupt included, which a root graph's loop then swallows.
Both are so in every langgraph from 1.0. Read of a loop are ``config``, ``manager``, ``status``,
``tasks``, ``checkpoint``, ``checkpoint_ns`` and what it is to interrupt before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial, wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any

from otelbridge import _run_ids, semconv
from otelbridge._tracing import guard
from otelbridge.langchain import _interrupts, _writers
from otelbridge.langchain._patch import Patches
from otelbridge.langchain._runs import LangChainRun

if TYPE_CHECKING:
    from otelbridge.langchain._presence import OtelCallbackHandler

RUNTIME = "__pregel_runtime"  # langgraph's key in a config's configurable

Enter = Callable[[Any], Any]
AsyncEnter = Callable[[Any], Coroutine[Any, Any, Any]]
Leave = Callable[..., "bool | None"]
AsyncLeave = Callable[..., Coroutine[Any, Any, "bool | None"]]


def enter(main: ModuleType, patches: Patches) -> None:
    """Enter ``langgraph.pregel.main``."""
    sync, async_ = main.SyncPregelLoop, main.AsyncPregelLoop
    patches.put(sync, "__enter__", partial(_entering, patches))
    patches.put(async_, "__aenter__", partial(_aentering, patches))
    patches.put(sync, "__exit__", _leaving)
    patches.put(async_, "__aexit__", _aleaving)
    patches.put(sync, "match_cached_writes", _matching)
    patches.put(async_, "amatch_cached_writes", _amatching)


def _entering(patches: Patches, original: Enter) -> Enter:
    @wraps(original)
    def __enter__(loop: Any) -> Any:
        entered = original(loop)
        _entered(loop, patches)
        return entered

    return __enter__


def _aentering(patches: Patches, original: AsyncEnter) -> AsyncEnter:
    @wraps(original)
    async def __aenter__(loop: Any) -> Any:
        entered = await original(loop)
        _entered(loop, patches)
        return entered

    return __aenter__


def _leaving(original: Leave) -> Leave:
    @wraps(original)
    def __exit__(loop: Any, kind: Any, error: BaseException | None, trace: Any) -> bool | None:
        _left(loop, error)
        return original(loop, kind, error, trace)

    return __exit__


def _aleaving(original: AsyncLeave) -> AsyncLeave:
    @wraps(original)
    async def __aexit__(
        loop: Any, kind: Any, error: BaseException | None, trace: Any
    ) -> bool | None:
        _left(loop, error)
        return await original(loop, kind, error, trace)

    return __aexit__


def _matching(original: Callable[[Any], Sequence[Any]]) -> Callable[[Any], Sequence[Any]]:
    @wraps(original)
    def match_cached_writes(loop: Any) -> Sequence[Any]:
        tasks = original(loop)
        if tasks:
            _tell_cached(loop, tasks)
        return tasks

    return match_cached_writes


def _amatching(
    original: Callable[[Any], Coroutine[Any, Any, Sequence[Any]]],
) -> Callable[[Any], Coroutine[Any, Any, Sequence[Any]]]:
    @wraps(original)
    async def amatch_cached_writes(loop: Any) -> Sequence[Any]:
        tasks = await original(loop)
        if tasks:
            _tell_cached(loop, tasks)
        return tasks

    return amatch_cached_writes


def _entered(loop: Any, patches: Patches) -> None:
    """Listen to what the graph writes; link its run to the interrupted one that it resumes."""
    try:
        ours = _ours(loop)
        if ours is None:
            return
        run = _run_of(loop)
        if ours.settings.writer_events:
            config = loop.config["configurable"]
            runtime = config[RUNTIME]
            writer = _writers.listening(runtime.stream_writer, run, patches)
            config[RUNTIME] = runtime.override(stream_writer=writer)
        if run is not None:
            _interrupts.resume(loop, run)
    except Exception:
        guard("enter a graph")


def _left(loop: Any, error: BaseException | None) -> None:
    """Note how the graph has stopped: one that is interrupted need not end by an exception."""
    try:
        run = _run_of(loop)
        if run is not None:
            _interrupts.stop(loop, run, error)
    except Exception:
        guard("leave a graph")


def _tell_cached(loop: Any, tasks: Sequence[Any]) -> None:
    """Say on the graph's span which nodes do not run, because their results are in a cache."""
    try:
        run = _run_of(loop)
        if run is not None:
            for task in tasks:
                run.record(semconv.GRAPH_CACHED, {"node": task.name})
    except Exception:
        guard("record a cached node")


def _ours(loop: Any) -> OtelCallbackHandler | None:
    from otelbridge.langchain._presence import split  # needs langchain-core

    return split(loop.manager.handlers)[0]


def _run_of(loop: Any) -> LangChainRun | None:
    """Return the run of the loop's graph, if it has a span of its own."""
    manager = loop.manager
    run = _run_ids.live.get(manager.run_id.int)
    if not isinstance(run, LangChainRun) or not run.is_named(manager.run_id):
        return None
    return run.heard(manager.handlers) or run
