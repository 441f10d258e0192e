"""Processes: a run belongs to the one that began it; only OTel's trace context goes further."""

from __future__ import annotations

import http.client
import os
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import propagate

from otelbridge import RunnableLambda, dispatch_custom_event, semconv, start_run, traced
from otelbridge.testing import capture_runs

from .exported import told

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

# ------------------------------------------------------------------ fork

_FORK = """
import os, threading, time
from otelbridge import RunnableLambda

FORKS, THREADS = 10, 4
provider = provider()
handled = []


def in_child(number, write):
    finished.clear()  # what the parent has exported before
    del handled[:]
    ended_before = run.ended
    dispatch_custom_event("context", number)
    run.event("method", number)
    dispatch_custom_event("config", number, config=config)
    RunnableLambda(lambda _: dispatch_custom_event("tick", number), name="child run").invoke(None)
    RunnableLambda(lambda _: None, name="by config").invoke(None, config)
    run.end("no")
    run.fail(ValueError("no"))
    run.event("after", number)
    with start_run("after run"):
        pass
    spans = [shown(span) for span in finished.get_finished_spans()]
    told = {"spans": spans, "handled": handled, "was ended": ended_before}
    with os.fdopen(write, "w") as pipe:
        json.dump(told, pipe)


children = []
handler = lambda name, data: handled.append([name, data])
with start_run("run", config={"callbacks": [handler]}) as run:
    config = run.child_config()
    stop = threading.Event()
    counts = [0] * THREADS

    def dispatching(number):
        while not stop.is_set():
            run.event("thread", [number, counts[number]])
            counts[number] += 1
            if counts[number] % 50 == 0:
                time.sleep(0.001)  # else the forking thread hardly gets its turn

    threads = [threading.Thread(target=dispatching, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for number in range(FORKS):
        before = sum(counts)
        while sum(counts) == before:  # the others are at it
            time.sleep(0)
        read, write = os.pipe()
        if os.fork() == 0:
            code = 1
            try:
                os.close(read)
                in_child(number, write)
                code = 0
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(write)
        with os.fdopen(read) as pipe:
            children.append(pipe.read())
        _, status = os.wait()
        assert status == 0, status
    stop.set()
    for thread in threads:
        thread.join()
    mine = list(handled)
dispatched = sum(counts)
say_finished(
    children=[json.loads(text) for text in children], counts=counts, handled=len(mine)
)
"""


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process exports that forks ten times during a run, and what its children do."""
    # Not measured: coverage takes a lock at every call, and a child inherits it as it stood.
    return told(_FORK, tmp_path_factory.mktemp("fork"), COVERAGE_PROCESS_CONFIG="")


def _run_span(forked: dict[str, Any]) -> dict[str, Any]:
    (own,) = [span for span in forked["spans"] if span["name"] == "run"]
    return own  # type: ignore[no-any-return]


@needs_fork
def test_fork_loses_nothing_of_the_parents(forked: dict[str, Any]) -> None:
    """What threads dispatch while their process forks is in the parent's trace, in order."""
    events = sorted((e for s in forked["spans"] for e in s["events"]), key=lambda e: e[2])
    got = [e[1]["data"] for e in events]
    for number, count in enumerate(forked["counts"]):
        assert [i for n, i in got if n == number] == list(range(count))
    assert len(got) == sum(forked["counts"]) == forked["handled"]
    assert {span["name"] for span in forked["spans"]} <= {"run", "run events"}
    assert _run_span(forked)["status"] == "UNSET"


@needs_fork
def test_fork_makes_events_of_an_inherited_run_late(forked: dict[str, Any]) -> None:
    """In the child an inherited run's events are zero-length child spans of its span."""
    own = _run_span(forked)
    for number, child in enumerate(forked["children"]):
        late = [span for span in child["spans"] if span["name"] == "run late event"]
        names = ["context", "method", "config", "after"]
        assert [[e[:2] for e in span["events"]] for span in late] == [
            [[name, {"data": number}]] for name in names
        ]
        for span in late:
            assert (span["parent"], span["trace"]) == (own["id"], own["trace"])
            assert span["start"] == span["end"] == span["events"][0][2]
            assert span["attributes"][semconv.RUN_ID] == own["attributes"][semconv.RUN_ID]


@needs_fork
def test_fork_keeps_handlers(forked: dict[str, Any]) -> None:
    """In the child the handlers of an inherited run get its events, in order."""
    for number, child in enumerate(forked["children"]):
        names = ["context", "method", "config", "tick", "after"]
        assert child["handled"] == [[name, number] for name in names]


