"""The run: one invocation, one span, begun once and ended exactly once.

``begin`` opens the span and tells the handlers; ``end``, ``fail`` or the async twins tell the
handlers and close the span. Whoever begins a run ends it in the same frame. The body runs inside
``run.context`` (``enter``, ``asteps``), where the run is the current one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import copy_context
from time import time_ns
from typing import Any, ParamSpec, TypeVar

from opentelemetry.context import Context

from otelbridge import _run_ids
from otelbridge._backlog import running_loop
from otelbridge._process import process
from otelbridge._run_config import ChildConfig
from otelbridge._run_handlers import ToldRun
from otelbridge._run_span import outcome_of
from otelbridge.config import RunnableConfig
from otelbridge.context import RUN_KEY, Steps, border, get_otel, set_otel
from otelbridge.errors import ConfigurationError
from otelbridge.handlers import hook_names

__all__ = ["Run", "abegin", "begin", "begin_async", "outcome_of"]

P = ParamSpec("P")
T = TypeVar("T")

_NO_NAMES: frozenset[str] = frozenset()


class _HookNames(dict[str, str]):
    """The full names of one phase's hooks by the kind of run, each made once."""

    def __init__(self, phase: str) -> None:
        self._phase = phase

    def __missing__(self, kind: str) -> str:
        name = self[kind] = f"on_{kind}_{self._phase}"
        return name


_STARTS = _HookNames("start")
_ENDS = _HookNames("end")


