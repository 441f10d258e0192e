"""LangChain's callbacks, heard before anybody else: which of them begin, feed and end a run.

Every manager of LangChain's dispatches through two functions, ``handle_event`` and its async twin.
Where one of our handlers is among those to be told, it is served first, in the caller's own frame
and thread, and the others then as upstream does it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context

from otelbridge import _run_ids
from otelbridge._tracing import guard
from otelbridge.context import RUN_KEY, get_otel
from otelbridge.events import record_event
from otelbridge.langchain import _hidden
from otelbridge.langchain._frames import SCOPE_KEY, Scope
from otelbridge.langchain._runs import LangChainRun

if TYPE_CHECKING:
    from otelbridge.langchain._presence import OtelCallbackHandler
    from otelbridge.langchain._settings import Settings

HIDDEN_TAG = "langsmith:hidden"
_SUPPRESSED = _SUPPRESS_INSTRUMENTATION_KEY
_SUPPRESSED_FORMERLY = "suppress_instrumentation"  # which instrumentations still set

Words = dict[str, Any]
_Told = list[Any]
Split = Callable[[_Told], "tuple[OtelCallbackHandler | None, _Told]"]
"""Gives our handler among those to be told, or None, and the others."""
_Action = Callable[["Settings", _Told, tuple[Any, ...], Words], "LangChainRun | None"]


def sync_dispatch(
    original: Callable[..., None], split: Split, hook: type[OtelCallbackHandler]
) -> Callable[..., None]:
    """Return what stands in for ``handle_event``.

    Args:
        original: upstream's.
        split: finds our handler.
        hook: what our handler is where no call was given one.
    """

    @wraps(original)
    def handle_event(
        handlers: _Told, event_name: str, ignore: str | None, *args: Any, **kwargs: Any
    ) -> None:
        ours: OtelCallbackHandler | None
        others: _Told
        if len(handlers) == 1 and type(handlers[0]) is hook:  # most apps have no others
            ours, others = handlers[0], _NOBODY
        else:
            ours, others = split(handlers)
        if ours is None:
            return original(handlers, event_name, ignore, *args, **kwargs)
        act, begun = _ACTIONS.get(event_name), None
        if act is not None:
            try:
                begun = act(ours.settings, handlers, args, kwargs)
            except Exception:
                guard(_FOLLOW)
        if not others:
            return None
        try:
            return original(others, event_name, ignore, *args, **kwargs)
        except BaseException as error:
            if begun is not None:  # a handler with raise_error: upstream ends no run then
                begun.finish(error)
            raise

    return handle_event


def async_dispatch(
    original: Callable[..., Coroutine[Any, Any, None]],
    split: Split,
    hook: type[OtelCallbackHandler],
) -> Callable[..., Coroutine[Any, Any, None]]:
    """Return what stands in for ``ahandle_event``; ours is served before the first await."""

    @wraps(original)
    async def ahandle_event(
        handlers: _Told, event_name: str, ignore: str | None, *args: Any, **kwargs: Any
    ) -> None:
        ours: OtelCallbackHandler | None
        others: _Told
        if len(handlers) == 1 and type(handlers[0]) is hook:  # most apps have no others
            ours, others = handlers[0], _NOBODY
        else:
            ours, others = split(handlers)
        if ours is None:
            return await original(handlers, event_name, ignore, *args, **kwargs)
        act, begun = _ACTIONS.get(event_name), None
        if act is not None:
            try:
                begun = act(ours.settings, handlers, args, kwargs)
            except Exception:
                guard(_FOLLOW)
        if not others:
            return None
        try:
            return await original(others, event_name, ignore, *args, **kwargs)
        except BaseException as error:
            if begun is not None:
                begun.finish(error)
            raise

    return ahandle_event


def hear(settings: Settings, event_name: str, args: tuple[Any, ...], words: Words) -> None:
    """Take one callback where callbacks are all that there is."""
    try:
        _ACTIONS[event_name](settings, _NOBODY, args, words)
    except Exception:
        guard(_FOLLOW)


_NOBODY: _Told = []
_FOLLOW = "follow a callback of LangChain"


def _start(kind: str, run_type: str) -> _Action:
    def start(
        settings: Settings, told: _Told, args: tuple[Any, ...], words: Words
    ) -> LangChainRun | None:
        otel = get_otel()
        if is_suppressed(otel):
            return None
        scope: Scope | None = otel.get(SCOPE_KEY)  # type: ignore[assignment]
        tags = words.get("tags")
        if tags and HIDDEN_TAG in tags and not settings.include_hidden:
            _hidden.begin(words["run_id"], words.get("parent_run_id"), otel)
            if scope is not None:
                scope.pass_over(run_type, words["run_id"])
            return None
        if scope is not None and scope.begun(words["run_id"]) is not None:
            return None  # an async chat model tells each of several handlers by itself
        run = LangChainRun(settings, told, kind, run_type, args, words, otel, scope)
        if scope is not None:
            scope.claim(run)
        return run

    return start


def _end(settings: Settings, told: _Told, args: tuple[Any, ...], words: Words) -> None:
    run = _run_of(words["run_id"], told)
    if run is not None:
        run.complete(args[0] if args else None)


def _fail(settings: Settings, told: _Told, args: tuple[Any, ...], words: Words) -> None:
    run = _run_of(words["run_id"], told)
    if run is not None:
        run.break_off(args[0], words.get("response"))


def _token(settings: Settings, told: _Told, args: tuple[Any, ...], words: Words) -> None:
    run = _run_ids.live.get(words["run_id"].int)
    if isinstance(run, LangChainRun) and (run.wants_chunks or run._shadowed is not None):
        _one_of(run, words["run_id"], told).note_chunk()


def _stream_event(settings: Settings, told: _Told, args: tuple[Any, ...], words: Words) -> None:
    run = _run_ids.live.get(words["run_id"].int)
    if isinstance(run, LangChainRun):
        _one_of(run, words["run_id"], told).note_stream_event(args[0])


def _custom_event(settings: Settings, told: _Told, args: tuple[Any, ...], words: Words) -> None:
    run_id = words["run_id"]
    run = _run_ids.live.get(run_id.int)
    if run is not None and not run.recorded:
        return
    if is_suppressed(get_otel()):
        return
    if run is None:
        record_event(run_id, args[0], args[1])
    else:
        run.record(args[0], args[1])


_ACTIONS: Mapping[str, _Action] = {
    "on_chain_start": _start("chain", "chain"),
    "on_chat_model_start": _start("chat_model", "llm"),
    "on_llm_start": _start("llm", "llm"),
    "on_tool_start": _start("tool", "tool"),
    "on_retriever_start": _start("retriever", "retriever"),
    "on_chain_end": _end,
    "on_llm_end": _end,
    "on_tool_end": _end,
    "on_retriever_end": _end,
    "on_chain_error": _fail,
    "on_llm_error": _fail,
    "on_tool_error": _fail,
    "on_retriever_error": _fail,
    "on_llm_new_token": _token,
    "on_stream_event": _stream_event,
    "on_custom_event": _custom_event,
}


def is_suppressed(otel: Context) -> bool:
    """Return whether the application has asked for no spans here."""
    if _SUPPRESSED in otel or _SUPPRESSED_FORMERLY in otel:
        return bool(otel.get(_SUPPRESSED) or otel.get(_SUPPRESSED_FORMERLY))
    return False


def _run_of(run_id: UUID, told: _Told) -> LangChainRun | None:
    """Return the live run that a callback with these handlers is of."""
    run = _run_ids.live.get(run_id.int)
    if isinstance(run, LangChainRun) and run.is_told(run_id, told):
        return run
    if run is None:
        return None
    if not run.is_named(run_id):
        _hidden.end(run_id)
        return None
    return _one_of(run, run_id, told) if isinstance(run, LangChainRun) else None


def _one_of(newest: LangChainRun, run_id: UUID, told: _Told) -> LangChainRun:
    """Return the run that is meant among those that have been given one id."""
    if newest.is_only:
        return newest
    if (run := newest.heard(told)) is not None:
        return run
    # An async chat model's start comes with a list of its own; its end, in the call's context.
    otel = get_otel()
    here = otel.get(RUN_KEY)
    if isinstance(here, LangChainRun) and here.is_named(run_id):
        return here
    scope = cast("Scope | None", otel.get(SCOPE_KEY))
    return (scope and scope.begun(run_id)) or newest
