"""Tools made from functions, called alone and in a pipeline."""

import asyncio

from langchain_core.callbacks import adispatch_custom_event
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool("shouting", description="Say it loudly.")
async def shout(text: str) -> str:
    """Not shown."""
    await adispatch_custom_event("shouting", {"text": text})
    return text.upper()


print(add.name, add.description, sorted(add.args))
print(add.invoke({"a": 1, "b": 2}))
print(shout.name, shout.description)


async def main() -> None:
    pipeline = RunnableLambda(lambda text: {"text": text}) | shout
    async for event in pipeline.astream_events("hello", version="v2"):
        if event["event"] in ("on_tool_start", "on_tool_end", "on_custom_event"):
            print(event["event"], event["name"], event["data"])


asyncio.run(main())
