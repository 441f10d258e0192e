"""Custom events in sync code, with a handler that is told of the runs too."""

from langchain_core.callbacks.base import BaseCallbackHandler
from langchain_core.callbacks.manager import dispatch_custom_event
from langchain_core.runnables import RunnableLambda


class Log(BaseCallbackHandler):
    def on_chain_start(self, serialized, inputs, *, run_id, parent_run_id=None, **kwargs):
        print("start", kwargs["name"], inputs, parent_run_id is not None)

    def on_chain_end(self, outputs, **kwargs):
        print("end", outputs)

    def on_chain_error(self, error, **kwargs):
        print("error", repr(error))

    def on_custom_event(self, name, data, **kwargs):
        print("event", name, data)


def load(path: str) -> list[str]:
    words = path.split("/")
    for done, word in enumerate(words, start=1):
        dispatch_custom_event("loaded", {"word": word, "of": len(words), "done": done})
    return words


def count(words: list[str]) -> int:
    if not words[0]:
        raise ValueError("an absolute path")
    return len(words)


pipeline = RunnableLambda(load) | count
print(pipeline.invoke("a/b/c", {"callbacks": [Log()]}))
try:
    pipeline.invoke("/a", {"callbacks": [Log()]})
except ValueError as error:
    print("raised", error)
