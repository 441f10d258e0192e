"""with_listeners and with_alisteners: what functions are told of a run, and when."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from ways import CALLS, STREAMS, Way, captured_cleanly, every_way, first_of, taken, traces

from otelbridge import (
    BaseCallbackHandler,
    RunnableConfig,
    RunnableLambda,
    RunnablePassthrough,
    RunnableRetry,
    chain,
    tool,
)
from otelbridge.runnables.listeners import AsyncRootListeners, RootListeners, listening


def fail(x: Any) -> Any:
    raise ValueError("no")


class Heard:
    """Notes what listeners are told, as (phase, inputs, outputs, whether it failed)."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.runs: list[Any] = []

    def note(self, phase: str, run: Any) -> None:
        """Take one call."""
        self.runs.append(run)
        self.told.append((phase, run.inputs, dict(run.outputs), run.error is not None))

    def sync(self) -> dict[str, Any]:
        """Listeners that are functions."""
        return {
            "on_start": lambda run: self.note("start", run),
            "on_end": lambda run: self.note("end", run),
            "on_error": lambda run: self.note("error", run),
        }

    def asynchronous(self) -> dict[str, Any]:
        """Listeners that are coroutine functions."""

        async def start(run: Any) -> None:
            await asyncio.sleep(0)
            self.note("start", run)

        async def end(run: Any) -> None:
            await asyncio.sleep(0)
            self.note("end", run)

        async def error(run: Any) -> None:
            await asyncio.sleep(0)
            self.note("error", run)

        return {"on_start": start, "on_end": end, "on_error": error}

    def to(self, runnable: Any, kind: str) -> Any:
        """Listen to a runnable by either kind of function."""
        if kind == "sync":
            return runnable.with_listeners(**self.sync())
        return runnable.with_alisteners(**self.asynchronous())


both_kinds = pytest.mark.parametrize("kind", ["sync", "async"])


@every_way
@both_kinds
def test_listeners_hear_of_success(way: Way, kind: str) -> None:
    """Start comes with the input, end with the output too, for each call of any form."""
    heard = Heard()
    runnable = heard.to(RunnableLambda(str), kind)
    assert way(runnable, 1) == "1"
    start = {"input": ""} if way in STREAMS else {"input": 1}
    assert heard.told == [
        ("start", start, {}, False),
        ("end", {"input": 1}, {"output": "1"}, False),
    ]


@every_way
@both_kinds
def test_listeners_hear_of_failure(way: Way, kind: str) -> None:
    """An error comes with the exception's repr and traceback, in place of an end."""
    heard = Heard()
    with pytest.raises(ValueError, match="no"):
        way(heard.to(RunnableLambda(fail), kind), 1)
    assert [phase for phase, *_ in heard.told] == ["start", "error"]
    assert heard.told[-1][1:] == ({"input": 1}, {}, True)
    assert heard.runs[-1].error.startswith("ValueError('no')")
    assert "Traceback" in heard.runs[-1].error


def test_dicts_are_told_as_they_are() -> None:
    """A dict is the inputs, or the outputs, itself."""
    heard = Heard()
    heard.to(RunnablePassthrough(), "sync").invoke({"a": 1})
    assert heard.told[-1] == ("end", {"a": 1}, {"a": 1}, False)


def test_run_has_what_upstreams_has() -> None:
    """The run that is told has id, name, type, tags, metadata, times and parent."""
    heard = Heard()
    seen: list[Any] = []
    step = heard.to(RunnableLambda(str), "sync")

    @chain
    def outer(x: Any, run_manager: Any) -> Any:
        seen.append(run_manager.run_id)
        return step.invoke(x, {"run_name": "named", "tags": ["t"], "metadata": {"k": 1}})

    before = datetime.now(timezone.utc)
    outer.invoke(1)
    run = heard.runs[-1]
    assert isinstance(run.id, UUID)
    assert (run.name, run.run_type, run.tags, run.metadata) == ("named", "chain", ["t"], {"k": 1})
    assert run.parent_run_id == seen[0]
    assert before <= run.start_time <= run.end_time
    assert heard.runs[0] is run


@pytest.mark.parametrize("way", CALLS, ids=lambda way: way.__name__)
def test_listeners_hear_of_their_own_run_only(way: Way) -> None:
    """Runs inside of the one that is listened to are not told."""
    heard = Heard()
    sequence = heard.to(RunnableLambda(int) | RunnableLambda(str), "sync")
    assert way(RunnableLambda(str) | sequence, 1) == "1"
    assert heard.told == [
        ("start", {"input": "1"}, {}, False),
        ("end", {"input": "1"}, {"output": "1"}, False),
    ]


def test_each_input_of_a_batch_is_told_by_itself() -> None:
    """Runs that go on at the same time are kept apart."""
    heard = Heard()
    runnable = heard.to(RunnableLambda(str), "sync")
    assert runnable.batch([1, 2, 3]) == ["1", "2", "3"]
    ends = sorted(told[1]["input"] for told in heard.told if told[0] == "end")
    assert ends == [1, 2, 3]
    assert len({run.id for run in heard.runs}) == 3


@both_kinds
def test_listener_may_take_the_config(kind: str) -> None:
    """A second parameter named config, or annotated so, gets the config of the call."""
    seen: list[Any] = []

    def named(run: Any, config: RunnableConfig) -> None:
        seen.append(config["tags"])

    def annotated(run: Any, how: RunnableConfig) -> None:
        seen.append(how["tags"])

    async def anamed(run: Any, config: RunnableConfig) -> None:
        seen.append(config["tags"])

    if kind == "sync":
        runnable = RunnableLambda(str).with_listeners(on_start=named, on_end=annotated)
    else:
        runnable = RunnableLambda(str).with_alisteners(on_start=anamed, on_end=anamed)
    asyncio.run(runnable.ainvoke(1, {"tags": ["t"]}))
    assert seen == [["t"], ["t"]]


