"""Capturing runs in tests: what is captured, what can be asked, and what is left behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, StaticSampler

from otelbridge import (
    ConfigurationError,
    RunnableLambda,
    _tracing,
    adispatch_custom_event,
    current_run,
    dispatch_custom_event,
    semconv,
    start_run,
    traced,
)
from otelbridge.testing import CapturedRuns, capture_runs


@traced
def load(name: str) -> str:
    """A run with an event."""
    dispatch_custom_event("read", {"name": name})
    return name.upper()


@traced
def pipeline(name: str) -> str:
    """A run with two below it and an event between them."""
    load(name)
    dispatch_custom_event("half", 50)
    load(name * 2)
    return name


def read(name: str) -> dict[str, object]:
    """What ``load`` looks like in a dict."""
    return {
        "name": "load",
        "attributes": {semconv.RUN_TYPE: "chain"},
        "events": [("read", {"data.name": name})],
        "status": "UNSET",
        "children": [],
    }


# ---------------------------------------------------------------------------- what is asked


def test_whole_trace_can_be_compared_at_once() -> None:
    """``as_dict`` gives names, attributes, events, status and children, without what varies."""
    with capture_runs() as runs:
        pipeline("a")
    assert runs.as_dict() == {
        "name": "pipeline",
        "attributes": {semconv.RUN_TYPE: "chain"},
        "events": [("half", {"data": 50})],
        "status": "UNSET",
        "children": [read("a"), read("aa")],
    }


def test_tree_is_the_same_each_time() -> None:
    """``tree`` draws names, types and events by time, and no times."""
    with capture_runs() as runs:
        pipeline("a")
    assert runs.tree() == (
        "pipeline [chain]\n"
        "├─ load [chain]\n"
        "│    · read  name='a'\n"
        "│ · half  50\n"
        "└─ load [chain]\n"
        "     · read  name='aa'"
    )


def test_spans_come_in_the_order_of_their_ends() -> None:
    """``spans`` has the SDK's finished spans; ``names`` puts parents first."""
    with capture_runs() as runs:
        pipeline("a")
    assert [span.name for span in runs.spans] == ["load", "load", "pipeline"]
    assert runs.names == ["pipeline", "load", "load"]


def test_a_span_is_found_by_its_name() -> None:
    """``find`` gives the one span of a name, ``find_all`` every one."""
    with capture_runs() as runs:
        pipeline("a")
    assert runs.find("pipeline").name == "pipeline"
    assert [len(span.events) for span in runs.find_all("load")] == [1, 1]
    assert runs.find_all("other") == []


def test_a_wrong_name_says_what_there_is() -> None:
    """The error counts the spans of that name and lists all."""
    with capture_runs() as runs:
        pipeline("a")
    with pytest.raises(AssertionError, match=r"'lod', found 0 among \['pipeline', 'load', 'load'"):
        runs.find("lod")
    with pytest.raises(AssertionError, match="'load', found 2 among"):
        runs.events("load")


def test_events_are_whole_and_in_order() -> None:
    """``events`` has those that went to pages too."""
    with capture_runs(span_limits=SpanLimits(max_events=3)) as runs, start_run("many") as run:
        for number in range(10):
            run.event("e", number)
    assert runs.events("many") == [("e", {"data": number}) for number in range(10)]
    assert runs.as_dict()["children"] == []
    assert runs.names == ["many"]
    assert len(runs.spans) > 1


def test_failed_run_keeps_its_stack_only_when_asked() -> None:
    """Status has the description; ids and stack traces come with ``volatile``."""
    with capture_runs() as runs, pytest.raises(ValueError, match="bad"), start_run("fails"):
        raise ValueError("bad")
    plain, full = runs.as_dict(), runs.as_dict(volatile=True)
    assert plain["status"] == "ERROR: bad"
    assert plain["events"][0][1][semconv.EXCEPTION_TYPE] == "ValueError"
    assert semconv.EXCEPTION_STACKTRACE not in plain["events"][0][1]
    assert "raise ValueError" in full["events"][0][1][semconv.EXCEPTION_STACKTRACE]
    assert semconv.RUN_ID in full["attributes"]


def test_several_roots_are_a_list() -> None:
    """``as_dict`` wants one root; ``as_dicts`` takes any number, in order of start."""
    with capture_runs() as runs:
        with pytest.raises(AssertionError, match="expected one root span, found \\[\\]"):
            runs.as_dict()
        load("a")
        load("b")
    assert runs.as_dicts() == [read("a"), read("b")]
    with pytest.raises(AssertionError, match=r"found \['load', 'load'\]"):
        runs.as_dict()


def test_cleared_capture_begins_again() -> None:
    """``clear`` forgets what has finished so far."""
    with capture_runs() as runs:
        load("a")
        runs.clear()
        assert runs.spans == []
        load("b")
    assert runs.as_dict() == read("b")


# ---------------------------------------------------------------------------- what is captured


async def aload(name: str) -> str:
    """An async body with an event."""
    await adispatch_custom_event("read", {"name": name})
    return name


