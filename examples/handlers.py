"""Every form of a callback handler, on the same run. They are called in the order of the list."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from otelbridge import AsyncCallbackHandler, RunnableLambda, adispatch_custom_event


class Watcher:
    """Any object with handle_* hooks; a hook that is not there is not called."""

    def handle_custom_event(self, name: str, data: Any) -> None:
        print(f"object: {name} {data}")

    def handle_chain_end(self, outputs: Any) -> None:
        print(f"object: the run gave {outputs!r}")


class AsyncWatcher(AsyncCallbackHandler):
    """A handler in LangChain's form, with its names and signatures; awaited in async code."""

    async def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **kwargs: Any) -> None:
        await asyncio.sleep(0)
        print(f"async: {name} {data}, tags {kwargs['tags']}")


def by_function(name: str, data: Any) -> None:
    print(f"function: {name} {data}")


def by_mapping(name: str, data: Any) -> None:
    print(f"mapping: {name} {data}")


def by_camel_case(name: str, data: Any) -> None:
    print(f"camelCase mapping: {name} {data}")


async def step(value: int) -> int:
    await adispatch_custom_event("halfway", {"value": value})
    return value * 2


async def main() -> None:
    handlers = [
        Watcher(),
        {"handle_custom_event": by_mapping},
        {"handleCustomEvent": by_camel_case},
        by_function,
        AsyncWatcher(),
    ]
    print(await RunnableLambda(step).ainvoke(21, {"callbacks": handlers, "tags": ["demo"]}))


if __name__ == "__main__":
    asyncio.run(main())
