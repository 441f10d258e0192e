"""Custom events: dispatched by user code, delivered to the run's span and to its handlers."""

from __future__ import annotations

from time import time_ns
from typing import Any, cast
from uuid import UUID

from opentelemetry.trace import get_current_span

from otelbridge import _run_ids, _tracing
from otelbridge._span_events import late_event
from otelbridge._tracing import guard
from otelbridge.config import RunnableConfig, ensure_config
from otelbridge.context import RUN_KEY, current_run, get_otel
from otelbridge.delivery import adeliver, deliver
from otelbridge.errors import NoActiveRunError
from otelbridge.handlers import hooks_of
from otelbridge.manager import CallbackManager
from otelbridge.run import Run

_NO_RUN = (
    "The custom event {name!r} was dispatched outside of any run. Dispatch it from inside a "
    "runnable's function, a function with @traced, or `with start_run(...)`; where the context "
    "does not reach (a thread of your own, a foreign executor), take a `config: RunnableConfig` "
    "parameter and pass it as dispatch_custom_event(..., config=config). Pass required=False to "
    "do nothing instead."
)


def dispatch_custom_event(
    name: str, data: Any, *, config: RunnableConfig | None = None, required: bool = True
) -> None:
    """Dispatch a custom event from sync code; it never blocks an event loop.

    Args:
        name: of the event, and of the span event.
        data: anything; handlers get it by reference.
        config: of the run that the event belongs to, where the context does not carry it.
        required: False makes a dispatch outside of any run do nothing.

    Raises:
        NoActiveRunError: no run is active here, and ``required`` is true.
        Exception: of a handler whose ``raise_error`` is true.
    """
    if config is None:
        run: Run | None = get_otel().get(RUN_KEY)  # type: ignore[assignment]
        if run is not None:
            return run.event(name, data)
    manager = _manager_of(name, config, required)
    if manager is not None:
        run = _record(manager, name, data)
        hooks = hooks_of(manager.handlers, "custom_event")
        deliver(hooks, "custom_event", run, (name, data), _keywords(manager))


async def adispatch_custom_event(
    name: str, data: Any, *, config: RunnableConfig | None = None, required: bool = True
) -> None:
    """Dispatch a custom event from async code; async handlers are awaited.

    Arguments and errors are those of ``dispatch_custom_event``.
    """
    if config is None:
        run: Run | None = get_otel().get(RUN_KEY)  # type: ignore[assignment]
        if run is not None:
            rest = run.begin_event(name, data)
            if rest is not None:
                await rest
            return None
    manager = _manager_of(name, config, required)
    if manager is not None:
        run = _record(manager, name, data)
        hooks = hooks_of(manager.handlers, "custom_event")
        await adeliver(hooks, "custom_event", run, (name, data), _keywords(manager))


def _manager_of(name: str, config: RunnableConfig | None, required: bool) -> CallbackManager | None:
    """Return the manager of the run that ``config`` means: its own, else the current one."""
    full = cast("dict[str, Any]", ensure_config(config))
    manager = CallbackManager.of(full["callbacks"])
    here = current_run()
    if manager.parent_run_id is None and here is not None:
        manager = here.get_child().merge(manager)
    if manager.parent_run_id is None:
        if required:
            raise NoActiveRunError(_NO_RUN.format(name=name))
        return None
    manager.add_tags(full["tags"])
    manager.add_metadata(full["metadata"])
    return manager


def _keywords(manager: CallbackManager) -> dict[str, Any]:
    return {
        "run_id": manager.parent_run_id,
        "tags": manager.tags,
        "metadata": manager.metadata,
    }


def _record(manager: CallbackManager, name: str, data: Any) -> Run | None:
    """Give the event to the span of the manager's run; return that run while it is known."""
    run_id = manager.parent_run_id
    assert run_id is not None
    return record_event(run_id, name, data)


def record_event(run_id: UUID, name: str, data: Any) -> Run | None:
    """Give an event to the span of the run with this id; return that run while it is known.

    Of a run that has ended, or that nobody knows, it becomes a zero-length span.
    """
    run = current_run()
    if run is None or not run.is_named(run_id):
        run = _run_ids.live.get(run_id.int)
    if run is not None:
        run.record(name, data)
        return run
    try:
        ended = _run_ids.ended_run(run_id.int)
        parent = get_current_span().get_span_context() if ended is None else ended.span_context
        tracing = _tracing.current() if ended is None else ended.tracing
        cleaned, attributes, _ = tracing.gate.event(name, data)
        run_name = "run" if ended is None else ended.name
        late_event(tracing, parent, cleaned, attributes, (run_name, str(run_id)), time_ns())
    except Exception:
        guard("record a custom event")
    return None
