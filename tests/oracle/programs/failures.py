"""Retries, fallbacks, and the exceptions of a batch."""

from langchain_core.runnables import RunnableLambda

tries: list[str] = []


def unsteady(word: str) -> str:
    tries.append(word)
    if tries.count(word) < 3:
        raise ConnectionError(f"try {tries.count(word)}")
    return word.upper()


def never(word: str) -> str:
    raise KeyError(word)


steady = RunnableLambda(unsteady).with_retry(
    retry_if_exception_type=(ConnectionError,), wait_exponential_jitter=False
)
print(steady.invoke("a"), tries)

rescued = RunnableLambda(never).with_fallbacks([RunnableLambda(lambda word: f"no {word}")])
print(rescued.invoke("b"))
print([repr(result) for result in RunnableLambda(never).batch(["c"], return_exceptions=True)])
try:
    (RunnableLambda(never) | str).invoke("d")
except KeyError as error:
    print("raised", error)
