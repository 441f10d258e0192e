"""The same two events, given to a callback handler that is a plain mapping."""

from __future__ import annotations

import asyncio

from otelbridge import RunnableLambda, adispatch_custom_event
from otelbridge.testing import capture_runs


async def reflect(value: str) -> str:
    await adispatch_custom_event("event1", {"reversed": value[::-1]})
    await adispatch_custom_event("event2", 5)
    return value


async def main() -> None:
    handler = {"handle_custom_event": lambda name, data, run_id: print(name, data, run_id)}
    print(await RunnableLambda(reflect).ainvoke("hello world", {"callbacks": [handler]}))


if __name__ == "__main__":
    with capture_runs() as runs:
        asyncio.run(main())
    for name, attributes in runs.events("reflect"):
        print(f"span event {name}: {attributes}")
