"""Runnables of LangChain inside otelbridge's and the reverse: one trace, one config.

Needs: pip install 'otelbridge[langchain]'
"""

from __future__ import annotations

from langchain_core.runnables import RunnableLambda as LangChainLambda

import otelbridge.langchain
from otelbridge import RunnableConfig, RunnableLambda, dispatch_custom_event, traced
from otelbridge.testing import ScriptedChatModel, capture_runs

model = ScriptedChatModel(["Bonjour."])


@traced
def count(text: str) -> int:
    """A plain function, below a run of LangChain's."""
    dispatch_custom_event("counted", {"characters": len(text)})
    return len(text)


def translate(text: str) -> str:
    """LangChain's step: its model, and then one of ours."""
    answer = str(model.invoke(text).content)
    count(answer)
    return answer


def greet(name: str) -> str:
    """Ours, and LangChain's below it."""
    return LangChainLambda(translate).invoke(f"Good morning, {name}.")


def show(name: str, data: object) -> None:
    print(f"handler: {name} {data}")


if __name__ == "__main__":
    otelbridge.langchain.instrument()
    with capture_runs() as runs:
        config: RunnableConfig = {
            "callbacks": [show],
            "tags": ["demo"],
            "metadata": {"session_id": "s-1"},
        }
        print(RunnableLambda(greet).invoke("Ada", config))
    print(runs.tree())
    for name in ("greet", "translate", "count"):
        attributes = runs.find(name).attributes or {}
        print(name, attributes["session.id"], attributes["otelbridge.run.tags"])
