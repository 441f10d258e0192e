"""Celery's prefork pool, behind gunicorn: one trace from the request to the worker, and all of it.

Celery waits for this and that most of the time, so all cases run at once.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from servers import (
    PATIENCE_S,
    SERVING,
    Server,
    Tree,
    arrived,
    environment,
    expected,
    receiving,
    started,
)

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="Celery's prefork pool and gunicorn are those of POSIX"
)

REQUESTS = 12
WEB = [
    *("gunicorn", "--bind", "fd://{fd}", "--config", str(SERVING / "gunicorn_hooks.py")),
    "web:wsgi",
]
WORKER = [
    "celery",
    "--app",
    "tasks",
    "--quiet",
    "worker",
    "--pool",
    "prefork",
    "--concurrency",
    "2",
]
RECYCLED = ["--max-tasks-per-child", "3"]

CASES = {
    "import, http, recycled": ("import", "http/protobuf", RECYCLED),
    "import, grpc, recycled": ("import", "grpc", RECYCLED),
    "worker, grpc, Ctrl-C": ("worker", "grpc", []),
    "import and worker, grpc, recycled": ("import worker", "grpc", RECYCLED),
}


def work_off(folder: Path, set_up: str, protocol: str, options: list[str]) -> dict[str, Any]:
    """Make requests, start the worker, and tell both servers to end.

    One after the other: Celery's broker of folders reads messages that are still being written.
    """
    folder.mkdir()
    queue = folder / "queue"
    queue.mkdir()
    with receiving(protocol) as received:
        environ = environment(folder, received, protocol, set_up) | {"QUEUE": str(queue)}
        with started(WEB, folder / "web", environ, received) as web:
            ids = {number: web.ask(number, "?queue") for number in range(1, REQUESTS + 1)}
            web.end(0)
        with started([*WORKER, *options], folder / "worker", environ, received) as worker:
            answered = {number: result(queue, task, worker) for number, task in ids.items()}
            if options:
                worker.end(0)
            else:
                worker.end(1, by=signal.SIGINT)  # Celery's own status for it
    return {
        "expected": {number: through_the_queue(number, pid) for number, pid in answered.items()},
        "arrived": arrived(received),
        "spans": len(received.spans),
        "processes": len(set(answered.values())),
    }


def result(queue: Path, task: str, worker: Server) -> int:
    """Wait for the result of a task: the process that has worked on it."""
    file = queue / f"celery-task-meta-{task}"
    deadline = time.monotonic() + PATIENCE_S
    while not file.exists() or not (text := file.read_text("utf-8")):
        assert time.monotonic() < deadline, worker.log()
        time.sleep(0.02)
    return int(json.loads(text)["result"])


def through_the_queue(number: int, pid: int) -> Tree:
    """The trace of one request: in the web server, then in a process of the pool."""
    return (f"web {number}", [("queued", {"data": number})], [expected(number, pid)])


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Any]]]:
    """Every case, under way."""
    folder = tmp_path_factory.mktemp("celery")
    with ThreadPoolExecutor(len(CASES)) as pool:
        yield {
            name: pool.submit(work_off, folder / str(at), *case)
            for at, (name, case) in enumerate(CASES.items())
        }


@pytest.mark.parametrize("case", CASES)
def test_warm_shutdown_loses_nothing(outcomes: dict[str, Future[Any]], case: str) -> None:
    """SIGTERM to the worker whose processes are replaced after so many tasks; SIGINT to another."""
    outcome = outcomes[case].result()
    assert outcome["arrived"] == outcome["expected"]
    assert outcome["spans"] == 5 * REQUESTS
    assert outcome["processes"] >= (3 if RECYCLED in CASES[case] else 1)
