"""Streams: generators in a sequence, chunk by chunk, sync and async."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from langchain_core.runnables import RunnableGenerator, RunnableLambda


def spell(word: str) -> Iterator[str]:
    yield from word


async def aspell(word: str) -> AsyncIterator[str]:
    for letter in word:
        yield letter


def shout(letters: Iterator[str]) -> Iterator[str]:
    for letter in letters:
        print("got", letter)
        yield letter.upper()


async def ashout(letters: AsyncIterator[str]) -> AsyncIterator[str]:
    async for letter in letters:
        print("got", letter)
        yield letter.upper()


pipeline = RunnableLambda(spell, afunc=aspell) | RunnableGenerator(shout, ashout)

for chunk in pipeline.stream("abc"):
    print("chunk", chunk)


async def main() -> None:
    async for chunk in pipeline.astream("de"):
        print("chunk", chunk)
    print(await pipeline.ainvoke("fg"))


asyncio.run(main())
print(pipeline.invoke("hi"))
