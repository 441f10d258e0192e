"""A viewer as a whole: its ports, its beginning, its end."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import otelbridge.view
from otelbridge import ConfigurationError
from otelbridge.store import Store, StoreError
from otelbridge.view import BusyPortError, Served, serve, start
from view.asking import PATIENCE_S, ask, eventually, live
from view.test_otlp_http import GOOD, PROTOBUF, names

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def ports(store: Store, **wanted: Any) -> dict[str, Any]:
    """Free ports, but for those that are wanted."""
    return {"port": 0, "otlp_http_port": 0, "otlp_grpc_port": 0, **wanted}


def test_the_public_names() -> None:
    """These and no others."""
    assert otelbridge.view.__all__ == ["BusyPortError", "Served", "Server", "serve", "start"]


def test_where_it_is(store: Store) -> None:
    """The addresses are those that can be asked, and what is not wanted has none."""
    with start(store, **ports(store)) as viewer:
        assert ask(viewer.url, "/api/menus").status == 200
        assert viewer.served.otlp_http is not None
        assert viewer.served.otlp_grpc is not None
        assert viewer.served.url == viewer.url
        addresses = {viewer.url.rstrip("/"), viewer.served.otlp_http, viewer.served.otlp_grpc}
        assert len(addresses) == 3
        assert all(it.startswith("http://127.0.0.1:") for it in addresses)
    with start(store, port=0, otlp_http_port=None, otlp_grpc_port=None) as viewer:
        assert viewer.served == Served(viewer.url, None, None)


@pytest.mark.parametrize(
    ("wanted", "purpose"),
    [
        ("port", "the viewer's page"),
        ("otlp_http_port", "OTLP over HTTP"),
        ("otlp_grpc_port", "OTLP over gRPC"),
    ],
)
def test_a_port_that_is_taken_is_said(
    store: Store, taken: int, wanted: str, purpose: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Which, who wants it, and the cure; and nothing of it is left behind."""
    before = set(threading.enumerate())
    with pytest.raises(BusyPortError) as raised:
        start(store, **ports(store, **{wanted: taken}))
    message = str(raised.value)
    assert message.startswith(
        f"Port {taken} on 127.0.0.1, wanted for {purpose}, is taken by another program. Stop that"
    )
    assert isinstance(raised.value, ConfigurationError)
    eventually(lambda: set(threading.enumerate()) <= before)
    assert capfd.readouterr() == ("", "")
    with start(store, **ports(store, **{wanted: taken}), choose_ports=True) as viewer:
        told = viewer.served
        found = {"port": told.url, "otlp_http_port": told.otlp_http}.get(wanted, told.otlp_grpc)
        assert found is not None
        assert int(found.rstrip("/").rpartition(":")[2]) != taken
        assert ask(viewer.url, "/api/menus").status == 200


@pytest.mark.parametrize("port", [-1, 65536, 10**6])
def test_a_port_that_is_none(store: Store, port: int) -> None:
    """It is said."""
    with pytest.raises(ConfigurationError, match="there is no such port"):
        start(store, **ports(store, port=port))


@pytest.mark.parametrize("host", ["192.0.2.7", "no-such-host.invalid"])
def test_a_host_that_is_not_this_machine(store: Store, host: str) -> None:
    """It is said, and so is the cure."""
    with pytest.raises(ConfigurationError, match=f"Cannot listen on {host}:0 .*address of this"):
        start(store, **ports(store, host=host, token="x"))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_loopback_by_each_of_its_names(store: Store, host: str) -> None:
    """The page's address has what a browser understands."""
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with start(store, **ports(store, host=host)) as viewer:
        assert viewer.url.startswith("http://[::1]:" if host == "::1" else f"http://{host}:")
        assert ask(viewer.url, "/api/menus").status == 200


def test_every_address_of_this_machine(store: Store) -> None:
    """The address that is printed is one that this machine reaches, with the token in it."""
    with start(store, **ports(store, host="0.0.0.0", token="a b&c")) as viewer:
        assert viewer.url.startswith("http://127.0.0.1:")
        assert viewer.url.endswith("/?token=a%20b%26c")
        assert ask(viewer.url).status == 303


def test_stopping_twice_is_stopping_once(store: Store) -> None:
    """And after it nothing listens, no thread runs, and the store is still the caller's."""
    before = set(threading.enumerate())
    with start(store, **ports(store)) as viewer:
        assert ask(viewer.url, "/api/menus").status == 200
        viewer.stop()
        viewer.stop()
    for url in (viewer.url, viewer.served.otlp_http, viewer.served.otlp_grpc):
        with pytest.raises(OSError):
            ask(str(url), "/api/menus")
    eventually(lambda: set(threading.enumerate()) <= before)
    assert store.stats().traces == 0


