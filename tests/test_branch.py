"""RunnableBranch: which branch runs, what its trace is, and that its stream always ends."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import langchain_core.runnables as upstream
import pytest
from ways import (
    STREAMS,
    Way,
    both_closes,
    cancelled,
    captured_cleanly,
    every_way,
    stream,
    taken,
    threaded,
    traces,
)

import otelbridge
from otelbridge import (
    BaseCallbackHandler,
    RunnableBranch,
    RunnableLambda,
    RunnableParallel,
    current_run,
    dispatch_custom_event,
)


def negative(x: Any) -> bool:
    return x < 0


def zero(x: Any) -> bool:
    return x == 0


def sign(lib: Any) -> Any:
    return lib.RunnableBranch(
        (negative, lib.RunnableLambda(lambda x: "minus", name="minus")),
        (zero, lib.RunnableLambda(lambda x: "nil", name="nil")),
        lib.RunnableLambda(lambda x: "plus", name="plus"),
    )


BRANCHES = {
    -1: ["  negative #condition:1", "  minus #branch:1"],
    0: ["  negative #condition:1", "  zero #condition:2", "  nil #branch:2"],
    1: ["  negative #condition:1", "  zero #condition:2", "  plus #branch:default"],
}


@every_way
@pytest.mark.parametrize("value", BRANCHES)
def test_branch_runs_the_first_whose_condition_holds(way: Way, value: int) -> None:
    """Each condition that is asked is a child run, and so is the one branch that is taken."""
    with captured_cleanly() as captured:
        assert way(sign(otelbridge), value) == sign(upstream).invoke(value)
    assert traces(captured) == ["RunnableBranch", *BRANCHES[value]]


@every_way
def test_branch_passes_arguments_to_the_branch_alone(way: Way) -> None:
    """Keyword arguments of the call reach the branch; conditions are asked without them."""
    branch = RunnableBranch((lambda x: False, str), lambda x, by=1: x * by)
    assert way(branch, 2, by=5) == 10


@every_way
@pytest.mark.parametrize("where", ["condition", "branch"])
def test_failure_in_a_branch_ends_the_run_by_it(way: Way, where: str) -> None:
    """What a condition or a branch raises passes unchanged and marks every run above it."""
    error = ValueError("no")

    def fail(x: Any) -> Any:
        raise error

    branch = RunnableBranch((fail if where == "condition" else zero, fail), fail)
    with captured_cleanly() as captured:
        with pytest.raises(ValueError, match="no") as caught:
            way(branch, 0)
    assert caught.value is error
    assert error.__context__ is None
    assert error.__cause__ is None
    lines = ["RunnableBranch !ValueError"]
    if where == "branch":
        lines += ["  zero #condition:1", "  fail #branch:1 !ValueError"]
    else:
        lines += ["  fail #condition:1 !ValueError"]
    assert traces(captured) == lines


def count(x: int) -> Iterator[str]:
    for index in range(x):
        dispatch_custom_event("counted", index)
        yield f"{index}."


async def acount(x: int) -> AsyncIterator[str]:
    for index in range(x):
        dispatch_custom_event("counted", index)
        yield f"{index}."


def counting() -> Any:
    return RunnableBranch((negative, str), RunnableLambda(count, acount))


def test_branch_streams_chunk_by_chunk() -> None:
    """The chunks of the chosen branch come one at a time, sync and async."""
    assert list(counting().stream(3)) == ["0.", "1.", "2."]
    assert asyncio.run(taken(counting().astream(3))) == ["0.", "1.", "2."]


class Ends(BaseCallbackHandler):
    """Notes how runs end."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        self.seen.append(outputs)

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        self.seen.append(type(error))


@pytest.mark.parametrize("way", STREAMS)
def test_handlers_get_the_sum_of_the_chunks(way: Way) -> None:
    """The end of a streamed branch has all of its chunks, added."""
    ends = Ends()
    assert way(counting(), 2, {"callbacks": [ends]}) == "0.1."
    assert ends.seen[-1] == "0.1."


def test_chunks_that_do_not_add_make_no_output() -> None:
    """Where chunks cannot be added, the handlers get None, as upstream has it."""
    ends = Ends()
    branch = RunnableBranch((negative, str), RunnableLambda(lambda x: iter([{}, {}, {}])))

    def chunks(x: Any) -> Iterator[dict[str, int]]:
        yield {"a": 1}
        yield {"b": 2}
        yield {"c": 3}

    branch = RunnableBranch((negative, str), chunks)
    assert stream(branch, 1, {"callbacks": [ends]}) == {"c": 3}
    assert ends.seen[-1] is None


@both_closes
def test_closing_a_branch_early_closes_the_inner_stream(first: Way) -> None:
    """A consumer that stops ends the runs as closed, innermost first, and nothing is left over."""
    ends = Ends()
    with captured_cleanly() as captured:
        assert first(counting(), 3, {"callbacks": [ends]}) == "0."
    assert traces(captured) == [
        "RunnableBranch ~closed",
        "  negative #condition:1",
        "  count #branch:default *counted ~closed",
    ]
    assert ends.seen[-1] is GeneratorExit


