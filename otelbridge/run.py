"""The run: one invocation, one span, begun once and ended exactly once.

``begin`` opens the span and tells the handlers; ``end``, ``fail`` or the async twins tell the
handlers and close the span. Whoever begins a run ends it in the same frame. The body runs inside
``run.context`` (``enter``, ``asteps``), where the run is the current one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context as OwnedContext
from time import time_ns
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    Status,
    StatusCode,
    set_span_in_context,
)

from otelbridge import _run_ids, _tracing, semconv
from otelbridge._backlog import Backlog, running_loop
from otelbridge._process import process
from otelbridge._span_events import SpanEvents, late_event
from otelbridge._tracing import Tracing, guard
from otelbridge.config import RunnableConfig, ensure_config, fill_config
from otelbridge.context import (
    RUN_KEY,
    SPAN_KEY,
    Steps,
    get_otel,
    owned_context,
)
from otelbridge.delivery import adeliver, adeliver_last, deliver
from otelbridge.errors import ConfigurationError
from otelbridge.handlers import Hook, hook_names, hooks_of, unique
from otelbridge.manager import CallbackManager, is_manager

P = ParamSpec("P")
T = TypeVar("T")

_NO_NAMES: frozenset[str] = frozenset()
_NO_CONTEXT = OwnedContext()
_PLAIN_NAME = 128  # a name of so many ASCII characters needs no cleaning


class Run:
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

    __slots__ = (
        "__weakref__",
        "_ambient",
        "_backlog",
        "_config",
        "_event_hooks",
        "_event_words",
        "_events",
        "_host",
        "_is_entered",
        "_kind",
        "_names",
        "_process",
        "_shadowed",
        "_shared",
        "_text",
        "_tracing",
        "_uuid",
        "_wants_output",
        "block",
        "context",
        "ended",
        "handlers",
        "inheritable_handlers",
        "inheritable_metadata",
        "inheritable_tags",
        "metadata",
        "name",
        "parent_run_id",
        "recorded",
        "run_type",
        "span",
        "tags",
    )

    context: OwnedContext
    span: Span
    parent_run_id: UUID | None
    block: object  # the with block that made this run current, if one did
    recorded: bool
    ended: bool
    _text: str
    _uuid: UUID | None
    _is_entered: bool
    _names: frozenset[str]
    _shadowed: Run | None
    _config: Mapping[str, Any] | None
    _shared: RunnableConfig | None
    _tracing: Tracing
    _events: SpanEvents | None
    _event_hooks: tuple[Hook, ...] | None
    _event_words: dict[str, Any] | None
    _backlog: Backlog | None
    _host: Run | None
    _wants_output: bool | None

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
        here = cast("Run | None", otel.get(RUN_KEY))
        self.name = name
        self.run_type = run_type or kind
        self._kind = kind
        self._ambient = here
        self._process = process.token
        self.recorded = self.ended = self._is_entered = False
        self.block = self.parent_run_id = self._uuid = self._shadowed = self._config = None
        self._shared = self._events = self._event_hooks = self._event_words = None
        self._backlog = self._host = self._wants_output = None
        self._text = ""
        self._names = _NO_NAMES
        if config:
            self._config = dict(config)
            self._take(config, here)
        elif here is not None:
            self._adopt(_inherited(here))
        else:
            self.handlers: list[Any] = []
            self.tags: list[str] = []
            self.metadata: dict[str, Any] = {}
            self.inheritable_handlers: list[Any] = self.handlers
            self.inheritable_tags: list[str] = self.tags
            self.inheritable_metadata: dict[str, Any] = self.metadata
        if not self._text:
            self._text = _run_ids.new_text()
        self._open(otel, here)
        if self.handlers:
            self._names = hook_names(self.handlers)
        if is_async or (here is not None and here._host is not None):
            self._settle_host(here, is_async)

    def _take(self, config: RunnableConfig, here: Run | None) -> None:
        """Take name, id, handlers, tags and metadata from the caller's config."""
        if (run_name := config.get("run_name")) is not None:
            self.name = run_name or self.name
        if (given := config.get("run_id")) is not None:
            self._uuid = given if isinstance(given, UUID) else _uuid(given)
            self._text = str(self._uuid)
        callbacks = config.get("callbacks")
        is_list = callbacks is None or type(callbacks) is list
        if not is_list:
            _check_callbacks(callbacks)
        if here is None and is_list and _ROOT_KEYS.issuperset(config):
            self.handlers = self.inheritable_handlers = unique(callbacks) if callbacks else []
            self.tags = self.inheritable_tags = list(config.get("tags") or ())
            self.metadata = self.inheritable_metadata = dict(config.get("metadata") or ())
        else:
            self._adopt(_manager(config, callbacks, here))

    def _adopt(self, manager: CallbackManager) -> None:
        self.parent_run_id = manager.parent_run_id
        self.handlers = manager.handlers
        self.inheritable_handlers = manager.inheritable_handlers
        self.tags = manager.tags
        self.inheritable_tags = manager.inheritable_tags
        self.metadata = manager.metadata
        self.inheritable_metadata = manager.inheritable_metadata

    # ------------------------------------------------------------------ the span

    def _open(self, otel: Context, here: Run | None) -> None:
        if self.parent_run_id is None:
            tracing = self._tracing = _tracing.current()
            base = otel
        else:
            parent_span, tracing = self._parent(here)
            self._tracing = tracing
            base = otel if parent_span is None else Context({**otel, SPAN_KEY: parent_span})
        tracer = tracing.tracer()
        try:
            if tracing.absent:
                span = tracer.start_span(self.name, base)
            else:
                span = tracer.start_span(
                    self._span_name(), base, attributes=self._start_attributes()
                )
        except Exception:
            guard("start a span")
            span = NonRecordingSpan(_span_of(base).get_span_context())
        self.span = span
        self.context = owned_context(Context({**base, SPAN_KEY: span, RUN_KEY: self}))
        self.recorded = not tracing.absent and span.is_recording()
        if self.recorded:
            self._events = SpanEvents(self, span, tracing.limits.events)

    def _span_name(self) -> str:
        name = self.name
        if type(name) is str and 0 < len(name) <= _PLAIN_NAME and name.isascii():
            return name
        return self._tracing.gate.name(name)

    def _start_attributes(self) -> dict[str, Any]:
        own = {semconv.RUN_ID: self._text, semconv.RUN_TYPE: self.run_type}
        allowed = self._tracing.recording.configurable_keys
        if not (self.tags or self.metadata or allowed):
            return own
        configurable: Mapping[str, Any] = {}
        if allowed:
            held = self.shared_config().get("configurable") or {}
            configurable = {key: held[key] for key in allowed if key in held}
        return cast(
            "dict[str, Any]",
            self._tracing.gate.start(own, self.tags, self.metadata, configurable),
        )

    def _parent(self, here: Run | None) -> tuple[Span | None, Tracing]:
        """Return the parent span where it is not the current one, and the tracing to use."""
        parent = cast("UUID", self.parent_run_id)
        if here is not None and here.is_named(parent):
            return None, here._tracing
        number = parent.int
        live = _run_ids.live.get(number)
        if live is not None:
            return live.span, live._tracing
        ended = _run_ids.ended_run(number)
        if ended is not None:
            return NonRecordingSpan(ended.span_context), ended.tracing
        return None, _tracing.current()

    @property
    def event_limit(self) -> int | None:
        """How many events a span takes; None for any number."""
        return self._tracing.limits.events

    def start_page(self, number: int, at_ns: int) -> Span:
        """Start the child span that takes events for which the run's own span has no room."""
        return self._tracing.tracer().start_span(
            self._tracing.gate.name(semconv.PAGE_NAME.format(run=self.name)),
            set_span_in_context(self.span, Context()),
            attributes={semconv.RUN_ID: self._text, semconv.PAGE: number},
            start_time=at_ns,
        )

    def _close(self, error: BaseException | None, output: Any) -> None:
        """End the span, once; ``output`` is recorded where content is."""
        if self.ended:
            return
        self.ended = True
        span, events = self.span, self._events
        if self._is_entered:
            number = self._said_id().int
            _run_ids.leave(self, number, self._shadowed)
            self._shadowed = None
            context = span.get_span_context()
            if context.is_valid:
                _run_ids.remember(number, context, self._tracing, self.name)
        # The context holds the run: letting go of it here spares the garbage collector the cycle.
        self.context = _NO_CONTEXT
        self._events = None
        if self._process is not process.token:
            return  # inherited over a fork: the span is the parent's to export
        if events is None:
            return self._end_span(0)
        record = None
        try:
            if error is not None:
                record = self._say_failure(error)
            elif output is not None and self._tracing.recording.capture_content:
                self._set(semconv.RUN_OUTPUT, self._tracing.gate.content("output", output))
            # Relies on ``Span._attributes.dropped`` of opentelemetry-sdk 1.x.
            if getattr(getattr(span, "_attributes", None), "dropped", 0):
                self._keep_id()
        except Exception:
            guard("complete a span")
        not_before = 0
        try:
            not_before = events.finish(record)
        except Exception:
            guard("write the last events of a span")
        self._end_span(not_before)
        events.flush_late()

    def _end_span(self, not_before: int) -> None:
        try:
            # The clock may have stepped back since the last event.
            if not_before and not_before > time_ns():
                self.span.end(not_before)
            else:
                self.span.end()
        except Exception:
            guard("end a span")

    def _say_failure(self, error: BaseException) -> Mapping[str, Any] | None:
        """Set outcome or status; return the exception record where it is an error."""
        if (outcome := outcome_of(error)) is not None:
            self._set(semconv.RUN_OUTCOME, outcome)
            return None
        record = self._tracing.gate.exception(error)
        kind = str(record.get(semconv.EXCEPTION_TYPE) or type(error).__name__)
        self._set(semconv.ERROR_TYPE, kind)
        message = str(record.get(semconv.EXCEPTION_MESSAGE) or kind)
        self.span.set_status(Status(StatusCode.ERROR, message))
        return record

    def _set(self, key: str, value: str) -> None:
        if self._tracing.limits.span_attributes != 0 and self.span.is_recording():
            self.span.set_attribute(key, value)

    def _keep_id(self) -> None:
        """Put the run id back where the application's own attributes have pushed it out."""
        if semconv.RUN_ID not in (getattr(self.span, "attributes", None) or ()):
            self._set(semconv.RUN_ID, self._text)

    # ------------------------------------------------------------------ identity

    @property
    def run_id(self) -> UUID:
        """The run's id. A config that names it, made by whatever means, finds this run."""
        if not self._is_entered and not self.ended:
            self._is_entered = True
            self._shadowed = _run_ids.enter(self, self._said_id().int)
        return self._said_id()

    def is_named(self, run_id: UUID) -> bool:
        """Return whether ``run_id`` is this run's; cheap where it is the same object."""
        return run_id is self._uuid or run_id == self._said_id()

    def _said_id(self) -> UUID:
        """Return the id for a handler, which is told of a run and begins none below it."""
        made = self._uuid
        if made is None:
            made = self._uuid = _run_ids.uuid_of(_run_ids.number_of(self._text))
        return made

    @property
    def id(self) -> UUID:
        """The run's id, under the name that listeners know."""
        return self.run_id

    def __repr__(self) -> str:
        state = "ended" if self.ended else "live"
        return f"<Run {self.name!r} {self.run_type} {self._text} {state}>"

    # ------------------------------------------------------------------ the config below it

    def get_child(self, tag: str | None = None) -> CallbackManager:
        """Return the manager that a run below this one begins with; ``tag`` is only for that."""
        child = _inherited(self)
        if tag is not None:
            child.add_tags([tag], inherit=False)
        return child

    def child_config(self, tag: str | None = None) -> RunnableConfig:
        """Return the whole config for one run below this one."""
        config = fill_config(None, self.shared_config())
        if tag is not None:
            config["callbacks"] = self.get_child(tag)
        return config

    def shared_config(self) -> RunnableConfig:
        """Return the config of what runs below, to be read and never changed."""
        if self._shared is None:
            ambient = self._ambient
            config = fill_config(
                cast("Any", self._config), None if ambient is None else ambient.shared_config()
            )
            config.pop("run_name", None)
            config.pop("run_id", None)
            config["callbacks"] = self.get_child()
            self._shared = config
        return self._shared

    # ------------------------------------------------------------------ the body

    def enter(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``func`` inside the run."""
        return self.context.run(func, *args, **kwargs)

    def asteps(self, awaitable: Awaitable[T]) -> Steps[T]:
        """Return an awaitable that runs ``awaitable`` inside the run, step by step."""
        return Steps(awaitable, self.context)

    def event(self, name: str, data: Any) -> None:
        """Dispatch a custom event of this run; it never blocks an event loop.

        After the run's end handlers still get it, and it becomes a zero-length child span.
        """
        if self.recorded:
            self.record(name, data)
        hooks = self._event_hooks
        if hooks is None:
            hooks = self._event_hooks = hooks_of(self.inheritable_handlers, "custom_event")
        if hooks:
            words = self._event_words or self._event_keywords()
            deliver(hooks, "custom_event", self._host, (name, data), words)

    async def aevent(self, name: str, data: Any) -> None:
        """As ``event``; async handlers are awaited."""
        if self.recorded:
            self.record(name, data)
        hooks = self._event_hooks
        if hooks is None:
            hooks = self._event_hooks = hooks_of(self.inheritable_handlers, "custom_event")
        if hooks:
            words = self._event_words or self._event_keywords()
            await adeliver(hooks, "custom_event", self._host, (name, data), words)

    def _event_keywords(self) -> dict[str, Any]:
        # An event is dispatched with the config of what runs below, so it has the tags of that.
        words = self._event_words = {
            "run_id": self._said_id(),
            "tags": self.inheritable_tags,
            "metadata": self.inheritable_metadata,
        }
        return words

    def record(self, name: str, data: Any) -> None:
        """Give an event to the run's span alone, whatever state the run is in."""
        try:
            name, attributes, size = self._tracing.gate.event(name, data)
            events = self._events
            if (
                events is not None
                and self._process is process.token
                and self.span.is_recording()
            ):
                events.add(name, attributes, size)
            elif self.recorded:
                self.record_late(name, attributes, time_ns())
        except Exception:
            guard("record a custom event")

    def record_late(self, name: str, attributes: Mapping[str, Any], at_ns: int) -> None:
        """Record an event that no longer fits into the span, as a span of its own."""
        late_event(
            self._tracing,
            self.span.get_span_context(),
            name,
            attributes,
            (self.name, self._text),
            at_ns,
        )

    # ------------------------------------------------------------------ handlers

    @property
    def backlog(self) -> Backlog | None:
        """The queue for coroutines of async handlers, of the nearest async run."""
        host = self._host
        if host is None or host.ended or host._process is not process.token:
            return None
        return host._backlog

    def _settle_host(self, here: Run | None, is_async: bool) -> None:
        host = None if here is None else here._host
        loop = running_loop()
        if host is not None and not host.ended:
            same = cast("Backlog", host._backlog).belongs_to(loop)
            if same or (loop is None and not is_async):
                self._host = host
                return
        if is_async and loop is not None:
            self._host = self
            self._backlog = Backlog(loop)

    def _tell(self, hook: str, args: tuple[Any, ...], extra: Mapping[str, Any]) -> None:
        name = f"{self._kind}_{hook}"
        if f"on_{name}" in self._names:
            hooks = hooks_of(self.handlers, name)
            deliver(hooks, name, self._host, args, self._said(hook, extra))

    async def _atell(self, hook: str, args: tuple[Any, ...], extra: Mapping[str, Any]) -> None:
        name = f"{self._kind}_{hook}"
        if f"on_{name}" in self._names:
            hooks = hooks_of(self.handlers, name)
            await adeliver(hooks, name, self._host, args, self._said(hook, extra))

    def _said(self, hook: str, extra: Mapping[str, Any]) -> dict[str, Any]:
        said: dict[str, Any] = {
            "run_id": self._said_id(),
            "parent_run_id": self.parent_run_id,
            "tags": self.tags,
        }
        if hook == "start":
            said["metadata"] = self.metadata
            said["name"] = self.name
        said.update(extra)
        return said

    def behind(self) -> bool:
        """Return whether async handlers have work that nobody has awaited yet."""
        backlog = self.backlog
        return backlog is not None and backlog.busy

    def about(self) -> dict[str, Any]:
        """Return what the hooks for a chunk get by name."""
        return self._said("chunk", {})

    async def settle(self) -> None:
        """Wait for what sync dispatches have left to async handlers."""
        backlog = self.backlog
        if backlog is not None:
            await backlog.wait()

    def wants_output(self) -> bool:
        """Return whether anybody is told what a stream's chunks add up to."""
        if self._wants_output is None:
            ends = self.handlers and hooks_of(self.handlers, f"{self._kind}_end")
            self._wants_output = bool(ends) or self._tracing.recording.capture_content
        return self._wants_output

    def chunk_hooks(self) -> tuple[Hook, ...]:
        """Return the hooks for the chunks of a stream."""
        return hooks_of(self.handlers, "stream_chunk") if self.handlers else ()

    def capture_input(self, inputs: Any) -> None:
        """Record the input."""
        try:
            self._set(semconv.RUN_INPUT, self._tracing.gate.content("input", inputs))
        except Exception:
            guard("record an input")

    # ------------------------------------------------------------------ as run manager

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

    # ------------------------------------------------------------------ ending

    def end(self, output: Any = None, **extra: Any) -> None:
        """End the run with its output. A second end, of any kind, does nothing."""
        if self.ended:
            return
        if self.handlers:
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
        if self.ended:
            return
        if self.handlers:
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
        if not self.handlers or isinstance(error, GeneratorExit):
            # A coroutine that is being closed may not await.
            return self.fail(error, **extra)
        try:
            await self._tell_last("error", (error,), extra)
        finally:
            self._close(error, None)

    async def _tell_last(self, hook: str, args: tuple[Any, ...], extra: Mapping[str, Any]) -> None:
        name = f"{self._kind}_{hook}"
        if f"on_{name}" in self._names:
            hooks = hooks_of(self.handlers, name)
            await adeliver_last(hooks, name, self._host, args, self._said(hook, extra))
        backlog = self.backlog
        if backlog is not None and not backlog.idle:
            await backlog.settle()


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
    if run.recorded and run._tracing.recording.capture_content:
        run.capture_input(inputs)
    if run.handlers:
        if kind == "chain":
            extra["run_type"] = run_type
        if "tool_inputs" in extra:
            extra["inputs"] = extra.pop("tool_inputs")
        try:
            run._tell("start", (serialized, inputs), extra)
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
    if run.recorded and run._tracing.recording.capture_content:
        run.capture_input(inputs)
    if run.handlers:
        if kind == "chain":
            extra["run_type"] = run_type
        if "tool_inputs" in extra:
            extra["inputs"] = extra.pop("tool_inputs")
        try:
            await run._atell("start", (serialized, inputs), extra)
        except (asyncio.CancelledError, GeneratorExit) as stop:
            await run.afail(stop)
            raise
        except BaseException as error:
            run._close(error, None)
            raise
    return run


def outcome_of(error: BaseException) -> str | None:
    """Return how a run ended that was stopped by ``error`` without failing; None for a failure.

    LangGraph's interrupts are known by name, so that nothing is imported.
    """
    if isinstance(error, asyncio.CancelledError):
        return semconv.OUTCOME_CANCELLED
    if isinstance(error, GeneratorExit):
        return semconv.OUTCOME_CLOSED
    for kind in type(error).__mro__:
        if kind.__name__ == "GraphBubbleUp" and kind.__module__ == "langgraph.errors":
            return semconv.OUTCOME_INTERRUPTED
    return None


def _span_of(context: Context) -> Span:
    span = context.get(SPAN_KEY)
    return span if isinstance(span, Span) else INVALID_SPAN


def _inherited(run: Run) -> CallbackManager:
    """Return the manager for a run below ``run``."""
    return CallbackManager(
        run.inheritable_handlers,
        run.inheritable_handlers,
        run.run_id,
        tags=run.inheritable_tags,
        inheritable_tags=run.inheritable_tags,
        metadata=run.inheritable_metadata,
        inheritable_metadata=run.inheritable_metadata,
    )


def _manager(config: RunnableConfig, callbacks: Any, here: Run | None) -> CallbackManager:
    """Return what a run with ``config`` begins with, inside ``here``."""
    tags, metadata = config.get("tags"), config.get("metadata")
    is_whole = tags is not None and metadata is not None and is_manager(callbacks)
    if not is_whole or not _ROOT_KEYS.issuperset(config):
        full = ensure_config(config)
        tags, metadata, callbacks = full["tags"], full["metadata"], full["callbacks"]
    manager = CallbackManager.of(callbacks)
    if manager.parent_run_id is None and here is not None:
        # Handlers that are passed on add to what is inherited; they never cut it off.
        manager = _inherited(here).merge(manager)
    if tags:
        manager.add_tags(tags)
    if metadata:
        manager.add_metadata(metadata)
    return manager


# The keys of a config that says nothing through ``configurable``, where metadata may come from.
_ROOT_KEYS = frozenset(RunnableConfig.__annotations__) - {"configurable"}


def _check_callbacks(callbacks: Any) -> None:
    if callbacks is None or is_manager(callbacks):
        return
    if isinstance(callbacks, Sequence) and not isinstance(callbacks, (str, bytes)):
        return
    raise ConfigurationError(
        f"callbacks is {callbacks!r}; it must be a list of handlers, as in "
        f"{{'callbacks': [handler]}}, or a callback manager."
    )


def _uuid(given: Any) -> UUID:
    try:
        return UUID(given)
    except (AttributeError, TypeError, ValueError):
        raise ConfigurationError(f"run_id is {given!r}; it must be a uuid.UUID.") from None