def test_a_request_that_is_under_way_is_answered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the store has taken is said to be taken."""
    add, begun = store.add, threading.Event()

    def slow(request: bytes) -> Any:
        begun.set()
        time.sleep(0.5)
        return add(request)

    monkeypatch.setattr(store, "add", slow)
    answers: list[int] = []
    with start(store, **ports(store)) as viewer:

        def send() -> None:
            url = f"{viewer.served.otlp_http}/v1/traces"
            answers.append(ask(url, body=GOOD, content_type=PROTOBUF).status)

        sender = threading.Thread(target=send)
        sender.start()
        begun.wait(PATIENCE_S)
    sender.join()
    assert answers == [200]
    assert names(store) == ["root", "step seen"]


def test_the_store_is_kept_within_its_bounds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a viewer that only receives, too; also after it could not be done for a while."""
    monkeypatch.setattr("otelbridge.view.server._PRUNE_S", 0.05)
    pruned: list[int] = []
    prune = store.prune

    def pruning() -> Any:
        pruned.append(len(pruned))
        if len(pruned) == 1:
            raise StoreError("it is busy")
        return prune()

    monkeypatch.setattr(store, "prune", pruning)
    with start(store, **ports(store)) as viewer:
        ask(f"{viewer.served.otlp_http}/v1/traces", body=GOOD, content_type=PROTOBUF)  # of 2001
        eventually(lambda: store.stats().traces == 0)


def test_several_viewers_of_one_store(store: Store) -> None:
    """As from two terminals."""
    with start(store, **ports(store)) as one, start(store, **ports(store)) as other:
        answer = ask(f"{one.served.otlp_http}/v1/traces", body=GOOD, content_type=PROTOBUF)
        assert answer.status == 200
        for viewer in (one, other):
            (trace,) = ask(viewer.url, "/api/traces").json["traces"]
            assert (trace["name"], trace["spans"]) == ("root", 2)


def test_the_programs_own_logging_is_left_alone(store: Store) -> None:
    """Loggers of uvicorn may be those of the program that this runs in."""
    loggers = [logging.getLogger(it) for it in ("uvicorn", "uvicorn.access", "uvicorn.error", "")]
    before = [(it.level, list(it.handlers), it.propagate) for it in loggers]
    with start(store, **ports(store)) as viewer:
        ask(viewer.url, "/api/menus")
    assert [(it.level, list(it.handlers), it.propagate) for it in loggers] == before


def test_garbage_on_the_ports(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """It gets an error at most, nothing is logged, and others are served."""
    with start(store, **ports(store)) as viewer:
        for url in (viewer.url, str(viewer.served.otlp_http)):
            for garbage in (
                b"\0" * 1000,
                b"GET\r\n\r\n",
                b"x" * 100_000,
                b"GET / HTTP/1.1\r\n\r\n",
            ):
                host, _, port = url.rstrip("/").removeprefix("http://").partition(":")
                with socket.create_connection((host, int(port)), PATIENCE_S) as raw:
                    raw.sendall(garbage)
                    raw.shutdown(socket.SHUT_WR)
                    while raw.recv(65536):
                        pass
            assert ask(url, "/nowhere").status == 404
    assert [it for it in caplog.records if it.levelno >= logging.WARNING] == []


PROGRAM = """
import sys, threading
from otelbridge.store import Store, StoreError
from otelbridge.view import serve

with Store(sys.argv[1]) as store:
    serve(
        store, port=0, otlp_http_port=0, otlp_grpc_port=0,
        ready=lambda it: print(it.url, it.otlp_http, it.otlp_grpc, flush=True),
    )
print("served", threading.active_count(), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("pages", [0, 10])
def test_serve_until_a_signal(tmp_path: Path, number: int, pages: int) -> None:
    """It returns then, soon, however many pages are live; what was received is there."""
    path = tmp_path / "traces.db"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        url, http, _ = process.stdout.readline().split()
        streams = [live(url) for _ in range(pages)]
        for stream in streams:
            stream.__enter__().next("ping")
        assert ask(f"{http}/v1/traces", body=GOOD, content_type=PROTOBUF).status == 200
        begin = time.monotonic()
        process.send_signal(number)
        out, _ = process.communicate(timeout=PATIENCE_S)
        assert time.monotonic() - begin < 5
        for stream in streams:
            stream.__exit__(None, None, None)
        assert (process.returncode, out) == (0, "served 1\n")
    finally:
        process.kill()
        process.wait()
    with Store(path) as store:
        assert names(store) == ["root", "step seen"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_serve_opens_the_page_and_puts_signals_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal that comes while it starts ends it too."""
    opened: list[str] = []
    monkeypatch.setattr("otelbridge.view.server.webbrowser.open", opened.append)
    before = [signal.getsignal(it) for it in (signal.SIGINT, signal.SIGTERM)]
    told: list[Served] = []

    def ready(served: Served) -> None:
        told.append(served)
        os.kill(os.getpid(), signal.SIGTERM)

    serve(store, **ports(store), open_browser=True, ready=ready)
    assert opened == [told[0].url]
    assert [signal.getsignal(it) for it in (signal.SIGINT, signal.SIGTERM)] == before
