"""Threads: many dispatch into one run, share an id, or know their parent only by its config."""

from __future__ import annotations

import contextvars
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from time import time_ns
from typing import Any
from uuid import UUID, uuid4

import pytest
from opentelemetry import trace

from otelbridge import (
    CallbackManager,
    RunnableConfig,
    RunnableLambda,
    _run_ids,
    current_run,
    dispatch_custom_event,
    semconv,
    start_run,
)
from otelbridge.testing import capture_runs

from . import counting
from .exported import events_by_time, limits, parts

THREADS = 32
EACH = 200 if counting.CI else 50


def in_threads(bodies: Sequence[Callable[[], object]]) -> None:
    """Run each body in a thread of its own, all released at once; raise what one has raised."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(bodies))

    def guarded(body: Callable[[], object]) -> None:
        barrier.wait(30)
        try:
            body()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(body,), daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if failures:
        raise failures[0]


def _by_config(config: RunnableConfig, dispatch: Callable[[RunnableConfig | None], None]) -> Any:
    return lambda: dispatch(config)


def _by_context(config: RunnableConfig, dispatch: Callable[[RunnableConfig | None], None]) -> Any:
    context = contextvars.copy_context()
    return lambda: context.run(dispatch, None)


@pytest.mark.parametrize("limit", [1, 2, 128, None])
@pytest.mark.parametrize("way", [_by_config, _by_context])
def test_many_threads_dispatch_into_one_run(way: Any, limit: int | None) -> None:
    """Nothing is lost, times strictly increase over pages, and each thread's order is kept."""
    handled: list[tuple[int, int]] = []

    def body(_: object, config: RunnableConfig) -> None:
        def dispatching(number: int) -> Callable[[RunnableConfig | None], None]:
            def dispatch(config: RunnableConfig | None) -> None:
                for i in range(EACH):
                    dispatch_custom_event("tick", [number, i], config=config)

            return dispatch

        in_threads([way(config, dispatching(number)) for number in range(THREADS)])

    config: RunnableConfig = {"callbacks": [lambda name, data: handled.append((*data,))]}
    with capture_runs(span_limits=limits(max_events=limit)) as runs:
        RunnableLambda(body, name="run").invoke(None, config)
    events = events_by_time(runs.spans, "run")
    assert all(a.timestamp < b.timestamp for a, b in pairwise(events))
    expected = {n: list(range(EACH)) for n in range(THREADS)}
    for got in ([(*(e.attributes or {})[semconv.DATA],) for e in events], handled):
        assert {n: [i for m, i in got if m == n] for n in range(THREADS)} == expected
        assert len(got) == THREADS * EACH
    assert all(span.dropped_events == 0 for span in runs.spans)
    if limit is not None:
        assert all(len(page.events) == limit for page in parts(runs.spans, "run")[1:-1])
    runs.assert_clean()


def test_threads_that_outlast_their_run_lose_nothing() -> None:
    """Events that race with the end are on the span or late, each once."""
    with capture_runs(span_limits=limits(max_events=3)) as runs:
        for turn in range(20):
            go = threading.Barrier(9)
            with start_run(f"run {turn}") as run:

                def dispatch(number: int, run: Any = run, go: threading.Barrier = go) -> None:
                    go.wait(30)
                    for i in range(20):
                        run.event("tick", [number, i])

                threads = [threading.Thread(target=dispatch, args=(n,)) for n in range(8)]
                for thread in threads:
                    thread.start()
                go.wait(30)
            for thread in threads:
                thread.join(60)
    names = [f"run {turn}" for turn in range(20)]
    every = [(n, i) for n in range(8) for i in range(20)]
    for name in names:
        found = [
            (*(event.attributes or {})[semconv.DATA],)
            for span in [*parts(runs.spans, name), *runs.find_all(f"{name} late event")]
            for event in span.events
        ]
        assert Counter(found) == Counter(every)
    runs.assert_clean()


def test_event_queued_while_others_are_written_late_is_not_lost() -> None:
    """A thread that was stopped on its way into the queue still reaches it after the end."""
    with capture_runs() as runs:
        with start_run("run") as run:
            assert run._events is not None
            events = run._first_of(run._events)
            append = events.waiting.append
        for i in range(2):
            append(("late", {semconv.DATA: i}, 1, time_ns()))
            events.flush_late()
    late = runs.find_all("run late event")
    assert [span.events[0].attributes["data"] for span in late] == [0, 1]


# ------------------------------------------------------------------ one id, many runs


