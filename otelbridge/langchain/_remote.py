"""Graphs that run on a LangGraph server: a CLIENT span, whose trace the server can continue.

LangChain's callbacks do not know of them. Relied on are ``RemoteGraph.stream`` and ``astream``,
through which ``invoke`` and ``ainvoke`` go too: both take ``headers`` by name, for the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from time import time_ns
from types import ModuleType
from typing import Any, cast

from opentelemetry.propagate import inject

from otelbridge import _run_ids
from otelbridge._tracing import guard
from otelbridge.context import get_otel
from otelbridge.langchain import _frames, _remote_streams
from otelbridge.langchain._events import is_suppressed
from otelbridge.langchain._patch import Patches
from otelbridge.langchain._runs import LangChainRun


def enter(remote: ModuleType, patches: Patches) -> None:
    """Enter ``langgraph.pregel.remote``."""
    graph = remote.RemoteGraph
    patches.put(graph, "stream", partial(_frames.around_generator, partial(_open, "sync_client")))
    patches.put(graph, "astream", partial(_frames.around_async_generator, partial(_open, "client")))
    _remote_streams.enter(graph, patches, _begin)


class _RemoteCall(_frames.Frame):
    """One call of a remote graph: its run ends with it."""

    __slots__ = ("_run",)

    def __init__(self, run: LangChainRun) -> None:
        super().__init__(run.otel)
        self._run = run

    def end(self, error: BaseException | None = None) -> None:
        super().end(error)
        self._run.finish(error)


def _open(client: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> _frames.Frame:
    """Begin the run of a call, which sends its trace context; ``kwargs`` are the call's own."""
    try:
        run = _begin(args[0], client, kwargs.get("config", args[2] if len(args) > 2 else None))
        if run is not None:
            carrier: dict[str, str] = {}
            inject(carrier, run.otel)
            # What the caller sends under the same name stays.
            headers = {**carrier, **(kwargs.get("headers") or {})}
            cast("dict[str, Any]", kwargs)["headers"] = headers
            return _RemoteCall(run)
    except Exception:
        guard("begin the run of a remote graph")
    return _frames.Frame(get_otel())


def _begin(graph: Any, client: str, config: Any) -> LangChainRun | None:
    from langchain_core.runnables.config import (
        ensure_config,
        get_callback_manager_for_config,
        merge_configs,
    )

    from otelbridge.langchain._presence import split

    full = ensure_config(merge_configs(graph.config, config))
    manager = get_callback_manager_for_config(full)
    ours = split(manager.handlers)[0]
    otel = get_otel()
    if ours is None or is_suppressed(otel):
        return None
    http = getattr(getattr(graph, client, None), "http", None)
    words = {
        "run_id": full.get("run_id") or _run_ids.uuid_of(_run_ids.new_id(time_ns())),
        "parent_run_id": manager.parent_run_id,
        "name": full.get("run_name") or graph.get_name(),
        "tags": manager.tags,
        "metadata": manager.metadata,
        "base_url": str(getattr(getattr(http, "client", None), "base_url", "")),
    }
    start = (ours.settings, manager.handlers, "remote_graph", "chain", (None, None), words, otel)
    return LangChainRun(*start)
