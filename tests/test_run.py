"""The run: one span for each, ended once, with what its body and its end say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from ways import CALLS, STREAMS, Way, captured_cleanly, every_way, threaded, traces

from otelbridge import (
    BaseCallbackHandler,
    Run,
    RunnableConfig,
    RunnableGenerator,
    RunnableLambda,
    _tracing,
    current_run,
    dispatch_custom_event,
    start_run,
)
from otelbridge.run import abegin, begin, outcome_of

each_call = pytest.mark.parametrize("way", CALLS, ids=lambda way: way.__name__)


def fail(x: Any) -> Any:
    raise ValueError("no")


async def boom(self: Any, *args: Any, **kwargs: Any) -> Any:
    raise KeyError("handler")


def test_repr_says_what_it_is() -> None:
    """Name, type, id, and whether it has ended."""
    with captured_cleanly():
        with start_run("job", run_type="tool") as run:
            assert repr(run) == f"<Run 'job' tool {run.run_id} live>"
    assert repr(run) == f"<Run 'job' tool {run.run_id} ended>"
    assert run.id == run.run_id


@every_way
def test_span_has_status_and_record_of_an_error(way: Way) -> None:
    """Name, kind, attributes, one exception event and the status of a failure."""
    with captured_cleanly() as captured:
        with pytest.raises(ValueError, match="no"):
            way(RunnableLambda(fail), 1, {"tags": ["t"], "metadata": {"k": 1}})
    assert captured.find("fail").kind is trace.SpanKind.INTERNAL
    assert captured.as_dict() == {
        "name": "fail",
        "attributes": {
            "otelbridge.run.type": "chain",
            "otelbridge.run.tags": ("t",),
            "otelbridge.run.metadata.k": 1,
            "error.type": "ValueError",
        },
        "events": [
            (
                "exception",
                {
                    "exception.type": "ValueError",
                    "exception.message": "no",
                    "exception.escaped": "False",
                },
            )
        ],
        "status": "ERROR: no",
        "children": [],
    }


def test_run_ends_once() -> None:
    """Whatever is said after its first end is not heard."""
    with captured_cleanly() as captured:
        run = begin("job", None, 1)
        run.end(1)
        run.end(2)
        run.fail(ValueError())
        run.close(GeneratorExit())
        assert run.enter(current_run) is None
    assert traces(captured) == ["job"]


async def test_async_run_ends_once() -> None:
    """As a sync one."""
    with captured_cleanly() as captured:
        run = await abegin("job", None, 1)
        assert await run.asteps(asyncio.sleep(0, "slept")) == "slept"
        await run.afail(ValueError("no"))
        await run.afail(ValueError("again"))
        await run.aend(2)
        await run.aclose(GeneratorExit())
        assert run.get_sync() is run
    assert traces(captured) == ["job !ValueError"]


def test_body_runs_inside_the_run() -> None:
    """enter makes it current, also where it is current already."""
    with captured_cleanly():
        run = begin("job", None, 1)
        assert run.enter(current_run) is run
        assert run.enter(lambda: run.enter(current_run)) is run
        assert current_run() is None
        run.end()


def test_run_manager_is_the_run() -> None:
    """A body parameter of that name gets it; it ends runs as upstream's does."""
    seen: list[Run] = []

    def body(x: Any, run_manager: Any) -> None:
        seen.append(run_manager)
        assert run_manager is current_run()

    with captured_cleanly() as captured:
        RunnableLambda(body).invoke(1)
        begin("a", None, 1).on_chain_end(1)
        begin("b", None, 1).on_chain_error(ValueError("no"))
    assert isinstance(seen[0], Run)
    assert traces(captured) == ["body", "a", "b !ValueError"]


