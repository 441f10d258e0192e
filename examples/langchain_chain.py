"""A LangChain chain: one line traces it, custom events are in the trace.

Needs: pip install 'otelbridge[langchain]'
"""

from __future__ import annotations

from langchain_core.callbacks import dispatch_custom_event
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnableParallel

import otelbridge.langchain
from otelbridge.testing import Answer, ScriptedChatModel, capture_runs

NOTES = {"tea": "Black tea: 95 degrees, 4 minutes.", "coffee": "Coffee: 93 degrees."}


def look_up(question: str) -> str:
    found = [note for word, note in NOTES.items() if word in question]
    dispatch_custom_event("notes_found", {"count": len(found)})
    return "\n".join(found)


# In an application: a chat model of a provider's, such as langchain_openai.ChatOpenAI.
model = ScriptedChatModel(
    [Answer("Four minutes.", usage={"input_tokens": 31, "output_tokens": 4})],
    model="scripted-mini",
)
chain = (
    RunnableParallel(notes=RunnableLambda(look_up), question=RunnableLambda(str.strip))
    | ChatPromptTemplate.from_template("{notes}\n\n{question}")
    | model
    | StrOutputParser()
)

if __name__ == "__main__":
    otelbridge.langchain.instrument()
    with capture_runs() as runs:  # in an application: otelbridge.configure(), once
        print(chain.invoke("How long for tea? "))
    print(runs.tree())
    asked = runs.find("chat scripted-mini")
    for key, value in sorted((asked.attributes or {}).items()):
        if key.startswith("gen_ai."):
            print(key, "=", value)
