"""Sends the trace of a small pipeline to Jaeger, or to whatever OTEL_EXPORTER_OTLP_ENDPOINT names.

    OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 python examples/jaeger.py

Without the variable it goes into the store on this machine, where `otelbridge show last` shows it.
It ends by saying what became of each span.
"""

from __future__ import annotations

import os

from otelbridge import RunnableLambda, configure, dispatch_custom_event, start_run


def split(text: str) -> list[str]:
    words = text.split()
    dispatch_custom_event("split", {"words": len(words)})
    return words


def count(words: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for done, word in enumerate(words, 1):
        counts[word] = counts.get(word, 0) + 1
        dispatch_custom_event("progress", {"done": done, "of": len(words)})
    return counts


if __name__ == "__main__":
    if "OTEL_EXPORTER_OTLP_ENDPOINT" not in os.environ:
        print("OTEL_EXPORTER_OTLP_ENDPOINT is not set, so the trace stays on this machine.")

    with configure(service_name="jaeger-example") as handle:
        with start_run("count words", metadata={"session_id": "example"}) as run:
            pipeline = RunnableLambda(split) | RunnableLambda(count)
            print(pipeline.invoke("to be or not to be"))
        trace_id = run.span.get_span_context().trace_id

        delivered = handle.flush()
        print("sent to", *handle.outputs)
        print(f"trace {trace_id:032x}", "delivered" if delivered else "not delivered yet")
        stats = handle.stats()
        print(f"{stats.ended} spans ended, {stats.sent} sent, {stats.waiting} waiting")
