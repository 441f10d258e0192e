"""An application that knows nothing of tracing."""

from langchain_core.callbacks import dispatch_custom_event
from langchain_core.runnables import RunnableLambda


def count(text: str) -> int:
    dispatch_custom_event("counting", {"characters": len(text)})
    return len(text.split())


def judge(words: int) -> str:
    return "short" if words < 10 else "long"


print((RunnableLambda(count) | RunnableLambda(judge)).invoke("to be or not to be"))
