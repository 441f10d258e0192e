"""A program whose run goes on as long as it is told to.

    python live_program.py STORE [--view]

Each line that it reads is dispatched as an event; ``end`` ends the run. It prints the trace's id.
With ``--view`` it serves the viewer as well, and prints its address first.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack

from opentelemetry import trace

from otelbridge import RunnableLambda, dispatch_custom_event
from otelbridge.export import configure


def work(_: object) -> None:
    print(f"{trace.get_current_span().get_span_context().trace_id:032x}", flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            return
        dispatch_custom_event("tick", {"word": line.strip()})


def main() -> None:
    path = sys.argv[1]
    with ExitStack() as stack:
        if "--view" in sys.argv:
            from otelbridge.store import Store
            from otelbridge.view import start

            store = stack.enter_context(Store(path))
            server = start(store, port=0, otlp_http_port=None, otlp_grpc_port=None)
            stack.callback(server.stop)
            print(server.url, flush=True)
        handle = configure(store=path, service_name="watched")
        RunnableLambda(work, name="watched run").invoke(None, {"tags": ["seen"]})
        handle.shutdown()
        sys.stdin.read()


if __name__ == "__main__":
    main()
