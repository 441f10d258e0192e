"""Handlers: which hooks are called, in what order, and what happens when one fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from .. import departures
from ..forms import adrained, drained
from ..libraries import UPSTREAM, Library
from ..recorder import record
from . import case


def fail(_value: Any) -> Any:
    raise ValueError("body")


def quiet_logs() -> Any:
    """Both libraries log a failing handler; the text of the log is not compared."""
    logging.getLogger("langchain_core.callbacks.manager").setLevel(logging.CRITICAL)
    logging.getLogger("otelbridge").setLevel(logging.CRITICAL)


@case()
def hooks_of_a_success_and_a_failure(lib: Library) -> Any:
    seen = record(lib)
    config = {"callbacks": [seen.handler]}
    lib.RunnableLambda(str).invoke(1, config)
    try:
        lib.RunnableLambda(fail).invoke(1, config)
    except ValueError:
        return seen.calls()
    return None


@case()
def hooks_are_called_for_several_handlers(lib: Library) -> Any:
    seen = [record(lib) for _ in range(3)]
    handlers = [recorder.handler for recorder in seen]
    (lib.RunnableLambda(str) | len).invoke(1, {"callbacks": handlers})
    return [recorder.calls() for recorder in seen]


@case()
async def hooks_of_sync_and_async_handlers_together(lib: Library) -> Any:
    seen = [record(lib), record(lib, asynchronous=True), record(lib)]
    config = {"callbacks": [recorder.handler for recorder in seen]}

    async def body(value: int) -> int:
        await lib.adispatch_custom_event("event", value)
        return value

    await (lib.RunnableLambda(body) | str).ainvoke(1, config)
    return [recorder.calls() for recorder in seen]


@case()
def async_handlers_in_sync_code(lib: Library) -> Any:
    seen = record(lib, asynchronous=True)

    def body(value: int) -> int:
        lib.dispatch_custom_event("event", value)
        return value

    (lib.RunnableLambda(body) | str).invoke(1, {"callbacks": [seen.handler]})
    return seen.calls()


@case()
def hooks_called_in_list_order_in_sync_code(lib: Library) -> Any:
    order: list[str] = []

    def handler(name: str) -> Any:
        def told(*_values: Any, **_named: Any) -> None:
            order.append(name)

        hooks = {"on_chain_start": told, "on_chain_end": told, "on_custom_event": told}
        return type("Ordered", (lib.BaseCallbackHandler,), hooks)()

    def body(value: int) -> int:
        lib.dispatch_custom_event("event", value)
        return value

    lib.RunnableLambda(body).invoke(1, {"callbacks": [handler(name) for name in "abc"]})
    return order


@case()
def handler_flags_switch_hooks_off(lib: Library) -> Any:
    flags = ("ignore_chain", "ignore_agent", "ignore_custom_event", "ignore_llm")
    results: dict[str, Any] = {}

    @lib.tool
    def shout(word: str) -> str:
        """Shout."""
        lib.dispatch_custom_event("event", word)
        return word.upper()

    for flag in flags:
        seen = record(lib, **{flag: True})
        (lib.RunnableLambda(lambda word: {"word": word}) | shout).invoke(
            "a", {"callbacks": [seen.handler]}
        )
        results[flag] = seen.calls()
    return results


@case()
def failing_handler_does_not_stop_the_run(lib: Library) -> Any:
    quiet_logs()
    hooks = {"on_chain_start": fail, "on_chain_end": fail, "on_custom_event": fail}
    broken = type("Broken", (lib.BaseCallbackHandler,), hooks)()
    seen = record(lib)

    def body(value: int) -> int:
        lib.dispatch_custom_event("event", value)
        return value

    config = {"callbacks": [broken, seen.handler]}
    return lib.RunnableLambda(body).invoke(1, config), seen.calls()


def _raising(lib: Library, hook: str) -> Any:
    def told(_self: Any, *_values: Any, **_named: Any) -> None:
        raise KeyError(hook)

    return type("Raising", (lib.BaseCallbackHandler,), {hook: told, "raise_error": True})()


@case()
def raise_error_in_a_start_hook(lib: Library) -> Any:
    quiet_logs()
    seen = record(lib)
    called: list[int] = []
    config = {"callbacks": [_raising(lib, "on_chain_start"), seen.handler]}
    try:
        lib.RunnableLambda(called.append).invoke(1, config)
    except KeyError as error:
        return error, called, seen.calls()
    return None


@case()
def raise_error_in_an_end_hook(lib: Library) -> Any:
    quiet_logs()
    seen = record(lib)
    config = {"callbacks": [seen.handler, _raising(lib, "on_chain_end")]}
    try:
        lib.RunnableLambda(str).invoke(1, config)
    except KeyError as error:
        return error, seen.calls()
    return None


@case()
def raise_error_in_an_error_hook(lib: Library) -> Any:
    quiet_logs()
    config = {"callbacks": [_raising(lib, "on_chain_error")]}
    try:
        lib.RunnableLambda(fail).invoke(1, config)
    except KeyError as error:
        return error
    return None


@case()
def raise_error_in_a_custom_event_hook(lib: Library) -> Any:
    quiet_logs()
    seen = record(lib)

    def body(value: int) -> int:
        try:
            lib.dispatch_custom_event("event", value)
        except KeyError:
            return -1
        return value

    config = {"callbacks": [_raising(lib, "on_custom_event"), seen.handler]}
    return lib.RunnableLambda(body).invoke(1, config), seen.calls()


@case()
async def raise_error_in_async_code(lib: Library) -> Any:
    quiet_logs()
    results: list[Any] = []

    async def body(value: int) -> int:
        await lib.adispatch_custom_event("event", value)
        return value

    for hook in ("on_chain_start", "on_custom_event", "on_chain_end"):
        try:
            results.append(
                await lib.RunnableLambda(body).ainvoke(1, {"callbacks": [_raising(lib, hook)]})
            )
        except KeyError as error:
            results.append(error)
    return results


@case()
def hooks_of_a_generator(lib: Library) -> Any:
    def shout(chunks: Iterator[str]) -> Iterator[str]:
        for chunk in chunks:
            yield chunk.upper()

    seen = record(lib)
    runnable, config = lib.RunnableGenerator(shout), {"callbacks": [seen.handler]}
    results = [list(runnable.transform(iter("ab"), config)), runnable.invoke("ab", config)]
    return results, seen.calls()


@case()
def hooks_of_a_generator_that_fails_half_way(lib: Library) -> Any:
    def halting(chunks: Iterator[str]) -> Iterator[str]:
        for chunk in chunks:
            if chunk == "c":
                raise ValueError("at c")
            yield chunk

    seen = record(lib)
    runnable = lib.RunnableGenerator(halting) | lib.RunnablePassthrough()
    return drained(runnable.transform(iter("abcd"), {"callbacks": [seen.handler]})), seen.calls()


@case()
async def hooks_of_an_async_stream_that_fails_half_way(lib: Library) -> Any:
    async def halting(value: str) -> Any:
        for letter in value:
            if letter == "c":
                raise ValueError("at c")
            yield letter

    seen = record(lib)
    runnable = lib.RunnableLambda(halting) | lib.RunnablePassthrough()
    return await adrained(runnable.astream("abcd", {"callbacks": [seen.handler]})), seen.calls()


@case()
def hooks_of_a_stream_that_yields_nothing(lib: Library) -> Any:
    def silent(_value: int) -> Iterator[int]:
        yield from ()

    seen = record(lib)
    return list(lib.RunnableLambda(silent).stream(1, {"callbacks": [seen.handler]})), seen.calls()


@case()
def hooks_of_an_abandoned_stream_are_not_called_before_it_starts(lib: Library) -> Any:
    seen = record(lib)
    stream = lib.RunnableLambda(str).stream(1, {"callbacks": [seen.handler]})
    del stream
    return seen.calls()


@case()
def inputs_are_told_when_a_stream_ends(lib: Library) -> Any:
    seen = record(lib)
    runnable = lib.RunnableLambda(lambda word: word.upper())
    result = list(runnable.transform(iter("abc"), {"callbacks": [seen.handler]}))
    mixed = list(lib.RunnablePassthrough().transform(iter([1, "a"]), {"callbacks": [seen.handler]}))
    return result, mixed, seen.calls()


@case()
def local_and_inheritable_callbacks_of_a_run_manager(lib: Library) -> Any:
    inherited, local = record(lib), record(lib)
    manager = lib.CallbackManager.configure(
        inheritable_callbacks=[inherited.handler],
        local_callbacks=[local.handler],
        inheritable_tags=["inherited"],
        local_tags=["local"],
        inheritable_metadata={"i": 1},
        local_metadata={"l": 1},
    )
    lib.RunnableLambda(lambda value: lib.RunnableLambda(str).invoke(value), name="outer").invoke(
        1, {"callbacks": manager}
    )
    return inherited.calls(), local.calls()


@case()
def handler_bound_to_an_inner_step_hears_of_that_step_only(lib: Library) -> Any:
    outer, inner = record(lib), record(lib)
    step = (lib.RunnableLambda(str) | len).with_config(callbacks=[inner.handler])
    (lib.RunnableLambda(int) | step | str).invoke(1, {"callbacks": [outer.handler]})
    return outer.calls(), inner.calls()


@case()
def retries_and_their_hooks(lib: Library) -> Any:
    seen = record(lib)
    tries: list[int] = []

    def unsteady(value: int) -> int:
        tries.append(value)
        if len(tries) < 3:
            raise ValueError(len(tries))
        return value

    runnable = (lib.RunnableLambda(unsteady) | str).with_retry(wait_exponential_jitter=False)
    return runnable.invoke(1, {"callbacks": [seen.handler], "tags": ["t"]}), seen.calls()


@case()
def fallbacks_and_their_hooks(lib: Library) -> Any:
    seen = record(lib)
    runnable = lib.RunnableLambda(fail).with_fallbacks(
        [lib.RunnableLambda(fail, name="second"), lib.RunnableLambda(str)]
    )
    sequence = lib.RunnableLambda(int) | runnable | len
    result = sequence.invoke("1", {"callbacks": [seen.handler], "tags": ["t"]})
    if lib is UPSTREAM:
        seen.calls_made = departures.attempts_keep_their_parent(seen.calls_made)
    return result, seen.calls()


@case()
def handlers_are_compared_by_identity(lib: Library) -> Any:
    one, two = record(lib), record(lib)
    manager = lib.CallbackManager(handlers=[])
    for handler in (one.handler, two.handler, one.handler):
        manager.add_handler(handler)
    return len(manager.handlers), len(manager.inheritable_handlers)


@case()
def manager_adds_and_removes(lib: Library) -> Any:
    one = record(lib).handler
    manager = lib.CallbackManager(handlers=[])
    manager.add_handler(one, inherit=False)
    manager.add_tags(["a", "b"])
    manager.add_tags(["local"], inherit=False)
    manager.add_metadata({"m": 1})
    manager.add_metadata({"l": 1}, inherit=False)
    told = [manager.tags, manager.inheritable_tags, manager.metadata, manager.inheritable_metadata]
    before = len(manager.handlers), len(manager.inheritable_handlers), [*map(list, told)]
    manager.remove_handler(one)
    manager.remove_tags(["a"])
    manager.remove_metadata(["m"])
    return before, len(manager.handlers), sorted(manager.tags), manager.metadata