async def stream(name: str) -> AsyncIterator[str]:
    """An async generator with an event."""
    await adispatch_custom_event("read", {"name": name})
    yield name


def as_thread(work: Callable[[], object]) -> None:
    """Run in a thread that has a copy of the context."""
    asyncio.run(asyncio.to_thread(work))


@pytest.mark.parametrize(
    "act",
    [
        lambda: RunnableLambda(load).invoke("a"),
        lambda: asyncio.run(RunnableLambda(aload, name="load").ainvoke("a")),
        lambda: as_thread(lambda: load("a")),
        lambda: list(RunnableLambda(load).stream("a")),
    ],
    ids=["sync", "async", "thread", "stream"],
)
def test_runs_of_every_form_are_captured(act: Callable[[], object]) -> None:
    """Sync, async, in a thread, as a stream: the run and its event are there."""
    with capture_runs() as runs:
        act()
    assert runs.names[-1] == "load"
    assert ("read", {"data.name": "a"}) in [
        (event.name, event.attributes) for span in runs.spans for event in span.events
    ]
    runs.assert_clean()


async def test_capture_works_inside_a_coroutine() -> None:
    """A block in async code captures what is awaited in it, generators too."""
    with capture_runs() as runs:
        await RunnableLambda(aload).ainvoke("a")
        async for _ in traced(stream)("b"):
            pass
        runs.assert_clean()
    assert runs.names == ["aload", "stream"]
    assert runs.events("stream") == [("read", {"data.name": "b"})]


def test_captures_in_parallel_threads_are_apart() -> None:
    """Each thread's capture has its own runs alone."""
    together = threading.Barrier(8)

    def work(number: int) -> list[str]:
        with capture_runs() as runs:
            together.wait(10)
            for _ in range(20):
                load(str(number))
            together.wait(10)
        assert len(runs.spans) == 20
        return [event[1]["data.name"] for root in runs.as_dicts() for event in root["events"]]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    assert results == [[str(number)] * 20 for number in range(8)]


async def test_captures_in_parallel_tasks_are_apart() -> None:
    """Tasks of one loop that take turns capture their own runs alone."""

    async def work(number: int) -> list[str]:
        with capture_runs() as runs:
            for _ in range(5):
                await asyncio.sleep(0)
                await RunnableLambda(aload).ainvoke(str(number))
        return [event[1]["data.name"] for root in runs.as_dicts() for event in root["events"]]

    results = await asyncio.gather(*map(work, range(5)))
    assert results == [[str(number)] * 5 for number in range(5)]


def test_capture_inside_a_capture_takes_over() -> None:
    """The inner block captures its runs, as roots; the outer one goes on afterwards."""
    with capture_runs() as outer, start_run("outer"):
        with capture_runs() as inner:
            load("a")
        load("b")
    assert inner.as_dict() == read("a")
    assert outer.as_dict()["children"] == [read("b")]


def test_raw_thread_is_captured_where_it_says_so() -> None:
    """A thread without a copy of the context joins by ``active``."""
    with capture_runs() as runs:

        def work() -> None:
            with runs.active():
                load("joined")

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        runs.assert_clean()
    assert runs.as_dict() == read("joined")


def test_spans_of_otel_itself_come_from_the_captures_tracer() -> None:
    """The user's own spans from ``tracer`` are captured, around runs and inside them."""
    with (
        capture_runs() as runs,
        runs.tracer.start_as_current_span("request"),
        start_run("run"),
        runs.tracer.start_as_current_span("query"),
    ):
        pass
    assert runs.tree() == "request\n└─ run [chain]\n   └─ query"


def test_otel_globals_are_not_touched() -> None:
    """The global provider is what it was, during and after a capture."""
    before = trace.get_tracer_provider()
    with capture_runs():
        load("a")
        assert trace.get_tracer_provider() is before
    assert trace.get_tracer_provider() is before


def test_capture_starts_from_an_empty_context() -> None:
    """Span and baggage around the test are not seen inside, and are back afterwards."""
    foreign = TracerProvider(shutdown_on_exit=False).get_tracer("runner")
    with foreign.start_as_current_span("test run"):
        token = otel_context.attach(baggage.set_baggage("user", "1"))
        outside = otel_context.get_current()
        with capture_runs() as runs:
            assert baggage.get_all() == {}
            load("a")
            runs.assert_clean()
        assert otel_context.get_current() is outside
        runs.assert_clean()
        otel_context.detach(token)
    assert runs.find("load").parent is None


def test_environment_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the machine do not change what a test sees."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "0")
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1")
    monkeypatch.setenv("OTELBRIDGE_MAX_STRING_BYTES", "1")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    with capture_runs() as runs:
        load("abc")
    assert runs.as_dict() == read("abc")


# ---------------------------------------------------------------------------- options


def test_service_name_is_that_of_the_block() -> None:
    """Captured spans may be sent on under a name of their own."""
    with capture_runs(service_name="mine") as runs:
        load("a")
    assert runs.find("load").resource.attributes["service.name"] == "mine"


