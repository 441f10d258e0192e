"""What fails beside a run: handlers, redactors, exporters, processors; and stops like Ctrl-C."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

import pytest
from drawing import drawn
from langchain_core.callbacks import (
    AsyncCallbackHandler,
    BaseCallbackHandler,
    adispatch_custom_event,
    dispatch_custom_event,
)
from langchain_core.runnables import RunnableConfig, RunnableLambda
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from subjects import Chat, Completion, Retriever, Slow, Tool, chain, graph, node
from traced import Traced

from otelbridge import _run_ids, _tracing, langchain
from otelbridge.testing import capture_runs

SUBJECTS: dict[str, tuple[Any, Any]] = {
    "chain": (chain, "x"),
    "chat model": (Chat, "x"),
    "completion": (Completion, "x"),
    "tool": (Tool, "x"),
    "retriever": (Retriever, "x"),
    "graph": (lambda: graph(node("a")), {"x": 1}),
}
every_subject = pytest.mark.parametrize("name", SUBJECTS)


@pytest.fixture(autouse=True)
def _said_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is the first to see a failure, which is said once a minute."""
    monkeypatch.setattr(_tracing, "_said", {})


def _call(name: str, form: str, config: Any) -> Any:
    make, value = SUBJECTS[name]
    runnable = make()

    async def pull() -> Any:
        return [chunk async for chunk in runnable.astream(value, config)]

    if form == "invoke":
        return runnable.invoke(value, config)
    if form == "stream":
        return list(runnable.stream(value, config))
    if form == "ainvoke":
        return asyncio.run(runnable.ainvoke(value, config))
    return asyncio.run(pull())


FORMS = ("invoke", "stream", "ainvoke", "astream")
every_call = pytest.mark.parametrize("form", FORMS)


class Failing(BaseCallbackHandler):
    """Raises in one hook of every kind of run."""

    def __init__(self, phase: str, *, raises: bool) -> None:
        self.phase = phase
        self.raise_error = raises


class AFailing(AsyncCallbackHandler):
    """The same, async."""

    def __init__(self, phase: str, *, raises: bool) -> None:
        self.phase = phase
        self.raise_error = raises


def _failing(phase: str) -> Any:
    def fail(self: Failing, *args: Any, **kwargs: Any) -> None:
        if self.phase == phase:
            raise LookupError("of the handler")

    return fail


def _afailing(phase: str) -> Any:
    async def fail(self: AFailing, *args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0)
        if self.phase == phase:
            raise LookupError("of the handler")

    return fail


for _phase in ("start", "end"):
    for _kind in ("chain", "tool", "retriever", "llm", "chat_model"):
        setattr(Failing, f"on_{_kind}_{_phase}", _failing(_phase))
        setattr(AFailing, f"on_{_kind}_{_phase}", _afailing(_phase))


