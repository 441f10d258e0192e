"""Real servers as processes, what is asked of them, and the traces that must arrive.

Their applications are in ``serving/``. Nothing is sent before they end, or are told to.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from receivers import Received, grpc_receiver, http_receiver

ROOT = Path(__file__).parent.parent.parent
SERVING = Path(__file__).parent / "serving"
PATIENCE_S = 60
_AT_ONCE = 4


class Server:
    """A server that runs.

    Attributes:
        process: the one that was started.
        received: what has arrived of it.
        answered: the process that has answered each request.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], received: Received, log: Path, port: int
    ) -> None:
        self.process = process
        self.received = received
        self.answered: dict[int, int] = {}
        self._log = log
        self._port = port

    def ask(self, number: int, more: str = "") -> str:
        """Make one request, and return the answer: the id of a process, as a rule."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/{number}{more}",
            headers={"traceparent": traceparent(number), "Connection": "close"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return str(response.read().decode())

    def ask_again(self, number: int) -> str:
        """As ``ask``; a worker that is replaced resets the connections that it has not read."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.ask(number)
            except ConnectionResetError:
                assert time.monotonic() < deadline, self.log()

    def ask_until(
        self, enough: Callable[[set[int]], bool], ask: Callable[[int], str] | None = None
    ) -> set[int]:
        """Make requests, some at once, until the processes that have answered them are enough."""
        deadline = time.monotonic() + PATIENCE_S
        seen: set[int] = set()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while not enough(seen):
                assert time.monotonic() < deadline, self.log()
                numbers = range(len(self.answered) + 1, len(self.answered) + 1 + 2 * _AT_ONCE)
                answers = dict(
                    zip(numbers, map(int, pool.map(ask or self.ask, numbers)), strict=True)
                )
                self.answered.update(answers)
                seen.update(answers.values())
        return seen

    def end(self, status: int, by: signal.Signals | None = signal.SIGTERM) -> None:
        """Tell it to end, and see that it does so as it should, with nothing to complain of.

        SIGINT goes to its workers too, as that of Ctrl-C does; with None it ends by itself.
        """
        if by is signal.SIGINT:
            os.killpg(self.process.pid, by)
        elif by is not None:
            self.process.send_signal(by)
        assert self.process.wait(PATIENCE_S) == status, self.log()
        assert "otelbridge" not in self.log().replace(str(ROOT), ""), self.log()
        assert "Traceback" not in self.log(), self.log()

    def log(self) -> str:
        """What it has printed."""
        return self._log.read_text("utf-8", "replace")


@contextmanager
def running(
    command: Sequence[str], folder: Path, set_up: str, protocol: str, **variables: str
) -> Iterator[Server]:
    """Run a server that calls ``configure()`` there, and a receiver for it."""
    with receiving(protocol) as received:
        environ = environment(folder, received, protocol, set_up) | variables
        with started(command, folder, environ, received) as server:
            yield server


def receiving(protocol: str) -> AbstractContextManager[Received]:
    """Receive what is sent by this protocol."""
    return grpc_receiver() if protocol == "grpc" else http_receiver()


def environment(folder: Path, received: Received, protocol: str, set_up: str) -> dict[str, str]:
    """Return the variables of a server; ``set_up`` is told in ``serving/work.py``."""
    return {
        **os.environ,
        "HOME": str(folder),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{SERVING}",
        "OTELBRIDGE_SPOOL": str(folder / "spool"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_SERVICE_NAME": "service",
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
        "SET_UP": set_up,
        # Not measured: it would double the time, and takes a lock that a signal may find held.
        "COVERAGE_PROCESS_CONFIG": "",
    }


@contextmanager
def started(
    command: Sequence[str], folder: Path, environ: Mapping[str, str], received: Received
) -> Iterator[Server]:
    """Run ``python -m command``, with {fd} in it as a socket that listens, and end it at last."""
    folder.mkdir(exist_ok=True)
    log = folder / "log"
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening, log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *(it.format(fd=listening.fileno()) for it in command)],
            cwd=folder,
            env=environ,
            stdout=file,
            stderr=subprocess.STDOUT,
            pass_fds=[listening.fileno()],
            start_new_session=True,
        )
        try:
            yield Server(process, received, log, listening.getsockname()[1])
        finally:
            # Its workers too, should it have left them behind.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def traceparent(number: int) -> str:
    """The header by which a request is part of a trace: both its ids are made of its number."""
    return f"00-{number + 1:032x}-{number + 1:016x}-01"


Tree = tuple[str, list[tuple[str, dict[str, Any]]], list[Any]]


def expected(number: int, pid: int) -> Tree:
    """The trace of one request that this process has answered."""
    steps = [("progress", {"data.done": done}) for done in (1, 2, 3)]
    read = ("read", [("read", {"data.number": number})], [])
    chain = ("RunnableSequence", [], [read, ("count", steps, [])])
    return (f"request {number}", [("received", {"data.pid": pid})], [chain])


def arrived(received: Received) -> dict[int, Tree]:
    """The traces that have arrived, by the number of their request, each span once."""
    spans = {span.span_id: span for span in received.spans}
    traces: dict[int, Tree] = {}
    for span in spans.values():
        if span.parent_span_id not in spans:
            number = int.from_bytes(span.parent_span_id, "big") - 1
            assert int.from_bytes(span.trace_id, "big") == number + 1, span
            assert number not in traces, span
            traces[number] = _tree(span, spans)
    return traces


def _tree(span: Any, spans: Mapping[bytes, Any]) -> Tree:
    below = [it for it in spans.values() if it.parent_span_id == span.span_id]
    assert all(it.trace_id == span.trace_id for it in below), span
    below.sort(key=lambda it: it.start_time_unix_nano)
    events = [(it.name, {pair.key: _value(pair) for pair in it.attributes}) for it in span.events]
    return (span.name, events, [_tree(it, spans) for it in below])


def _value(pair: Any) -> Any:
    return getattr(pair.value, pair.value.WhichOneof("value"))
