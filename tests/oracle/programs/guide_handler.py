"""The guide's third program, in upstream's Python form: a handler receives the events."""

import asyncio
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.callbacks.manager import adispatch_custom_event
from langchain_core.runnables import RunnableLambda


class Printer(AsyncCallbackHandler):
    async def on_custom_event(
        self,
        name: str,
        data: Any,
        *,
        run_id: UUID,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        print(name, data, isinstance(run_id, UUID), tags, metadata, kwargs)


async def reflect(value: str) -> str:
    await adispatch_custom_event("event1", {"reversed": value[::-1]})
    await adispatch_custom_event("event2", 5)
    return value


print(asyncio.run(RunnableLambda(reflect).ainvoke("hello world", {"callbacks": [Printer()]})))
