"""RunnableRetry: attempts below one run, in every form, and when they stop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import langchain_core.runnables as upstream
import pytest
from ways import (
    BATCHES,
    CALLS,
    STREAMS,
    Way,
    batch,
    cancelled,
    captured_cleanly,
    every_way,
    in_thread,
    invoke,
    taken,
    traces,
)

import otelbridge
from otelbridge import RunnableLambda, RunnableRetry, dispatch_custom_event

RETRIED = (*CALLS, *BATCHES[:2])
UNTRIED = (*STREAMS, *BATCHES[2:])
every_retried_way = pytest.mark.parametrize("way", RETRIED, ids=lambda way: way.__name__)


class Flaky:
    """Fails so many times for each input, then answers."""

    def __init__(self, times: int, error: type[BaseException] = ValueError) -> None:
        self.times = times
        self.error = error
        self.calls: list[Any] = []

    def ask(self, x: Any) -> Any:
        """Fail or answer."""
        self.calls.append(x)
        dispatch_custom_event("try", len(self.calls))
        if self.calls.count(x) <= self.times:
            raise self.error(f"no {self.calls.count(x)}")
        return f"yes {x}"

    def runnable(self, **options: Any) -> Any:
        """A retry of this, without waits."""
        options = {"wait_exponential_jitter": False, **options}
        return RunnableLambda(self.ask).with_retry(**options)


@every_retried_way
def test_each_attempt_is_a_run_below_the_retry(way: Way) -> None:
    """Attempts from the second on are tagged; each has its own events and its own end."""
    with captured_cleanly() as captured:
        assert way(Flaky(2).runnable(), 1, {"tags": ["t"]}) == "yes 1"
    assert traces(captured) == [
        "ask #t",
        "  ask #t *try !ValueError",
        "  ask #retry:attempt:2 #t *try !ValueError",
        "  ask #retry:attempt:3 #t *try",
    ]


@every_retried_way
def test_last_exception_is_raised_when_attempts_run_out(way: Way) -> None:
    """The exception is the last attempt's own object, with no chain grown by the retry."""
    flaky = Flaky(9)
    with captured_cleanly() as captured:
        with pytest.raises(ValueError, match="no 2") as caught:
            way(flaky.runnable(stop_after_attempt=2), 1)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert traces(captured) == [
        "ask !ValueError",
        "  ask *try !ValueError",
        "  ask #retry:attempt:2 *try !ValueError",
    ]


@every_retried_way
@pytest.mark.parametrize(
    "which", [(KeyError,), lambda error: "yes" in str(error)], ids=["types", "predicate"]
)
def test_other_exceptions_are_raised_at_once(way: Way, which: Any) -> None:
    """What is not to be retried ends the first attempt and the retry."""
    with captured_cleanly() as captured:
        with pytest.raises(ValueError, match="no 1"):
            way(Flaky(1).runnable(retry_if_exception_type=which), 1)
    assert traces(captured) == ["ask !ValueError", "  ask *try !ValueError"]


@pytest.mark.parametrize("way", [invoke, in_thread, batch], ids=lambda way: way.__name__)
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_interrupts_pass_through(way: Way, error: type[BaseException]) -> None:
    """Interrupts are never retried, and every run ends by them."""
    with captured_cleanly() as captured:
        with pytest.raises(error):
            way(Flaky(1, error).runnable(), 1)
    name = error.__name__
    assert traces(captured) == [f"ask !{name}", f"  ask *try !{name}"]


def test_predicate_chooses_what_is_retried() -> None:
    """A function may say which exceptions are tried again."""
    flaky = Flaky(1)
    runnable = flaky.runnable(retry_if_exception_type=lambda error: "no" in str(error))
    assert runnable.invoke(1) == "yes 1"


@pytest.mark.parametrize("way", UNTRIED, ids=lambda way: way.__name__)
def test_streams_are_not_retried(way: Way) -> None:
    """What yields as it goes is the bound runnable's: one run, and its exception passes."""
    with captured_cleanly() as captured:
        with pytest.raises(ValueError, match="no 1"):
            way(Flaky(1).runnable(), 1)
    assert traces(captured) == ["ask *try !ValueError"]


def both_batches(runnable: Any, inputs: list[Any], **options: Any) -> list[list[Any]]:
    return [
        runnable().batch(inputs, **options),
        asyncio.run(runnable().abatch(inputs, **options)),
    ]


def test_batch_tries_again_only_what_failed() -> None:
    """An attempt of a batch is made with the inputs that have failed so far, as upstream's."""

    def ours() -> Any:
        return RunnableLambda(work).with_retry(wait_exponential_jitter=False)

    def work(x: int) -> int:
        calls.append(x)
        if x % 2 and calls.count(x) < x:
            raise ValueError(x)
        return 10 * x

    for lib in (upstream, otelbridge):
        calls: list[int] = []
        runnable = lib.RunnableLambda(work).with_retry(wait_exponential_jitter=False)
        config = {"max_concurrency": 1}
        assert runnable.batch([0, 1, 2, 3], config) == [0, 10, 20, 30]
        assert calls == [0, 1, 2, 3, 3, 3]
    calls = []
    with captured_cleanly() as captured:
        assert asyncio.run(ours().abatch([2, 3])) == [20, 30]
    assert traces(captured) == [
        "work",
        "  work",
        "work",
        "  work !ValueError",
        "  work #retry:attempt:2 !ValueError",
        "  work #retry:attempt:3",
    ]


