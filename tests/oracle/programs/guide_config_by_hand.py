"""The guide's second program: the config is passed by hand."""

import asyncio

from langchain_core.callbacks.manager import adispatch_custom_event
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.config import RunnableConfig


async def reflect(value: str, config: RunnableConfig) -> str:
    await adispatch_custom_event("event1", {"reversed": value[::-1]}, config=config)
    await adispatch_custom_event("event2", 5, config=config)
    return value


async def main() -> None:
    async for event in RunnableLambda(reflect).astream_events("hello world", version="v2"):
        if event["event"] == "on_custom_event":
            print(event["name"], event["data"], event["tags"], event["metadata"])


asyncio.run(main())
