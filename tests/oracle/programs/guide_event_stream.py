"""The guide's first program: the config is passed by itself; the event stream has the events."""

import asyncio

from langchain_core.callbacks.manager import adispatch_custom_event
from langchain_core.runnables import RunnableLambda


async def reflect(value: str) -> str:
    await adispatch_custom_event("event1", {"reversed": value[::-1]})
    await adispatch_custom_event("event2", 5)
    return value


async def main() -> None:
    run_ids = set()
    async for event in RunnableLambda(reflect).astream_events("hello world", version="v2"):
        if event["event"] == "on_custom_event":
            run_ids.add(event.pop("run_id"))
            print(event)
    print(len(run_ids))


asyncio.run(main())
