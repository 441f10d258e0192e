"""A web endpoint that streams what an agent says, its runs below the request's span.

Needs: pip install 'otelbridge[langchain]' langchain fastapi httpx2
    and opentelemetry-instrumentation-fastapi
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from langchain.agents import create_agent
from langchain_core.callbacks import adispatch_custom_event
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

import otelbridge.langchain
from otelbridge.testing import Answer, ScriptedChatModel, capture_runs


@tool
async def temperature(city: str) -> float:
    """The temperature in a city, in degrees Celsius."""
    await adispatch_custom_event("asked_station", {"city": city})
    return -3.5


model = ScriptedChatModel(
    [
        Answer(tool_calls=[{"name": "temperature", "args": {"city": "Oslo"}}]),
        Answer("Cold: 3.5 degrees below zero.", chunk_delay_s=0.001),
    ]
)
agent = create_agent(model, [temperature], name="weather")
app = FastAPI()


@app.get("/ask")
async def ask(question: str) -> StreamingResponse:
    async def words() -> AsyncIterator[str]:
        asked = HumanMessage(question)
        async for message, _ in agent.astream({"messages": [asked]}, stream_mode="messages"):
            if isinstance(message, AIMessage) and message.text:
                yield message.text

    return StreamingResponse(words(), media_type="text/plain")


if __name__ == "__main__":
    otelbridge.langchain.instrument()
    with capture_runs() as runs:
        FastAPIInstrumentor.instrument_app(
            app, tracer_provider=runs.provider, exclude_spans=["send", "receive"]
        )
        with TestClient(app).stream("GET", "/ask", params={"question": "Oslo?"}) as response:
            print("".join(response.iter_text()))
    print(runs.tree())
