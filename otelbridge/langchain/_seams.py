"""The places where LangChain and LangGraph are entered, each with what it relies on.

========================================  ==========================================================
where                                     relied on
========================================  ==========================================================
``callbacks.manager.handle_event``        every manager's ``on_*`` method calls it, or its async
                                          twin, by that name in its module
``tracers.context._configure_hooks``      ``_configure`` adds the handler of each entry to every
                                          manager that it makes
``runnables.config._set_config_context``  ``set_config_context`` calls it inside a Context that it
                                          has just copied and drops with the body; LangGraph has its
                                          own two
``Runnable._transform_stream_with_config`` it catches GeneratorExit, and has the run in its
                                          local variable ``run_manager``
methods of models, tools, retrievers      they begin one run a call (``generate``: a prompt)
and graphs
``RunnableSeq.trace_policy``              with ``process_inputs`` and ``process_outputs``
========================================  ==========================================================

Whatever is not as expected is left alone, with one warning; the rest still works.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from types import ModuleType
from typing import Any

from otelbridge import _run_ids
from otelbridge._tracing import guard
from otelbridge.context import RUN_KEY, body_context, get_otel, set_otel
from otelbridge.langchain import _borders, _frames, _graphs, _remote
from otelbridge.langchain._patch import Patches
from otelbridge.langchain._runs import LangChainRun

logger = logging.getLogger("otelbridge")

Enter = Callable[[ModuleType, Patches], None]
NAMES_EVERY_BODY = "_set_config_context"


def _callbacks(manager: ModuleType, patches: Patches) -> None:
    from otelbridge.langchain._events import async_dispatch, sync_dispatch
    from otelbridge.langchain._presence import Hook, split

    _expect("handle_event", manager.CallbackManager.on_chain_start)
    _expect("ahandle_event", manager.AsyncCallbackManager.on_chain_start)
    patches.put(manager, "handle_event", partial(sync_dispatch, split=split, hook=Hook))
    patches.put(manager, "ahandle_event", partial(async_dispatch, split=split, hook=Hook))


def _configs(config: ModuleType, patches: Patches) -> None:
    _borders.open_(config)
    _bodies(config, patches)


def _bodies(config: ModuleType, patches: Patches) -> None:
    _expect(NAMES_EVERY_BODY, getattr(config.set_config_context, "__wrapped__", None))
    patches.put(config, NAMES_EVERY_BODY, _entering)


def _entering(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def _set_config_context(config: Mapping[str, Any], *args: Any) -> Any:
        result = original(config, *args)
        try:
            _enter_body(config)
        except Exception:
            guard("enter the body of a LangChain run")
        return result

    return _set_config_context


def _enter_body(config: Mapping[str, Any]) -> None:
    """Make the run of a config current, in the Context of its body."""
    run_id = getattr(config.get("callbacks"), "parent_run_id", None)
    run = None if run_id is None else _run_ids.live.get(run_id.int)
    if run is None:
        return
    here = get_otel()
    if isinstance(run, LangChainRun):
        run.give(config)
        if here.get(RUN_KEY) is not run:
            set_otel(run.otel)
    elif here.get(RUN_KEY) is not run:
        set_otel(body_context(run, run.span, here))


def _runnables(base: ModuleType, patches: Patches) -> None:
    name = "_transform_stream_with_config"
    stream = vars(base.Runnable).get(name)
    if "run_manager" not in getattr(getattr(stream, "__code__", None), "co_varnames", ()):
        raise LookupError(f"Runnable.{name} has no run_manager")
    patches.put(base.Runnable, name, _frames.around_chain_stream)


def _tools(tools: ModuleType, patches: Patches) -> None:
    # A tool's body is entered by its config; the frame is for its life time alone.
    opened = _frames.scope("tool", enters=False)
    patches.put(tools.BaseTool, "run", partial(_frames.around_call, opened))
    patches.put(tools.BaseTool, "arun", partial(_frames.around_coroutine, opened))


def _retrievers(retrievers: ModuleType, patches: Patches) -> None:
    opened = _frames.scope("retriever")
    patches.put(retrievers.BaseRetriever, "invoke", partial(_frames.around_call, opened))
    patches.put(retrievers.BaseRetriever, "ainvoke", partial(_frames.around_coroutine, opened))


def _chat_models(models: ModuleType, patches: Patches) -> None:
    model = models.BaseChatModel
    _model(model, patches)
    body, stream = _frames.body_of_run, _frames.stream_of_run
    patches.put(model, "_generate_with_cache", partial(_frames.around_call, body))
    patches.put(model, "_agenerate_with_cache", partial(_frames.around_coroutine, body))
    if "_iter_v2_events" in vars(model):  # since langchain-core 1.3: streams of events, version 3
        patches.put(model, "_iter_v2_events", partial(_frames.around_generator, stream))
        patches.put(model, "_aiter_v2_events", partial(_frames.around_async_generator, stream))


def _completion_models(models: ModuleType, patches: Patches) -> None:
    _model(models.BaseLLM, patches)


def _model(model: Any, patches: Patches) -> None:
    prompts, one = _frames.scope_of_prompts("llm"), _frames.scope("llm")
    patches.put(model, "generate", partial(_frames.around_call, prompts))
    patches.put(model, "agenerate", partial(_frames.around_coroutine, prompts))
    patches.put(model, "stream", partial(_frames.around_generator, one))
    patches.put(model, "astream", partial(_frames.around_async_generator, one))


def _nodes(runnable: ModuleType, patches: Patches) -> None:
    _bodies(runnable, patches)
    sequence = runnable.RunnableSeq
    if sys.version_info < (3, 11):  # there LangGraph gives the bodies of async nodes no context
        opened = _frames.scope("chain")
        for kind in (runnable.RunnableCallable, sequence):
            patches.put(kind, "ainvoke", partial(_frames.around_coroutine, opened))
        # a node, when events are streamed
        patches.put(sequence, "astream", partial(_frames.around_async_generator, opened))
    elif hasattr(runnable, "TracePolicy"):
        patches.put(sequence, "ainvoke", partial(_frames.around_coroutine, _scope_of_two_parts))
        patches.put(sequence, "astream", _around_two_parts)


def _scope_of_two_parts(args: Sequence[Any], kwargs: Mapping[str, Any]) -> _frames.Frame | None:
    """Open the scope of a node that has a policy of its own for tracers.

    LangGraph (since 1.2) then tells tracers apart from other handlers, and a cancel in between
    leaves the others without an end.
    """
    policy = args[0].trace_policy
    if policy.process_inputs is None and policy.process_outputs is None:
        return None
    return _frames.Scope("chain", 1, enters=False)


def _around_two_parts(original: Callable[..., Any]) -> Callable[..., Any]:
    framed = _frames.around_async_generator(_frames.scope("chain", enters=False), original)

    @wraps(original)
    def astream(*args: Any, **kwargs: Any) -> Any:
        needs_frame = _scope_of_two_parts(args, kwargs) is not None
        return (framed if needs_frame else original)(*args, **kwargs)

    return astream


def _graph(main: ModuleType, patches: Patches) -> None:
    opened = _frames.scope_of_graph
    patches.put(main.Pregel, "stream", partial(_frames.around_generator, opened))
    patches.put(main.Pregel, "astream", partial(_frames.around_async_generator, opened))
    _graphs.enter(main, patches)


SEAMS: Mapping[str, Enter] = {
    "langchain_core.callbacks.manager": _callbacks,
    "langchain_core.runnables.config": _configs,
    "langchain_core.runnables.base": _runnables,
    "langchain_core.tools.base": _tools,
    "langchain_core.retrievers": _retrievers,
    "langchain_core.language_models.chat_models": _chat_models,
    "langchain_core.language_models.llms": _completion_models,
    "langgraph._internal._runnable": _nodes,
    "langgraph.pregel.main": _graph,
    "langgraph.pregel.remote": _remote.enter,
}


def enter(module: ModuleType, patches: Patches) -> None:
    """Enter a module that has been imported; never raises into the import."""
    try:
        SEAMS[module.__name__](module, patches)
    except Exception as error:
        logger.warning(
            "otelbridge does not know this version of %s (%s): its runs are traced by callbacks "
            "alone, and those that are cancelled or nest in other spans may be missing or "
            "misplaced. Use versions of langchain-core and langgraph that otelbridge's README "
            "names, or a newer otelbridge",
            module.__name__,
            error,
        )


def _expect(name: str, function: Any) -> None:
    if name not in getattr(getattr(function, "__code__", None), "co_names", ()):
        raise LookupError(f"{getattr(function, '__qualname__', function)} does not use {name}")
