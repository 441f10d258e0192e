"""One call is traced, by a handler; every other call of the program stays as it is.

Needs: pip install 'otelbridge[langchain]'
"""

from __future__ import annotations

from langchain_core.callbacks import dispatch_custom_event
from langchain_core.runnables import RunnableLambda

from otelbridge.langchain import OtelCallbackHandler
from otelbridge.testing import ScriptedChatModel, capture_runs


def shorten(text: str) -> str:
    dispatch_custom_event("shortened", {"from": len(text), "to": 12})
    return text[:12]


chain = RunnableLambda(shorten) | ScriptedChatModel(["A short text.", "Another one."])

if __name__ == "__main__":
    with capture_runs() as runs:
        chain.invoke("This call has a span for each run.", {"callbacks": [OtelCallbackHandler()]})
        chain.invoke("This one has none.")
    print(runs.tree())