def test_abandoned_streams_end_their_runs() -> None:
    """Streams that nobody closes end with their generators, also when the loop ends first."""

    async def leave(chunks: Any) -> None:
        await chunks.__anext__()

    with captured_cleanly() as captured:
        chunks = counting().stream(3)
        next(chunks)
        del chunks
        gc.collect()
        assert traces(captured)[0] == "RunnableBranch ~closed"
        asyncio.run(leave(counting().astream(3)))
        gc.collect()
    # asyncio cancels the task in which it closes the stream
    assert traces(captured)[0] in ("RunnableBranch ~closed", "RunnableBranch ~cancelled")


@pytest.mark.parametrize("form", ["ainvoke", "astream"])
def test_cancelling_a_branch_ends_its_runs(form: str) -> None:
    """A cancelled branch and what it waits for end as cancelled."""
    with captured_cleanly() as captured:
        started = asyncio.Event()

        async def wait(x: Any) -> Any:
            started.set()
            await asyncio.sleep(60)

        branch = RunnableBranch((negative, str), wait)
        cancelled(branch.ainvoke(1) if form == "ainvoke" else taken(branch.astream(1)), started)
    assert traces(captured) == [
        "RunnableBranch ~cancelled",
        "  negative #condition:1",
        "  wait #branch:default ~cancelled",
    ]


def test_consumer_of_a_branch_is_outside_of_its_run() -> None:
    """Between chunks the consumer's context is its own, whatever streams are interleaved."""
    with captured_cleanly():
        first, second = counting().stream(3), counting().stream(3)
        for chunks in (first, second, second, first):
            next(chunks)
            assert current_run() is None
        first.close()  # type: ignore[attr-defined]
        next(second)
        second.close()  # type: ignore[attr-defined]


def test_chunks_may_be_pulled_from_any_thread_and_task() -> None:
    """Each chunk of a branch may be pulled from another thread or task; the trace is the same."""

    async def main() -> list[str]:
        chunks = counting().astream(2)
        return [await asyncio.create_task(chunks.__anext__()) for _ in range(2)] + [
            chunk async for chunk in chunks
        ]

    with captured_cleanly() as captured:
        chunks = counting().stream(2)
        assert [threaded(lambda: next(chunks, None)) for _ in range(3)] == ["0.", "1.", None]
        assert asyncio.run(main()) == ["0.", "1."]
    lines = ["RunnableBranch", "  negative #condition:1"]
    assert traces(captured) == [
        *lines,
        "  count #branch:default *counted *counted",
        *lines,
        "  count #branch:default *counted *counted",
    ]


@every_way
def test_exception_in_a_start_hook_leaves_no_run_unfinished(way: Way) -> None:
    """A handler that raises at the start of the branch ends the run that had begun."""

    class Refusing(BaseCallbackHandler):
        raise_error = True

        def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
            raise RuntimeError("refused")

    with captured_cleanly() as captured:
        with pytest.raises(RuntimeError, match="refused"):
            way(counting(), 1, {"callbacks": [Refusing()]})
    assert traces(captured) == ["RunnableBranch !RuntimeError"]


def test_events_of_a_branch_in_the_event_stream() -> None:
    """A branch streams events like any other runnable, its own chunks included."""

    async def kinds() -> list[tuple[str, str]]:
        events = counting().astream_events(1, version="v2")
        return [(event["event"], event["name"]) async for event in events]

    assert asyncio.run(kinds()) == [
        ("on_chain_start", "RunnableBranch"),
        ("on_chain_start", "negative"),
        ("on_chain_end", "negative"),
        ("on_chain_start", "count"),
        ("on_custom_event", "counted"),
        ("on_chain_stream", "count"),
        ("on_chain_stream", "RunnableBranch"),
        ("on_chain_end", "count"),
        ("on_chain_end", "RunnableBranch"),
    ]


@pytest.mark.parametrize(
    ("branches", "error", "message"),
    [
        ((str,), ValueError, "at least two branches"),
        ((), ValueError, "at least two branches"),
        (((str, str), 5), TypeError, "default must be Runnable, callable or mapping"),
        ((5, str), TypeError, "must be tuples or lists"),
        (((str,), str), ValueError, "length 2"),
    ],
)
def test_mistakes_raise_at_once(branches: Any, error: type[Exception], message: str) -> None:
    """A branch that cannot work says so when it is made, with the kind of error of upstream."""
    with pytest.raises(error):
        upstream.RunnableBranch(*branches)
    with pytest.raises(error, match=message):
        RunnableBranch(*branches)


def test_branches_of_any_kind_and_equality() -> None:
    """Lists, dicts and functions serve; equal parts make equal branches."""
    branch: Any = RunnableBranch([negative, {"a": str}], {"b": str})
    assert branch.invoke(1) == {"b": "1"}
    assert isinstance(branch.default, RunnableParallel)
    assert branch == RunnableBranch([negative, {"a": str}], {"b": str})
    assert branch != RunnableBranch([negative, {"a": str}], {"c": str})
    assert repr(branch).startswith("RunnableBranch(branches=[(RunnableLambda")