def test_listeners_of_listeners_all_hear() -> None:
    """Listeners are added, never replaced."""
    first, second = Heard(), Heard()
    runnable = second.to(first.to(RunnableLambda(str), "sync"), "async")
    asyncio.run(runnable.ainvoke(1))
    assert first.told == second.told != []


def test_retry_is_told_once_or_by_attempt() -> None:
    """with_retry goes below what is bound already: it is told once. An attempt may be told too."""
    whole, attempts = Heard(), Heard()
    options: Any = {"wait_exponential_jitter": False, "stop_after_attempt": 2}
    with pytest.raises(ValueError, match="no"):
        whole.to(RunnableLambda(fail), "sync").with_retry(**options).invoke(1)
    assert [phase for phase, *_ in whole.told] == ["start", "error"]
    each = RunnableRetry(
        bound=attempts.to(RunnableLambda(fail), "sync"),
        wait_exponential_jitter=False,
        max_attempt_number=2,
    )
    with pytest.raises(ValueError, match="no"):
        each.invoke(1)
    assert [phase for phase, *_ in attempts.told] == ["start", "error"] * 2
    assert attempts.runs[-1].tags == ["retry:attempt:2"]


def test_stream_is_told_with_its_sum() -> None:
    """A stream's end has its chunks added, sync and async; closed early, it has those so far."""

    def count(x: int) -> Iterator[str]:
        yield from ("0.", "1.")

    async def acount(x: int) -> AsyncIterator[str]:
        yield "0."
        yield "1."

    heard = Heard()
    runnable = heard.to(RunnableLambda(count, acount), "sync")
    assert list(runnable.stream(2)) == asyncio.run(taken(runnable.astream(2))) == ["0.", "1."]
    with captured_cleanly() as captured:
        assert first_of(runnable, 2) == "0."
    assert traces(captured) == ["count ~closed"]
    ends = [outputs for phase, _, outputs, _ in heard.told if phase == "end"]
    assert ends[:2] == [{"output": "0.1."}] * 2


def test_tools_are_told_with_their_arguments() -> None:
    """A tool's run has the type tool, its arguments as inputs and its output under output."""

    @tool
    def total(a: int, b: int = 1) -> dict[str, int]:
        """Add."""
        return {"sum": a + b}

    heard = Heard()
    assert heard.to(total, "sync").invoke({"a": 1}) == {"sum": 2}
    assert heard.told[-1] == ("end", {"a": 1}, {"output": {"sum": 2}}, False)
    assert (heard.runs[0].run_type, heard.runs[0].name) == ("tool", "total")


@both_kinds
def test_failing_listener_does_not_change_the_result(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What a listener raises is logged, and the run goes on."""

    def broken(run: Any) -> None:
        raise RuntimeError("listener")

    async def abroken(run: Any) -> None:
        raise RuntimeError("listener")

    runnable = RunnableLambda(str)
    listened = (
        runnable.with_listeners(on_start=broken)
        if kind == "sync"
        else runnable.with_alisteners(on_start=abroken)
    )
    with caplog.at_level(logging.WARNING, logger="otelbridge"):
        assert asyncio.run(listened.ainvoke(1)) == "1"
    assert "RuntimeError: listener" in caplog.text


def test_exception_that_cannot_be_described_is_told_by_its_type() -> None:
    """A repr that raises does not hide the failure."""

    class Odd(Exception):
        def __repr__(self) -> str:
            raise RuntimeError("repr")

        __str__ = __repr__

    def body(x: Any) -> Any:
        raise Odd

    heard = Heard()
    with pytest.raises(Odd):
        heard.to(RunnableLambda(body), "sync").invoke(1)
    assert heard.runs[-1].error == "Odd"


@pytest.mark.parametrize("kind", [RootListeners, AsyncRootListeners])
def test_models_and_retrievers_are_told_too(kind: Any) -> None:
    """The handler hears the hooks of langchain-core's other runs, each under its own keys."""
    heard = Heard()
    listeners = heard.sync() if kind is RootListeners else heard.asynchronous()

    async def tell(handler: Any, hook: str, *args: Any, **kwargs: Any) -> None:
        result = getattr(handler, hook)(*args, **kwargs)
        if result is not None:
            await result

    async def main() -> None:
        for start, given, end, result in (
            ("on_llm_start", ["hi"], "on_llm_end", "there"),
            ("on_chat_model_start", [["hi"]], "on_llm_end", "there"),
            ("on_retriever_start", "query", "on_retriever_end", ["doc"]),
        ):
            handler = kind(config={}, **listeners)
            run_id = uuid4()
            await tell(handler, start, {"name": "m"}, given, run_id=run_id)
            await tell(handler, start, {"name": "other"}, given, run_id=uuid4())
            await tell(handler, end, result, run_id=uuid4())
            await tell(handler, end, result, run_id=run_id)

    asyncio.run(main())
    assert [(run.name, run.run_type, run.inputs, run.outputs) for run in heard.runs[1::2]] == [
        ("m", "llm", {"prompts": ["hi"]}, {"response": "there"}),
        ("m", "llm", {"messages": [["hi"]]}, {"response": "there"}),
        ("m", "retriever", {"query": "query"}, {"documents": ["doc"]}),
    ]


def test_config_factory_gives_each_call_its_own_handler() -> None:
    """No state is shared between calls."""
    factory = listening(on_start=print)
    one, two = (factory({})["callbacks"] for _ in range(2))
    assert one != two
    assert not isinstance(one, BaseCallbackHandler)
