"""Composites that are cancelled or closed at any point: every run ends, nothing is left over."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from types import FrameType, GeneratorType
from typing import Any

import pytest
from ways import captured_cleanly, taken

from otelbridge import (
    BaseCallbackHandler,
    RunnableBranch,
    RunnableLambda,
    RunnablePassthrough,
    RunnablePick,
    dispatch_custom_event,
    tool,
)


class Quiet(BaseCallbackHandler):
    """Awaits a little in each hook, so that there are more points to be stopped at."""

    async def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0)

    async def on_chain_end(self, *args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0)

    async def on_chain_error(self, *args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0)


async def step(x: Any) -> Any:
    await asyncio.sleep(0)
    dispatch_custom_event("step", None)
    await asyncio.sleep(0)
    return x


async def fail(x: Any) -> Any:
    await asyncio.sleep(0)
    raise ValueError("no")


def count(x: Any) -> Iterator[Any]:
    for index in range(3):
        dispatch_custom_event("counted", index)
        yield {"n": index}


async def acount(x: Any) -> AsyncIterator[Any]:
    for index in range(3):
        await asyncio.sleep(0)
        dispatch_custom_event("counted", index)
        yield {"n": index}


@tool
async def work(x: Any) -> Any:
    """Work."""
    return await step(x)


def counting() -> Any:
    return RunnableLambda(count, acount)


COMPOSITES: dict[str, Callable[[], Any]] = {
    "branch": lambda: RunnableBranch((fail_not, step), (step, counting()), step),
    "fallbacks": lambda: RunnableLambda(fail).with_fallbacks([counting(), RunnableLambda(step)]),
    "retry": lambda: RunnableLambda(fail).with_retry(
        wait_exponential_jitter=False, stop_after_attempt=2
    ),
    "each": lambda: RunnableLambda(lambda x: [x, x]) | RunnableLambda(step).map(),
    "assign": lambda: RunnablePassthrough.assign(a=RunnableLambda(step), b=counting()),
    "pick": lambda: counting() | RunnablePick("n"),
    "tool": lambda: RunnableLambda(lambda x: {"x": x}) | work | RunnableLambda(step),
    "nested": lambda: RunnableBranch(
        (step, RunnableLambda(fail).with_fallbacks([counting() | RunnablePick(["n"])])), step
    ).with_listeners(on_start=lambda run: None),
}
FORMS: dict[str, Callable[[Any], Any]] = {
    "ainvoke": lambda runnable: runnable.ainvoke({"n": 1}, CONFIG),
    "abatch": lambda runnable: runnable.abatch([{"n": 1}, {"n": 2}], CONFIG),
    "astream": lambda runnable: taken(runnable.astream({"n": 1}, CONFIG)),
    "astream_events": lambda runnable: taken(runnable.astream_events({"n": 1}, CONFIG)),
}
CONFIG: Any = {"callbacks": [Quiet()]}

each_composite = pytest.mark.parametrize("name", COMPOSITES)


async def fail_not(x: Any) -> bool:
    await asyncio.sleep(0)
    return False


async def cancel_after(turns: int, work: Any) -> bool:
    """Cancel the work after so many turns of the loop; say whether it had ended by then."""
    task = asyncio.ensure_future(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    ended = task.done()
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()) is not None:
        assert isinstance(error, ValueError)
    return ended


@each_composite
@pytest.mark.parametrize("form", FORMS)
def test_cancelled_at_any_turn_of_the_loop(
    name: str, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whenever a composite is cancelled, each of its runs has ended once and no line is logged."""
    with caplog.at_level(logging.DEBUG):
        for turns in range(500):
            with captured_cleanly() as captured:
                ended = asyncio.run(cancel_after(turns, FORMS[form](COMPOSITES[name]())))
            ids = [span.get_span_context().span_id for span in captured.spans]
            assert len(ids) == len(set(ids))
            if ended:
                break
        else:
            raise AssertionError("the work never ended")
    lines = [each for each in caplog.records if each.name != "asyncio" or each.levelno > 10]
    assert lines == []


@each_composite
def test_closed_after_any_chunk(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A stream that is closed after any number of chunks, or dropped, leaves nothing over."""

    async def take(count: int, close: bool) -> None:
        # Nobody can wait for a handler of a stream that is dropped as its loop ends.
        chunks = COMPOSITES[name]().astream({"n": 1}, CONFIG if close else None)
        try:
            for _ in range(count):
                await chunks.__anext__()
        except (StopAsyncIteration, ValueError):
            return
        if close:
            await chunks.aclose()

    with caplog.at_level(logging.INFO):
        for count in range(5):
            for close in (True, False):
                with captured_cleanly():
                    asyncio.run(take(count, close))
                    gc.collect(1)
    assert caplog.records == []


def test_streams_closed_in_any_order() -> None:
    """Streams that are read in turns may be closed in any order."""
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        with captured_cleanly():
            streams = [
                COMPOSITES[name]().stream({"n": 1}) for name in ("pick", "nested_sync", "pick")
            ]
            for _ in range(2):
                for chunks in streams:
                    next(chunks)
            for index in order:
                streams[index].close()


def sync_fail(x: Any) -> Any:
    raise ValueError("no")


COMPOSITES["nested_sync"] = lambda: RunnableBranch(
    (lambda x: True, RunnableLambda(sync_fail).with_fallbacks([counting()])), str
)


def test_nothing_is_retained() -> None:
    """Runs of composites leave no objects behind once they have ended."""
    runnable = COMPOSITES["nested_sync"]() | RunnablePassthrough.assign(a=lambda x: 1)

    def round_trip() -> None:
        for _ in range(30):
            runnable.invoke({"n": 1})
            list(runnable.stream({"n": 1}))

    def growth() -> Counter[str]:
        before = ours()
        round_trip()
        return ours() - before

    round_trip()
    # What other tests' threads make may count once, and not each time; what is retained does.
    assert min((growth() for _ in range(3)), key=Counter.total) == Counter()


def ours() -> Counter[str]:
    """What is alive of the library's own, and of what a run may hold, by type.

    Not all objects: whoever watches threads, as coverage does, keeps some for each; and the span
    contexts of the latest ended runs, a number with a bound, are kept.
    """
    gc.collect()
    found: Counter[str] = Counter()
    for it in gc.get_objects():
        kind = type(it)
        # Past its metaclass: the tests have made some that raise.
        module, name = (type.__getattribute__(kind, key) for key in ("__module__", "__qualname__"))
        is_ours = str(module).startswith(("otelbridge", "opentelemetry."))
        is_kept = name in {"SpanContext", "TraceFlags"}
        if (is_ours and not is_kept) or kind is GeneratorType or kind is FrameType:
            found[name] += 1
    return found
