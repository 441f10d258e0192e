"""`with_listeners` and `with_alisteners`: what listeners are told of their runnable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..freeze import freeze
from ..libraries import Library
from . import case


def _listener(told: list[Any], kind: str) -> Callable[[Any], None]:
    def listen(run: Any) -> None:
        told.append(_seen(kind, run))

    return listen


def _async_listener(told: list[Any], kind: str) -> Callable[[Any], Any]:
    async def listen(run: Any) -> None:
        told.append(_seen(kind, run))

    return listen


def _seen(kind: str, run: Any) -> Any:
    failed = run.error is not None
    return kind, run.name, run.run_type, run.tags, freeze(run.inputs), freeze(run.outputs), failed


def _all(told: list[Any], make: Any = _listener) -> dict[str, Any]:
    return {kind: make(told, kind) for kind in ("on_start", "on_end", "on_error")}


@case()
def listeners_of_a_success(lib: Library) -> Any:
    told: list[Any] = []
    runnable = lib.RunnableLambda(str).with_listeners(**_all(told))
    return runnable.invoke(1, {"tags": ["t"]}), told


@case()
def listeners_of_a_failure(lib: Library) -> Any:
    def fail(_value: int) -> int:
        raise ValueError("body")

    told: list[Any] = []
    runnable = lib.RunnableLambda(fail).with_listeners(**_all(told))
    try:
        runnable.invoke(1)
    except ValueError as error:
        return error, told
    return None


@case()
def listeners_hear_of_their_own_run_only(lib: Library) -> Any:
    told: list[Any] = []
    step = (lib.RunnableLambda(str) | len).with_listeners(**_all(told))
    return (lib.RunnableLambda(int) | step | str).invoke("12"), told


@case()
def listeners_may_take_the_config(lib: Library) -> Any:
    told: list[Any] = []

    def listen(run: Any, config: Any) -> None:
        told.append((run.name, sorted(config["tags"]), config["metadata"]))

    runnable = lib.RunnableLambda(str).with_listeners(on_start=listen, on_end=listen)
    return runnable.invoke(1, {"tags": ["t"], "metadata": {"k": 1}}), told


@case()
def listeners_of_a_sequence_in_a_stream(lib: Library) -> Any:
    told: list[Any] = []
    sequence = (lib.RunnableLambda(str) | len).with_listeners(**_all(told))
    return list(sequence.stream(12)), told


@case()
def listeners_of_a_batch(lib: Library) -> Any:
    told: list[Any] = []
    runnable = lib.RunnableLambda(str).with_listeners(**_all(told))
    results = runnable.batch([1, 2], {"max_concurrency": 1})
    return results, sorted(told, key=repr)


@case()
def listeners_of_a_map(lib: Library) -> Any:
    told: list[Any] = []
    runnable = lib.RunnableLambda(str).map().with_listeners(**_all(told))
    return runnable.invoke([1]), told


@case()
def listeners_twice(lib: Library) -> Any:
    told: list[Any] = []
    runnable = lib.RunnableLambda(str).with_listeners(on_start=_listener(told, "first"))
    twice = runnable.with_listeners(on_start=_listener(told, "second"))
    return twice.invoke(1), sorted(told, key=repr)


@case()
async def listeners_in_async_code(lib: Library) -> Any:
    told: list[Any] = []
    runnable = lib.RunnableLambda(str).with_listeners(**_all(told))
    return await runnable.ainvoke(1), told


@case()
async def async_listeners(lib: Library) -> Any:
    told: list[Any] = []
    runnable = lib.RunnableLambda(str).with_alisteners(**_all(told, _async_listener))
    results = [await runnable.ainvoke(1), await runnable.ainvoke(2)]
    return results, told


@case()
async def async_listeners_of_a_failure(lib: Library) -> Any:
    async def fail(_value: int) -> int:
        raise ValueError("body")

    told: list[Any] = []
    runnable = lib.RunnableLambda(fail).with_alisteners(**_all(told, _async_listener))
    try:
        await runnable.ainvoke(1)
    except ValueError as error:
        return error, told
    return None
