"""Whatever fails in telemetry, the program's result is what it would have been."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Sampler

from otelbridge import (
    AsyncCallbackHandler,
    BaseCallbackHandler,
    RunnableGenerator,
    RunnableLambda,
    _tracing,
    adispatch_custom_event,
    dispatch_custom_event,
    start_run,
    tool,
    traced,
)


def broken(*args: Any, **kwargs: Any) -> Any:
    """Fail."""
    # Each time anew: the traceback of one exception grows with every raise, and is logged.
    raise RuntimeError("telemetry is broken")


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test sees what is logged once as if it were the first."""
    monkeypatch.setattr(_tracing, "_said", {})


def body(value: int) -> int:
    """Dispatch, then return the next number."""
    dispatch_custom_event("e", {"n": value})
    return value + 1


async def abody(value: int) -> int:
    """Dispatch, then return the next number."""
    await adispatch_custom_event("e", {"n": value})
    return value + 1


def parts(values: Iterator[int]) -> Iterator[int]:
    """Dispatch and give each number."""
    for value in values:
        dispatch_custom_event("e", {"n": value})
        yield value
        yield value


async def aparts(values: AsyncIterator[int]) -> AsyncIterator[int]:
    """Dispatch and give each number."""
    async for value in values:
        await adispatch_custom_event("e", {"n": value})
        yield value
        yield value


@tool
def search(text: str) -> str:
    """Search."""
    dispatch_custom_event("e", {"n": 1})
    return text.upper()


def fails(value: int) -> int:
    """Fail as a user's function does."""
    raise LookupError(value)


@traced
def function(value: int) -> int:
    """Return the next number."""
    return body(value)


def run_all(config: Any) -> list[Any]:
    """Run in every form, and return what came out."""
    config = {"tags": ["t"], "metadata": {"m": 1}, **config}
    steps = RunnableLambda(body, abody) | RunnableLambda(body, abody)
    stream = RunnableGenerator(parts, aparts)

    async def main() -> list[Any]:
        return [
            await steps.ainvoke(1, config),
            await steps.abatch([1, 2], config),
            [chunk async for chunk in steps.astream(1, config)],
            [chunk async for chunk in stream.astream(1, config)],
            await search.ainvoke("a", config),
        ]

    found = [
        steps.invoke(1, config),
        steps.batch([1, 2], config),
        list(steps.stream(1, config)),
        list(stream.stream(1, config)),
        search.invoke("a", config),
        *asyncio.run(main()),
    ]
    with start_run("block", config=config) as run:
        run.event("e", 1)
        found.append(function(1))
    try:
        RunnableLambda(fails).invoke(1, config)
    except LookupError as error:
        found.append(str(error))
    return found


RESULTS = [3, [3, 4], [3], [1, 1], "A", 3, [3, 4], [3], [1, 1], "A", 2, "1"]
EVENTS = 22


class NoTracer(trace.TracerProvider):
    """A provider that gives no tracer."""

    get_tracer = broken


class OneTracer(trace.TracerProvider):
    """A provider of one tracer."""

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer

    def get_tracer(self, *args: Any, **kwargs: Any) -> Any:
        return self._tracer


class Tracer(trace.Tracer):
    """A tracer whose spans are what a function gives."""

    start_as_current_span = broken

    def __init__(self, span: Callable[..., Any]) -> None:
        self._span = span

    def start_span(self, *args: Any, **kwargs: Any) -> Any:
        return self._span()


class BrokenSpan(trace.NonRecordingSpan):
    """A span whose methods fail."""

    set_attribute = set_attributes = add_event = set_status = end = record_exception = broken
    update_name = broken

    def __init__(self) -> None:
        super().__init__(trace.INVALID_SPAN_CONTEXT)

    def is_recording(self) -> bool:
        return True


class AskedSpan(BrokenSpan):
    """A span that cannot say whether it records."""

    is_recording = broken


class Nameless(BrokenSpan):
    """A span that cannot say its context."""

    get_span_context = broken


class OnStart(SpanProcessor):
    """A processor that fails at the start of a span."""

    on_start = broken


class OnEnd(SpanProcessor):
    """A processor that fails at the end of a span."""

    on_end = broken


class Exporter(SpanExporter):
    """An exporter that fails."""

    export = broken


class Sampling(Sampler):
    """A sampler that fails."""

    should_sample = broken

    def get_description(self) -> str:
        return "broken"


class Ids(IdGenerator):
    """An id generator that fails."""

    generate_span_id = generate_trace_id = broken


def sdk(processor: SpanProcessor | None = None, **options: Any) -> TracerProvider:
    """Return a provider of the SDK with something broken in it."""
    provider = TracerProvider(shutdown_on_exit=False, **options)
    if processor is not None:
        provider.add_span_processor(processor)
    return provider


