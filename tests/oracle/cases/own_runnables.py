"""Runnables that users write: they manage their run by hand, or use what `Runnable` offers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from .. import streams
from ..forms import adrained, drained
from ..libraries import Library
from ..recorder import record
from . import case


def by_hand(lib: Library) -> Any:
    """A runnable that starts and ends its run itself, as upstream's documentation shows."""

    class ByHand(lib.Runnable):
        def invoke(self, given: str, config: Any = None, **kwargs: Any) -> str:
            config = lib.ensure_config(config)
            run = lib.get_callback_manager_for_config(config).on_chain_start(
                None, given, name=config.get("run_name") or self.get_name()
            )
            try:
                if given == "bad":
                    raise ValueError("bad input")
                child = lib.patch_config(config, callbacks=run.get_child("inner"))
                result = lib.RunnableLambda(str.upper, name="inner").invoke(given, child)
            except ValueError as error:
                run.on_chain_error(error)
                raise
            run.on_chain_end(result)
            return result

        async def astream(
            self, given: str, config: Any = None, **kwargs: Any
        ) -> AsyncIterator[str]:
            config = lib.ensure_config(config)
            run = await lib.get_async_callback_manager_for_config(config).on_chain_start(
                None, given, name=self.get_name(), run_id=config.get("run_id")
            )
            for letter in given:
                yield letter
            await run.on_chain_end(given)

    return ByHand()


@case()
def run_managed_by_hand(lib: Library) -> Any:
    seen = record(lib)
    config = {"callbacks": [seen.handler], "tags": ["t"], "metadata": {"k": 1}}
    results = [by_hand(lib).invoke("good", config), (by_hand(lib) | len).invoke("good", config)]
    try:
        by_hand(lib).invoke("bad", config)
    except ValueError as error:
        results.append(error)
    return results, seen.calls()


@case()
async def run_managed_by_hand_in_async_code(lib: Library) -> Any:
    seen = record(lib, asynchronous=True)
    runnable, config = by_hand(lib), {"callbacks": [seen.handler]}
    chunks = await adrained(runnable.astream("ab", config))
    return chunks, await runnable.ainvoke("cd", config), seen.calls()


@case()
async def run_managed_by_hand_in_an_event_stream(lib: Library) -> Any:
    events = by_hand(lib).astream_events("ab", version="v2")
    return streams.normalised([event async for event in events])


@case()
def helpers_of_the_base_class(lib: Library) -> Any:
    class Helped(lib.Runnable):
        def invoke(self, given: int, config: Any = None, **kwargs: Any) -> int:
            return self._call_with_config(self._work, given, config, **kwargs)

        def _work(self, given: int, run_manager: Any, config: Any, plus: int = 0) -> int:
            child = lib.patch_config(config, callbacks=run_manager.get_child())
            return lib.RunnableLambda(abs).invoke(given, child) + plus

    seen = record(lib)
    config = {"callbacks": [seen.handler], "run_name": "helped"}
    return Helped().invoke(-1, config), Helped().invoke(-1, config, plus=2), seen.calls()


@case()
def helpers_for_streams(lib: Library) -> Any:
    class Helped(lib.Runnable):
        def invoke(self, given: str, config: Any = None, **kwargs: Any) -> str:
            return "".join(self.stream(given, config))

        def stream(self, given: str, config: Any = None, **kwargs: Any) -> Iterator[str]:
            return self.transform(iter([given]), config)

        def transform(
            self, given: Iterator[str], config: Any = None, **kwargs: Any
        ) -> Iterator[str]:
            yield from self._transform_stream_with_config(given, self._letters, config)

        def _letters(self, chunks: Iterator[str], config: Any) -> Iterator[str]:
            for chunk in chunks:
                lib.dispatch_custom_event("chunk", chunk, config=config)
                yield from chunk

    seen = record(lib)
    config = {"callbacks": [seen.handler]}
    streamed = drained((Helped() | str.upper).stream("ab", config))
    return Helped().invoke("cd", config), streamed, seen.calls()


@case()
async def helpers_in_async_code(lib: Library) -> Any:
    class Helped(lib.Runnable):
        def invoke(self, given: int, config: Any = None, **kwargs: Any) -> int:
            raise NotImplementedError

        async def ainvoke(self, given: int, config: Any = None, **kwargs: Any) -> int:
            return await self._acall_with_config(self._work, given, config, **kwargs)

        async def _work(self, given: int) -> int:
            await lib.adispatch_custom_event("working", given)
            return given + 1

    seen = record(lib, asynchronous=True)
    return await (Helped() | Helped()).ainvoke(1, {"callbacks": [seen.handler]}), seen.calls()


@case()
def helpers_for_batches(lib: Library) -> Any:
    class Helped(lib.Runnable):
        def invoke(self, given: int, config: Any = None, **kwargs: Any) -> int:
            return self.batch([given], config)[0]

        def batch(self, inputs: Any, config: Any = None, **kwargs: Any) -> Any:
            return self._batch_with_config(self._work, inputs, config, **kwargs)

        def _work(self, inputs: list[int]) -> list[Any]:
            return [ValueError(given) if given < 0 else given + 1 for given in inputs]

    seen = record(lib)
    config = {"callbacks": [seen.handler]}
    results = Helped().batch([1, -1, 2], config, return_exceptions=True)
    try:
        Helped().batch([1, -1, 2], config)
    except ValueError as error:
        return Helped().invoke(5, config), results, error, seen.runs()
    return None


@case()
def subclass_of_a_lambda_and_of_a_binding(lib: Library) -> Any:
    class Loud(lib.RunnableLambda):
        def invoke(self, given: Any, config: Any = None, **kwargs: Any) -> Any:
            return f"{super().invoke(given, config, **kwargs)}!"

    seen = record(lib)
    loud = Loud(str)
    results = [loud.invoke(1, {"callbacks": [seen.handler]}), (loud | len).invoke(12)]
    return (
        results,
        loud.with_config(tags=["t"]).invoke(3, {"callbacks": [seen.handler]}),
        seen.calls(),
    )