def test_batch_returns_each_input_its_own_exception() -> None:
    """With return_exceptions one input's failure, to be retried or not, costs no other its output.

    Upstream gives the first exception that is not retried to every input, and may give an output
    of the last attempt to another input.
    """

    def work(x: int) -> int:
        if x == 1:
            raise KeyError(x)
        if x == 2:
            raise ValueError(x)
        return x

    def make() -> Any:
        return RunnableLambda(work).with_retry(
            wait_exponential_jitter=False, retry_if_exception_type=(ValueError,)
        )

    with captured_cleanly() as captured:
        for results in both_batches(make, [0, 1, 2, 3], return_exceptions=True):
            assert [type(each) for each in results] == [int, KeyError, ValueError, int]
            assert (results[0], results[3]) == (0, 3)
    lines = traces(captured)
    assert sorted(line for line in lines if not line.startswith(" ")) == sorted(
        ["work", "work !KeyError", "work !ValueError", "work"] * 2
    )
    with pytest.raises(KeyError):
        make().batch([0, 1, 2])


def test_batch_keeps_outputs_of_the_last_attempt_in_place() -> None:
    """An input that succeeds at the last attempt keeps its output beside one that fails."""

    def work(x: int) -> int:
        calls.append(x)
        if x == 2 or calls.count(x) < 2:
            raise ValueError(x)
        return 10 * x

    calls: list[int] = []

    def make() -> Any:
        calls.clear()
        return RunnableLambda(work).with_retry(wait_exponential_jitter=False, stop_after_attempt=2)

    for results in both_batches(make, [1, 2], return_exceptions=True):
        assert results[0] == 10
        assert isinstance(results[1], ValueError)


@pytest.mark.parametrize("way", RETRIED[:2] + BATCHES[:2], ids=lambda way: way.__name__)
def test_waits_grow_between_attempts(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are tenacity's exponential ones: time.sleep in sync code, asyncio.sleep in async."""
    waits: list[float] = []
    plain_sleep = asyncio.sleep

    async def asleep(delay: float, *args: Any) -> None:
        waits.append(delay)
        await plain_sleep(0)

    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(asyncio, "sleep", asleep)
    params = {"initial": 2.0, "exp_base": 3.0, "max": 10.0, "jitter": 0.0}
    runnable = Flaky(3).runnable(
        wait_exponential_jitter=True, exponential_jitter_params=params, stop_after_attempt=4
    )
    assert way(runnable, 1) == "yes 1"
    assert waits == [2.0, 6.0, 10.0]


def test_no_limit_of_attempts() -> None:
    """A maximum of 0 means that attempts never run out."""
    assert Flaky(9).runnable(stop_after_attempt=0).invoke(1) == "yes 1"


@pytest.mark.parametrize("form", ["ainvoke", "abatch"])
@pytest.mark.parametrize("where", ["attempt", "wait"])
def test_cancelling_a_retry_ends_its_runs(form: str, where: str) -> None:
    """Cancelled in an attempt or in the wait for the next, nothing is tried again or left open."""
    started = asyncio.Event()

    async def work(x: Any) -> Any:
        started.set()
        if where == "wait":
            raise ValueError("no")
        await asyncio.sleep(60)

    with captured_cleanly() as captured:
        retry = RunnableLambda(work).with_retry(exponential_jitter_params={"initial": 60})
        cancelled(retry.ainvoke(1) if form == "ainvoke" else retry.abatch([1]), started)
    attempt = "~cancelled" if where == "attempt" else "!ValueError"
    assert traces(captured) == ["work ~cancelled", f"  work {attempt}"]


@every_way
def test_arguments_and_config_are_bound(way: Way) -> None:
    """kwargs and config of the retry reach each attempt, like those of any binding."""

    def scale(x: int, by: int = 1) -> int:
        return x * by

    runnable: Any = RunnableRetry(
        bound=RunnableLambda(scale), kwargs={"by": 2}, config={"tags": ["b"]}
    )
    with captured_cleanly() as captured:
        assert way(runnable, 3) == 6
        assert way(runnable, 3, by=3) == 9
    lines = ["  scale #b"] if way not in UNTRIED else []
    assert traces(captured) == [*["scale" if lines else "scale #b", *lines] * 2]


def test_tenacity_is_imported_at_the_first_retry_only() -> None:
    """Neither the import of otelbridge nor making a retry brings tenacity in."""
    program = (
        "import sys; from otelbridge import RunnableLambda; "
        "retry = RunnableLambda(str).with_retry(); assert 'tenacity' not in sys.modules; "
        "retry.invoke(1); assert 'tenacity' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_event_stream_tells_each_attempt() -> None:
    """A retry that is awaited inside of a run streams the events of every attempt, with its tag."""

    async def outer(x: Any) -> Any:
        return await flaky.runnable().ainvoke(x)

    async def events() -> list[Any]:
        return await taken(RunnableLambda(outer).astream_events(1, version="v2"))

    flaky = Flaky(1)
    told = [event for event in asyncio.run(events()) if event["name"] == "try"]
    assert [(event["data"], len(event["parent_ids"])) for event in told] == [(1, 2), (2, 2)]


def test_equality_and_repr() -> None:
    """Retries with equal fields are equal."""
    step = RunnableLambda(str)
    assert step.with_retry() == step.with_retry()
    assert step.with_retry() != step.with_retry(stop_after_attempt=5)
    assert "max_attempt_number=3" in repr(step.with_retry())
