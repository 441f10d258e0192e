"""What is watched while a program runs, and the laws that must hold afterwards."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import sys
import threading
import warnings
import weakref
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from opentelemetry import context as otel_context
from opentelemetry import trace

from otelbridge import AsyncCallbackHandler, BaseCallbackHandler, _run_ids, current_run, semconv
from otelbridge.testing import CapturedRuns, capture_runs


class Token:
    """An input; it can be weakly referred to."""

    def __repr__(self) -> str:
        return "<input>"


class Heard:
    """What one handler was told: custom events in order, and each run's start and end."""

    def __init__(self) -> None:
        self.events: list[tuple[UUID, int]] = []
        self.hooks: dict[UUID, list[str]] = defaultdict(list)


class Listener(BaseCallbackHandler):
    """A sync handler."""

    def __init__(self, heard: Heard) -> None:
        self.heard = heard

    def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.heard.events.append((run_id, data["n"]))

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.heard.hooks[run_id].append("start")

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.heard.hooks[run_id].append("end")

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self.heard.hooks[run_id].append("error")


class AsyncListener(AsyncCallbackHandler):
    """An async handler that gives way in every hook, after it has noted what it was told."""

    def __init__(self, heard: Heard, pause: Callable[[], Awaitable[None]]) -> None:
        self.heard, self.pause = heard, pause

    async def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.heard.events.append((run_id, data["n"]))
        await self.pause()

    async def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: UUID, **kwargs: Any
    ) -> None:
        self.heard.hooks[run_id].append("start")
        await self.pause()

    async def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.heard.hooks[run_id].append("end")
        await self.pause()

    async def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self.heard.hooks[run_id].append("error")
        await self.pause()


async def give_way() -> None:
    """Give way once, with or without an event loop."""
    await asyncio.sleep(0)


class Watch:
    """Told by the bodies of a program what they do, and by handlers and streams what they get.

    Attributes:
        tracer: for the user's own spans.
        problems: what was seen to be wrong on the way; a body cannot raise it, for a fallback
            would hide it.
        logged: every log record, unraisable exception and loop error.
        streamed: custom events of the event stream, as (run id, number).
    """

    def __init__(self, captured: CapturedRuns) -> None:
        self.captured = captured
        self.tracer: trace.Tracer = captured.tracer
        self.pause: Callable[[], Awaitable[None]] = give_way
        self.problems: list[str] = []
        self.logged: list[str] = []
        self.streamed: list[tuple[UUID, int]] = []
        self.dispatched: list[tuple[UUID, int]] = []
        self.left_over: list[Any] = []
        self.heard: list[Heard] = []
        self._calls: defaultdict[str, int] = defaultdict(int)
        self._numbers = itertools.count()
        self._kept: list[tuple[str, weakref.ref[Any]]] = []
        self._outside = otel_context.get_current()

    # ------------------------------------------------------------------ told by bodies

    def entered(self, label: str) -> int:
        """Note a call; return which call of that body it is."""
        self.inside(label)
        self.must_go(current_run())
        self._calls[label] += 1
        return self._calls[label]

    def inside(self, label: str) -> None:
        """Check that the current run is that of the body, and the current span below it."""
        run = current_run()
        name = None if run is None else run.name
        span = getattr(trace.get_current_span(), "name", None)
        if name != label or span not in (label, f"{label} own"):
            self.problems.append(f"in the body of {label} the run is {name}, the span {span}")

    async def cleaned_up(self) -> None:
        """Await in a ``finally`` block."""
        await give_way()

    def about_to_dispatch(self, label: str) -> dict[str, int]:
        """Return the data of the next event."""
        self.inside(label)
        run = current_run()
        number = next(self._numbers)
        if run is not None:
            self.dispatched.append((run.run_id, number))
        return {"n": number}

    # ------------------------------------------------------------------ told by drivers

    def listener(self) -> Listener:
        """Return a new sync handler."""
        self.heard.append(Heard())
        return self._made(Listener(self.heard[-1]))

    def async_listener(self) -> AsyncListener:
        """Return a new async handler."""
        self.heard.append(Heard())
        return self._made(AsyncListener(self.heard[-1], self.pause))

    def token(self) -> Token:
        """Return a new input."""
        return self._made(Token())

    def _made(self, thing: Any) -> Any:
        self.must_go(thing)
        return thing

    def must_go(self, thing: Any) -> None:
        """Nothing may hold this when all is over."""
        if thing is not None:
            self._kept.append((f"{type(thing).__name__} {thing!r}", weakref.ref(thing)))

    def outside(self) -> None:
        """Check that the consumer's context is as it was."""
        if (now := otel_context.get_current()) != self._outside:
            self.problems.append(f"outside, the context has {dict(now)}")

    def took(self, event: Mapping[str, Any]) -> None:
        """Note an event of the event stream."""
        if event["event"] == "on_custom_event":
            self.streamed.append((UUID(event["run_id"]), event["data"]["n"]))

    # ------------------------------------------------------------------ the laws

    def check(
        self,
        parents: Mapping[str, set[str | None]],
        *,
        streams: bool = False,
        stopped: bool = False,
    ) -> None:
        """Assert the laws, once all work has ended and its objects have been let go.

        Args:
            parents: names of spans, with those that their parents may have.
            streams: whether the event stream was read to its end.
            stopped: a second cancel may have stopped async handlers.
        """
        collect()
        problems = [*self.problems, *self.logged]
        self.captured.assert_clean()
        problems += self._wrong_parents(parents)
        problems += self._wrong_events(streams, stopped)
        problems += self._wrong_hooks(stopped)
        if _run_ids.live:
            problems.append(f"live runs: {list(_run_ids.live.values())}")
        problems += [f"retained: {name}" for name, kept in self._kept if kept() is not None]
        assert not problems, "\n".join(problems)

    def _wrong_parents(self, parents: Mapping[str, set[str | None]]) -> Iterator[str]:
        names = {span.context.span_id: span.name for span in self.captured.spans if span.context}
        for span in self.captured.spans:
            above = None if span.parent is None else names.get(span.parent.span_id, "an unknown")
            if above not in parents.get(span.name, ()):
                yield f"span {span.name} has the parent {above}, not one of {parents}"

    def _wrong_events(self, streams: bool, stopped: bool) -> Iterator[str]:
        wanted = _by_run(self.dispatched)
        on_spans: list[tuple[UUID, int]] = []
        for span in self.captured.spans:
            run_id = (span.attributes or {}).get(semconv.RUN_ID)
            on_spans += [
                (UUID(str(run_id)), (event.attributes or {})["data.n"])
                for event in span.events
                if event.name != semconv.EXCEPTION
            ]
        if _by_run(on_spans) != wanted:
            yield f"dispatched {wanted}, on spans {_by_run(on_spans)}"
        for heard in self.heard:
            got = _by_run(heard.events)
            if got != wanted and not (stopped and _is_part(got, wanted)):
                yield f"dispatched {wanted}, a handler got {got}"
        got = _by_run(self.streamed)
        if streams and got != wanted:
            yield f"dispatched {wanted}, streamed {got}"
        for run_id, numbers in got.items():
            if wanted.get(run_id, [])[: len(numbers)] != numbers:
                yield f"dispatched {wanted}, streamed {got}"

    def _wrong_hooks(self, stopped: bool) -> Iterator[str]:
        runs = {(span.attributes or {}).get(semconv.RUN_ID) for span in self.captured.spans}
        runs.discard(None)
        for heard in self.heard:
            for run_id, hooks in heard.hooks.items():
                if hooks not in (["start", "end"], ["start", "error"]) and not (
                    stopped and hooks in (["start"], ["end"], ["error"])
                ):
                    yield f"a handler was told {hooks} of run {run_id}"
            if {str(run_id) for run_id in heard.hooks} != runs and not stopped:
                yield f"a handler was told of {len(heard.hooks)} runs of {len(runs)}"


