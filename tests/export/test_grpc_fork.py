"""Forks of a process that sends over gRPC, at any moment."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections import defaultdict
from itertools import groupby
from pathlib import Path

import grpc
import pytest
from answering import HOST, grpc_server, socket_server
from peers import names_in


def run(program: str, *arguments: str, timeout_s: float = 30, **environ: str) -> list[str]:
    """Run a program in a process of its own; return the words that it says."""
    inherited = {k: v for k, v in os.environ.items() if k != "GRPC_ENABLE_FORK_SUPPORT"}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        env=inherited | environ,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


FORK = """
import os, sys
from otelbridge.export import official
from otelbridge.export.otlp import Target

sender = official.channel(Target(sys.argv[1], "grpc", insecure=True, timeout_s=5))
if sys.argv[2] == "used":
    print(type(sender.send(b"")).__name__, flush=True)
if (child := os.fork()) == 0:
    print(type(sender.send(b"")).__name__, flush=True)
    sender.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(type(sender.send(b"")).__name__, flush=True)
"""


@pytest.mark.parametrize(
    ("state", "support", "said"),
    [
        ("unused", None, ["Delivered"] * 2),
        ("used", None, ["Delivered"] * 3),
        ("unused", "0", ["Delivered"] * 2),
        ("used", "0", ["Delivered", "Blocked", "Delivered"]),
    ],
)
def test_forked_child_sends_or_says_why_not(
    state: str, support: str | None, said: list[str]
) -> None:
    """A child makes its own channel; where gRPC would hang or abort in it, nothing is called."""
    environ = {"GRPC_ENABLE_FORK_SUPPORT": support} if support else {}
    with grpc_server() as calls:
        assert run(FORK, calls.url, state, **environ) == said


BUSY_FORK = """
import os, sys, threading, time
from otelbridge.export import official
from otelbridge.export.otlp import Target

def channel(url):
    return official.channel(Target(url, "grpc", insecure=True, timeout_s=10))

sender, held = channel(sys.argv[1]), channel(sys.argv[2])
thread = threading.Thread(target=held.send, args=(b"",))
thread.start()
time.sleep(0.3)
began = time.monotonic()
if (child := os.fork()) == 0:
    print(type(sender.send(b"")).__name__, flush=True)
    os._exit(0)
print("quick" if time.monotonic() - began < 2 else "slow", flush=True)
assert os.waitpid(child, 0)[1] == 0
held.close()
thread.join()
"""


def silent(connection: socket.socket) -> None:
    """A receiver that says nothing."""
    time.sleep(30)


def test_fork_while_a_request_is_under_way() -> None:
    """The fork is not held up for long, and the child sends."""
    with grpc_server() as calls, socket_server(silent) as port:
        said = run(BUSY_FORK, calls.url, f"http://{HOST}:{port}")
    assert sorted(said) == ["Delivered", "quick"]


CUT = """
import os, sys, threading, time
from otelbridge.export import official
from otelbridge.export.otlp import Target

sender = official.channel(Target(sys.argv[1], "grpc", insecure=True, timeout_s=20))
said = []
thread = threading.Thread(target=lambda: said.append(sender.send(b"")))
thread.start()
time.sleep(0.3)
if os.fork() == 0:
    os._exit(0)
os.wait()
thread.join()
print(type(*said).__name__)
"""


def test_request_that_a_fork_cuts_is_sent_again_at_once() -> None:
    """It is no failure of the receiver's: nothing is logged, and nothing backs off."""

    def serve(asked: grpc.ServicerContext) -> bytes:
        while len(calls.messages) < 2 and asked.is_active():
            time.sleep(0.01)
        return b""

    with grpc_server(serve) as calls:
        assert run(CUT, calls.url) == ["Delivered"]
    assert len(calls.messages) == 2


# Each child ends 20 spans, while two threads of the parent never stop ending theirs. A child that
# hangs is killed after ten seconds.
STRESS = """
import os, signal, sys, threading, time
from opentelemetry import trace
import otelbridge

url, folder, way, forks = *sys.argv[1:4], int(sys.argv[4])
handle = otelbridge.configure(endpoint=url, protocol="grpc", spool=folder, service_name="parent")
tracer = trace.get_tracer("stress")
stop, ended, took, hung = threading.Event(), [0, 0], [], []


def load(which):
    while not stop.is_set():
        tracer.start_span(f"parent-{which}-{ended[which]}").end()
        ended[which] += 1
        time.sleep(0.0005)


def fork(number):
    began = time.monotonic()
    child = os.fork()
    if not child:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for n in range(20):
            tracer.start_span(f"child{number}-{n}").end()
        # What it had of the parent's would be counted too, were it sent.
        os._exit(0 if handle.flush(8) and handle.stats().sent == 20 else 1)
    took.append(time.monotonic() - began)
    until = time.monotonic() + 10
    while not (ended_as := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    if ended_as[1]:
        hung.append(number)


def fork_all():
    for number in range(forks):
        fork(number)


threads = [threading.Thread(target=load, args=(which,)) for which in (0, 1)]
for thread in threads:
    thread.start()
time.sleep(0.3)
if way == "main":
    fork_all()
elif way == "thread":
    other = threading.Thread(target=fork_all)
    other.start()
    other.join()
else:
    signal.signal(signal.SIGALRM, lambda *_: fork(len(took)))
    while len(took) < forks:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            handle.flush(0.01)
stop.set()
for thread in threads:
    thread.join()
print(handle.flush(20), *ended, len(hung), sorted(took)[forks // 2] < 0.1)
"""


@pytest.mark.parametrize(("way", "forks"), [("main", 50), ("thread", 20), ("signal handler", 20)])
def test_forks_under_load_hang_nobody_and_lose_nothing(
    tmp_path: Path, way: str, forks: int
) -> None:
    """Every span arrives, the parent's by the parent alone; a fork takes tens of milliseconds."""
    chance = random.Random(1)

    def serve(asked: grpc.ServicerContext) -> bytes:
        time.sleep(chance.random() * 0.1)
        return b""

    with grpc_server(serve) as calls:
        said = run(
            STRESS, calls.url, str(tmp_path), way, str(forks),
            timeout_s=300, OTEL_BSP_SCHEDULE_DELAY="200",
            COVERAGE_PROCESS_CONFIG="",  # its lock may be held at a fork
        )  # fmt: skip
    flushed, first, second, hung, quick = said
    assert (flushed, hung, quick) == ("True", "0", "True")
    owners = defaultdict(list)
    arrived = set()
    for peer, message in zip(calls.peers, calls.messages):
        arrived.update(names_in(message))
        owners[peer] += (name.partition("-")[0] for name in names_in(message))
    parents = {
        f"parent-{which}-{n}" for which in (0, 1) for n in range(int((first, second)[which]))
    }
    assert arrived == parents | {f"child{c}-{n}" for c in range(forks) for n in range(20)}
    # A port may be used again by another process, but not by two in turn.
    for found in owners.values():
        in_turn = [owner for owner, _ in groupby(found)]
        assert len(in_turn) == len(set(in_turn))