def test_run_id_used_at_the_same_time_in_many_threads() -> None:
    """Each run of a shared id ends its own span, once, with its own events and outcome."""
    shared = uuid4()
    barrier = threading.Barrier(THREADS)

    with capture_runs() as runs:

        def body(number: int) -> None:
            with runs.active(), start_run(f"run {number}", config={"run_id": shared}) as run:
                assert run.run_id == shared  # from now on the id can be found
                barrier.wait(30)
                dispatch_custom_event("tick", number)
                RunnableLambda(lambda _: None, name=f"child {number}").invoke(None)
                barrier.wait(30)
                if number % 2:
                    run.end(number)
                barrier.wait(30)
                dispatch_custom_event("then", number)
                assert current_run() is run
                assert run.ended is bool(number % 2)

        in_threads([lambda n=n: body(n) for n in range(THREADS)])  # type: ignore[misc]
    for number in range(THREADS):
        own = runs.find(f"run {number}")
        assert own.attributes[semconv.RUN_ID] == str(shared)
        names = ["tick"] if number % 2 else ["tick", "then"]
        assert [e.name for e in own.events] == names
        assert all(e.attributes["data"] == number for e in own.events)
        assert runs.find(f"child {number}").parent == own.context
        assert len(runs.find_all(f"run {number} late event")) == number % 2
    ids = [span.context.span_id for span in runs.spans]
    assert len(ids) == len(set(ids)) == THREADS * 2 + THREADS // 2
    assert shared.int not in _run_ids.live
    runs.assert_clean()


def test_run_id_used_again_inside_its_own_run() -> None:
    """A nested run of the same id ends itself alone; the outer one can then be found again."""
    shared = uuid4()
    with capture_runs() as runs:
        with start_run("outer", config={"run_id": shared}) as outer:
            config: RunnableConfig = {"callbacks": outer.get_child()}
            with start_run("inner", config={"run_id": shared}) as inner:
                assert inner.run_id == outer.run_id == shared
                dispatch_custom_event("tick", "inner")
            assert inner.ended
            assert not outer.ended
            in_threads([lambda: dispatch_custom_event("tick", "outer", config=config)])
    assert [e for _, e in runs.events("inner")] == [{"data": "inner"}]
    assert [e for _, e in runs.events("outer")] == [{"data": "outer"}]
    assert runs.find("inner").parent == runs.find("outer").context
    assert shared.int not in _run_ids.live


# ------------------------------------------------------------------ parents by hand


def test_parent_by_hand_from_raw_threads() -> None:
    """A run begun in a raw thread with a run's config is below that run's span, in its trace."""
    with capture_runs() as runs:

        def body(name: str, config: RunnableConfig) -> None:
            child = RunnableLambda(lambda _: dispatch_custom_event("tick", name), name=f"{name}'s")
            in_threads([lambda: child.invoke(None, config) for _ in range(4)])

        both = [RunnableLambda(body, name=name) for name in ("first", "second")]
        for runnable in both:
            runnable.invoke(runnable.get_name())
    for name in ("first", "second"):
        children = runs.find_all(f"{name}'s")
        assert len(children) == 4
        for child in children:
            assert child.parent == runs.find(name).context
            assert [e.attributes["data"] for e in child.events] == [name]
    runs.assert_clean()


def test_ended_run_is_still_a_parent() -> None:
    """A run begun with the config of a run that has ended is below that run's span."""
    kept: list[RunnableConfig] = []
    with capture_runs() as runs:
        RunnableLambda(lambda _, config: kept.append(config), name="ended").invoke(None)
        child = RunnableLambda(lambda _: dispatch_custom_event("tick", 1), name="child")
        in_threads([lambda: child.invoke(None, kept[0])])
    assert runs.find("child").parent == runs.find("ended").context
    assert runs.events("child") == [("tick", {"data": 1})]
    assert runs.events("ended") == []


@pytest.mark.parametrize("is_inside", [False, True])
def test_unknown_parent_leaves_the_current_span(is_inside: bool) -> None:
    """A parent id that nobody knows: the span is below the current one, else a root."""
    unknown = UUID(int=77)
    manager = CallbackManager()
    manager.parent_run_id = unknown
    told: list[Any] = []

    class Handler:
        def on_chain_start(self, *_: Any, parent_run_id: UUID, **__: Any) -> None:
            told.append(parent_run_id)

    manager.add_handler(Handler(), inherit=True)
    with capture_runs() as runs:

        def body() -> None:
            with runs.active():
                child = RunnableLambda(lambda _: None, name="child")
                if not is_inside:
                    child.invoke(None, {"callbacks": manager})
                    return
                with runs.tracer.start_as_current_span("own"):
                    child.invoke(None, {"callbacks": manager})
                assert not trace.get_current_span().get_span_context().is_valid

        in_threads([body])
    expected = runs.find("own").context if is_inside else None
    assert runs.find("child").parent == expected
    assert told == [unknown]
    runs.assert_clean()


def test_event_for_an_unknown_run_is_not_lost() -> None:
    """An event by the config of a run that nobody knows is a span of no length, with that id."""
    manager = CallbackManager()
    manager.parent_run_id = UUID(int=78)
    got: list[Any] = []
    manager.add_handler(lambda name, data: got.append(data))
    with capture_runs() as runs:
        dispatch_custom_event("tick", 1, config={"callbacks": manager})
    (span,) = runs.spans
    assert span.attributes[semconv.RUN_ID] == str(manager.parent_run_id)
    assert [e.attributes["data"] for e in span.events] == [1]
    assert got == [1]
