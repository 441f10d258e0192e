"""gunicorn and uvicorn as they are: each request's whole trace arrives, once, however they end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest
from servers import PATIENCE_S, SERVING, Server, arrived, expected, running

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="gunicorn, signals and forks are those of POSIX"
)

GUNICORN = f"gunicorn --bind fd://{{fd}} --config {SERVING / 'gunicorn_hooks.py'}".split()
SYNC = [*GUNICORN, "--worker-class", "sync", "web:wsgi"]
THREADS = [*GUNICORN, "--worker-class", "gthread", "--threads", "2", "web:wsgi"]
ASYNC = [*GUNICORN, "--worker-class", "uvicorn_worker.UvicornWorker", "web:asgi"]
UVICORN = ["uvicorn", "--fd", "{fd}", "web:asgi"]
TWO = ["--workers", "2"]
PRELOAD = ["--preload", *TWO]


def seen(count: int) -> Callable[[set[int]], bool]:
    """Whether so many processes have answered."""
    return lambda pids: len(pids) >= count


def assert_all_arrived(server: Server) -> None:
    """Every run and every event of every request, once."""
    answered = server.answered.items()
    assert arrived(server.received) == {number: expected(number, pid) for number, pid in answered}
    assert len(server.received.spans) == 4 * len(answered)


@pytest.mark.parametrize(
    ("command", "set_up", "protocol"),
    [
        ([*SYNC, *TWO], "import", "grpc"),
        ([*SYNC, *PRELOAD], "import", "http/protobuf"),
        ([*SYNC, *PRELOAD], "import worker", "grpc"),
        ([*SYNC, *PRELOAD], "worker", "http/protobuf"),
        ([*THREADS, *PRELOAD], "import", "grpc"),
        ([*ASYNC, *PRELOAD], "import", "grpc"),
        ([*ASYNC, *PRELOAD], "worker", "http/protobuf"),
        ([*ASYNC, *PRELOAD], "lifespan", "grpc"),
        ([*UVICORN, *TWO], "import", "http/protobuf"),
    ],
)
def test_sigterm_to_the_master_loses_nothing_of_its_workers(
    command: list[str], set_up: str, protocol: str, tmp_path: Path
) -> None:
    """Wherever they call ``configure()``; and the master leaves with status 0."""
    with running(command, tmp_path, set_up, protocol) as server:
        server.ask_until(seen(2))
        assert server.received.spans == []
        server.end(0)
        assert_all_arrived(server)


@pytest.mark.parametrize(
    ("set_up", "protocol"), [("import", "grpc"), ("lifespan", "http/protobuf")]
)
def test_sigterm_to_uvicorn_alone_loses_nothing(set_up: str, protocol: str, tmp_path: Path) -> None:
    """It ends by the signal, as it does without us."""
    with running(UVICORN, tmp_path, set_up, protocol) as server:
        server.ask_until(seen(1))
        server.end(-signal.SIGTERM)
        assert_all_arrived(server)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_master_that_has_sent_before_it_forks(protocol: str, tmp_path: Path) -> None:
    """Its connection stays its own; its workers, and those that follow them, make theirs."""
    command = [*SYNC, *PRELOAD, "--max-requests", "9"]
    with running(command, tmp_path, "import flush", protocol) as server:
        server.ask_until(seen(3))
        server.end(0)
        server.answered[0] = server.process.pid
        assert_all_arrived(server)


def test_workers_that_follow_others_after_some_requests(tmp_path: Path) -> None:
    """gunicorn's max_requests: each worker sends before it leaves."""
    command = [*SYNC, "--workers", "1", "--max-requests", "5"]
    with running(command, tmp_path, "import", "grpc") as server:
        server.ask_until(seen(2))
        server.end(0)
        assert_all_arrived(server)


def test_uvicorn_that_leaves_after_some_requests(tmp_path: Path) -> None:
    """Of its own accord: no signal, and status 0."""
    command = [*UVICORN, "--limit-max-requests", "5"]
    with running(command, tmp_path, "import", "http/protobuf") as server:
        server.answered = {number: int(server.ask(number)) for number in range(1, 6)}
        server.end(0, by=None)
        assert_all_arrived(server)


@pytest.mark.parametrize(
    ("command", "protocol"),
    [([*SYNC, *TWO], "grpc"), ([*ASYNC, *PRELOAD], "http/protobuf")],
)
def test_reload_by_hup(command: list[str], protocol: str, tmp_path: Path) -> None:
    """gunicorn replaces its workers one by one, and nothing of the old ones is lost."""
    with running(command, tmp_path, "import", protocol) as server:
        old = server.ask_until(seen(2))
        server.process.send_signal(signal.SIGHUP)
        server.ask_until(lambda pids: len(pids - old) >= 2, server.ask_again)
        server.end(0)
        assert_all_arrived(server)


@pytest.mark.parametrize(
    ("command", "workers"), [([*ASYNC, *PRELOAD], 2), ([*THREADS, *PRELOAD], 2), (UVICORN, 1)]
)
def test_ctrl_c_in_a_terminal(command: list[str], workers: int, tmp_path: Path) -> None:
    """SIGINT reaches the master and its workers at the same time."""
    with running(command, tmp_path, "import", "http/protobuf") as server:
        server.ask_until(seen(workers))
        server.end(0, by=signal.SIGINT)
        assert_all_arrived(server)


def test_worker_that_is_killed_in_a_long_call_loses_nothing_if_durable(tmp_path: Path) -> None:
    """gunicorn aborts it after its timeout, then kills it; the next worker sends what it left."""
    command = [*SYNC, "--workers", "1", "--timeout", "1"]
    with running(command, tmp_path, "import", "http/protobuf", OTELBRIDGE_DURABLE="true") as server:
        (doomed,) = server.ask_until(seen(1))
        with ThreadPoolExecutor(1) as pool, pytest.raises((HTTPException, OSError)):
            pool.submit(server.ask, 100, "?hang").result()
        (heir,) = server.ask_until(seen(1))
        assert heir != doomed
        server.answered[100] = doomed
        deadline = time.monotonic() + PATIENCE_S
        while 100 not in arrived(server.received):
            assert time.monotonic() < deadline, server.log()
            time.sleep(0.02)
        server.end(0)
        assert "SIGKILL" in server.log()
        answered = server.answered.items()
        assert arrived(server.received) == {it: expected(it, pid) for it, pid in answered}
