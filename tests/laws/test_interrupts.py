"""Events that interrupt anything: signal handlers, ``__del__``, span processors, ``atexit``."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from otelbridge import (
    NoActiveRunError,
    Run,
    RunnableLambda,
    _span_events,
    adispatch_custom_event,
    dispatch_custom_event,
    semconv,
    start_run,
)
from otelbridge.testing import capture_runs

from .exported import data_by_time, events_by_time, limits, told, until

needs_signals = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no interval timers"
)

# ------------------------------------------------------------------ signals, anywhere

_SIGNALS = """
import os, signal, threading, time
from otelbridge import RunnableLambda, current_run

TIMES = 500
CEILING = 20_000
provider = provider(globals()[sys.argv[1]])
dispatched = []
count = [0]


def interrupt(signum, frame):
    count[0] += 1
    n = count[0]
    outer.event("outer", -n)
    dispatched.append(-n)
    here = current_run()
    if here is not None:
        dispatch_custom_event("here", n)
        dispatched.append(n)


@RunnableLambda
def inner(i):
    for j in range(3):
        dispatch_custom_event("tick", [i, j])
    with provider.get_tracer("own").start_as_current_span("own") as span:
        span.add_event("own")
        span.set_attribute("i", i)
    return i


with start_run("outer") as outer:
    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0007)
    loops = 0
    while count[0] < TIMES and loops < CEILING:
        inner.invoke(loops)
        dispatch_custom_event("loop", loops)
        loops += 1
    # The outer run ends under fire too.
signal.setitimer(signal.ITIMER_REAL, 0)
time.sleep(0.002)  # a signal that is under way
provider.force_flush()


def found():
    return sum(len(s.events) for s in finished.get_finished_spans())


expected = len(dispatched) + loops * (3 + 1 + 1)
until = time.monotonic() + 10
while found() < expected and time.monotonic() < until:
    provider.force_flush()
    time.sleep(0.01)
say_finished(dispatched=dispatched, loops=loops, interrupts=count[0])
"""


@needs_signals
@pytest.mark.parametrize("processor", ["SimpleSpanProcessor", "BatchSpanProcessor"])
def test_signal_handler_may_dispatch_anywhere(processor: str, tmp_path: Path) -> None:
    """Dispatches that interrupt our code and the SDK's locked sections lose nothing, nor hang."""
    # The batch processor drops spans past its queue, which is none of a dispatch's doing.
    said = told(_SIGNALS, tmp_path, processor, OTEL_BSP_MAX_QUEUE_SIZE="1000000")
    assert said["interrupts"] > 0
    spans, loops = said["spans"], said["loops"]
    events = sorted((e for span in spans for e in span["events"]), key=lambda e: e[2])
    interrupting = [e[1]["data"] for e in events if e[0] in ("outer", "here")]
    assert sorted(interrupting) == sorted(said["dispatched"])
    assert [e[1]["data"] for e in events if e[0] == "loop"] == list(range(loops))
    assert sum(e[0] == "own" for e in events) == loops
    ticks = [(*e[1]["data"],) for e in events if e[0] == "tick"]
    assert ticks == [(i, j) for i in range(loops) for j in range(3)]
    assert [span["name"] for span in spans].count("inner") == loops
    ids = [span["id"] for span in spans]
    assert len(ids) == len(set(ids))
    for span in spans:
        times = [e[2] for e in span["events"] if e[0] != "own"]
        assert all(a < b for a, b in pairwise(times))
    assert said["stderr"] == ""


# ------------------------------------------------------------------ signals, at a known place


def _hold_span(run: Run) -> Callable[[], None]:
    lock = run.span._lock  # type: ignore[attr-defined]
    lock.acquire()
    return lock.release  # type: ignore[no-any-return]


def _hold_list(run: Run) -> Callable[[], None]:
    lock = run.span._events._lock  # type: ignore[attr-defined]
    lock.acquire()
    return lock.release  # type: ignore[no-any-return]


