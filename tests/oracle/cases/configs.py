"""The run config: what its functions give, and how it travels down a tree of runs."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

from ..forms import adrained
from ..libraries import Library
from ..recorder import record
from . import case


def inspect_config(_value: Any, config: Any) -> Any:
    return config


async def inspect_config_async(_value: Any, config: Any) -> Any:
    return config


@case()
def ensure_config_fills_the_keys(lib: Library) -> Any:
    given: list[Any] = [
        None,
        {},
        {"tags": ["a"], "metadata": {"b": 1}},
        {"tags": None, "recursion_limit": None, "run_name": None},
        {"run_name": "n", "max_concurrency": 3, "recursion_limit": 4},
        {"configurable": {"thread_id": "t", "number": 1}},
        {"unknown": 1, "configurable": {"known": 2}},
        {"run_id": UUID(int=7)},
    ]
    return [lib.ensure_config(config) for config in given]


@case()
def ensure_config_copies_what_can_change(lib: Library) -> Any:
    config: dict[str, Any] = {"tags": ["a"], "metadata": {"m": 1}, "configurable": {"c": 1}}
    ensured = lib.ensure_config(config)
    ensured["tags"].append("b")
    ensured["metadata"]["n"] = 2
    ensured["configurable"]["d"] = 2
    return config, ensured


@case()
def ensure_config_copies_model_and_checkpoint_into_metadata(lib: Library) -> Any:
    return [
        lib.ensure_config({"configurable": {"model": "m", "checkpoint_ns": "ns", "other": "o"}}),
        lib.ensure_config({"configurable": {"model": 5}}),
        lib.ensure_config({"configurable": {"model": "m"}, "metadata": {"model": "mine"}}),
    ]


@case()
def ensure_config_inside_a_run_inherits(lib: Library) -> Any:
    def body(_value: int) -> Any:
        return [
            lib.ensure_config(),
            lib.ensure_config({"tags": ["inner"], "metadata": {"inner": 1}}),
            lib.ensure_config({"configurable": {"other": 1}, "run_name": "inner"}),
        ]

    config = {
        "tags": ["outer"],
        "metadata": {"outer": 1},
        "configurable": {"c": 1},
        "recursion_limit": 7,
        "max_concurrency": 3,
        "run_name": "outer",
    }
    return lib.RunnableLambda(body).invoke(1, config)


@case()
def merge_configs_merges(lib: Library) -> Any:
    one: dict[str, Any] = {"tags": ["b", "a"], "metadata": {"x": 1, "y": 1}, "run_name": "one"}
    two: dict[str, Any] = {"tags": ["a", "c"], "metadata": {"y": 2}, "max_concurrency": 2}
    three: dict[str, Any] = {"configurable": {"k": 1}, "recursion_limit": 9, "run_name": "three"}
    merge = lib.merge_configs
    return [
        merge(),
        merge(None),
        merge(one),
        merge(one, two),
        merge(one, None, two, three),
        merge(three, {"configurable": {"l": 2}, "recursion_limit": 25}),
        merge({"recursion_limit": 25}, {"run_id": UUID(int=5)}, {"run_name": None}),
    ]


@case()
def merge_configs_merges_callbacks(lib: Library) -> Any:
    one, two = record(lib).handler, record(lib).handler
    as_list = lib.merge_configs({"callbacks": [one]}, {"callbacks": [two]})["callbacks"]
    manager = lib.CallbackManager(handlers=[one], inheritable_handlers=[one])
    other = lib.CallbackManager(handlers=[two], inheritable_handlers=[two], tags=["t"])
    merged = [
        lib.merge_configs({"callbacks": manager}, {"callbacks": [two]})["callbacks"],
        lib.merge_configs({"callbacks": [two]}, {"callbacks": manager})["callbacks"],
        lib.merge_configs({"callbacks": manager}, {"callbacks": other})["callbacks"],
    ]
    handlers = [sorted(map(str, map([one, two].index, m.handlers))) for m in merged]
    return len(as_list), handlers, [len(m.inheritable_handlers) for m in merged], manager.handlers


@case()
def patch_config_patches(lib: Library) -> Any:
    base = {"tags": ["t"], "run_name": "n", "run_id": UUID(int=3), "configurable": {"a": 1}}
    return [
        lib.patch_config(None),
        lib.patch_config(base),
        lib.patch_config(base, run_name="m", recursion_limit=3, max_concurrency=4),
        lib.patch_config(base, configurable={"b": 2}),
        lib.patch_config(base, callbacks=lib.CallbackManager(handlers=[])),
    ]


@case()
def get_config_list_repeats_one_config(lib: Library) -> Any:
    return [
        lib.get_config_list(None, 2),
        lib.get_config_list({"tags": ["t"]}, 2),
        lib.get_config_list([{"tags": ["a"]}, {"tags": ["b"]}], 2),
        lib.get_config_list({"run_id": UUID(int=4)}, 1),
        lib.get_config_list({}, 0),
    ]


@case()
def get_config_list_gives_separate_configs(lib: Library) -> Any:
    first, second = lib.get_config_list({"tags": ["t"]}, 2)
    first["tags"].append("more")
    return second


@case()
def get_config_list_mistakes(lib: Library) -> Any:
    results: list[Any] = []
    for config, length in (([{}], 2), ({}, -1), ([], 1)):
        try:
            results.append(lib.get_config_list(config, length))
        except ValueError as error:
            results.append(error)
    return results


@case()
def run_id_in_a_batch_is_for_the_first_only(lib: Library) -> Any:
    seen = record(lib)
    runnable = lib.RunnableLambda(str)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        config = {"run_id": UUID(int=9), "callbacks": [seen.handler], "max_concurrency": 1}
        runnable.batch([1, 2], config)
    ids = sorted(call.run_id.int for call in seen.calls_made if call.hook == "on_chain_start")
    return ids[0], len(set(ids)), [warning.category.__name__ for warning in caught]


@case()
def run_id_is_used_once(lib: Library) -> Any:
    seen = record(lib)
    sequence = lib.RunnableLambda(str) | len
    sequence.invoke(1, {"run_id": UUID(int=9), "callbacks": [seen.handler]})
    return [call.run_id.int == 9 for call in seen.calls_made if call.hook == "on_chain_start"]


@case()
def tags_and_metadata_go_down(lib: Library) -> Any:
    seen = record(lib)
    sequence = lib.RunnableLambda(str) | {"a": len, "b": lib.RunnableLambda(str) | len}
    config = {"callbacks": [seen.handler], "tags": ["z", "a"], "metadata": {"k": [1]}}
    return sequence.invoke(1, config), seen.runs()


@case()
def tags_of_a_call_come_before_those_of_the_place(lib: Library) -> Any:
    seen = record(lib)
    step = lib.RunnableLambda(str).with_config(tags=["bound"], metadata={"bound": 1})
    sequence = (step | step).with_config(tags=["outer bound"])
    sequence.invoke(1, {"callbacks": [seen.handler], "tags": ["passed", "bound"]})
    return seen.calls()


@case()
def run_name_is_for_the_outermost_run(lib: Library) -> Any:
    seen = record(lib)
    sequence = lib.RunnableLambda(str) | len
    sequence.invoke(1, {"callbacks": [seen.handler], "run_name": "named"})
    list(sequence.stream(1, {"callbacks": [seen.handler], "run_name": "streamed"}))
    return seen.calls()


@case()
def configurable_and_limits_reach_every_body(lib: Library) -> Any:
    config = {"configurable": {"a": 1}, "recursion_limit": 5, "max_concurrency": 2, "extra": "e"}
    parallel = lib.RunnableParallel(
        direct=inspect_config, nested=lib.RunnablePassthrough() | inspect_config
    )
    return parallel.invoke(1, config)


@case()
async def config_reaches_nested_calls_by_itself(lib: Library) -> Any:
    inner = lib.RunnableLambda(inspect_config_async)

    async def body(value: int) -> Any:
        return await inner.ainvoke(value), await inner.ainvoke(value, {"tags": ["own"]})

    config = {"tags": ["t"], "metadata": {"k": 1}, "configurable": {"c": 1}, "run_name": "n"}
    return await lib.RunnableLambda(body).ainvoke(1, config)


@case()
def config_reaches_nested_calls_in_generators(lib: Library) -> Any:
    inner = lib.RunnableLambda(inspect_config)

    def body(value: int) -> Iterator[Any]:
        for step in range(value):
            yield inner.invoke(step)

    return list(lib.RunnableLambda(body).stream(2, {"tags": ["t"], "configurable": {"c": 1}}))


@case()
async def config_reaches_nested_calls_in_async_generators(lib: Library) -> Any:
    inner = lib.RunnableLambda(inspect_config_async)

    async def body(value: int) -> AsyncIterator[Any]:
        for step in range(value):
            yield await inner.ainvoke(step)

    config = {"tags": ["t"], "configurable": {"c": 1}}
    return await adrained(lib.RunnableLambda(body).astream(2, config))


@case()
async def config_reaches_sync_bodies_in_the_executor(lib: Library) -> Any:
    inner = lib.RunnableLambda(inspect_config)

    def body(value: int) -> Any:
        return inner.invoke(value)

    return await lib.RunnableLambda(body).ainvoke(1, {"tags": ["t"], "metadata": {"k": 1}})


@case()
def config_does_not_leak_out_of_a_run(lib: Library) -> Any:
    lib.RunnableLambda(str).invoke(1, {"tags": ["t"]})
    stream = lib.RunnableLambda(lambda value: iter([value])).stream(1, {"tags": ["t"]})
    next(stream)
    return lib.ensure_config()


@case()
async def config_does_not_leak_between_tasks(lib: Library) -> Any:
    async def body(_value: int) -> Any:
        await asyncio.sleep(0)
        return lib.ensure_config()["tags"]

    runnable = lib.RunnableLambda(body)
    tags = await asyncio.gather(*(runnable.ainvoke(n, {"tags": [str(n)]}) for n in range(3)))
    return tags, lib.ensure_config()["tags"]


@case()
def config_given_to_a_body_is_linked_to_its_run(lib: Library) -> Any:
    seen = record(lib)

    def body(value: int, config: Any) -> Any:
        kept = {**config}
        lib.RunnableLambda(str).invoke(value, kept)
        lib.RunnableLambda(str).invoke(value, lib.merge_configs(config, {"tags": ["merged"]}))
        lib.RunnableLambda(str).invoke(value, lib.patch_config(config, run_name="patched"))
        lib.RunnableLambda(str).invoke(value, {"callbacks": config["callbacks"]})
        return config["callbacks"].tags, config["callbacks"].metadata

    config = {"callbacks": [seen.handler], "tags": ["t"], "metadata": {"k": 1}}
    return lib.RunnableLambda(body).invoke(1, config), seen.calls()


@case()
def callback_manager_of_a_run_config(lib: Library) -> Any:
    seen = record(lib)

    def body(_value: int, config: Any) -> Any:
        manager = config["callbacks"]
        copy = manager.copy()
        return (
            manager.handlers == [seen.handler],
            manager.inheritable_handlers == [seen.handler],
            copy.parent_run_id == manager.parent_run_id,
            copy is manager,
            manager.inheritable_tags,
            manager.inheritable_metadata,
        )

    config = {"callbacks": [seen.handler], "tags": ["t"], "metadata": {"k": 1}}
    return lib.RunnableLambda(body).invoke(1, config)


@case()
def callback_manager_can_be_passed(lib: Library) -> Any:
    outer, local = record(lib), record(lib)
    manager = lib.CallbackManager(
        handlers=[outer.handler, local.handler],
        inheritable_handlers=[outer.handler],
        tags=["local"],
        inheritable_tags=["inherited"],
        metadata={"m": "local"},
        inheritable_metadata={"n": "inherited"},
    )
    (lib.RunnableLambda(str) | len).invoke(1, {"callbacks": manager})
    return outer.calls(), local.calls()


@case()
def with_config_merges_with_the_call(lib: Library) -> Any:
    bound = lib.RunnableLambda(inspect_config).with_config(
        tags=["bound"], metadata={"a": 1, "b": 1}, configurable={"c": 1}, recursion_limit=3
    )
    call = {"tags": ["call"], "metadata": {"b": 2}, "configurable": {"d": 2}, "max_concurrency": 1}
    return bound.invoke(1), bound.invoke(1, call), bound.invoke(1, {"recursion_limit": 4})


@case()
def with_config_twice(lib: Library) -> Any:
    bound = lib.RunnableLambda(inspect_config).with_config({"tags": ["one"], "run_name": "n"})
    twice = bound.with_config(tags=["two"], metadata={"k": 1})
    return twice.invoke(1), bound.invoke(1)


@case()
def with_config_run_name_is_of_the_bound_run(lib: Library) -> Any:
    seen = record(lib)
    bound = lib.RunnableLambda(str).with_config(run_name="bound")
    (bound | len).invoke(1, {"callbacks": [seen.handler], "run_name": "called"})
    bound.invoke(1, {"callbacks": [seen.handler], "run_name": "called"})
    return seen.calls()


@case()
def with_config_callbacks_are_added_to_those_of_the_call(lib: Library) -> Any:
    bound, passed = record(lib), record(lib)
    step = lib.RunnableLambda(str).with_config(callbacks=[bound.handler])
    (step | len).invoke(1, {"callbacks": [passed.handler]})
    return bound.calls(), passed.calls()


@case()
def config_of_a_batch_may_be_a_list(lib: Library) -> Any:
    runnable = lib.RunnableLambda(inspect_config)
    configs = [{"tags": ["a"]}, {"tags": ["b"], "metadata": {"k": 1}}]
    return runnable.batch([1, 2], configs), runnable.with_config(tags=["c"]).batch([1, 2], configs)


@case()
def config_is_not_changed_by_a_call(lib: Library) -> Any:
    seen = record(lib)
    config: dict[str, Any] = {
        "tags": ["t"],
        "metadata": {"k": 1},
        "callbacks": [seen.handler],
        "configurable": {"c": 1},
        "run_id": UUID(int=3),
        "run_name": "n",
    }
    before = {**config, "tags": ["t"], "callbacks": [seen.handler]}
    (lib.RunnableLambda(str) | len).invoke(1, config)
    list(lib.RunnableLambda(str).stream(1, config))
    return config == before, config["run_id"]


@case()
async def run_in_executor_keeps_the_context(lib: Library) -> Any:
    def work(number: int, plus: int = 0) -> Any:
        return number + plus, lib.ensure_config()["tags"]

    async def body(value: int) -> Any:
        return await lib.run_in_executor(None, work, value, plus=1)

    def stop() -> Any:
        raise StopIteration

    result = await lib.RunnableLambda(body).ainvoke(1, {"tags": ["t"]})
    try:
        await lib.run_in_executor({}, stop)
    except RuntimeError as error:
        return result, error
    return result


@case()
def run_type_of_a_call(lib: Library) -> Any:
    class Search(lib.Runnable):
        def invoke(self, given: str, config: Any = None, **kwargs: Any) -> str:
            return self._call_with_config(str.upper, given, config, run_type="search")

    seen = record(lib)
    return Search().invoke("a", {"callbacks": [seen.handler]}), seen.calls()