def test_options_are_those_of_configure() -> None:
    """Content, bounds, redaction and denied keys are as the block says."""
    with (
        capture_runs(
            capture_content=True,
            max_string_bytes=16,
            redact=lambda key, value: "***" if key == "data.secret" else value,
            denied_keys=["password"],
            configurable_keys=["user_id"],
        ) as runs,
        start_run("run", config={"configurable": {"user_id": "u1", "x": "y"}}) as run,
    ):
        run.event("e", {"secret": "s", "password": "p", "text": "a" * 50})
    attributes = runs.events("run")[0][1]
    assert attributes["data.secret"] == "***"
    assert attributes["data.password"] == "[redacted]"
    assert len(attributes["data.text"]) <= 16
    assert runs.as_dict()["attributes"]["user.id"] == "u1"


def test_sampled_out_runs_are_not_captured() -> None:
    """As with an exporter, only sampled spans are there; and all are told as ended."""
    for sampler in (ALWAYS_OFF, StaticSampler(Decision.RECORD_ONLY)):
        with capture_runs(sampler=sampler) as runs:
            assert load("a") == "A"
            runs.assert_clean()
        assert runs.spans == []


# ---------------------------------------------------------------------------- what is left over


def test_unfinished_span_is_told() -> None:
    """``assert_clean`` names what has begun and not ended."""
    with capture_runs() as runs:
        span = runs.tracer.start_span("left open")
        with pytest.raises(AssertionError, match=r"not ended: \['left open'\]"):
            runs.assert_clean()
        span.end()
        runs.assert_clean()


def test_changed_context_is_told() -> None:
    """``assert_clean`` shows a context that something was attached to."""
    with capture_runs() as runs:
        token = otel_context.attach(otel_context.set_value("mine", 1))
        with pytest.raises(AssertionError, match=r"context is \{'mine': 1\}, not \{\}"):
            runs.assert_clean()
        otel_context.detach(token)
        runs.assert_clean()


def test_nothing_is_in_use_after_a_failing_block() -> None:
    """An exception passes through unchanged, and the capture is over."""
    error = ValueError("the test's own")
    before = _tracing.current()

    def fail() -> None:
        with capture_runs():
            raise error

    with pytest.raises(ValueError, match="own") as caught:
        fail()
    assert caught.value is error
    assert _tracing.current() is before
    assert current_run() is None


# ---------------------------------------------------------------------------- the fixture

ROOT = Path(__file__).parent.parent
PROJECT = {
    "pytest.ini": "[pytest]\nasyncio_mode = auto\n"
    "asyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n",
    # The plugin is imported before pytest can rewrite it, as a conftest may well do.
    "conftest.py": "import otelbridge.testing\npytest_plugins = ['otelbridge.testing']\n",
    "test_it.py": """
from otelbridge import RunnableLambda, adispatch_custom_event, dispatch_custom_event, traced
from otelbridge.testing import CapturedRuns

@traced
def load():
    dispatch_custom_event("read", 1)

async def aload(_):
    await adispatch_custom_event("read", 1)

def test_sync(capture_runs: CapturedRuns):
    load()
    assert capture_runs.events("load") == [("read", {"data": 1})]
    capture_runs.assert_clean()

async def test_async(capture_runs: CapturedRuns):
    await RunnableLambda(aload).ainvoke(None)
    assert capture_runs.events("aload") == [("read", {"data": 1})]
    capture_runs.assert_clean()

class TestMethods:
    def test_method(self, capture_runs):
        load()
        assert capture_runs.names == ["load"]
""",
}


def run_python(folder: Path, *args: str) -> str:
    """What a fresh interpreter prints, run in ``folder`` with this package."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", *args],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_fixture_captures_sync_and_async_tests(tmp_path: Path) -> None:
    """Each test that takes the fixture has its own capture, in async tests too."""
    for name, content in PROJECT.items():
        (tmp_path / name).write_text(content, "utf-8")
    assert "3 passed" in run_python(tmp_path, "-m", "pytest", "-p", "no:cacheprovider")


def test_module_is_of_use_without_pytest(tmp_path: Path) -> None:
    """Where pytest is not installed, the context manager is still there."""
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from otelbridge import traced\n"
        "from otelbridge.testing import capture_runs\n"
        "with capture_runs() as runs: traced(lambda: 1, name='f')()\n"
        "print(runs.names)"
    )
    assert run_python(tmp_path, "-c", code) == "['f']\n"


def test_captured_runs_is_a_public_type() -> None:
    """Tests can annotate the fixture."""
    with capture_runs() as runs:
        assert isinstance(runs, CapturedRuns)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"max_string_bytes": 0}, r"capture_runs\(max_string_bytes=0\).*whole number >= 1"),
        ({"redact": lambda value: value}, r"redact\(key, value\)"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], why: str) -> None:
    """As `configure` refuses them."""
    with pytest.raises(ConfigurationError, match=why), capture_runs(**options):
        pass


def test_resource_attributes_are_those_of_the_block() -> None:
    """They are there beside the service's name."""
    with capture_runs(resource_attributes={"team": "blue"}) as runs:
        load("a")
    assert dict(runs.find("load").resource.attributes) == {
        "service.name": "otelbridge.testing",
        "team": "blue",
    }
