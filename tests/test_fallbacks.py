"""RunnableWithFallbacks: tries below one run, in every form, and each run ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import langchain_core.runnables as upstream
import pytest
from ways import (
    BATCHES,
    STREAMS,
    Way,
    both_closes,
    cancelled,
    captured_cleanly,
    every_way,
    taken,
    threaded,
    traces,
)

import otelbridge
from otelbridge import (
    BaseCallbackHandler,
    Runnable,
    RunnableConfig,
    RunnableLambda,
    RunnableWithFallbacks,
    current_run,
    dispatch_custom_event,
)


def fail(x: Any) -> Any:
    dispatch_custom_event("failing", None)
    raise ValueError(f"no {x}")


def refuse(x: Any) -> Any:
    raise KeyError(x)


def work(x: Any) -> Any:
    dispatch_custom_event("working", None)
    return f"done {x}"


def falling(*functions: Any, **options: Any) -> Any:
    first, *others = map(RunnableLambda, functions)
    return first.with_fallbacks(others, **options)


@every_way
def test_each_try_is_a_run_below_the_fallbacks(way: Way) -> None:
    """In every form the tries are children of one run, and have its tags and its handlers."""
    with captured_cleanly() as captured:
        config = {"tags": ["t"], "run_name": "careful"}
        assert way(falling(fail, refuse, work), 1, config) == "done 1"
    assert traces(captured) == [
        "careful #t",
        "  fail #t *failing !ValueError",
        "  refuse #t !KeyError",
        "  work #t *working",
    ]


class Calls(BaseCallbackHandler):
    """Notes the names of runs, with their parents'."""

    def __init__(self) -> None:
        self.names: dict[Any, str] = {None: "-"}
        self.starts: list[tuple[str, str]] = []
        self.ends: list[Any] = []

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        self.names[kwargs["run_id"]] = kwargs["name"]
        self.starts.append((self.names[kwargs["parent_run_id"]], kwargs["name"]))

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        self.ends.append((self.names[kwargs["run_id"]], outputs))

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        self.ends.append((self.names[kwargs["run_id"]], type(error).__name__))


@every_way
def test_handlers_are_told_tries_as_children_once(way: Way) -> None:
    """Handlers passed to the call hear of each try once, as a child of the fallbacks' run."""
    calls = Calls()
    way(falling(fail, work), 1, {"callbacks": [calls]})
    name = "RunnableWithFallbacks"
    assert calls.starts == [("-", name), (name, "fail"), (name, "work")]
    assert calls.ends == [("fail", "ValueError"), ("work", "done 1"), (name, "done 1")]


@every_way
def test_first_exception_is_raised_when_all_fail(way: Way) -> None:
    """The run ends by the exception that is raised: the first one's, or in a batch the last's."""
    with captured_cleanly() as captured:
        with pytest.raises((ValueError, KeyError)) as caught:
            way(falling(fail, refuse), 1)
    kind = "KeyError" if way in BATCHES[:2] else "ValueError"
    assert type(caught.value).__name__ == kind
    assert caught.value.__context__ is None
    assert traces(captured) == [
        f"RunnableWithFallbacks !{kind}",
        "  fail *failing !ValueError",
        "  refuse !KeyError",
    ]


@every_way
def test_other_exceptions_are_raised_at_once(way: Way) -> None:
    """An exception that is not to be handled ends the run without a further try."""
    runnable = falling(refuse, work, exceptions_to_handle=(ValueError,))
    with captured_cleanly() as captured:
        with pytest.raises(KeyError):
            way(runnable, 1)
    assert traces(captured) == ["RunnableWithFallbacks !KeyError", "  refuse !KeyError"]


@every_way
def test_exception_key_leaves_the_input_alone(way: Way) -> None:
    """A fallback finds the last exception in a copy of its input; the caller's dict stays as is."""
    seen: list[Any] = []

    def look(x: dict[str, Any]) -> str:
        seen.append(x)
        return type(x["error"]).__name__

    given = {"n": 1}
    assert way(falling(fail, refuse, look, exception_key="error"), given) == "KeyError"
    assert given == {"n": 1}
    assert seen[0].keys() == {"n", "error"}


@every_way
def test_exception_key_needs_a_dict(way: Way) -> None:
    """Another input is refused with upstream's error, before any run begins."""
    with captured_cleanly() as captured:
        with pytest.raises(ValueError, match="must be a dict"):
            way(falling(fail, work, exception_key="error"), 1)
    assert traces(captured) == []


