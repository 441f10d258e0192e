"""A program that makes spans and sends them, run by tests as a process of its own.

    python -m backends.program WORK --ledger FILE [--rate N] [--seconds S] ...

Where its spans go, and how, is said by the environment alone, as for any program that calls
``configure()`` with no arguments. Every span that ends is in the ledger. At its end it prints one
line of JSON with what became of the spans.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from opentelemetry import trace

import otelbridge
from backends.ledger import Ledger
from otelbridge import RunnableLambda, dispatch_custom_event, start_run


def tour(options: argparse.Namespace) -> None:
    """One of everything: nested runs, every status, every kind of value."""
    config = {"tags": ["first", "second"], "metadata": {"session_id": "s-1", "deep": {"key": 1}}}
    with start_run("tour", config=config):  # type: ignore[arg-type]
        dispatch_custom_event("nothing", None)
        dispatch_custom_event("zebra", {"at": "first, though its name sorts last"})
        dispatch_custom_event(
            "values",
            {
                "text": "žluťoučký kůň 🐎",
                "whole": 2**53 + 1,
                "real": 0.1,
                "flag": True,
                "texts": ["a", "b"],
                "wholes": [1, 2, 3],
                "deep": {"er": {"est": "x"}},
                "mixed": [1, "a", None],
            },
        )
        dispatch_custom_event("aardvark", "last, though its name sorts first")
        pipeline = RunnableLambda(_double).with_config(run_name="double") | RunnableLambda(_double)
        pipeline.batch([1, 2, 3])
        with suppress(ValueError):
            RunnableLambda(_fail).invoke("x")
        with trace.get_tracer("own").start_as_current_span(
            "own", kind=trace.SpanKind.CLIENT
        ) as own:
            own.set_status(trace.StatusCode.OK)
            RunnableLambda(_double).invoke(4)
    with start_run("many events"):
        for number in range(options.events):
            dispatch_custom_event(f"event {number % 7}", {"number": number})


def _double(value: int) -> int:
    dispatch_custom_event("doubling", {"value": value})
    return value * 2


def _fail(value: str) -> None:
    dispatch_custom_event("about to fail", value)
    raise ValueError(f"no good: {value}")


def load(options: argparse.Namespace) -> None:
    """Traces of four spans and four events, at so many spans a second.

    A machine that is too busy for the rate makes them all the same, and takes longer.
    """
    begin, count, total = time.monotonic(), 0, options.rate * options.seconds
    while count < total:
        while count < min(total, (time.monotonic() - begin) * options.rate):
            _trace(f"load {count}", fails=False, event="")
            count += 4
        time.sleep(0.01)


def sampling(options: argparse.Namespace) -> None:
    """Traces of which a few have an error and a few an event on the list; three end late."""
    over = threading.Event()
    kinds = ("error", "event", "plain")
    late = [threading.Thread(target=_late, args=(f"late {kind}", kind, over)) for kind in kinds]
    for thread in late:
        thread.start()
    for number in range(options.traces):
        fails, listed = number % 100 == 7, number % 100 == 57
        _trace(f"short {number}", fails=fails, event="escalated" if listed else "")
        if number % 50 == 0:
            time.sleep(0.05)
    time.sleep(options.seconds)
    over.set()
    for thread in late:
        thread.join()


def _late(name: str, kind: str, over: threading.Event) -> None:
    """A trace whose child ends at once, and whose root ends much later."""
    with suppress(RuntimeError), start_run(name):
        with start_run("early step"):
            dispatch_custom_event("working", 1)
        over.wait()
        if kind == "event":
            dispatch_custom_event("escalated", 1)
        if kind == "error":
            raise RuntimeError("at the very end")


def _trace(name: str, *, fails: bool, event: str) -> None:
    with suppress(RuntimeError), start_run(name):
        for step in range(3):
            with start_run(f"step {step}"):
                dispatch_custom_event("stepping", {"step": step, "of": name})
        dispatch_custom_event("stepped", 3)
        if event:
            dispatch_custom_event(event, 1)
        if fails:
            raise RuntimeError("it fails")


def secrets(options: argparse.Namespace) -> None:
    """Values that a careless program would send."""
    with start_run("careless", metadata={"password": "hunter2", "plain": "harmless"}):
        dispatch_custom_event("calling", {"api_key": "hunter2", "url": "key=sk-" + "a1" * 16})


def unlucky(options: argparse.Namespace) -> None:
    """Spans of which one holds what has no UTF-8 form, and one is larger than anyone takes."""
    tracer = trace.get_tracer("own")
    for number in range(options.traces):
        with tracer.start_as_current_span(f"own {number}") as span:
            if number == 100:
                span.set_attribute("name of a file", "\udcff.txt")
            if number == 300:
                span.set_attribute("enormous", "x" * (24 << 20))


def agent(options: argparse.Namespace) -> None:
    """A LangGraph agent that looks something up, says how far it is, and answers."""
    from langchain.agents import create_agent
    from langchain_core.callbacks import dispatch_custom_event as dispatch
    from langchain_core.tools import tool
    from langgraph.config import get_stream_writer

    from otelbridge import langchain
    from otelbridge.testing import Answer, ScriptedChatModel

    @tool
    def look_up(city: str) -> str:
        """Look up the weather in a city."""
        dispatch("asking", {"city": city})
        get_stream_writer()({"type": "answered", "percent": 100})
        return "sunny"

    question = Answer(
        "Let me see.",
        tool_calls=[{"name": "look_up", "args": {"city": "Oslo"}}],
        usage={"input_tokens": 7, "output_tokens": 3},
    )
    model = ScriptedChatModel([question, "It is sunny."])
    with langchain.instrumented():
        made = create_agent(model, [look_up], name="forecaster")
        for _ in made.stream({"messages": [("human", "Oslo?")]}, stream_mode="messages"):
            pass


def replay(options: argparse.Namespace) -> None:
    """Nothing new: what an earlier process of the service has left is found and sent."""
    time.sleep(options.seconds)


WORKS: dict[str, Callable[[argparse.Namespace], None]] = {
    work.__name__: work for work in (tour, load, sampling, secrets, unlucky, agent, replay)
}


def main() -> None:
    """Do the work, send what came of it, and say so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--traces", type=int, default=1000)
    parser.add_argument("--events", type=int, default=10)
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--flush", type=float, default=30)
    parser.add_argument(
        "--end", choices=["return", "sys.exit", "os._exit", "own-handler"], default="return"
    )
    options = parser.parse_args()

    if options.end == "own-handler":
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(4))
    handle = otelbridge.configure()
    provider: Any = trace.get_tracer_provider()
    provider.add_span_processor(Ledger(options.ledger, bare=options.bare))
    WORKS[options.work](options)
    if options.end == "os._exit":
        os._exit(3)
    if options.end == "sys.exit":
        sys.exit(3)
    begin, cpu = time.monotonic(), time.process_time()
    flushed = handle.flush(options.flush)
    stats = {**vars(handle.stats()), "dropped": dict(handle.stats().dropped)}
    report = {"flushed": flushed, "flush_s": time.monotonic() - begin, "cpu_s": cpu}
    handle.shutdown()
    print(json.dumps({**report, "stats": stats}))


if __name__ == "__main__":
    main()
