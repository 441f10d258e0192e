"""What each request and each task does in these tests, and where ``configure()`` is called.

Variable SET_UP names the places: "import", where the application's module is imported; "worker", in
the hook that a server calls in each of its workers; "lifespan", where an ASGI application begins.
"flush" makes a run and has it sent at the first of them.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping
from itertools import count as forever

from opentelemetry import context, propagate

from otelbridge import RunnableLambda, configure, dispatch_custom_event, start_run

PLACES = os.environ["SET_UP"].split()
TRACEPARENT = {"traceparent": f"00-{1:032x}-{1:016x}-01"}
STEPS = 3
PAUSE_S = 0.02  # so that several workers get requests


def set_up(where: str) -> None:
    """Call ``configure()`` if this is one of the places."""
    if where in PLACES:
        handle = configure()
        if "flush" in PLACES:
            PLACES.remove("flush")
            answer(0, TRACEPARENT)
            assert handle.flush()


def read(number: int) -> range:
    """Return what is to be counted."""
    dispatch_custom_event("read", {"number": number})
    return range(STEPS)


def count(items: range) -> int:
    """Count, and tell of each step."""
    for done, _ in enumerate(items, 1):
        dispatch_custom_event("progress", {"done": done})
    return len(items)


chain = RunnableLambda(read) | RunnableLambda(count)


def answer(number: int, headers: Mapping[str, str]) -> str:
    """Do the work of one request, as part of the trace that its headers name."""
    token = context.attach(propagate.extract(headers))
    try:
        with start_run(f"request {number}"):
            dispatch_custom_event("received", {"pid": os.getpid()})
            chain.invoke(number)
            time.sleep(PAUSE_S)
    finally:
        context.detach(token)
    return str(os.getpid())


def hang() -> None:
    """Never return from one call into C, during which no thread and no signal handler runs."""
    deque(forever(), maxlen=0)