@pytest.mark.parametrize("lib", [upstream, otelbridge], ids=["upstream", "ours"])
def test_batch_turns_to_fallbacks_with_what_failed(lib: Any) -> None:
    """Each fallback gets the inputs that have failed so far, and outputs keep their places."""

    def odd(x: int) -> str:
        if x % 2 == 0:
            raise ValueError(x)
        return f"odd {x}"

    def four(x: int) -> str:
        if x != 4:
            raise KeyError(x)
        return f"four {x}"

    runnable = lib.RunnableLambda(odd).with_fallbacks([lib.RunnableLambda(four)])
    for results in (
        runnable.batch([1, 2, 3, 4], return_exceptions=True),
        asyncio.run(runnable.abatch([1, 2, 3, 4], return_exceptions=True)),
    ):
        assert [str(each) for each in results] == ["odd 1", "2", "odd 3", "four 4"]
    with pytest.raises(KeyError):
        runnable.batch([1, 2])


@pytest.mark.parametrize("way", BATCHES[:2], ids=lambda way: way.__name__)
@pytest.mark.parametrize("stops", [False, True])
def test_unhandled_exception_in_a_batch_leaves_no_run_unfinished(way: Way, stops: bool) -> None:
    """Each input's run ends by what its own input gave, whether or not the batch stops there."""

    def judge(x: int) -> str:
        if x == 0:
            raise ValueError("handled")
        if x == 1:
            raise KeyError("unhandled")
        return f"done {x}"

    runnable = falling(judge, work, exceptions_to_handle=(ValueError,))
    inputs, config = [0, 1, 2], {"max_concurrency": 1}

    def both(**options: Any) -> Any:
        if way is BATCHES[0]:
            return runnable.batch(inputs, config, **options)
        return asyncio.run(runnable.abatch(inputs, config, **options))

    with captured_cleanly() as captured:
        if stops:
            with pytest.raises(KeyError, match="unhandled"):
                both()
        else:
            results = both(return_exceptions=True)
            assert [str(each) for each in results] == ["done 0", "'unhandled'", "done 2"]
    name = "RunnableWithFallbacks"
    first = [f"{name} !ValueError"] if stops else [name]
    assert traces(captured) == [
        *first,
        "  judge !ValueError",
        *([] if stops else ["  work *working"]),
        f"{name} !KeyError",
        "  judge !KeyError",
        name,
        "  judge",
    ]


def count(x: int) -> Iterator[str]:
    for index in range(x):
        dispatch_custom_event("counted", index)
        yield f"{index}."


async def acount(x: int) -> AsyncIterator[str]:
    for index in range(x):
        dispatch_custom_event("counted", index)
        yield f"{index}."


def counting(*before: Any, **options: Any) -> Any:
    steps: list[Any] = [*map(RunnableLambda, before), RunnableLambda(count, acount)]
    return steps[0].with_fallbacks(steps[1:], **options)


@pytest.mark.parametrize("way", STREAMS, ids=lambda way: way.__name__)
def test_stream_falls_back_until_its_first_chunk(way: Way) -> None:
    """A failure before the first chunk is fallen back from; the handlers get the sum."""
    calls = Calls()
    assert way(counting(fail), 3, {"callbacks": [calls]}) == "0.1.2."
    assert calls.ends[-1] == ("RunnableWithFallbacks", "0.1.2.")


@pytest.mark.parametrize("way", STREAMS, ids=lambda way: way.__name__)
def test_failure_after_the_first_chunk_is_raised(way: Way) -> None:
    """Chunks that have been read cannot be taken back: a later failure ends the run."""

    def half(x: Any) -> Iterator[str]:
        yield "half"
        raise ValueError("no")

    async def ahalf(x: Any) -> AsyncIterator[str]:
        yield "half"
        raise ValueError("no")

    runnable = RunnableLambda(half, ahalf).with_fallbacks([RunnableLambda(work)])
    with captured_cleanly() as captured:
        with pytest.raises(ValueError, match="no"):
            way(runnable, 1)
    assert traces(captured) == ["RunnableWithFallbacks !ValueError", "  half !ValueError"]


class Empty(Runnable[Any, Any]):
    """Streams nothing."""

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return None

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        return iter(())

    async def astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        return
        yield


@pytest.mark.parametrize("way", STREAMS, ids=lambda way: way.__name__)
def test_empty_stream_is_passed_over(way: Way) -> None:
    """A stream without a chunk is fallen back from, as upstream does; all empty gives nothing."""
    assert way(Empty().with_fallbacks([RunnableLambda(work)]), 1) == "done 1"
    with captured_cleanly() as captured:
        assert way(Empty().with_fallbacks([Empty()]), 1) is None
        with pytest.raises(ValueError, match="no 1"):
            way(Empty().with_fallbacks([RunnableLambda(fail)]), 1)
    assert traces(captured)[0] == "RunnableWithFallbacks"