@every_call
@every_subject
@pytest.mark.parametrize("phase", ["start", "end"])
def test_a_failing_handler_costs_no_span(
    name: str, form: str, phase: str, traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    """It is upstream's to log; the result and the trace are as without it."""
    whole = {"graph": "graph\n  a\n    a body", "retriever": "Retriever"}.get(
        name, "model" if name in ("chat model", "completion") else name
    )
    handler = AFailing if form.startswith("a") else Failing
    assert _call(name, form, traced.config(handler(phase, raises=False)))
    assert drawn(traced.captured) == whole
    assert any("of the handler" in said for said in traced.said)
    traced.said.clear()  # upstream's warnings
    traced.check()


@every_call
@every_subject
@pytest.mark.parametrize("phase", ["start", "end"])
def test_a_handler_that_may_raise_ends_what_it_breaks(
    name: str, form: str, phase: str, traced: Traced
) -> None:
    """With ``raise_error`` its exception is the caller's, and every span has ended."""
    handler = AFailing if form.startswith("a") else Failing
    with pytest.raises(LookupError, match="of the handler"):
        _call(name, form, traced.config(handler(phase, raises=True)))
    assert len(traced.captured.spans) >= 1
    if phase == "start":
        assert drawn(traced.captured).split("\n")[0].endswith(" ✗ LookupError")
    traced.said.clear()
    traced.check()


class BadProcessor(SpanProcessor):
    """Raises whenever it is told something."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        raise LookupError("of the processor")

    def on_end(self, span: Any) -> None:
        raise LookupError("of the processor")


class BadExporter(SpanExporter):
    """Cannot export."""

    def export(self, spans: Any) -> Any:
        raise LookupError("of the exporter")


@pytest.fixture(params=["instrument", "handler"])
def by(request: pytest.FixtureRequest) -> Iterator[Any]:
    """How it is traced: gives the config of a call."""

    def on(provider: Any, **settings: Any) -> dict[str, Any]:
        if request.param == "instrument":
            langchain.instrument(tracer_provider=provider, **settings)
            return {}
        handler = langchain.OtelCallbackHandler(tracer_provider=provider, **settings)
        return {"callbacks": [handler]}

    yield on
    langchain.uninstrument()


@every_call
@pytest.mark.parametrize("what", ["processor", "exporter"])
def test_telemetry_that_fails_changes_no_result(
    what: str, form: str, by: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A processor or an exporter that raises is logged; every call's result is the same."""
    provider = TracerProvider(shutdown_on_exit=False)
    if what == "processor":
        provider.add_span_processor(BadProcessor())
    else:
        provider.add_span_processor(SimpleSpanProcessor(BadExporter()))
    config = by(provider)
    with caplog.at_level(logging.CRITICAL, "opentelemetry"):
        found = {name: _call(name, form, config) for name in SUBJECTS}
    langchain.uninstrument()
    expected = {name: _call(name, form, {}) for name in SUBJECTS}
    assert _texts(found) == _texts(expected)
    assert _run_ids.live == {}
    said = [record.getMessage() for record in caplog.records if record.name == "otelbridge"]
    assert len(said) == len(set(said))
    assert set(said) <= {f"otelbridge could not {doing} a span; {GOES_ON}" for doing in DOING}


DOING, GOES_ON = ("start", "end"), "the program goes on"  # later SDKs log what a processor raises


def _texts(found: dict[str, Any]) -> dict[str, Any]:
    """Messages without their ids."""
    kept = dict(found)
    chat = kept.pop("chat model")
    chat = chat if isinstance(chat, list) else [chat]
    return {**kept, "chat model": [message.content for message in chat]}


@every_call
def test_a_redactor_that_fails_lets_nothing_out(
    form: str, by: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What it should have cleaned is left out, the rest is recorded, and it is said once."""

    def redact(key: str, value: Any) -> Any:
        raise LookupError("of the redactor")

    with capture_runs() as captured:
        config = by(captured.provider, redact=redact, capture_content=True)
        # The capture's own rules are left outside.
        contextvars.Context().run(_say_secrets, form, config)
        assert [span.name for span in captured.spans] == ["says", "says"]
        assert "secret" not in "".join(span.to_json() for span in captured.spans)
        assert [[event.name for event in span.events] for span in captured.spans] == [["e"]] * 2
    assert _run_ids.live == {}
    assert len([record for record in caplog.records if record.name == "otelbridge"]) == 1


def _say_secrets(form: str, config: Any) -> None:
    def says(value: Any, config: RunnableConfig) -> Any:
        dispatch_custom_event("e", {"n": "secret"}, config=config)
        return value

    async def asays(value: Any, config: RunnableConfig) -> Any:
        await adispatch_custom_event("e", {"n": "secret"}, config=config)
        return value

    runnable = RunnableLambda(says, asays, name="says")
    for _ in range(2):
        if form == "invoke":
            assert runnable.invoke("secret", config) == "secret"
        elif form == "stream":
            assert list(runnable.stream("secret", config)) == ["secret"]
        else:
            assert asyncio.run(runnable.ainvoke("secret", config)) == "secret"


STOPS = (KeyboardInterrupt, SystemExit)


@pytest.mark.parametrize("form", ["invoke", "ainvoke", "stream"])
@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.__name__)
@every_subject
def test_a_stop_in_a_body_ends_its_runs(
    name: str, stop: type[BaseException], form: str, traced: Traced
) -> None:
    """Ctrl-C and exit pass through as they are, and leave no run behind."""

    def inside() -> None:
        raise stop()

    subjects: dict[str, Any] = {
        "chain": lambda: chain(inside=inside),
        "chat model": lambda: Chat(inside=inside),
        "completion": lambda: Completion(inside=inside),
        "tool": lambda: Tool(inside=inside),
        "retriever": lambda: Retriever(inside=inside),
        "graph": lambda: graph(node("a", inside)),
    }
    runnable, value = subjects[name](), SUBJECTS[name][1]
    with pytest.raises(stop):
        if form == "invoke":
            runnable.invoke(value, traced.config())
        elif form == "stream":
            list(runnable.stream(value, traced.config()))
        else:
            asyncio.run(runnable.ainvoke(value, traced.config()))
    expected = {"graph": ["graph", "  a", "    a body"], "retriever": ["Retriever"]}.get(
        name, ["model" if name in ("chat model", "completion") else name]
    )
    lines = drawn(traced.captured).split("\n")
    marks = {f" ✗ {stop.__name__}"}
    if form == "ainvoke":  # the loop stops at once, and cancels what waits for the body's task
        marks.add(" (cancelled)")
    assert len(lines) == len(expected)
    for line, run in zip(lines, expected):
        assert line.removeprefix(run) in marks
    traced.said.clear()  # of tasks that nobody awaited, by the loop
    traced.check()


BLOCKED_S = 1.0


def test_a_prompt_behind_one_that_fails_ends(traced: Traced) -> None:
    """Of several prompts in one call the first fails: upstream sends no end for the second."""

    def fails() -> None:
        raise ValueError("no good")

    with pytest.raises(ValueError, match="no good"):
        Chat(inside=fails).generate([[], []], callbacks=traced.config().get("callbacks"))
    assert drawn(traced.captured) == "\n".join(["model ✗ ValueError"] * 2)
    traced.check()


@pytest.mark.parametrize("events", [3])
def test_a_busy_default_executor_does_not_stall_runs(events: int, traced: Traced) -> None:
    """With all its workers blocked, async runs go on, and their events keep their order."""
    released = threading.Event()

    async def says(value: Any, config: RunnableConfig) -> Any:
        for number in range(events):
            await adispatch_custom_event("e", {"n": number}, config=config)
        return value

    async def busy() -> float:
        loop = asyncio.get_running_loop()
        executor = ThreadPoolExecutor(1)
        loop.set_default_executor(executor)
        blocked = loop.run_in_executor(None, released.wait, 10 * BLOCKED_S)
        begun = monotonic()
        config = traced.config(Slow())
        await RunnableLambda(says, name="says").ainvoke("x", config)
        for runnable in (chain(), Chat(), Completion(), Tool(), Retriever()):
            await runnable.ainvoke("x", config)
        await graph(node("a")).ainvoke({"x": 1}, config)
        async for _ in Chat().astream("x", config):
            pass
        took = monotonic() - begun
        assert not blocked.done()
        released.set()
        await blocked
        return took

    assert asyncio.run(busy()) < 5 * BLOCKED_S  # or it would have waited for the executor
    said = "\n".join(f"  · e n={number}" for number in range(events))
    assert drawn(traced.captured) == (
        f"says\n{said}\nchain\nmodel\nmodel\ntool\nRetriever\ngraph\n  a\n    a body\nmodel"
    )
    traced.check()
