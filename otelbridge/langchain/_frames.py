"""The life time of what LangChain sends no end for when it is cancelled, closed or interrupted.

A frame is put around a method of LangChain's that begins a run: of a chat model, a completion
model, a tool, a retriever, a graph. It opens a ``Scope``, which the run that begins inside claims;
however the method is left, a run that is still open then ends. Where upstream gives the body no
context of its own, the frame also makes the run current, for the body alone.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otelbridge import _run_ids
from otelbridge.context import RUN_KEY, Inside, Pump, Steps, get_otel, set_otel
from otelbridge.langchain import _hidden
from otelbridge.langchain._runs import LangChainRun
from otelbridge.runnables._in_run import unregistered

if TYPE_CHECKING:
    from otelbridge.run import Run

T = TypeVar("T")

SCOPE_KEY = otel_context.create_key("otelbridge-langchain-scope")
_ENDED = Context()

Open = Callable[[Sequence[Any], Mapping[str, Any]], "Frame"]
"""Opens the frame of a call with these arguments."""
OpenOrNot = Callable[[Sequence[Any], Mapping[str, Any]], "Frame | None"]
"""As ``Open``; None where the call needs no frame."""
Method = Callable[..., Any]


class Frame(Inside):
    """One call of a method, in an OTel Context of its own.

    Attributes:
        is_entering: whether ``run`` may have to change that context before the next step.
    """

    __slots__ = ()

    is_entering = False

    def end(self, error: BaseException | None = None) -> None:
        """Leave the frame, by ``error`` if there is one."""
        self._otel = _ENDED


class Scope(Frame):
    """One call of a model, tool, retriever or graph, and the runs that it must end.

    Args:
        kind: of the runs that belong to it.
        room: how many of them.
        enters: make the run current once it has begun, where it is the only one.
        graph: the graph that is called, if it is one.
    """

    __slots__ = ("_hidden", "_kind", "_room", "_runs", "graph", "is_entering")

    def __init__(self, kind: str, room: int, *, enters: bool, graph: Any = None) -> None:
        self._otel = Context({**get_otel(), SCOPE_KEY: self})
        self.graph = graph
        self._kind = kind
        self._room = room
        self.is_entering = enters and room == 1
        self._runs: list[LangChainRun] = []
        self._hidden: list[UUID] = []

    def claim(self, run: LangChainRun) -> None:
        """Take a run that has begun in this call, if it belongs here; it may become current."""
        if run.run_type != self._kind or self._room <= 0:
            return
        self._room -= 1
        self._runs.append(run)
        if self.is_entering:
            set_otel(run.otel)  # in the frame's own step, or in a child task, which drops it

    def leave_out(self, inside: dict[str, Any]) -> None:
        """Take the scope out of what the body of its run sees: that is another call."""
        inside.pop(SCOPE_KEY, None)

    def pass_over(self, run_type: str, run_id: UUID) -> None:
        """Take a run without a span that has begun in this call, if it belongs here."""
        if run_type == self._kind and self._room > 0:
            self._room -= 1
            self._hidden.append(run_id)

    def begun(self, run_id: UUID) -> LangChainRun | None:
        """Return the run with this id that has begun in this call, or None."""
        for run in self._runs:
            if run.is_named(run_id):
                return run
        return None

    def run(self, func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call ``func`` inside the scope's context: the run's, once it has begun."""
        if self.is_entering and self._runs:
            self.is_entering = False
            run = self._runs[0]
            if self._otel.get(RUN_KEY) is not run and not run.ended:
                self._otel = run.otel  # it has begun in a child task
        before = get_otel()  # as in ``Inside.run``
        set_otel(self._otel)
        try:
            return func(*args, **kwargs)
        finally:
            self._otel = get_otel()
            set_otel(before)

    def end(self, error: BaseException | None = None) -> None:
        """End the runs that are still open; the scope holds nothing any more."""
        self._otel = _ENDED
        self._room = 0
        if self._hidden:
            for run_id in self._hidden:
                _hidden.end(run_id)
        for run in self._runs:
            if not run.ended:
                run.break_off(error)
        self._runs.clear()

    def __del__(self) -> None:
        if self._runs:  # a stream that nobody has closed before its event loop has
            self.end(GeneratorExit())


class _StreamOfRun(Frame):
    """The stream of a run that another method has begun, and that ends when it is closed."""

    __slots__ = ("_run",)

    def __init__(self, run: LangChainRun) -> None:
        super().__init__(run.otel)
        self._run = run

    def end(self, error: BaseException | None = None) -> None:
        super().end(error)
        if isinstance(error, GeneratorExit):
            self._run.finish(error)


def scope(kind: str, *, enters: bool = True) -> Open:
    """Return what opens the scope of one run."""
    return lambda args, kwargs: Scope(kind, 1, enters=enters)


