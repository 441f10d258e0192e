"""A run that is cancelled, and a stream that is closed early."""

import asyncio
from collections.abc import AsyncIterator

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.runnables import RunnableLambda


class Ends(AsyncCallbackHandler):
    async def on_chain_end(self, outputs, **kwargs) -> None:
        print("end", outputs)

    async def on_chain_error(self, error, **kwargs) -> None:
        print("error", type(error).__name__)


closed: list[str] = []


async def count(value: int) -> AsyncIterator[int]:
    try:
        for step in range(value):
            yield step
            await asyncio.sleep(0)
    finally:
        closed.append("count")


async def main() -> None:
    stream = RunnableLambda(count).astream(1000, {"callbacks": [Ends()]})
    async for chunk in stream:
        if chunk == 2:
            break
    await stream.aclose()
    for _ in range(1000):  # until it is closed, which a loop may do when it has nothing else to do
        if not closed:
            await asyncio.sleep(0.01)
    print(closed)

    sleeping = RunnableLambda(asyncio.sleep, name="sleeping")
    task = asyncio.create_task(sleeping.ainvoke(60, {"callbacks": [Ends()]}))
    await asyncio.sleep(0.01)
    task.cancel()
    print(await asyncio.gather(task, return_exceptions=True) != [])


asyncio.run(main())
