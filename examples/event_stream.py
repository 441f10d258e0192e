"""The event stream of a sequence: every run's start, chunks and end, and the custom events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from otelbridge import RunnableLambda, adispatch_custom_event


async def fetch(topic: str) -> list[str]:
    await adispatch_custom_event("fetched", {"topic": topic, "bytes": 2048})
    return [topic, "is", "here"]


async def speak(words: list[str]) -> AsyncIterator[str]:
    for word in words:
        yield f"{word} "


def add_one(value: int) -> int:
    return value + 1


async def main() -> None:
    chain = RunnableLambda(fetch) | RunnableLambda(speak)

    print("all events:")
    async for event in chain.astream_events("spring", version="v2"):
        print(f"  {event['event']:<20} {event['name']:<17} {event['data']}")

    print("only those of fetch and of its custom event, which has a name of its own:")
    names = ["fetch", "fetched"]
    async for event in chain.astream_events("spring", version="v2", include_names=names):
        print(f"  {event['event']:<20} {event['name']:<17} {event['data']}")


if __name__ == "__main__":
    asyncio.run(main())
    print("the same without asyncio:")
    chain = RunnableLambda(add_one)
    for event in chain.stream_events(1, version="v2"):
        print(f"  {event['event']:<20} {event['name']:<17} {event['data']}")
