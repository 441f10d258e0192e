"""The finished spans of one block, and questions to ask of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Sampler
from opentelemetry.util.types import AttributeValue

from otelbridge import _tracing, semconv
from otelbridge._bounds import Bounds
from otelbridge.export.forest import Node, forest, walk
from otelbridge.export.tree import render

_EMPTY = otel_context.Context()
_VOLATILE = frozenset({semconv.RUN_ID, semconv.EXCEPTION_STACKTRACE})


class CapturedRuns:
    """The finished spans of one capture, and questions to ask of them.

    Attributes:
        provider: the capture's own tracer provider, in no way global.
        tracer: makes the spans of the code under test that uses OTel directly: spans from the
            global tracer are not captured.
    """

    def __init__(self, provider: TracerProvider, recording: _tracing.Recording) -> None:
        self.provider = provider
        self.tracer: trace.Tracer = provider.get_tracer("otelbridge.testing")
        self._tracing = _tracing.Tracing(provider, recording)
        self._context = _EMPTY
        self._collector = _Collector()
        provider.add_span_processor(self._collector)

    @property
    def spans(self) -> list[ReadableSpan]:
        """The finished spans so far, in the order in which they ended."""
        return list(self._collector.ended)

    @property
    def names(self) -> list[str]:
        """The names of all runs and spans, parents first, siblings by start time."""
        return [node.span.name for node in self._nodes()]

    def find(self, name: str) -> ReadableSpan:
        """Return the one finished span called ``name``.

        Raises:
            AssertionError: there is none, or more than one.
        """
        return self._node(name).span

    def find_all(self, name: str) -> list[ReadableSpan]:
        """Return every finished span called ``name``, parents first, siblings by start time."""
        return [node.span for node in self._nodes() if node.span.name == name]

    def events(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the events of the one span called ``name``, in order, as (name, attributes).

        Events that had no room on the span and went to pages are among them.

        Raises:
            AssertionError: there is no span of that name, or more than one.
        """
        return _events(self._node(name), volatile=True)

    def as_dict(self, *, volatile: bool = False) -> dict[str, Any]:
        """Return the one trace as nested dicts, for a comparison of everything at once.

        Each has ``name``, ``attributes``, ``events`` (a list of (name, attributes)), ``status``
        ("UNSET", "OK", or "ERROR" with its description after a colon) and ``children``.

        Args:
            volatile: keep what differs each time: run ids and stack traces.

        Raises:
            AssertionError: there is no finished root span, or more than one.
        """
        roots = self.as_dicts(volatile=volatile)
        if len(roots) != 1:
            raise AssertionError(
                f"expected one root span, found {[root['name'] for root in roots]}"
            )
        return roots[0]

    def as_dicts(self, *, volatile: bool = False) -> list[dict[str, Any]]:
        """Return every root span as ``as_dict`` does, by start time."""
        roots = forest(self.spans)
        dicts = {id(node): _as_dict(node, volatile=volatile) for node in walk(roots)}
        for node in walk(roots):
            dicts[id(node)]["children"] = [dicts[id(child)] for child in node.children]
        return [dicts[id(root)] for root in roots]

    def tree(self) -> str:
        """Return the traces drawn as text without times, ready to be compared or printed."""
        return render(self.spans, width=None, times=False).rstrip("\n")

    def assert_clean(self) -> None:
        """Check that nothing is left over: no unfinished span, and the context as it was.

        Call it where the capture was begun, in the ``with`` block or after it.

        Raises:
            AssertionError: a span has not ended, or the current OTel context is another one.
        """
        if unfinished := self._collector.unfinished:
            raise AssertionError(f"spans that have not ended: {sorted(unfinished)}")
        if (left := otel_context.get_current()) != self._context:
            raise AssertionError(
                f"the current OpenTelemetry context is {dict(left)}, not {dict(self._context)}"
            )

    def clear(self) -> None:
        """Forget the spans that have finished so far."""
        self._collector.ended.clear()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Capture the root runs of this block too, in a thread that has no copy of the context."""
        token = otel_context.attach(_EMPTY)
        try:
            with _tracing.use(self._tracing):
                yield
        finally:
            otel_context.detach(token)

    def _nodes(self) -> list[Node]:
        return walk(forest(self.spans))

    def _node(self, name: str) -> Node:
        nodes = self._nodes()
        found = [node for node in nodes if node.span.name == name]
        if len(found) != 1:
            known = [node.span.name for node in nodes]
            raise AssertionError(f"expected one span {name!r}, found {len(found)} among {known}")
        return found[0]


@contextmanager
def capture_runs(
    *,
    service_name: str = "otelbridge.testing",
    resource_attributes: Mapping[str, AttributeValue] | None = None,
    sampler: Sampler | None = None,
    span_limits: SpanLimits | None = None,
    capture_content: bool = False,
    redact: _tracing.Redact | None = None,
    denied_keys: Collection[str] = (),
    configurable_keys: Collection[str] = (),
    max_string_bytes: int | None = None,
    max_event_bytes: int | None = None,
    max_event_keys: int | None = None,
    max_depth: int | None = None,
) -> Iterator[CapturedRuns]:
    """Capture the runs that begin inside this block, in this context and what is copied from it.

    The block starts from an empty OTel context, so that its first run is a root. The arguments are
    those of ``otelbridge.configure``, with its defaults and without the environment variables, and
    ``span_limits`` of the SDK.

    Yields:
        What was captured; it may be asked inside the block and after it.

    Raises:
        ConfigurationError: an argument cannot be used.
    """
    bounds = {
        "max_string_bytes": max_string_bytes,
        "max_event_bytes": max_event_bytes,
        "max_event_keys": max_event_keys,
        "max_depth": max_depth,
    }
    provider = TracerProvider(
        sampler=sampler or DEFAULT_ON,
        span_limits=span_limits or _standard_limits(),
        resource=Resource({**(resource_attributes or {}), "service.name": service_name}),
        shutdown_on_exit=False,
    )
    # The SDK asks OTEL_SDK_DISABLED and takes no argument for it (opentelemetry-sdk 1.x).
    provider._disabled = False
    recording = _tracing.Recording(
        bounds=Bounds().with_arguments("capture_runs", bounds),
        capture_content=capture_content,
        redact=redact,
        denied_keys=frozenset(denied_keys),
        configurable_keys=frozenset(configurable_keys),
    )
    captured = CapturedRuns(provider, recording)
    outside = otel_context.get_current()
    try:
        with captured.active():
            yield captured
    finally:
        captured._context = outside  # what ``assert_clean`` expects after the block


def _standard_limits() -> SpanLimits:
    """The SDK's own defaults, said aloud: it asks the environment for what is left out."""
    unlimited = SpanLimits.UNSET
    return SpanLimits(
        max_attributes=128,
        max_events=128,
        max_links=128,
        max_span_attributes=128,
        max_event_attributes=128,
        max_link_attributes=128,
        max_attribute_length=unlimited,
        max_span_attribute_length=unlimited,
    )


