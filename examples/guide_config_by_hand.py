"""The same two events; the function takes its config and hands it to each dispatch."""

from __future__ import annotations

import asyncio

from otelbridge import RunnableConfig, RunnableLambda, adispatch_custom_event
from otelbridge.testing import capture_runs


async def reflect(value: str, config: RunnableConfig) -> str:
    await adispatch_custom_event("event1", {"reversed": value[::-1]}, config=config)
    await adispatch_custom_event("event2", 5, config=config)
    return value


async def main() -> None:
    async for event in RunnableLambda(reflect).astream_events("hello world", version="v2"):
        if event["event"] == "on_custom_event":
            print(event)


if __name__ == "__main__":
    with capture_runs() as runs:
        asyncio.run(main())
    for name, attributes in runs.events("reflect"):
        print(f"span event {name}: {attributes}")