def _hold_turn(run: Run) -> Callable[[], None]:
    assert run._events is not None
    turn = run._first_of(run._events)._turn
    turn.pop()
    return lambda: turn.append(None)


def _hold_all(run: Run) -> Callable[[], None]:
    free = [hold(run) for hold in (_hold_span, _hold_list, _hold_turn)]

    def release() -> None:
        for each in free:
            each()

    return release


HOLDS = [_hold_span, _hold_list, _hold_turn, _hold_all]


@pytest.mark.parametrize("hold", HOLDS)
@pytest.mark.parametrize("then", ["more events", "the end", "a failure"])
@pytest.mark.parametrize("limit", [1, 2, 128])
def test_event_waits_for_what_it_interrupts(
    hold: Callable[[Run], Callable[[], None]], then: str, limit: int
) -> None:
    """While a lock is held by the code that was interrupted, events queue and keep their order."""

    def body(_: object, run_manager: Run) -> None:
        dispatch_custom_event("tick", 0)
        release = hold(run_manager)
        try:
            for i in range(1, 200):
                dispatch_custom_event("tick", i)
        finally:
            release()
        if then == "more events":
            for i in range(200, 300):
                dispatch_custom_event("tick", i)
        if then == "a failure":
            raise ValueError("no")

    with capture_runs(span_limits=limits(max_events=limit)) as runs:
        try:
            RunnableLambda(body, name="run").invoke(None)
        except ValueError:
            assert then == "a failure"
    assert data_by_time(runs.spans, "run") == list(range(300 if then == "more events" else 200))
    if then == "a failure":
        assert events_by_time(runs.spans, "run")[-1].name == semconv.EXCEPTION
    assert not runs.find_all("run late event")
    runs.assert_clean()


