"""RunnableBinding: what is bound reaches the runnable in every form, and nothing else changes."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import AsyncIterator, Iterator
from typing import Any

import langchain_core.runnables as upstream
import pytest
from ways import Way, captured_cleanly, every_way, taken, traces

import otelbridge
from otelbridge import (
    BaseCallbackHandler,
    Runnable,
    RunnableBinding,
    RunnableConfig,
    RunnableLambda,
    dispatch_custom_event,
)


def scale(x: int, by: int = 1, plus: int = 0) -> int:
    dispatch_custom_event("scaled", {"by": by})
    return x * by + plus


class Events(BaseCallbackHandler):
    """Notes the data of custom events."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self.seen.append(data)


@every_way
def test_bound_arguments_and_config_reach_every_form(way: Way) -> None:
    """Arguments, tags, metadata, name and handlers that are bound are those of each call."""
    events = Events()
    bound: Any = RunnableLambda(scale).bind(by=2).with_config(tags=["b"], run_name="doubling")
    bound = bound.with_config(callbacks=[events])
    with captured_cleanly() as captured:
        assert way(bound, 3) == 6
        assert way(bound.bind(plus=1), 3, {"tags": ["a"]}) == 7
        assert way(bound, 3, by=5) == 15
    assert traces(captured) == [
        "doubling #b *scaled",
        "doubling #a #b *scaled",
        "doubling #b *scaled",
    ]
    assert events.seen == [{"by": 2}, {"by": 2}, {"by": 5}]


@every_way
def test_bound_arguments_may_have_any_name(way: Way) -> None:
    """An argument may be called as one of the library's own parameters is."""

    def work(x: Any, name: str = "", serialized: Any = None) -> Any:
        return x, name

    runnable = RunnableLambda(work)
    for wrapped in (runnable, runnable.with_retry(), runnable.with_fallbacks([])):
        assert way(wrapped.bind(name="Ada"), 1) == (1, "Ada")


@every_way
def test_binding_is_no_run_of_its_own(way: Way) -> None:
    """Bindings around bindings leave one run, named as the runnable or as the config says."""
    inner = RunnableLambda(str).bind().with_config(tags=["x"])
    outer: Any = RunnableBinding(bound=inner, config={"tags": ["y"], "metadata": {"k": 1}})
    with captured_cleanly() as captured:
        way(outer, 1)
    [run] = captured.as_dicts()
    assert run["name"] == "str"
    assert run["attributes"]["otelbridge.run.tags"] == ("x", "y")
    assert run["attributes"]["otelbridge.run.metadata.k"] == 1
    assert run["children"] == []


@every_way
def test_handler_that_is_bound_and_passed_is_called_once(way: Way) -> None:
    """The same handler in the bound config and in the call's hears each event once."""
    events = Events()
    bound = RunnableLambda(scale).with_config(callbacks=[events])
    way(bound, 1, {"callbacks": [events]})
    assert events.seen == [{"by": 1}]


@every_way
def test_config_factories_see_the_merged_config(way: Way) -> None:
    """Each factory gets the bound and passed config together; what it returns is merged over."""
    seen: list[Any] = []

    def factory(config: RunnableConfig) -> RunnableConfig:
        seen.append((sorted(config["tags"]), config["metadata"]))
        return {"tags": ["made"], "metadata": {"made": True}}

    bound: Any = RunnableBinding(
        bound=RunnableLambda(str), config={"tags": ["bound"]}, config_factories=[factory]
    )
    with captured_cleanly() as captured:
        way(bound, 1, {"tags": ["called"], "metadata": {"k": 1}})
    assert seen == [(["bound", "called"], {"k": 1})]
    assert traces(captured) == ["str #bound #called #made"]


def test_batch_takes_a_config_for_each_input() -> None:
    """A list of configs is merged with the bound one item by item."""
    bound: Any = RunnableLambda(str).with_config(tags=["b"])
    configs = [{"run_name": "one"}, {"run_name": "two"}]
    with captured_cleanly() as captured:
        bound.batch([1, 2], configs)
        dict(bound.batch_as_completed([1, 2], configs))
        asyncio.run(bound.abatch([1, 2], configs))
    assert sorted(traces(captured)) == ["one #b"] * 3 + ["two #b"] * 3


class Model(Runnable[str, str]):
    """A runnable with attributes and methods of its own."""

    temperature = 0.5

    def invoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> str:
        return input

    def positional(self, text: str, config: RunnableConfig | None = None) -> Any:
        return text, sorted((config or {}).get("tags") or [])

    def keyword(self, text: str, *, config: RunnableConfig | None = None) -> Any:
        return text, sorted((config or {}).get("tags") or [])

    def plain(self, text: str) -> str:
        return text