def scope_of_graph(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Frame:
    """Open the scope of a graph's run."""
    return Scope("chain", 1, enters=True, graph=args[0])


def scope_of_prompts(kind: str) -> Open:
    """Return what opens the scope of one run for each prompt of a call."""

    def open_(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Frame:
        prompts: Any = args[1] if len(args) > 1 else ()
        prompts = kwargs.get("messages", kwargs.get("prompts", prompts))
        return Scope(kind, len(prompts) if isinstance(prompts, list) else 1, enters=True)

    return open_


def body_of_run(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Frame | None:
    """Open the frame of a body that gets the manager of its run, unless that is current."""
    run = _run_of(kwargs.get("run_manager"))
    return None if run is None or get_otel().get(RUN_KEY) is run else Frame(run.otel)


def stream_of_run(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Frame:
    """Open the frame of a stream that gets the manager of its run."""
    run = _run_of(kwargs.get("run_manager"))
    here = get_otel()
    if run is None or here.get(RUN_KEY) is run:  # a frame around this one owns the run
        return Frame(here)
    return _StreamOfRun(run)


def _run_of(manager: Any) -> LangChainRun | None:
    run_id = getattr(manager, "run_id", None)
    run: Run | None = None if run_id is None else _run_ids.live.get(run_id.int)
    return (run.heard(manager.handlers) or run) if isinstance(run, LangChainRun) else None


def around_call(open_: OpenOrNot, original: Method) -> Method:
    """Return a sync method with a frame around it."""

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        frame = open_(args, kwargs)
        if frame is None:
            return original(*args, **kwargs)
        try:
            return frame.run(original, *args, **kwargs)
        except BaseException as error:
            frame.end(error)
            raise
        finally:
            frame.end()

    return call


def around_coroutine(open_: OpenOrNot, original: Method) -> Method:
    """Return a coroutine method with a frame around it."""

    @wraps(original)
    async def call(*args: Any, **kwargs: Any) -> Any:
        frame = open_(args, kwargs)
        if frame is None:
            return await original(*args, **kwargs)
        try:
            return await Steps(original(*args, **kwargs), frame)
        except BaseException as error:
            frame.end(error)
            raise
        finally:
            frame.end()

    return call


def around_generator(open_: Open, original: Method) -> Method:
    """Return a generator method with a frame around it: each step is taken inside it."""

    @wraps(original)
    def stream(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        frame = open_(args, kwargs)
        chunks = original(*args, **kwargs)
        step, enter = chunks.__next__, frame.run
        try:
            chunk = enter(step)
            while True:
                try:
                    sent = yield chunk
                except GeneratorExit:
                    enter(chunks.close)
                    raise
                except BaseException as thrown:
                    chunk = enter(chunks.throw, thrown)
                else:
                    if sent is not None:
                        chunk = enter(chunks.send, sent)
                    elif frame.is_entering:
                        chunk = enter(step)
                    else:  # as ``frame.run`` does, whose call is half of what a chunk costs
                        before = get_otel()
                        set_otel(frame._otel)
                        try:
                            chunk = step()
                        finally:
                            frame._otel = get_otel()
                            set_otel(before)
        except StopIteration as done:
            return done.value
        except BaseException as error:
            frame.end(error)
            raise
        finally:
            frame.end()

    return stream


def around_async_generator(open_: Open, original: Method) -> Method:
    """Return an async generator method with a frame around it."""

    @wraps(original)
    async def astream(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        frame = open_(args, kwargs)
        chunks = original(*args, **kwargs)
        enter = frame.run
        pump = Pump(enter(unregistered, chunks.__anext__), chunks.__anext__, enter)
        send, box = pump.send, pump.box
        try:
            while True:
                if frame.is_entering:
                    waiting = enter(send, None)
                else:  # as ``frame.run`` does
                    before = get_otel()
                    set_otel(frame._otel)
                    try:
                        waiting = send(None)
                    finally:
                        frame._otel = get_otel()
                        set_otel(before)
                if waiting is not box:
                    await pump.rest(waiting)
                chunk = box[0]
                while True:
                    try:
                        sent = yield chunk
                    except GeneratorExit:
                        await Steps(chunks.aclose(), frame)
                        raise
                    except BaseException as thrown:
                        chunk = await Steps(chunks.athrow(thrown), frame)
                    else:
                        if sent is None:
                            break
                        chunk = await Steps(chunks.asend(sent), frame)
        except StopAsyncIteration:
            return
        except BaseException as error:
            frame.end(error)
            raise
        finally:
            frame.end()

    return astream


def around_chain_stream(original: Method) -> Method:
    """Return what stands in for the stream of a chain, which hides that it is closed.

    Where its consumer closes it, upstream's generator tells its handlers an end like any other.
    """

    @wraps(original)
    def stream(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        chunks = original(*args, **kwargs)
        step = chunks.__next__
        while True:
            try:
                chunk = step()
            except StopIteration:
                return
            try:
                yield chunk
            except GeneratorExit:
                _note_closed(chunks)
                chunks.close()
                return
            except BaseException as thrown:
                step = partial(chunks.throw, thrown)
            else:
                step = chunks.__next__

    return stream


def _note_closed(chunks: Any) -> None:
    frame = getattr(chunks, "gi_frame", None)
    run = None if frame is None else _run_of(frame.f_locals.get("run_manager"))
    if run is not None:
        run.is_closed = True