def test_run_ends_though_its_writer_never_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends in a signal handler, over a write of its own, ends with all its events."""
    monkeypatch.setattr(_span_events, "_FINISH_TIMEOUT_S", 0.01)
    with capture_runs() as runs:
        with start_run("run") as run:
            dispatch_custom_event("tick", 0)
            _hold_turn(run)
            dispatch_custom_event("tick", 1)
        run.event("late", 2)
    found = [e for span in runs.spans for e in span.events]
    assert [e.attributes["data"] for e in found][:2] == [0, 1]


@needs_signals
@pytest.mark.parametrize("hold", HOLDS)
def test_real_signal_does_not_deadlock(hold: Callable[[Run], Callable[[], None]]) -> None:
    """A signal that comes while a lock is held is handled at once, and its event is written."""
    with capture_runs() as runs, start_run("run") as run:
        before = signal.signal(signal.SIGUSR1, lambda *_: run.event("signal", 1))
        try:
            release = hold(run)
            # To this thread: the system may give a process's signal to any, and Python then
            # runs the handler here a little later.
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
            dispatch_custom_event("tick", 2)
            release()
        finally:
            signal.signal(signal.SIGUSR1, before)
    assert data_by_time(runs.spans, "run") == [1, 2]


# ------------------------------------------------------------------ inside the SDK


class _Processor(SpanProcessor):
    """Calls functions when spans of given names start and end."""

    def __init__(
        self,
        started: dict[str, Callable[[], None]] | None = None,
        ended: dict[str, Callable[[], None]] | None = None,
    ) -> None:
        self._started = started or {}
        self._ended = ended or {}

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self._started.get(span.name, lambda: None)()

    def on_end(self, span: ReadableSpan) -> None:
        self._ended.get(span.name, lambda: None)()


@pytest.mark.parametrize("limit", [1, 2, 3, 128, None])
def test_span_processor_may_dispatch(limit: int | None) -> None:
    """Events dispatched in ``on_start`` and ``on_end`` are there in order, over page turns too."""
    numbers = iter(range(10_000))

    def dispatch() -> None:
        for _ in range(3):
            outer.event("tick", next(numbers))

    with capture_runs(span_limits=limits(max_events=limit)) as runs:
        processor = _Processor({"inner": dispatch}, {"inner": dispatch})
        runs.provider.add_span_processor(processor)
        with start_run("outer") as outer:
            for _ in range(60):
                RunnableLambda(lambda _: dispatch(), name="inner").invoke(None)
    assert data_by_time(runs.spans, "outer") == list(range(60 * 9))
    assert len(runs.find_all("inner")) == 60
    runs.assert_clean()


@pytest.mark.parametrize("limit", [2, 3, 128])
def test_span_processor_may_dispatch_at_a_page_turn(limit: int) -> None:
    """An event dispatched while a page starts or ends is written after what turned the page."""
    extra: list[int] = []

    def dispatch() -> None:
        if len(extra) < 20:
            extra.append(1)
            run.event("extra", -1)

    with capture_runs(span_limits=limits(max_events=limit)) as runs:
        hooks = {"run events": dispatch}
        runs.provider.add_span_processor(_Processor(hooks, hooks))
        with start_run("run") as run:
            for i in range(500):
                dispatch_custom_event("tick", i)

    def found() -> int:
        # What comes when the last page ends, with the run, is late.
        data = data_by_time(runs.spans, "run")
        return data.count(-1) + len(runs.find_all("run late event"))

    until(lambda: found() == len(extra))
    assert found() == len(extra) > 0
    assert [i for i in data_by_time(runs.spans, "run") if i >= 0] == list(range(500))


def test_late_event_inside_the_sdk_goes_by_a_thread() -> None:
    """An event dispatched in ``on_end`` of its own run's span is exported, and nothing hangs."""
    threads: list[int] = []

    def started() -> None:
        threads.append(threading.get_ident())

    with capture_runs() as runs:
        processor = _Processor({"run late event": started}, {"run": lambda: run.event("late", 1)})
        runs.provider.add_span_processor(processor)
        with start_run("run") as run:
            pass
        until(lambda: bool(runs.find_all("run late event")))
        late = runs.find("run late event")
    assert late.events[0].attributes["data"] == 1
    assert late.parent == runs.find("run").context
    assert threads != [threading.get_ident()]


# ------------------------------------------------------------------ __del__


class _Dying:
    """Dispatches when it is deleted, which its cycle leaves to the garbage collector."""

    def __init__(self, dispatch: Callable[[], None]) -> None:
        self._dispatch = dispatch
        self._cycle = self

    def __del__(self) -> None:
        self._dispatch()


def test_deleted_object_may_dispatch() -> None:
    """Events of ``__del__`` are events of the run in whose body the garbage is collected."""
    with capture_runs() as runs:
        with start_run("run") as run:
            for i in range(5):
                _Dying(lambda i=i: dispatch_custom_event("dying", i))  # type: ignore[misc]
            gc.collect()
            _Dying(lambda: run.event("late", 5))
        gc.collect()
    assert sorted(data_by_time(runs.spans, "run")) == [0, 1, 2, 3, 4]
    assert [e.attributes["data"] for e in runs.find("run late event").events] == [5]
    runs.assert_clean()


def test_garbage_collected_in_the_middle_of_anything_may_dispatch() -> None:
    """With collections at every few allocations, events of ``__del__`` lose nothing, nor hang."""
    before = gc.get_threshold()
    count = 2_000
    with capture_runs(span_limits=limits(max_events=3)) as runs:
        try:
            with start_run("run") as run:
                gc.set_threshold(3, 1_000_000, 1_000_000)
                for i in range(count):
                    _Dying(lambda: run.event("dying", -1))
                    dispatch_custom_event("tick", i)
                gc.set_threshold(*before)
                gc.collect()
        finally:
            gc.set_threshold(*before)
    data = data_by_time(runs.spans, "run")
    assert [i for i in data if i >= 0] == list(range(count))
    assert data.count(-1) == count