def _by_run(events: list[tuple[UUID, int]]) -> dict[UUID, list[int]]:
    found: dict[UUID, list[int]] = defaultdict(list)
    for run_id, number in events:
        found[run_id].append(number)
    return dict(found)


def _is_part(some: dict[UUID, list[int]], whole: dict[UUID, list[int]]) -> bool:
    """Whether each run's numbers are some of the whole's, in order."""
    for run_id, numbers in some.items():
        rest = iter(whole.get(run_id, []))
        if not all(number in rest for number in numbers):
            return False
    return True


def collect() -> None:
    """Collect garbage until finalizers make no more."""
    while gc.collect():
        pass


class _Log(logging.Handler):
    def __init__(self, kept: list[str]) -> None:
        super().__init__()
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING or record.name.startswith(("otelbridge", "opentel")):
            self._kept.append(f"logged: {self.format(record)}")


@contextmanager
def nothing_said(kept: list[str]) -> Iterator[None]:
    """Put into ``kept`` whatever is logged, warned of, or raised where nobody can catch it."""
    root = logging.getLogger()
    log = _Log(kept)
    root.addHandler(log)
    hooks = sys.unraisablehook, threading.excepthook

    def unraisable(about: Any) -> None:
        kept.append(f"unraisable: {about.exc_value!r} in {about.object!r}")

    def in_thread(about: Any) -> None:
        kept.append(f"in a thread: {about.exc_value!r}")

    sys.unraisablehook, threading.excepthook = unraisable, in_thread
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # Said when another thread draws a number, as the SDK does for each id, while Hypothesis
            # draws; it would end the example in the middle of its streams.
            warnings.filterwarnings("ignore", "Do not use the `random` module inside strategies")
            yield
    finally:
        sys.unraisablehook, threading.excepthook = hooks
        root.removeHandler(log)


@contextmanager
def watched(**options: Any) -> Iterator[Watch]:
    """Watch the block; call ``check`` on what this gives at its end.

    What is there before is left out of all garbage collections in the block: they are many.
    """
    gc.freeze()
    with capture_runs(**options) as captured:
        watch = Watch(captured)
        with nothing_said(watch.logged):
            yield watch