@needs_fork
def test_fork_leaves_the_end_of_a_run_to_its_own_process(forked: dict[str, Any]) -> None:
    """A child that ends an inherited run exports no span of it; its own runs are below it."""
    own = _run_span(forked)
    for child in forked["children"]:
        assert child["was ended"] is False
        spans = {span["name"]: span for span in child["spans"]}
        assert set(spans) == {"run late event", "child run", "by config", "after run"}
        for name in ("child run", "by config", "after run"):
            assert (spans[name]["parent"], spans[name]["trace"]) == (own["id"], own["trace"])


@needs_fork
def test_fork_exports_no_span_twice(forked: dict[str, Any]) -> None:
    """Over parent and children no span id and no run id of two runs is the same."""
    every = [span for it in [forked, *forked["children"]] for span in it["spans"]]
    ids = [span["id"] for span in every]
    assert len(ids) == len(set(ids))
    runs = [s["attributes"][semconv.RUN_ID] for s in every if semconv.RUN_TYPE in s["attributes"]]
    assert len(runs) == len(set(runs)) == 1 + 3 * len(forked["children"])


# ------------------------------------------------------------------ spawn

_SPAWN = """
import multiprocessing
from opentelemetry import context, propagate
from otelbridge import RunnableLambda


def work(carrier, pipe):
    provider()
    token = context.attach(propagate.extract(carrier))
    try:
        RunnableLambda(lambda i: dispatch_custom_event("tick", i), name="work").invoke(7)
    finally:
        context.detach(token)
    pipe.send([shown(span) for span in finished.get_finished_spans()])
    pipe.close()


if __name__ == "__main__":
    provider()
    spawn = multiprocessing.get_context("spawn")
    with start_run("run") as run:
        carrier = {}
        propagate.inject(carrier)
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=work, args=(carrier, theirs))
        process.start()
        theirs.close()
        spans = ours.recv()
        process.join()
    say_finished(theirs=spans, carrier=carrier, code=process.exitcode)
"""


def test_spawned_process_continues_the_trace(tmp_path: Path) -> None:
    """With inject and extract alone, a run of a spawned process is below the run that spawned."""
    said = told(_SPAWN, tmp_path)
    (own,), (work,) = said["spans"], said["theirs"]
    assert said["code"] == 0
    assert (work["name"], work["trace"], work["parent"]) == ("work", own["trace"], own["id"])
    assert [e[:2] for e in work["events"]] == [["tick", {"data": 7}]]
    assert work["attributes"][semconv.RUN_ID] != own["attributes"][semconv.RUN_ID]
    assert set(said["carrier"]) == {"traceparent"}
    assert said["stderr"] == ""


# ------------------------------------------------------------------ HTTP


def test_http_round_trips_are_one_trace() -> None:
    """With inject in a client's run and extract in a server, the server's run is below it."""

    @traced
    def answer(question: str) -> str:
        dispatch_custom_event("answering", question)
        return RunnableLambda(str.upper, name="upper").invoke(question)

    with capture_runs() as client, capture_runs() as server:

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = self.rfile.read(int(self.headers["Content-Length"])).decode()
                with server.active():
                    token = otel_context.attach(propagate.extract(dict(self.headers)))
                    try:
                        body = answer(question).encode()
                    finally:
                        otel_context.detach(token)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        http_server.daemon_threads = False  # closing it waits for the answers
        thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def ask(question: str) -> str:
            headers: dict[str, str] = {}
            propagate.inject(headers)
            connection = http.client.HTTPConnection("127.0.0.1", http_server.server_port)
            with closing(connection):
                connection.request("POST", "/", question, headers)
                return connection.getresponse().read().decode()

        try:
            with client.active():
                asking = RunnableLambda(ask, name="ask")
                with start_run("client"):
                    assert asking.batch(["a", "b", "c"]) == ["A", "B", "C"]
        finally:
            http_server.shutdown()
            thread.join()
            http_server.server_close()

    asked = {span.context.span_id for span in client.find_all("ask")}
    answers = server.find_all("answer")
    assert {span.parent.span_id for span in answers} == asked
    assert len(answers) == len(asked) == 3
    assert all(span.parent.is_remote for span in answers)
    (trace_id,) = {span.context.trace_id for span in [*client.spans, *server.spans]}
    assert trace_id == client.find("client").context.trace_id
    uppers = {span.parent.span_id for span in server.find_all("upper")}
    assert uppers == {span.context.span_id for span in answers}
    assert sorted(e.attributes["data"] for s in answers for e in s.events) == ["a", "b", "c"]
