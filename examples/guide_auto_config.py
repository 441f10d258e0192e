"""Custom events from a runnable, read from its event stream; the config passes itself."""

from __future__ import annotations

import asyncio

from otelbridge import RunnableLambda, adispatch_custom_event
from otelbridge.testing import capture_runs


async def reflect(value: str) -> str:
    await adispatch_custom_event("event1", {"reversed": value[::-1]})
    await adispatch_custom_event("event2", 5)
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