# ------------------------------------------------------------------ atexit

_ATEXIT = """
import atexit, os
provider(globals()[sys.argv[1]])
with start_run("run") as run:
    dispatch_custom_event("tick", 0)


# Functions are called last first, so the spans are told after the event and its flush.
@atexit.register
def tell():
    trace.get_tracer_provider().force_flush()
    say_finished(handled=handled)


handled = []


@atexit.register
def last():
    run.event("late", 1)
    dispatch_custom_event("nowhere", 1, required=False)
    with start_run("at exit", config={"callbacks": [lambda n, d: handled.append(n)]}):
        dispatch_custom_event("tick", 2)
"""


@pytest.mark.parametrize("processor", ["SimpleSpanProcessor", "BatchSpanProcessor"])
def test_atexit_function_may_dispatch(processor: str, tmp_path: Path) -> None:
    """Late events and whole runs of an ``atexit`` function are exported."""
    said = told(_ATEXIT, tmp_path, processor)
    events = {span["name"]: [e[1]["data"] for e in span["events"]] for span in said["spans"]}
    assert events == {"run": [0], "run late event": [1], "at exit": [2]}
    assert said["handled"] == ["tick"]
    assert said["stderr"] == ""


_AFTER_SHUTDOWN = """
import atexit
handled = []


@atexit.register
def last():  # registered before the provider's own, so called after it
    run.event("late", 1)
    with start_run("too late"):
        dispatch_custom_event("tick", 2)
    print(json.dumps({"handled": handled}))


provider(BatchSpanProcessor)
with start_run("run", config={"callbacks": [lambda name, data: handled.append(data)]}) as run:
    dispatch_custom_event("tick", 0)
"""


def test_event_after_the_providers_shutdown_harms_nobody(tmp_path: Path) -> None:
    """When the provider has shut down handlers still get events, and nothing is raised."""
    said = told(_AFTER_SHUTDOWN, tmp_path)
    assert said["handled"] == [0, 1]
    assert "Traceback" not in said["stderr"]


# ------------------------------------------------------------------ after the end, outside


def test_event_after_the_end_reaches_handlers() -> None:
    """Handlers get what comes after the end, by the run and by its config, in order."""
    got: list[Any] = []

    def body(_: object, config: Any) -> None:
        kept.append(config)
        dispatch_custom_event("tick", 0)

    kept: list[Any] = []
    with capture_runs() as runs:
        handler = {"handle_custom_event": lambda name, data: got.append(data)}
        RunnableLambda(body, name="run").invoke(None, {"callbacks": [handler]})
        dispatch_custom_event("late", 1, config=kept[0])
        dispatch_custom_event("late", 2, config=kept[0])
    assert got == [0, 1, 2]
    late = runs.find_all("run late event")
    assert [span.events[0].attributes["data"] for span in late] == [1, 2]
    assert all(span.parent == runs.find("run").context for span in late)


@pytest.mark.parametrize("config", [None, {}, {"tags": ["a"]}, {"callbacks": [print]}])
async def test_event_outside_of_any_run_says_the_cure(config: Any) -> None:
    """``NoActiveRunError`` names the event and says what to do; ``required=False`` is silent."""
    with capture_runs() as runs:
        for cure in ("'lonely'", "config=config", "required=False"):
            with pytest.raises(NoActiveRunError, match=cure):
                dispatch_custom_event("lonely", 1, config=config)
            with pytest.raises(RuntimeError, match=cure):
                await adispatch_custom_event("lonely", 1, config=config)
        dispatch_custom_event("lonely", 1, config=config, required=False)
        await adispatch_custom_event("lonely", 1, config=config, required=False)
        with start_run("run"):
            pass
        with pytest.raises(NoActiveRunError):
            dispatch_custom_event("lonely", 1, config=config)
    assert runs.names == ["run"]
    runs.assert_clean()