@both_closes
def test_closing_early_closes_the_inner_stream(first: Way) -> None:
    """A consumer that stops ends the runs as closed, innermost first."""
    calls = Calls()
    with captured_cleanly() as captured:
        assert first(counting(fail), 3, {"callbacks": [calls]}) == "0."
    assert traces(captured) == [
        "RunnableWithFallbacks ~closed",
        "  fail *failing !ValueError",
        "  count *counted ~closed",
    ]
    assert [name for name, _ in calls.ends] == ["fail", "count", "RunnableWithFallbacks"]


def test_consumer_is_outside_of_the_run_in_any_thread_and_task() -> None:
    """Between chunks, wherever they are pulled, the consumer's context is its own."""

    async def main() -> list[Any]:
        chunks = counting(fail).astream(2)
        pulled = [await asyncio.create_task(chunks.__anext__()) for _ in range(2)]
        assert current_run() is None
        return pulled + [chunk async for chunk in chunks]

    with captured_cleanly() as captured:
        chunks = counting(fail).stream(2)
        assert next(chunks) == "0."
        assert current_run() is None
        assert threaded(lambda: list(chunks)) == ["1."]
        assert asyncio.run(main()) == ["0.", "1."]
    assert traces(captured)[:3] == [
        "RunnableWithFallbacks",
        "  fail *failing !ValueError",
        "  count *counted *counted",
    ]


@pytest.mark.parametrize("form", ["ainvoke", "abatch", "astream"])
def test_cancelling_ends_every_run(form: str) -> None:
    """Cancelled in a fallback, the tries and the fallbacks' run end, and none is tried again."""
    started = asyncio.Event()

    async def wait(x: Any) -> Any:
        started.set()
        await asyncio.sleep(60)

    runnable = falling(fail, wait, work)
    forms = {
        "ainvoke": lambda: runnable.ainvoke(1),
        "abatch": lambda: runnable.abatch([1]),
        "astream": lambda: taken(runnable.astream(1)),
    }
    with captured_cleanly() as captured:
        cancelled(forms[form](), started)
    assert traces(captured) == [
        "RunnableWithFallbacks ~cancelled",
        "  fail *failing !ValueError",
        "  wait ~cancelled",
    ]


@every_way
def test_exception_in_a_start_hook_leaves_no_run_unfinished(way: Way) -> None:
    """A handler that raises at a start ends what had begun."""

    class Refusing(BaseCallbackHandler):
        raise_error = True

        def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
            raise RuntimeError("refused")

    with captured_cleanly() as captured:
        with pytest.raises(RuntimeError, match="refused"):
            way(falling(fail, work), 1, {"callbacks": [Refusing()]})
    assert traces(captured) == ["RunnableWithFallbacks !RuntimeError"]


def test_event_stream_tells_tries_as_children() -> None:
    """The event stream shows each try below the fallbacks' run, with its custom events."""

    async def events() -> list[Any]:
        return await taken(falling(fail, work).astream_events(1, version="v2"))

    told = [(e["event"], e["name"], len(e["parent_ids"])) for e in asyncio.run(events())]
    assert told == [
        ("on_chain_start", "RunnableWithFallbacks", 0),
        ("on_chain_start", "fail", 1),
        ("on_custom_event", "failing", 1),
        ("on_chain_start", "work", 1),
        ("on_custom_event", "working", 1),
        ("on_chain_stream", "work", 1),
        ("on_chain_stream", "RunnableWithFallbacks", 0),
        ("on_chain_end", "work", 1),
        ("on_chain_end", "RunnableWithFallbacks", 0),
    ]


class Model(Runnable[Any, Any]):
    """A model with tools, in the shape that model libraries have."""

    temperature = 0.5

    def __init__(self, name: str) -> None:
        self.name = name

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self.name, kwargs

    def bind_tools(self, tools: list[Any]) -> Runnable[Any, Any]:
        return self.bind(tools=tools)

    def odd(self) -> NotDefinedAnywhere:  # type: ignore[name-defined]  # noqa: F821
        return 5


def test_attributes_and_methods_that_give_runnables() -> None:
    """Attributes are the first one's; a method that gives a runnable is called on every one."""
    both: Any = Model("a").with_fallbacks([Model("b")])
    assert both.temperature == 0.5
    assert both.odd() == 5
    bound = both.bind_tools(["hammer"])
    assert isinstance(bound, RunnableWithFallbacks)
    assert bound.invoke(1) == ("a", {"tools": ["hammer"]})
    assert [each.kwargs for each in bound.runnables] == [{"tools": ["hammer"]}] * 2  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        _ = both.nothing


def test_equality_and_repr() -> None:
    """Equal parts make equal fallbacks."""
    assert falling(fail, work) == falling(fail, work)
    assert falling(fail, work) != falling(fail, refuse)
    start = "RunnableWithFallbacks(runnable=RunnableLambda(fail)"
    assert repr(falling(fail, work)).startswith(start)