PROVIDERS: dict[str, Callable[[], Any]] = {
    "get_tracer": NoTracer,
    "no tracer": lambda: OneTracer(None),
    "start_span": lambda: OneTracer(Tracer(broken)),
    "no span": lambda: OneTracer(Tracer(lambda: None)),
    "odd span": lambda: OneTracer(Tracer(object)),
    "span": lambda: OneTracer(Tracer(BrokenSpan)),
    "is_recording": lambda: OneTracer(Tracer(AskedSpan)),
    "span context": lambda: OneTracer(Tracer(Nameless)),
    "on_start": lambda: sdk(OnStart()),
    "on_end": lambda: sdk(OnEnd()),
    "exporter": lambda: sdk(SimpleSpanProcessor(Exporter())),
    "sampler": lambda: sdk(sampler=Sampling()),
    "ids": lambda: sdk(id_generator=Ids()),
}


@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize("what", PROVIDERS)
def test_a_broken_provider_changes_no_result(
    what: str, heard: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Results and the user's own exceptions are the same; each failure is logged once."""
    events: list[Any] = []
    config = {"callbacks": [lambda name, data: events.append(data)]} if heard else {}
    with caplog.at_level(logging.WARNING, "otelbridge"):
        tracing = _tracing.Tracing(PROVIDERS[what]())
        with _tracing.use(tracing):
            assert run_all(config) == RESULTS
    said = [record.getMessage() for record in caplog.records if record.name == "otelbridge"]
    assert len(said) == len(set(said))
    if what != "exporter":  # the SDK keeps and logs that one itself
        assert said
    if heard:
        assert len(events) == EVENTS


@pytest.mark.parametrize("capture", [False, True])
def test_a_broken_redactor_changes_no_result(
    capture: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """What it failed on is withheld, and that is said once."""
    recording = _tracing.Recording(redact=broken, capture_content=capture)
    with caplog.at_level(logging.WARNING, "otelbridge"):
        with _tracing.use(_tracing.Tracing(sdk(), recording)):
            assert run_all({}) == RESULTS
    assert len([record for record in caplog.records if "redact" in record.getMessage()]) == 1


HOOKS = ("custom_event chain_start chain_end chain_error tool_start tool_end stream_chunk").split()


class Sync(BaseCallbackHandler):
    """A handler to be given a hook that fails."""


class Async(AsyncCallbackHandler):
    """An async handler to be given a hook that fails."""


class Own:
    """An object to be given a ``handle_*`` hook that fails."""


async def abroken(*args: Any, **kwargs: Any) -> Any:
    """Fail after giving way."""
    await asyncio.sleep(0)
    broken()


def handler_of(form: str, hook: str) -> Any:
    """Return a handler whose one hook fails."""
    fails = abroken if form.startswith("async") else broken
    kind = form.split()[-1]
    if kind == "mapping":
        return {f"handle_{hook}": fails}
    if kind == "class":
        base = Async if form.startswith("async") else Sync
        return type("Broken", (base,), {f"on_{hook}": staticmethod(fails)})()
    if kind == "object":
        return type("Broken", (Own,), {f"handle_{hook}": lambda self, **kw: fails()})()
    handler = Own()
    setattr(handler, f"handle_{hook}", fails)
    return handler


FORMS = [
    f"{how} {what}" for how in ("sync", "async") for what in "class object own mapping".split()
]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("form", FORMS)
def test_a_broken_handler_changes_no_result(
    form: str, hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once for the hook, over many runs; the others still hear everything."""
    heard: list[Any] = []
    config = {"callbacks": [handler_of(form, hook), lambda name, data: heard.append(data)]}
    with caplog.at_level(logging.WARNING, "otelbridge"):
        assert run_all(config) == RESULTS
        assert run_all(config) == RESULTS
    failed = [record for record in caplog.records if record.name == "otelbridge"]
    assert [f"on_{hook}" in record.getMessage() for record in failed] == [True]
    assert len(heard) == 2 * EVENTS


@pytest.mark.parametrize("fails", [broken, abroken])
def test_a_broken_function_is_logged_once(fails: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A plain function is known again, though each run makes a new adapter of it."""

    def listen(name: str, data: Any) -> Any:
        return fails()

    with caplog.at_level(logging.WARNING, "otelbridge"):
        assert run_all({"callbacks": [listen]}) == RESULTS
        assert run_all({"callbacks": [listen]}) == RESULTS
    assert len([record for record in caplog.records if record.name == "otelbridge"]) == 1


def test_the_same_failure_is_said_again_after_a_minute_with_its_count(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The guard counts what it does not log."""
    now = [100.0]
    monkeypatch.setattr(_tracing, "monotonic", lambda: now[0])
    tracing = _tracing.Tracing(OneTracer(Tracer(broken)))
    with caplog.at_level(logging.WARNING, "otelbridge"), _tracing.use(tracing):
        for _ in range(5):
            RunnableLambda(body).invoke(1)
        assert len(caplog.records) == 1
        now[0] += 61
        RunnableLambda(body).invoke(1)
    assert "4 times more" in caplog.records[1].getMessage()