GraphBubbleUp = type("GraphBubbleUp", (Exception,), {"__module__": "langgraph.errors"})


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (asyncio.CancelledError(), "cancelled"),
        (GeneratorExit(), "closed"),
        (type("GraphInterrupt", (GraphBubbleUp,), {})(), "interrupted"),
        (type("GraphBubbleUp", (Exception,), {"__module__": "builtins"})(), None),
        (KeyboardInterrupt(), None),
        (ValueError(), None),
    ],
)
def test_outcome_tells_stops_from_failures(error: BaseException, outcome: str | None) -> None:
    """A stop is no error: it has an outcome and no status."""
    assert outcome_of(error) == outcome
    with captured_cleanly() as captured:
        begin("job", None, 1).fail(error)
    end = f"~{outcome}" if outcome else f"!{type(error).__name__}"
    assert traces(captured) == [f"job {end}"]


# ---------------------------------------------------------------------- handlers that raise


@pytest.mark.parametrize("hook", ["start", "end", "error"])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_handler_that_raises_at_either_end_ends_the_run(hook: str, is_async: bool) -> None:
    """By raise_error, its exception comes out, and the span ends all the same."""

    def sync_boom(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise KeyError("handler")

    methods = {f"on_chain_{hook}": boom if is_async else sync_boom, "raise_error": True}
    handler = type("Raising", (BaseCallbackHandler,), methods)()
    config: RunnableConfig = {"callbacks": [handler]}
    runnable = RunnableLambda(fail if hook == "error" else str)
    with captured_cleanly() as captured:
        with pytest.raises(KeyError):
            runnable.invoke(1, config) if not is_async else await runnable.ainvoke(1, config)
    assert captured.names == [runnable.get_name()]


async def test_cancel_in_the_start_hook_ends_the_run() -> None:
    """The run is told as cancelled."""

    class Slow(BaseCallbackHandler):
        async def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
            await asyncio.sleep(60)

    with captured_cleanly() as captured:
        task = asyncio.ensure_future(RunnableLambda(str).ainvoke(1, {"callbacks": [Slow()]}))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert traces(captured) == ["str ~cancelled"]


# ---------------------------------------------------------------------- spans of the user


@every_way
def test_spans_of_the_user_nest_with_runs(way: Way) -> None:
    """A span started in a body is a child of the run; a run inside of it is the span's child."""
    with captured_cleanly() as captured:

        def body(x: Any) -> Any:
            with captured.tracer.start_as_current_span("mine"):
                return RunnableLambda(str).invoke(x)

        assert way(RunnableLambda(body), 1) == "1"
    assert captured.tree() == "body [chain]\n└─ mine\n   └─ str [chain]"


def span_over_chunks(tracer: Any) -> Any:
    def generate(chunks: Iterator[Any]) -> Iterator[Any]:
        with tracer.start_as_current_span("mine"):
            for chunk in chunks:
                yield RunnableLambda(str).invoke(chunk)

    async def agenerate(chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
        with tracer.start_as_current_span("mine"):
            async for chunk in chunks:
                yield await RunnableLambda(str).ainvoke(chunk)

    return RunnableGenerator(generate, agenerate)


@pytest.mark.parametrize("way", [*CALLS, *STREAMS], ids=lambda way: way.__name__)
def test_spans_over_chunks_nest_with_runs(way: Way) -> None:
    """A span open over a yield stays current inside of the body, and never outside."""
    with captured_cleanly() as captured:
        assert way(span_over_chunks(captured.tracer), 1) == "1"
    assert captured.tree() == "generate [chain]\n└─ mine\n   └─ str [chain]"


def test_span_of_the_caller_is_the_parent() -> None:
    """Also in a thread with a copy of the context."""
    with captured_cleanly() as captured:
        with captured.tracer.start_as_current_span("request"):
            RunnableLambda(str).invoke(1)
            threaded(lambda: RunnableLambda(repr).invoke(1))
    assert captured.tree() == "request\n├─ str [chain]\n└─ repr [chain]"


def test_explicit_parent_may_have_ended() -> None:
    """A run begun by the config of an ended run is still its child."""
    with captured_cleanly() as captured:
        with start_run("job") as run:
            config = run.child_config()
        RunnableLambda(str).invoke(1, config)
    assert traces(captured) == ["job", "  str"]


# ---------------------------------------------------------------------- content


@every_way
def test_content_is_recorded_where_asked(way: Way) -> None:
    """Input and output of each form, and neither by default."""
    with captured_cleanly(capture_content=True) as captured:
        assert way(RunnableLambda(lambda x: [x, x]), {"q": 1}) == [{"q": 1}, {"q": 1}]
    attributes = captured.as_dict()["attributes"]
    assert attributes["otelbridge.run.input"] == '{"q":1}'
    assert attributes["otelbridge.run.output"] == '[{"q":1},{"q":1}]'
    with captured_cleanly() as captured:
        way(RunnableLambda(str), 1)
    assert captured.as_dict()["attributes"] == {"otelbridge.run.type": "chain"}


@pytest.mark.parametrize("way", STREAMS, ids=lambda way: way.__name__)
def test_content_of_a_stream_is_what_its_chunks_add_up_to(way: Way) -> None:
    """Also where it fails: then what it has read."""

    def generate(chunks: Iterator[str]) -> Iterator[str]:
        for chunk in chunks:
            yield chunk
            yield "!"

    async def agenerate(chunks: AsyncIterator[str]) -> AsyncIterator[str]:
        async for chunk in chunks:
            yield chunk
            yield "!"

    with captured_cleanly(capture_content=True) as captured:
        assert way(RunnableGenerator(generate, agenerate), "hi") == "hi!"
        with pytest.raises(ValueError, match="no"):
            way(RunnableLambda(fail), "in")
    first, second = (root["attributes"] for root in captured.as_dicts())
    assert (first["otelbridge.run.input"], first["otelbridge.run.output"]) == ("hi", "hi!")
    assert second["otelbridge.run.input"] == "in"
    assert "otelbridge.run.output" not in second


# ---------------------------------------------------------------------- failing telemetry


class Broken:
    """A provider whose tracer, or whose spans, fail."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.provider = TracerProvider(shutdown_on_exit=False)

    def get_tracer(self, *args: Any, **kwargs: Any) -> Any:
        """A tracer."""
        inner = self.provider.get_tracer("inner")
        broken = self

        class Tracer:
            def start_span(self, *args: Any, **kwargs: Any) -> Any:
                if broken.what == "start_span":
                    raise OSError("tracer")
                span = inner.start_span(*args, **kwargs)

                def raising(*args: Any, **kwargs: Any) -> Any:
                    raise OSError("span")

                setattr(span, broken.what, raising)
                return span

        return Tracer()


@each_call
@pytest.mark.parametrize("what", ["start_span", "end", "set_attribute", "add_event", "set_status"])
def test_failing_telemetry_changes_no_result(
    way: Way, what: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said in the log, and the program goes on."""
    monkeypatch.setattr(_tracing, "_said", {})

    def body(x: Any) -> Any:
        dispatch_custom_event("e", x)
        if x == 0:
            raise ValueError("no")
        return x

    tracing = _tracing.Tracing(Broken(what), _tracing.Recording(capture_content=True))  # type: ignore[arg-type]
    with _tracing.use(tracing):
        assert way(RunnableLambda(body), 1) == 1
        with pytest.raises(ValueError, match="no"):
            way(RunnableLambda(body), 0)
    assert "the program goes on" in caplog.text


@each_call
@pytest.mark.parametrize("limit", [0, 1, 2, 3])
def test_id_of_the_run_is_never_evicted(way: Way, limit: int) -> None:
    """Not by tags, metadata or what users set on the span."""

    def body(x: Any) -> Any:
        for index in range(10):
            trace.get_current_span().set_attribute(f"mine{index}", index)
        return x

    limits = SpanLimits(max_span_attributes=limit)
    with captured_cleanly(span_limits=limits) as captured:
        way(RunnableLambda(body), 1, {"tags": ["t"], "metadata": {"k": 1}})
    attributes = captured.find("body").attributes or {}
    assert len(attributes) <= limit
    assert limit == 0 or "otelbridge.run.id" in attributes
