"""A run that LangChain has begun: LangChain tells its handlers, this one keeps the span."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextvars import Context as OwnedContext
from contextvars import copy_context
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.trace import Status, StatusCode

from otelbridge import _run_ids, _tracing, semconv
from otelbridge._process import process
from otelbridge._run_span import is_of_langgraph
from otelbridge._tracing import Tracing, guard
from otelbridge.context import RUN_KEY, set_otel
from otelbridge.langchain._agent import may_be_agent
from otelbridge.langchain._genai import described
from otelbridge.langchain._genai_response import ended
from otelbridge.langchain._genai_semconv import PROVIDER_NAME
from otelbridge.langchain._messages import answered, asked, spoken
from otelbridge.run import Run, outcome_of

if TYPE_CHECKING:
    from otelbridge._run_state import Describing
    from otelbridge.config import RunnableConfig
    from otelbridge.langchain._frames import Scope
    from otelbridge.langchain._genai import Described
    from otelbridge.langchain._settings import Settings

_ENDED = Context()
_PART = "content-block-delta"
_NO_NAMES: frozenset[str] = frozenset()


class LangChainRun(Run):
    """One run of LangChain's, from its start callback to its end, or to the end of its frame.

    What runs natively below it inherits what LangChain passes on to its body.

    Args:
        settings: how it is traced.
        told: LangChain's list of the run's handlers. All callbacks of one run come with the same
            list object, which tells runs apart that have been given one id.
        kind: as in the callback's name: chain, chat_model, llm, tool or retriever.
        run_type: chain, llm, tool or retriever.
        args: what the start callback gets: how the runnable is serialized, and its input.
        words: what it gets by name: ``run_id``, ``parent_run_id``, ``tags``, ...
        otel: the OTel Context in which it begins.
        scope: the call that it begins in, if there is a frame around that.

    Attributes:
        otel: the OTel Context of the run's body.
        is_closed: whether its consumer has closed its stream, whatever its end callback says.
        is_interrupted_below: whether a run directly below has stopped for somebody's answer.
        wants_chunks: whether the time of the next chunk of a model's stream is of use.
    """

    __slots__ = (
        "_begun_ns",
        "_call",
        "_chunks_ns",
        "_given",
        "_is_interrupted",
        "_settings",
        "_tells_chunks",
        "_told",
        "is_closed",
        "is_interrupted_below",
        "otel",
        "wants_chunks",
    )

    def __init__(
        self,
        settings: Settings,
        told: list[Any],
        kind: str,
        run_type: str,
        args: Sequence[Any],
        words: dict[str, Any],
        otel: Context,
        scope: Scope | None = None,
    ) -> None:
        here: Run | None = otel.get(RUN_KEY)  # type: ignore[assignment]
        self._settings = settings
        self._told = told
        self.name = words.get("name") or _name_of(args[0])
        self.run_type = self._kind = run_type
        self._call = kind
        self._ambient = here
        self._process = process.token
        run_id = cast("UUID", words["run_id"])
        self._uuid = run_id
        self._text = ""
        self._parent_id = words.get("parent_run_id")
        self.tags = words.get("tags") or []
        self.metadata = words.get("metadata") or {}
        self.handlers = []
        self.ended = self._says_tags = self._is_interrupted = self.is_interrupted_below = False
        self.is_closed = False
        self.block = self._above = self._given = None
        self._config = self._shared = self._events = self._event_hooks = None
        self._host = self._loop = self._wants_output = None
        self._backlogs = ()
        self._names = _NO_NAMES
        # LangChain knows the id already.
        self._is_entered = True
        self._shadowed = None
        graph = None if scope is None else scope.graph
        if kind == "chain" and graph is None and not may_be_agent(words, self.metadata):
            self._described = None  # as most are
        else:
            self._described = _described(settings, kind, args[0], words, graph)
        self._chunks_ns: list[int] | None = None
        self._tells_chunks = False
        self.wants_chunks = True
        self._begun_ns = 0
        inside = self._open_span(otel, here, time_ns())
        if scope is not None:
            scope.leave_out(inside)
        self.otel = Context(inside)
        if run_type == "llm":
            self._begun_ns = perf_counter_ns()
        self._shadowed = _run_ids.enter(self, run_id.int)
        if self.captures:
            self._capture_start(args[1], words)

    def _root_tracing(self) -> Tracing:
        if (others := self._settings.others) is not None and not others.look():
            self._settings.others = None
        return _tracing.in_use() or self._settings.tracing or _tracing.current()

    def _id_text(self) -> str:
        text = self._text
        if not text:
            digits = cast("UUID", self._uuid).int.to_bytes(16, "big").hex()
            # As ``str`` of it is, in three quarters of the time.
            text = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
            self._text = text
        return text

    @property
    def context(self) -> OwnedContext:
        """A new ``contextvars.Context`` inside the run: LangChain enters bodies by its own."""
        context = copy_context()
        context.run(set_otel, self.otel)
        return context

    @context.setter
    def context(self, value: OwnedContext) -> None:
        """Accept that the end of the run lets go of its context."""

    def give(self, config: Mapping[str, Any]) -> None:
        """Take the config that LangChain passes to the body, for what runs natively below."""
        if self._given is None:
            self._given = config["callbacks"]
            self._config = config

    def is_told(self, run_id: UUID, told: Sequence[Any]) -> bool:
        """Return whether a callback with this id and these handlers is of this run: most are."""
        return run_id is self._uuid and self._told is told

    @property
    def is_only(self) -> bool:
        """Whether no other run had this id when this one began."""
        return self._shadowed is None

    def heard(self, told: Sequence[Any]) -> LangChainRun | None:
        """Return the run with this id whose handlers are ``told``: this one, or one it shadows."""
        run: Run | None = self
        while run is not None:
            if isinstance(run, LangChainRun) and run._told is told and not run.ended:
                return run
            run = run._shadowed
        return None

    def _without_configurable(
        self, metadata: dict[str, Any], allowed: Collection[str]
    ) -> dict[str, Any]:
        return metadata  # LangChain has decided what of the configurable is metadata

    def note_chunk(self) -> None:
        """Note the time of a chunk of a model's stream."""
        self._tells_chunks = True
        self._note_time()

    def note_stream_event(self, event: Any) -> None:
        """Note a part of the answer, where the model does not tell of its chunks as well."""
        is_part = isinstance(event, Mapping) and event.get("event") == _PART
        if is_part and not self._tells_chunks:
            self._note_time()

    def _note_time(self) -> None:
        if not self.wants_chunks:
            return
        chunks = self._chunks_ns
        if chunks is None:
            self._chunks_ns = [perf_counter_ns()]
            self.wants_chunks = self._settings.metrics.active  # the first is told on the span
        else:
            chunks.append(perf_counter_ns())

    def complete(self, output: Any) -> None:
        """End the run with what its end callback is given."""
        if self._described is None:
            return self.finish(None, spoken(output) if self.captures else output)
        try:
            self._say_end(output, None)
        except Exception:
            guard("record the end of a LangChain run")
        self.finish()

    def break_off(self, error: BaseException | None, output: Any = None) -> None:
        """End the run by an exception, with what there is of its output."""
        if self._described is not None and not self.ended:
            try:
                self._say_end(output, error)
            except Exception:
                guard("record the end of a LangChain run")
        self.finish(error)

    def _capture_start(self, inputs: Any, words: Mapping[str, Any]) -> None:
        told_of = self._described
        if told_of is None:
            return self.capture_input(spoken(inputs))
        try:
            provider = told_of.attributes.get(PROVIDER_NAME)
            self._set_contents(asked(self._call, inputs, words, provider))
        except Exception:
            guard("record the input of a LangChain run")

    def _say_end(self, output: Any, error: BaseException | None) -> None:
        told_of = cast("Describing", self._described)
        chunks = self._chunks_ns or ()
        metrics = self._settings.metrics if self._begun_ns else None
        is_measured = metrics is not None and metrics.active
        if not self.recorded and not is_measured:
            return
        first_s = (chunks[0] - self._begun_ns) / 1e9 if chunks else None
        gate = self._tracing.gate
        said: dict[str, Any] = {}
        if output is not None or chunks:
            version = self._settings.conventions
            said = gate.more({}, ended(self._call, output, version, first_chunk_s=first_s))
        if self.recorded:
            if said:
                self.span.set_attributes(said)
            if error is None and (kind := said.get(semconv.ERROR_TYPE)):
                self.span.set_status(Status(StatusCode.ERROR, str(kind)))
            if self.captures and output is not None:
                self._set_contents(answered(self._call, output, self._settings.conventions))
        if is_measured and metrics is not None:
            kind = None
            if error is not None and outcome_of(error) is None:
                kind = str(gate.exception(error).get(semconv.EXCEPTION_TYPE))  # as on the span
            times = (self._begun_ns, perf_counter_ns())
            metrics.record(gate.more({}, told_of.attributes), said, times, chunks, kind)

    def _set_contents(self, content: Mapping[str, Any]) -> None:
        for key, value in content.items():
            self._set_content(key, value)

    def finish(self, error: BaseException | None = None, output: Any = None) -> None:
        """End the run's span, once."""
        if self.ended:
            return
        if self._is_interrupted and (error is None or isinstance(error, GeneratorExit)):
            self.say(semconv.RUN_OUTCOME, semconv.OUTCOME_INTERRUPTED)
            error = None
        elif error is None and self.is_closed:
            error = GeneratorExit()
        elif error is not None and self._parent_id is not None and is_interrupt(error):
            above = _run_ids.live.get(self._parent_id.int)
            if isinstance(above, LangChainRun):
                above.is_interrupted_below = True
        self._close(error, output)
        self.otel = _ENDED  # it holds the run

    def interrupt(self) -> None:
        """Note that the run stops to be resumed, though no exception need end it."""
        self._is_interrupted = True

    def say(self, key: str, value: Any) -> None:
        """Set an attribute of the span, cleaned as all are."""
        if self.recorded and not self.ended:
            self.span.set_attributes(self._tracing.gate.more({}, {key: value}))

    @property
    def inheritable_handlers(self) -> list[Any]:  # type: ignore[override]
        """The handlers of what runs natively below."""
        given = self._given
        return list(self._told if given is None else given.inheritable_handlers)

    @property
    def inheritable_tags(self) -> list[str]:  # type: ignore[override]
        """The tags of what runs natively below."""
        given = self._given
        return list(self.tags if given is None else given.inheritable_tags)

    @property
    def inheritable_metadata(self) -> dict[str, Any]:  # type: ignore[override]
        """The metadata of what runs natively below."""
        given = self._given
        return dict(self.metadata if given is None else given.inheritable_metadata)

    def shared_config(self) -> RunnableConfig:
        """Return the config of what runs natively below, to be read and never changed."""
        if self._given is None and self._ambient is not None:
            self._config = self._ambient.shared_config()
        return super().shared_config()


def _described(
    settings: Settings, kind: str, serialized: Any, words: dict[str, Any], graph: Any
) -> Described | None:
    try:
        if graph is not None:
            words = {**words, "graph": graph}
        return described(kind, serialized, words, settings.conventions)
    except Exception:
        guard("describe a LangChain run")
        return None


def is_interrupt(error: BaseException) -> bool:
    """Return whether LangGraph has raised ``error`` to stop for somebody's answer."""
    return is_of_langgraph(error, "GraphInterrupt")


def _name_of(serialized: Any) -> str:
    """Return the name of what runs: the last part of its id where it says none."""
    if isinstance(serialized, Mapping):
        if name := serialized.get("name"):
            return str(name)
        if path := serialized.get("id"):
            return str(path[-1])
    return "unnamed"
