"""A store full of interesting traces, to look at and to test pages with.

python -m view.synthetic [--port 4321] [--live]      (in tests/, with the checkout on the path)
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otelbridge import dispatch_custom_event, start_run
from otelbridge.store import Store
from otelbridge.store.sink import StoreSink
from otelbridge.view import serve
from view.made import Event, Span, request, trace_id

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\u202egnirts desrever\u202c",
    "NUL \0 in the middle",
    "line\nbreak\ttab \x1b[31mred\x1b[0m",
    "👩‍👩‍👧‍👦 žluťoučký kůň " + "z̷̢̛͉͔͓a̸l̷g̸o̶",
    "javascript:alert(1)",
    "__proto__",
    "constructor",
    "{{7*7}} ${7*7} <%= 7*7 %>",
    "",
    " ",
]


def agent(start_ns: int) -> bytes:
    """An agent that calls a model, a tool, and the model again."""
    asked = [
        {"role": "system", "parts": [{"type": "text", "content": "You forecast the weather."}]},
        {"role": "user", "parts": [{"type": "text", "content": "Will it rain in Oslo?"}]},
    ]
    call = {"type": "tool_call", "id": "call-1", "name": "look_up", "arguments": {"city": "Oslo"}}
    called = [{"role": "assistant", "parts": [call], "finish_reason": "tool_calls"}]
    given = {"type": "tool_call_response", "id": "call-1", "response": "rain, 11 °C"}
    again = [*asked, *called, {"role": "tool", "parts": [given]}]
    words = "Yes. **Rain** all day, 11 °C.\n\n```python\nprint('umbrella')\n```"
    said = [{"role": "assistant", "parts": [{"type": "text", "content": words}]}]
    return request(
        "agent",
        start_ns,
        Span(
            "invoke_agent forecaster",
            0,
            2350,
            [
                _chat(20, 820, asked, called, (412, 18), [(300, "Let me"), (500, " look")]),
                Span(
                    "execute_tool look_up",
                    830,
                    1230,
                    attributes={
                        "gen_ai.operation.name": "execute_tool",
                        "gen_ai.tool.name": "look_up",
                        "gen_ai.tool.call.arguments": json.dumps({"city": "Oslo"}),
                        "gen_ai.tool.call.result": "rain, 11 °C",
                        "otelbridge.run.type": "tool",
                        "otelbridge.run.id": "0b9a3a52-0000-4000-8000-000000000003",
                    },
                    events=[
                        Event(850, "asking", {"data.city": "Oslo"}),
                        Event(1200, "answered", {"data.percent": 100, "data.sky": "rain"}),
                    ],
                    below=[Span("GET", 860, 1190, kind="client", service="weather-client")],
                ),
                _chat(1250, 2330, again, said, (455, 61), [(1900, "Yes.")]),
            ],
            attributes={
                "otelbridge.run.id": "0b9a3a52-0000-4000-8000-000000000001",
                "otelbridge.run.type": "agent",
                "otelbridge.run.tags": ["weather", "oslo"],
                "otelbridge.run.metadata.thread_id": "thread-7",
                "otelbridge.run.metadata.user": "anna",
                "gen_ai.conversation.id": "thread-7",
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": "forecaster",
            },
            events=[Event(5, "planning", {"data.steps": 2}), Event(2340, "done", {"data": "ok"})],
        ),
        service="weather",
    )


def _chat(
    at: float, until: float, asked: object, said: object, tokens: tuple[int, int], more: object
) -> Span:
    return Span(
        "chat gpt-5-mini",
        at,
        until,
        kind="client",
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.response.model": "gpt-5-mini-2026-02-01",
            "gen_ai.usage.input_tokens": tokens[0],
            "gen_ai.usage.output_tokens": tokens[1],
            "gen_ai.input.messages": json.dumps(asked, ensure_ascii=False),
            "gen_ai.output.messages": json.dumps(said, ensure_ascii=False),
            "otelbridge.run.type": "chat_model",
        },
        events=[Event(when, "token", {"data": text}) for when, text in more],  # type: ignore[attr-defined]
    )


def pipeline(start_ns: int, number: int = 0, slow: float = 1.0) -> bytes:
    """One pipeline of three steps; the second of them may be slow."""
    read, score = 120.0, 300.0 * slow
    steps = [
        Span(
            "read",
            5,
            5 + read,
            events=[
                Event(
                    8 + 10 * it,
                    "page read",
                    {"data.page": it, "data.completed": it + 1, "data.total": 10},
                )
                for it in range(10)
            ],
        ),
        Span(
            "score",
            130,
            130 + score,
            below=[
                Span(
                    "batch",
                    140 + it * score / 5,
                    130 + (it + 1) * score / 5,
                    attributes={"otelbridge.run.type": "lambda"},
                )
                for it in range(4)
            ],
            events=[Event(135 + it, "scored", {"data.row": it}) for it in range(25)],
        ),
        Span("write", 140 + score, 160 + score),
    ]
    root = Span(
        "RunnableSequence",
        0,
        165 + score,
        steps,
        {
            "otelbridge.run.type": "sequence",
            "otelbridge.run.id": f"0b9a3a52-0000-4000-8000-{number:012x}",
            "otelbridge.run.tags": ["nightly"],
            "otelbridge.run.metadata.batch": number,
        },
    )
    return request(f"pipeline {number}", start_ns, root, service="pipeline")


def failing(start_ns: int) -> bytes:
    """An error deep down that fails everything above it, and one that was caught."""
    stack = (
        "Traceback (most recent call last):\n"
        '  File "app.py", line 12, in main\n    total = price(order)\n'
        '  File "app.py", line 31, in price\n    return rates[order.currency]\n'
        "           ~~~~~^^^^^^^^^^^^^^^^\nKeyError: 'CHF'\n"
    )
    attributes = {
        "exception.type": "KeyError",
        "exception.message": "'CHF'",
        "exception.stacktrace": stack,
        "exception.escaped": "False",
    }
    error = {"error.type": "KeyError"}
    price = Span(
        "price",
        40,
        55,
        attributes=error,
        status="error",
        message="'CHF'",
        events=[Event(54, "exception", attributes)],
    )
    retried = Span(
        "fetch rates",
        5,
        35,
        status="error",
        message="timed out after 30 ms",
        attributes={"error.type": "TimeoutError"},
        events=[
            Event(
                34,
                "exception",
                {"exception.type": "TimeoutError", "exception.message": "timed out"},
            )
        ],
    )
    order = Span(
        "checkout",
        0,
        60,
        [retried, price],
        {**error, "otelbridge.run.type": "chain"},
        [Event(58, "exception", attributes)],
        status="error",
        message="'CHF'",
    )
    return request("failing", start_ns, order, service="shop")


def large(start_ns: int, spans: int = 10_000) -> bytes:
    """A trace of so many spans: a tree, ten below each, with an event here and there."""
    all_of_it = [Span("crawl", 0, 60_000, below=[])]
    for number in range(1, spans):
        above = all_of_it[(number - 1) // 10]
        share = (above.until - above.at) / 10
        at = above.at + share * ((number - 1) % 10)
        events = [Event(at + share / 3, "found", {"data.n": number})] if number % 7 == 0 else []
        status = "error" if number % 997 == 0 else "unset"
        made = Span(
            f"visit {number % 50}",
            at,
            at + share * 0.9,
            [],
            {"url.path": f"/p/{number}"},
            events,
            status=status,
        )
        all_of_it.append(made)
        above.below.append(made)  # type: ignore[attr-defined]
    return request("large", start_ns, all_of_it[0], service="crawler")


def many_events(start_ns: int, events: int = 10_000, page: int = 127) -> bytes:
    """A run of so many events, on itself and on pages below it."""
    run_id = {"otelbridge.run.id": "0b9a3a52-0000-4000-8000-0000000000ee"}
    made = [
        Event(
            1 + it,
            ("progress", "row", "saved")[it % 3],
            {"data.row": it, "data.progress": it / events},
        )
        for it in range(events)
    ]
    pages = [
        Span(
            "many events",
            made[at].at,
            made[min(at + page, events) - 1].at,
            attributes={**run_id, "otelbridge.page": at // page},
            events=made[at : at + page],
        )
        for at in range(page, events, page)
    ]
    for it in pages:
        it.name = "import rows events"
    root = Span(
        "import rows",
        0,
        events + 2,
        pages,
        {**run_id, "otelbridge.run.type": "lambda"},
        made[:page],
    )
    return request("many events", start_ns, root, service="importer")


def linked(start_ns: int) -> bytes:
    """A run that goes on where the agent stopped, and cancelled and closed ones below it."""
    root = Span(
        "LangGraph",
        0,
        900,
        [
            Span(
                "approve",
                10,
                400,
                attributes={
                    "otelbridge.run.outcome": "interrupted",
                    "otelbridge.run.type": "chain",
                },
            ),
            Span(
                "stream words",
                410,
                600,
                attributes={"otelbridge.run.outcome": "closed", "otelbridge.run.type": "chain"},
            ),
            Span(
                "wait for a friend",
                610,
                880,
                attributes={"otelbridge.run.outcome": "cancelled", "otelbridge.run.type": "chain"},
            ),
            Span("publish", 620, 640, kind="producer"),
            Span(
                "quick ones",
                650,
                651,
                events=[Event(650 + it / 1000, "tick", {"data": it}) for it in range(200)],
            ),
        ],
        {"otelbridge.run.type": "chain", "otelbridge.run.tags": ["resumed"]},
        links=[
            (trace_id("agent"), "00000000000000aa"),
            (trace_id("pipeline 1"), "00000000000000ab"),
        ],
    )
    return request("linked", start_ns, root, service="graph")


def hostile(start_ns: int) -> bytes:
    """Names and data that want to be more than text, and a string of 1 MB."""
    spans = [
        Span(
            text,
            5 * number,
            5 * number + 4,
            attributes={text: text, "large": 2**63 - 1, "nan": float("nan"), "raw": b"\0\xff"},
            events=[
                Event(
                    5 * number + 1,
                    text,
                    {"data." + text: text, "data.deep": {"er": {"est": [1, "a", None]}}},
                )
            ],
            status="error",
            message=text,
        )
        for number, text in enumerate(HOSTILE)
    ]
    spans[0].attributes = {**spans[0].attributes, "long": "x" * 1_000_000}
    spans[0].events = [*spans[0].events, Event(2, "long", {"data": "<b>" * 100_000})]
    root = Span(HOSTILE[0], 0, 5 * len(HOSTILE), spans, {"otelbridge.run.tags": HOSTILE})
    return request("hostile", start_ns, root, service=HOSTILE[1])


def all_kinds(now_ns: int) -> Iterator[bytes]:
    """Every trace, the newest last; some of the pipelines are hours old."""
    chance = random.Random(1)
    minute = 60 * 10**9
    for number in range(60):
        yield pipeline(
            now_ns - (180 - 3 * number) * minute + chance.randrange(minute),
            number,
            1 + 3 * (number % 9 == 4),
        )
    kinds: list[Callable[[int], bytes]] = [large, many_events, hostile, linked, failing, agent]
    for age, kind in zip(range(len(kinds), 0, -1), kinds, strict=True):
        yield kind(now_ns - age * 20 * 10**9)


def orphans(start_ns: int) -> bytes:
    """Two spans whose parent never came."""
    root = Span("lost root", 0, 50, [Span("first", 5, 20), Span("second", 25, 45)])
    request("orphans", start_ns, root)  # gives them their ids
    return request("orphans", start_ns, *root.below, service="edge")


def keep_running(store: Path, stop: threading.Event) -> None:
    """Run something into the store, again and again, as a program that is being watched does."""
    provider = TracerProvider(resource=Resource({"service.name": "live"}))
    sink = StoreSink(store)
    provider.add_span_processor(sink)
    trace.set_tracer_provider(provider)
    while not stop.wait(2):
        with start_run("live run", run_type="sequence"):
            for step in range(4):
                with start_run(f"step {step}"):
                    for done in range(1, 13):
                        progress = {"completed": done, "total": 12, "file": f"file-{done}.txt"}
                        dispatch_custom_event("progress", progress)
                        if stop.wait(0.15):
                            return


def main() -> None:
    """Serve them, with a run that is going on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=4321)
    parser.add_argument("--otlp", action="store_true", help="receive on 4317 and 4318 too")
    options = parser.parse_args()
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder, "traces.db")) as store:
        for each in all_kinds(time.time_ns()):
            store.add(each)
        assert store.path is not None
        running = threading.Thread(target=keep_running, args=(store.path, stop))
        running.start()
        try:
            serve(
                store,
                port=options.port,
                otlp_http_port=4318 if options.otlp else None,
                otlp_grpc_port=4317 if options.otlp else None,
                ready=lambda served: print(served.url, flush=True),
            )
        finally:
            stop.set()
            running.join()


if __name__ == "__main__":
    main()