class _Collector(SpanProcessor):
    """Keeps what ended, and the names of what only started. List and dict calls are atomic."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []
        self._open: dict[int, str] = {}

    @property
    def unfinished(self) -> list[str]:
        return list(self._open.values())

    def on_start(self, span: Span, parent_context: otel_context.Context | None = None) -> None:
        if span.context is not None:
            self._open[span.context.span_id] = span.name

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is not None:
            self._open.pop(span.context.span_id, None)
            if span.context.trace_flags.sampled:
                self.ended.append(span)


def _as_dict(node: Node, *, volatile: bool) -> dict[str, Any]:
    status = node.span.status.status_code.name
    if node.span.status.description:
        status += f": {node.span.status.description}"
    return {
        "name": node.span.name,
        "attributes": _attributes(node.span.attributes, volatile=volatile),
        "events": _events(node, volatile=volatile),
        "status": status,
        "children": [],
    }


def _events(node: Node, *, volatile: bool) -> list[tuple[str, dict[str, Any]]]:
    return [(e.name, _attributes(e.attributes, volatile=volatile)) for e in node.events]


def _attributes(attributes: Any, *, volatile: bool) -> dict[str, Any]:
    return {k: v for k, v in (attributes or {}).items() if volatile or k not in _VOLATILE}