class Run(ToldRun):
    """One invocation of a runnable, or of any code between ``begin`` and its end.

    A body parameter named ``run_manager`` receives it. ``event`` and ``aevent`` may be called
    from any thread; ending belongs to whoever began the run.

    Attributes:
        name: the run's name, as handlers and the span have it.
        run_type: ``chain``, ``tool`` and so on.
        parent_run_id: of the run that this one was begun in, or None.
        handlers: called for this run; ``inheritable_handlers`` also for what runs below it.
        tags: of this run; ``inheritable_tags`` also of what runs below it.
        metadata: likewise, with ``inheritable_metadata``.
        span: the run's span. It never raises and may not record.
        context: the ``contextvars.Context`` in which the body runs.
        ended: whether the run has ended.
    """

    __slots__ = ()

    def __init__(
        self,
        name: str,
        config: RunnableConfig | None,
        run_type: str | None,
        kind: str,
        *,
        is_async: bool = False,
    ) -> None:
        otel = get_otel()
        here: Run | None = otel.get(RUN_KEY)  # type: ignore[assignment]
        self.name = name
        self.run_type = run_type or kind
        self._kind = kind
        self._ambient = here
        self._process = process.token
        self._text = ""
        self.ended = self._is_entered = self._says_tags = False
        self.block = self._above = self._parent_id = self._uuid = self._shadowed = None
        self._config = self._shared = self._events = self._event_hooks = self._described = None
        self._host = self._loop = self._wants_output = None
        self._backlogs = ()
        self._names = _NO_NAMES
        if type(config) is ChildConfig:
            self._descend(config.run, config.tag)
        elif config:
            if type(config) is not dict and not isinstance(config, Mapping):
                raise ConfigurationError(
                    f"The config is {config!r}; it must be a dict, such as {{'tags': ['a']}}."
                )
            self._config = dict(config)
            self._take(config, here)
        elif here is not None:
            self._descend(here, None)
        else:
            self.handlers = self.inheritable_handlers = []
            self.tags = self.inheritable_tags = []
            self.metadata = self.inheritable_metadata = {}
            self._says_tags = True
        now_ns = time_ns()
        if self._uuid is None:
            self._id = _run_ids.new_id(now_ns)
        context = self.context = copy_context()
        context.run(set_otel, Context(self._open_span(otel, here, now_ns)))
        if border.enter is not None:
            context.run(border.enter, self)
        if self.handlers:
            self._names = hook_names(self.handlers)
        if here is None and self._parent_id is not None:
            # A thread that the context does not reach: the config still says what is above.
            here = _run_ids.live.get(self._parent_id.int)
        if is_async or (here is not None and here._host is not None):
            self._settle_host(here, is_async)

    def __repr__(self) -> str:
        state = "ended" if self.ended else "live"
        return f"<Run {self.name!r} {self.run_type} {self._id_text()} {state}>"

    def enter(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``func`` inside the run; as it is where that is so already, or after the end."""
        if self.ended or get_otel().get(RUN_KEY) is self:
            return func(*args, **kwargs)
        return self.context.run(func, *args, **kwargs)

    def asteps(self, awaitable: Awaitable[T]) -> Steps[T]:
        """Return an awaitable that runs ``awaitable`` inside the run, step by step."""
        return Steps(awaitable, self.context)

    def end(self, output: Any = None, **extra: Any) -> None:
        """End the run with its output. A second end, of any kind, does nothing."""
        if self.ended:
            return
        if _ENDS[self._kind] in self._names:
            try:
                self._tell("end", (output,), extra)
            except BaseException as error:
                self._close(error, None)
                raise
        self._close(None, output)

    def fail(self, error: BaseException, **extra: Any) -> None:
        """End the run by an exception; cancel, early close and interrupts are no errors."""
        if self.ended:
            return
        try:
            self._tell("error", (error,), extra)
        finally:
            self._close(error, None)

    def close(self, closed: GeneratorExit, output: Any = None, **extra: Any) -> None:
        """End a stream that its consumer has closed.

        The handlers are told an end with the ``output`` so far, as upstream tells it.
        """
        if self.ended:
            return
        try:
            self._tell("end", (output,), extra)
        finally:
            self._close(closed, None)

    async def aclose(self, closed: GeneratorExit, **extra: Any) -> None:
        """End an async stream that its consumer has closed: upstream tells that as an error."""
        if self.ended:
            return
        try:
            if self.handlers and running_loop() is not None:
                await self._tell_last("error", (closed,), extra)
            else:
                self._tell("error", (closed,), extra)
        finally:
            self._close(closed, None)

    async def aend(self, output: Any = None, **extra: Any) -> None:
        """As ``end``; async handlers are awaited before the run ends, also when cancelled."""
        rest = self.begin_end(output, **extra)
        if rest is not None:
            await rest

    def begin_end(self, output: Any = None, **extra: Any) -> Coroutine[Any, Any, None] | None:
        """As ``aend``; return what is left to be awaited, nothing where no handler is told."""
        if not self.ended:
            if _ENDS[self._kind] in self._names or (self._backlogs and self.unsettled()):
                return self._aend(output, extra)
            self._close(None, output)
        return None

    async def _aend(self, output: Any, extra: Mapping[str, Any]) -> None:
        try:
            await self._tell_last("end", (output,), extra)
        except BaseException as error:
            self._close(error, None)
            raise
        self._close(None, output)

    async def afail(self, error: BaseException, **extra: Any) -> None:
        """As ``fail``; async handlers are awaited before the run ends, also when cancelled."""
        if self.ended:
            return
        if isinstance(error, GeneratorExit) or not (self.handlers or self.unsettled()):
            # A coroutine that is being closed may not await.
            return self.fail(error, **extra)
        try:
            await self._tell_last("error", (error,), extra)
        finally:
            self._close(error, None)

    def get_sync(self) -> Run:
        """Return the run: it serves sync and async bodies alike."""
        return self

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        """End a run that was begun by hand through a manager."""
        self.end(outputs, **kwargs)

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        """End a run that was begun by hand through a manager, by an exception."""
        self.fail(error, **kwargs)

    on_tool_end = on_retriever_end = on_chain_end
    on_tool_error = on_retriever_error = on_chain_error


def begin(
    name: str,
    config: RunnableConfig | None,
    inputs: Any,
    /,
    run_type: str | None = None,
    serialized: Any = None,
    *,
    kind: str = "chain",
    **extra: Any,
) -> Run:
    """Begin a run in sync code: open its span, then tell the handlers.

    Args:
        name: unless the config has a ``run_name``.
        config: the caller's; what it leaves out comes from the current run.
        inputs: given to the handlers by reference.
        run_type: given to the handlers and the span; by default ``kind``.
        serialized: given to the handlers.
        kind: which hooks are called: ``chain``, ``tool`` or ``retriever``.
        extra: further values for the start hook.

    Raises:
        ConfigurationError: the config holds something that cannot be used.
        Exception: of a handler whose ``raise_error`` is true; the run has ended then.
    """
    run = Run(name, config, run_type, kind)
    if run._tracing.recording.capture_content and "defers_inputs" not in extra:
        run.capture_input(inputs)  # a stream's comes at its end
    if _STARTS[kind] in run._names:
        try:
            run._tell("start", (serialized, inputs), _start_words(kind, run_type, extra))
        except BaseException as error:
            run._close(error, None)
            raise
    return run


async def abegin(
    name: str,
    config: RunnableConfig | None,
    inputs: Any,
    /,
    run_type: str | None = None,
    serialized: Any = None,
    *,
    kind: str = "chain",
    **extra: Any,
) -> Run:
    """As ``begin``, in async code: async handlers are awaited."""
    run = Run(name, config, run_type, kind, is_async=True)
    if run._tracing.recording.capture_content and "defers_inputs" not in extra:
        run.capture_input(inputs)
    if _STARTS[kind] in run._names:
        await _tell_start(run, (serialized, inputs), _start_words(kind, run_type, extra))
    return run


def begin_async(
    name: str, config: RunnableConfig | None, inputs: Any
) -> tuple[Run, Coroutine[Any, Any, None] | None]:
    """As ``abegin``; return the run, and what is left to be awaited where a handler is told."""
    run = Run(name, config, None, "chain", is_async=True)
    if run._tracing.recording.capture_content:
        run.capture_input(inputs)
    if "on_chain_start" not in run._names:
        return run, None
    return run, _tell_start(run, (None, inputs), {"run_type": None})


def _start_words(kind: str, run_type: str | None, extra: dict[str, Any]) -> dict[str, Any]:
    """Return ``extra`` as the start hook is given it."""
    if kind == "chain":
        extra["run_type"] = run_type
    if "tool_inputs" in extra:
        extra["inputs"] = extra.pop("tool_inputs")
    return extra


async def _tell_start(run: Run, args: tuple[Any, ...], extra: Mapping[str, Any]) -> None:
    try:
        await run._atell("start", args, extra)
    except (asyncio.CancelledError, GeneratorExit) as stop:
        await run.afail(stop)
        raise
    except BaseException as error:
        run._close(error, None)
        raise
