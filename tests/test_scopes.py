"""start_run and the groups: blocks of code that are runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from opentelemetry import context as otel
from ways import captured_cleanly, threaded, traces

from otelbridge import (
    ConfigurationError,
    RunnableLambda,
    atrace_group,
    current_run,
    dispatch_custom_event,
    start_run,
    trace_group,
)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_block_is_a_run(is_async: bool) -> None:
    """Name, type, tags and metadata are its own; what runs inside is below it."""
    block = start_run("load", run_type="tool", tags=["t"], metadata={"k": 1}, inputs={"x": 1})
    with captured_cleanly() as captured:
        if is_async:
            async with block as run:
                await RunnableLambda(str).ainvoke(1)
                run.event("e", 1)
        else:
            with block as run:
                RunnableLambda(str).invoke(1)
                run.event("e", 1)
        assert current_run() is None
    assert captured.as_dict() == {
        "name": "load",
        "attributes": {
            "otelbridge.run.type": "tool",
            "otelbridge.run.tags": ("t",),
            "otelbridge.run.metadata.k": 1,
        },
        "events": [("e", {"data": 1})],
        "status": "UNSET",
        "children": [
            {
                "name": "str",
                "attributes": {
                    "otelbridge.run.type": "chain",
                    "otelbridge.run.tags": ("t",),
                    "otelbridge.run.metadata.k": 1,
                },
                "events": [],
                "status": "UNSET",
                "children": [],
            }
        ],
    }


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no"), "job !ValueError"),
        (asyncio.CancelledError(), "job ~cancelled"),
        (GeneratorExit(), "job ~closed"),
        (KeyboardInterrupt(), "job !KeyboardInterrupt"),
    ],
)
async def test_exception_ends_the_run_and_goes_on(
    is_async: bool, error: BaseException, line: str
) -> None:
    """The same exception comes out; cancel and early close are no errors."""
    with captured_cleanly() as captured:
        with pytest.raises(type(error)) as raised:
            if is_async:
                async with start_run("job"):
                    raise error
            else:
                with start_run("job"):
                    raise error
        assert raised.value is error
    assert traces(captured) == [line]


def test_handlers_hear_of_a_block() -> None:
    """Its inputs, its output where one is given, and its end; a second end does nothing."""
    seen: list[Any] = []
    handler = {
        "handle_chain_start": lambda inputs, name: seen.append((name, inputs)),
        "handle_chain_end": lambda outputs: seen.append(outputs),
    }
    with captured_cleanly(capture_content=True) as captured:
        with start_run("job", inputs={"x": 1}, config={"callbacks": [handler]}) as run:
            run.end("done")
            run.end("again")
            run.fail(ValueError())
    assert seen == [("job", {"x": 1}), "done"]
    assert captured.as_dict()["attributes"] == {
        "otelbridge.run.type": "chain",
        "otelbridge.run.input": '{"x":1}',
        "otelbridge.run.output": "done",
    }


def test_tags_and_metadata_add_to_the_config() -> None:
    """And to what is inherited."""
    config: Any = {"tags": ["a"], "metadata": {"k": 1}, "configurable": {"c": 1}}
    with captured_cleanly() as captured:
        with start_run("outer", config=config, tags=["b"], metadata={"l": 2}) as run:
            assert run.metadata == {"k": 1, "l": 2}
            with start_run("inner", tags=["c"]) as inner:
                assert inner.metadata == {"k": 1, "l": 2}
                assert inner.shared_config()["configurable"] == {"c": 1}
    assert traces(captured) == ["outer #a #b", "  inner #a #b #c"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tags": "a"}, "tags is 'a'; it must be a list of strings"),
        ({"metadata": ["a"]}, r"metadata is \['a'\]; it must be a dict"),
        ({"config": {"callbacks": 5}}, "callbacks is 5; it must be a list of handlers"),
    ],
)
def test_wrong_argument_is_refused(options: Any, message: str) -> None:
    """With its cure, and without a span."""
    with captured_cleanly() as captured:
        with pytest.raises(ConfigurationError, match=message):
            with start_run("job", **options):
                pass
    assert captured.spans == []


@pytest.mark.parametrize("make", [start_run, trace_group])
def test_block_is_entered_once(make: Any) -> None:
    """A second time it says what to do; so does leaving without having entered."""
    block = make("job")
    with pytest.raises(RuntimeError, match="left without having been entered; use `with`"):
        block.__exit__(None, None, None)
    with block:
        with pytest.raises(RuntimeError, match="make a new one for each run"):
            block.__enter__()
    with pytest.raises(RuntimeError, match="make a new one for each run"):
        block.__enter__()


@pytest.mark.parametrize("make", [start_run, atrace_group])
async def test_async_block_is_entered_once(make: Any) -> None:
    """As a sync one."""
    block = make("job")
    with pytest.raises(RuntimeError, match="left without having been entered"):
        await block.__aexit__(None, None, None)
    async with block:
        pass
    with pytest.raises(RuntimeError, match="make a new one for each run"):
        await block.__aenter__()


def steps(name: str) -> Iterator[str]:
    with start_run(name):
        dispatch_custom_event("in", name)
        yield name
        yield name


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_blocks_in_generators_end_in_any_order(order: str) -> None:
    """What is current afterwards is what was before the first of them."""
    with captured_cleanly() as captured:
        with start_run("root") as root:
            generators = {name: steps(name) for name in "ab"}
            for generator in generators.values():
                next(generator)
            for name in order:
                generators[name].close()  # type: ignore[attr-defined]
            assert current_run() is root
        assert current_run() is None
    assert traces(captured) == ["root", "  a *in ~closed", "    b *in ~closed"]


def test_block_that_is_not_current_leaves_what_is() -> None:
    """Ending an outer block first keeps the inner one current."""
    with captured_cleanly() as captured:
        outer, inner = start_run("outer"), start_run("inner")
        outer.__enter__()
        run = inner.__enter__()
        outer.__exit__(None, None, None)
        assert current_run() is run
        inner.__exit__(None, None, None)
        assert current_run() is None
    assert traces(captured) == ["outer", "  inner"]


def test_spans_of_the_user_nest_with_blocks() -> None:
    """A user's span is a child of the block's run, and the run inside of it its child."""
    with captured_cleanly() as captured:
        with start_run("outer"):
            with captured.tracer.start_as_current_span("mine"):
                with start_run("inner"):
                    pass
    assert captured.tree() == "outer [chain]\n└─ mine\n   └─ inner [chain]"


def test_context_after_is_the_one_before() -> None:
    """Values of the OTel context that stood before stand again."""
    token = otel.attach(otel.set_value("key", "value"))
    try:
        with start_run("job"):
            assert otel.get_value("key") == "value"
        assert otel.get_current() == {**otel.get_current(), "key": "value"}
        assert current_run() is None
    finally:
        otel.detach(token)


# ---------------------------------------------------------------------- groups


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_group_holds_several_invocations(is_async: bool) -> None:
    """Inside of the block, and by its manager in a thread that the context does not reach."""
    run_id = uuid4()
    seen: list[Any] = []
    options: Any = {"inputs": {"q": 1}, "run_id": run_id, "tags": ["t"], "metadata": {"k": 1}}
    handler = {"handle_chain_start": lambda name, run_id: seen.append((name, run_id))}
    with captured_cleanly() as captured:
        if is_async:
            async with atrace_group("group", [handler], **options) as amanager:
                await RunnableLambda(str).ainvoke(1)
                config: Any = {"callbacks": amanager}
                await asyncio.to_thread(lambda: RunnableLambda(repr).invoke(1, config))
                assert amanager.copy().parent_run_id == run_id
                await amanager.on_chain_end({"a": 1})
        else:
            with trace_group("group", [handler], **options) as manager:
                RunnableLambda(str).invoke(1)
                config = {"callbacks": manager}
                threaded(lambda: RunnableLambda(repr).invoke(1, config))
                assert manager.copy().parent_run_id == run_id
                manager.on_chain_end({"a": 1})
    assert traces(captured) == ["group #t", "  str #t", "  repr #t"]
    assert seen[0] == ("group", run_id)
    assert [name for name, _ in seen] == ["group", "str", "repr"]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_group_may_be_ended_by_an_error(is_async: bool) -> None:
    """By hand, through its manager; the block's own end does nothing more."""
    with captured_cleanly() as captured:
        if is_async:
            async with atrace_group("group") as amanager:
                await amanager.copy().on_chain_error(ValueError("no"))
        else:
            with trace_group("group") as manager:
                manager.copy().on_chain_error(ValueError("no"))
    assert traces(captured) == ["group !ValueError"]


def test_groups_nest() -> None:
    """By the context, and by the manager of the one above."""
    with captured_cleanly() as captured:
        with trace_group("outer", tags=["t"]) as manager:
            with trace_group("inner"):
                RunnableLambda(str).invoke(1)
            with trace_group("by hand", manager):
                pass
    assert traces(captured) == ["outer #t", "  inner #t", "    str #t", "  by hand #t"]
