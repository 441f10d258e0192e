"""A pipeline of most kinds of runnables, in every form of call."""

import asyncio
from operator import itemgetter

from langchain_core.runnables import (
    RunnableBranch,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    RunnableSequence,
    chain,
)


@chain
def tokenize(text: str) -> list[str]:
    return text.split()


def lengths(words: list[str]) -> list[int]:
    return RunnableLambda(len).map().invoke(words)


pipeline = (
    {"words": tokenize, "text": RunnablePassthrough()}
    | RunnablePassthrough.assign(lengths=itemgetter("words") | RunnableLambda(lengths))
    | RunnableParallel(
        longest=lambda given: max(given["lengths"]),
        kind=RunnableBranch(
            (lambda given: len(given["words"]) > 2, lambda given: "long"),
            (lambda given: len(given["words"]) > 1, lambda given: "short"),
            lambda given: "single",
        ),
    )
)

print(isinstance(pipeline, RunnableSequence), len(pipeline.steps))
print(pipeline.invoke("one two three"))
print(pipeline.batch(["a", "b c"]))
print(asyncio.run(pipeline.ainvoke("dd ee")))
print(asyncio.run(pipeline.abatch(["d", "e f g"])))
for index, result in pipeline.batch_as_completed(["only"]):
    print(index, result)
print(pipeline.pick("kind").invoke("x y"))
