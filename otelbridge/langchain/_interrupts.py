"""Interrupted runs of graphs, and the runs that resume them: in one process, each by a link."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

from opentelemetry.trace import SpanContext

from otelbridge import semconv
from otelbridge.langchain._runs import LangChainRun, is_interrupt

REMEMBERED = 1_000
_CAUSES = {
    "interrupt_before": "interrupt_before",
    "interrupt_after": "interrupt_after",
    "draining": "drain",
}
RESUMING = "__pregel_resuming"  # langgraph's key in a config's configurable


class _Interrupted(NamedTuple):
    """What is kept of a run that was interrupted."""

    span_context: SpanContext
    checkpoint_id: str


# By thread id and checkpoint namespace, the last interrupted one at the end.
_interrupted: OrderedDict[tuple[str, tuple[str, ...]], _Interrupted] = OrderedDict()


def resume(loop: Any, run: LangChainRun) -> None:
    """Link the run of a graph that goes on from a checkpoint to the one that stopped there."""
    config = loop.config["configurable"]
    if not config.get(RESUMING):
        return
    run.say(semconv.RESUMED_CHECKPOINT_ID, loop.checkpoint["id"])
    place = _place(loop)
    kept = None if place is None else _interrupted.get(place)
    if kept is None or config.get("checkpoint_id") not in (None, "", kept.checkpoint_id):
        return  # not interrupted here, or the caller goes back to another checkpoint
    run.span.add_link(kept.span_context, {semconv.LINK_TYPE: semconv.LINK_RESUMES})


def stop(loop: Any, run: LangChainRun, error: BaseException | None) -> None:
    """Note that a graph has stopped by ``error``, or by itself.

    A consumer that stops reading at an interrupt has been interrupted, too.
    """
    interrupted = is_interrupt(error) if error is not None else loop.status == "draining"
    if interrupted or (isinstance(error, GeneratorExit) and run.is_interrupted_below):
        run.interrupt()
        _say_where(loop, run)
        _remember(loop, run)
    elif error is None and (place := _place(loop)) is not None:
        _interrupted.pop(place, None)


def _say_where(loop: Any, run: LangChainRun) -> None:
    status = loop.status
    run.say(semconv.INTERRUPTED_BY, _CAUSES.get(status, "interrupt"))
    if status == "interrupt_before":
        names = dict.fromkeys(task.name for task in loop.tasks.values())
        asked = loop.interrupt_before
        run.say(semconv.INTERRUPTED_BEFORE, [n for n in names if asked == "*" or n in asked])
    if loop.checkpointer is not None:
        run.say(semconv.CHECKPOINT_ID, loop.checkpoint["id"])


def _remember(loop: Any, run: LangChainRun) -> None:
    place = _place(loop)
    context = run.span.get_span_context()
    if place is None or not context.is_valid:
        return
    _interrupted.pop(place, None)
    _interrupted[place] = _Interrupted(context, loop.checkpoint["id"])
    if len(_interrupted) > REMEMBERED:
        _interrupted.popitem(last=False)


def _place(loop: Any) -> tuple[str, tuple[str, ...]] | None:
    """Return where the graph stops and goes on; None where nothing is kept of it."""
    thread_id = loop.config["configurable"].get("thread_id")
    if thread_id is None or loop.checkpointer is None:
        return None
    return str(thread_id), loop.checkpoint_ns