def test_other_attributes_are_the_bound_runnables() -> None:
    """Attributes come through; methods that take a config get the bound one merged in."""
    bound: Any = Model().with_config(tags=["bound"])
    assert bound.temperature == 0.5
    assert bound.plain("x") == "x"
    for method in (bound.positional, bound.keyword):
        assert method("x") == ("x", ["bound"])
        assert method("x", config={"tags": ["given"]}) == ("x", ["bound", "given"])
    assert bound.positional("x", {"tags": ["given"]}) == ("x", ["bound", "given"])
    assert bound.keyword.__name__ == "keyword"
    with pytest.raises(AttributeError, match="nothing"):
        _ = bound.nothing


def test_composition_keeps_what_is_bound() -> None:
    """bind, with_config, with_types and with_retry of a binding give a binding with it all."""
    bound: Any = RunnableLambda(scale).bind(by=2).with_config(tags=["t"])
    again = bound.with_types(input_type=int).with_retry(stop_after_attempt=2)
    assert isinstance(again, RunnableBinding)
    assert again.kwargs == {"by": 2}
    assert again.config == {"tags": ["t"]}
    assert bound.with_types(output_type=str).custom_output_type is str
    assert again.bound.max_attempt_number == 2
    with captured_cleanly() as captured:
        assert again.invoke(3) == 6
    assert traces(captured) == ["scale #t", "  scale #t *scaled"]


def test_bindings_can_be_copied_and_pickled() -> None:
    """A binding survives copy, deepcopy and pickle, whatever its attributes forward to."""
    bound = Model().bind(a=1)
    for again in (copy.copy(bound), copy.deepcopy(bound), pickle.loads(pickle.dumps(bound))):
        assert again.kwargs == {"a": 1}  # type: ignore[attr-defined]
        assert again.invoke("x") == "x"


def test_equality_repr_and_name() -> None:
    """Equal parts make equal bindings; the name is the bound runnable's."""
    step = RunnableLambda(str)
    assert step.bind(a=1) == step.bind(a=1)
    assert step.bind(a=1) != step.bind(a=2)
    assert step.bind(a=1) != RunnableLambda(int).bind(a=1)
    assert step.bind(a=1) != "step"
    assert step.bind().get_name() == upstream.RunnableLambda(str).bind().get_name() == "str"
    assert repr(step.bind(a=1)) == (
        "RunnableBinding(bound=RunnableLambda(str), kwargs={'a': 1}, config={}, "
        "config_factories=[])"
    )
    with pytest.raises(TypeError, match="unhashable"):
        hash(step.bind())


def count(x: int) -> Iterator[int]:
    for index in range(x):
        dispatch_custom_event("counted", index)
        yield index


async def acount(x: int) -> AsyncIterator[int]:
    for index in range(x):
        dispatch_custom_event("counted", index)
        yield index


def test_streams_are_the_bound_runnables_own() -> None:
    """Chunks come one at a time, closing early closes the work, and context is left alone."""

    async def first() -> int:
        chunks: Any = bound.astream(3)
        value: int = await chunks.__anext__()
        await chunks.aclose()
        return value

    bound = RunnableLambda(count, acount).with_config(tags=["t"])
    with captured_cleanly() as captured:
        chunks: Any = bound.stream(3)
        assert next(chunks) == 0
        chunks.close()
        assert asyncio.run(first()) == 0
    assert traces(captured) == ["count #t *counted ~closed"] * 2


def test_event_stream_has_the_bound_tags() -> None:
    """The event streams of a binding are its runnable's, with config and arguments bound."""

    async def events() -> list[Any]:
        return await taken(bound.astream_events(3, version="v2"))

    bound: Any = RunnableLambda(scale).bind(by=2).with_config(tags=["t"])
    for seen in (asyncio.run(events()), list(bound.stream_events(3))):
        assert {tuple(event["tags"]) for event in seen} == {("t",)}
        assert [e["data"] for e in seen if e["event"] == "on_custom_event"] == [{"by": 2}]


def test_upstreams_constructor_is_kept() -> None:
    """The keyword arguments of upstream's constructor are taken."""
    for lib in (upstream, otelbridge):
        bound = lib.RunnableBinding(
            bound=lib.RunnableLambda(scale_alone),
            kwargs={"by": 3},
            config={"tags": ["t"]},
            config_factories=[lambda config: {"metadata": {"k": 1}}],
            custom_input_type=int,
            custom_output_type=int,
        )
        assert bound.invoke(2) == 6


def scale_alone(x: int, by: int = 1) -> int:
    return x * by
