"""The end of a process, however it comes: real processes, real signals, and no span lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from receivers import Received, http_receiver

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 120  # a machine on which much else is done; a program that hangs does so for longer

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="signals and forks are those of POSIX"
)

PRELUDE = """
import os, signal, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on fork beside threads
from otelbridge import configure, start_run

def work(name):
    with start_run(name):
        pass

def ready():
    print("ready", flush=True)
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program of its own; all that were started share a spool, and end with the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(code: str, url: str, **environ: str) -> subprocess.Popen[str]:
        variables = {
            "PYTHONPATH": str(ROOT),
            "OTELBRIDGE_SPOOL": str(tmp_path / "spool"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_SERVICE_NAME": "service",
        }
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(code)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables, **environ},
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def received() -> Iterator[Received]:
    """A receiver that takes everything."""
    with http_receiver() as receiver:
        yield receiver


def is_ready(process: subprocess.Popen[str]) -> None:
    """Wait until a program says that it is."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "ready\n", process.communicate()


def ended(process: subprocess.Popen[str], status: int) -> str:
    """Wait for the end of a program, and return what it wrote to standard error."""
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == status, out + err
    return err


def replay(start: Start, received: Received) -> None:
    """Run the next process of the service, which ends no span of its own."""
    code = """
    handle = configure()
    deadline = time.monotonic() + 20
    while handle.stats().adopted == 0 or handle.stats().waiting:
        assert time.monotonic() < deadline, handle.stats()
        time.sleep(0.01)
    """
    ended(start(code, received.url), 0)


def ids(received: Received) -> set[bytes]:
    """The distinct spans that arrived."""
    return {span.span_id for span in received.spans}


TWENTY = """
configure()
for number in range(20):
    work(f"r{number}")
ready()
time.sleep(60)
"""


# ---------------------------------------------------------------------------- SIGTERM


def test_sigterm_sends_what_has_ended_and_ends_the_process_by_it(
    start: Start, received: Received
) -> None:
    """The spans arrive, and the exit status is that of a process without a handler."""
    program = start(TWENTY, received.url)
    is_ready(program)
    program.terminate()
    assert ended(program, -signal.SIGTERM) == ""
    assert len(received.spans) == len(ids(received)) == 20


def test_sigterm_while_the_receiver_is_away_keeps_spans_for_the_next_process(
    start: Start, received: Received, refused: str
) -> None:
    """It ends soon; one line says that they wait, and the next process sends them."""
    program = start(TWENTY, refused)
    is_ready(program)
    began = time.monotonic()
    program.terminate()
    said = ended(program, -signal.SIGTERM)
    assert time.monotonic() - began < 9
    assert "has not sent 20 spans" in said
    replay(start, received)
    assert len(received.spans) == len(ids(received)) == 20


@pytest.mark.parametrize("first", ["handler", "configure"])
def test_handler_of_the_application_is_left_alone(
    start: Start, received: Received, first: str
) -> None:
    """Set before or after us it is the one that runs; its sys.exit reaches our exit handler."""
    steps = {
        "handler": "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))",
        "configure": "configure()",
    }
    order = [first, *(step for step in steps if step != first)]
    code = "\n".join([*(steps[step] for step in order), "work('a')", "ready()", "time.sleep(60)"])
    program = start(code, received.url)
    is_ready(program)
    program.terminate()
    assert ended(program, 3) == ""
    assert received.names == ["a"]


def test_sigterm_can_be_left_alone(start: Start, refused: str) -> None:
    """By variable and by argument; from another thread it is; and shutdown gives it back."""
    code = """
    default = lambda: signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with configure(console=True):
        assert not default()
    assert default()
    with configure(stop_on_sigterm=False):
        assert default()
    os.environ["OTELBRIDGE_SIGTERM"] = "false"
    with configure(console=True):
        assert default()
    del os.environ["OTELBRIDGE_SIGTERM"]
    os.environ["OTEL_TRACES_EXPORTER"] = "console"
    with configure():
        assert default()
    del os.environ["OTEL_TRACES_EXPORTER"]
    thread = threading.Thread(target=configure)
    thread.start()
    thread.join()
    assert default()
    """
    ended(start(code, refused), 0)


@pytest.mark.parametrize("durable", ["false", "true"])
@pytest.mark.parametrize("after_s", [0.0, 0.1])
def test_sigterm_at_any_moment_loses_no_span(
    start: Start, received: Received, durable: str, after_s: float
) -> None:
    """Also between any two instructions of a thread that ends spans as fast as it can."""
    code = """
    configure()
    ready()
    while True:
        work("r")
        os.write(2, b"#")
    """
    variables = {"OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4"}
    # Not measured: coverage takes a lock at every call, which the signal may find held.
    variables["COVERAGE_PROCESS_CONFIG"] = ""
    program = start(code, received.url, OTELBRIDGE_DURABLE=durable, **variables)
    is_ready(program)
    time.sleep(after_s)
    program.terminate()
    began = time.monotonic()
    told = ended(program, -signal.SIGTERM)
    assert time.monotonic() - began < 9.5
    if " on disk for the next" in told:
        replay(start, received)
    assert told.count("#") <= len(ids(received)) <= told.count("#") + 1


@pytest.mark.parametrize(
    "waiting", ["handle.flush(60)", "handle.shutdown()", "asyncio.run(asyncio.sleep(60))"]
)
def test_sigterm_while_the_main_thread_waits(start: Start, silent: str, waiting: str) -> None:
    """For a receiver that never answers, or for anything else: it ends the process in time."""
    code = f"""
    import asyncio
    from otelbridge.export import pipeline, stop
    pipeline.STOP_S, stop.GRACE_S = 0.5, 1.0
    handle = configure()
    work("a")
    ready()
    {waiting}
    """
    program = start(code, silent)
    is_ready(program)
    time.sleep(0.2)
    began = time.monotonic()
    program.terminate()
    assert "has not sent 1 span to" in ended(program, -signal.SIGTERM)
    assert time.monotonic() - began < 30


def test_sigterm_inside_a_lock_of_ours_waits_for_its_end(start: Start, received: Received) -> None:
    """Then everything is sent; a second signal would not wait."""
    code = """
    from otelbridge.export._shield import Shield
    configure()
    work("a")
    ready()
    with Shield():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
        if AGAIN:
            os.kill(os.getpid(), signal.SIGTERM)
        os.write(2, b"still here")
    time.sleep(5)
    os.write(2, b"never here")
    """
    once = start(code.replace("AGAIN", "False"), received.url)
    assert ended(once, -signal.SIGTERM) == "still here"
    assert received.names == ["a"]
    twice = start(code.replace("AGAIN", "True"), received.url)
    assert ended(twice, -signal.SIGTERM) == ""


@pytest.mark.parametrize("call", ["handle.flush()", "handle.shutdown()", "handle.stats()"])
def test_handler_of_the_application_may_use_the_handle(
    start: Start, received: Received, call: str
) -> None:
    """Also where it interrupts its own thread in a lock of ours: nothing waits for itself."""
    code = """
    from otelbridge.export._shield import Shield
    handle = configure()
    def on_term(*_):
        CALL
        sys.exit(3)
    signal.signal(signal.SIGTERM, on_term)
    work("a")
    with handle._accounted[0]._account.lock:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    """
    ended(start(code.replace("CALL", call), received.url), 3)
    assert received.names == ["a"]


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_signal_that_a_program_has_handled_and_raises_again(
    start: Start, received: Received, number: str
) -> None:
    """As uvicorn does: its own handler, a tidy end, the default action, and the signal itself."""
    code = f"""
    told = []
    signal.signal(signal.{number}, lambda *_: told.append(1))
    configure()
    work("a")
    os.kill(os.getpid(), signal.{number})
    assert told == [1]
    signal.signal(signal.{number}, signal.SIG_DFL)
    signal.raise_signal(signal.{number})
    """
    assert ended(start(code, received.url), -signal.Signals[number]) == ""
    assert received.names == ["a"]


def test_raising_of_signals_is_as_it_was_after_shutdown(start: Start, refused: str) -> None:
    """While the set-up is in force, other signals and handlers are raised as ever."""
    code = """
    original = signal.raise_signal
    assert configure(stop_on_sigterm=False) and signal.raise_signal is original
    with configure(headers={"a": "b"}):
        assert signal.raise_signal is not original
        told = []
        for number in (signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, lambda *them: told.append(them[0]))
            signal.raise_signal(number)
        assert told == [signal.SIGUSR1, signal.SIGTERM]
    assert signal.raise_signal is original
    """
    ended(start(code, refused), 0)


# ---------------------------------------------------------------------------- other ends


# A shell starts what it leaves in the background with SIGINT ignored, and these tests may be there.
_CTRL_C = """
signal.signal(signal.SIGINT, signal.default_int_handler)
os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.parametrize(
    ("how", "status"),
    [("sys.exit(3)", 3), ("raise SystemError", 1), (_CTRL_C, -2)],
)
def test_exit_handlers_send_what_has_ended(
    start: Start, received: Received, how: str, status: int
) -> None:
    """At sys.exit, after an exception, and when a person presses Ctrl-C."""
    ended(start(f"configure()\nwork('a')\n{how}\ntime.sleep(10)", received.url), status)
    assert received.names == ["a"]


@pytest.mark.parametrize(
    ("how", "up"), [("os._exit(9)", True), ("os.kill(os.getpid(), signal.SIGKILL)", False)]
)
def test_durable_loses_nothing_without_any_handler(
    start: Start, received: Received, refused: str, how: str, up: bool
) -> None:
    """The next process of the service sends what a process that just stopped has left."""
    code = f"""
    configure(durable=True)
    for number in range(700):
        work(f"r{{number}}")
    {how}
    """
    program = start(code, received.url if up else refused)
    program.communicate(timeout=PATIENCE_S)
    assert program.returncode in (9, -signal.SIGKILL)
    replay(start, received)
    assert len(ids(received)) == 700
    assert len(received.spans) - 700 <= 512 * up  # of the one request that was not yet struck off


@pytest.mark.parametrize("up", [True, False])
def test_last_moment_of_a_child_still_sends(
    start: Start, received: Received, refused: str, up: bool
) -> None:
    """Where Python starts no thread any more, calls send by themselves, or keep on disk."""
    code = """
    import atexit
    configure()
    pid = os.fork()
    if pid == 0:
        atexit.register(work, "late")
        sys.exit(0)
    os.waitpid(pid, 0)
    """
    told = ended(start(code, received.url if up else refused), 0)
    if up:
        assert told == ""
    else:
        assert "it waits on disk" in told
        replay(start, received)
    assert received.names == ["late"]


# ---------------------------------------------------------------------------- children


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_send_what_they_end(
    start: Start, received: Received, tmp_path: Path, method: str
) -> None:
    """They run no exit handler when they are forked; all arrives, once."""
    module = tmp_path / "children.py"
    module.write_text(
        PRELUDE
        + textwrap.dedent(
            f"""
            import multiprocessing

            def task(name):
                configure()
                work(name)

            if __name__ == "__main__":
                configure()
                work("before")
                context = multiprocessing.get_context({method!r})
                children = [context.Process(target=task, args=(name,)) for name in "abc"]
                for child in children:
                    child.start()
                for child in children:
                    child.join()
                    assert child.exitcode == 0
                work("after")
            """
        ),
        "utf-8",
    )
    code = f"""
    import runpy
    sys.argv = [{str(module)!r}]
    sys.path.insert(0, {str(tmp_path)!r})
    runpy.run_path({str(module)!r}, run_name="__main__")
    """
    if method == "fork":
        program = start(code, received.url)
    else:
        program = start(
            f"os.execv(sys.executable, [sys.executable, {str(module)!r}])", received.url
        )
    assert ended(program, 0) == ""
    assert sorted(received.names) == ["a", "after", "b", "before", "c"]


@pytest.mark.parametrize("first", ["set-up", "Celery"])
def test_process_of_a_pool_of_celery_sends_at_its_end(
    start: Start, received: Received, first: str
) -> None:
    """Its last word is a signal of Celery's; then it is gone. The parent sends its own."""
    steps = ["configure()", "from celery import signals"]
    code = (
        "; ".join(steps if first == "set-up" else steps[::-1])
        + """
work("before")
pid = os.fork()
if pid == 0:
    work("child")
    signals.worker_process_shutdown.send(sender=None, pid=os.getpid(), exitcode=0)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
"""
    )
    assert ended(start(code, received.url), 0) == ""
    assert sorted(received.names) == ["before", "child"]


def test_workers_that_are_forked_after_the_set_up_start_clean(
    start: Start, received: Received
) -> None:
    """As under gunicorn: the parent's spans are the parent's; each worker sends its own.

    One returns, one is told to end by SIGTERM, one handles that itself, one forks again.
    """
    code = """
    handle = configure()
    work("before")

    def worker(number):
        assert handle.stats().ended == 0
        work(f"w{number}")
        assert handle.stats().ended == 1
        if number == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        if number == 2:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
            os.kill(os.getpid(), signal.SIGTERM)
        if number == 3:
            pid = os.fork()
            work("child" if pid == 0 else "w3 again")
            if pid:
                assert os.waitpid(pid, 0)[1] == 0
        sys.exit(0)

    pids = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            worker(number)
        pids.append(pid)
    ends = [os.waitpid(pid, 0)[1] for pid in pids]
    assert [os.waitstatus_to_exitcode(it) for it in ends] == [0, -15, 5, 0], ends
    work("after")
    """
    assert ended(start(code, received.url), 0) == ""
    expected = ["after", "before", "child", "w0", "w1", "w2", "w3", "w3 again"]
    assert sorted(received.names) == expected


def test_fork_while_threads_end_spans_and_send(start: Start, received: Received) -> None:
    """Whatever lock a thread holds at the fork, the child works; nothing is sent twice."""
    code = """
    configure()
    stop = threading.Event()
    ended = []
    def busy():
        while not stop.is_set():
            work("parent")
            ended.append(1)
            time.sleep(0.001)
    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(12):
        pid = os.fork()
        if pid == 0:
            handle = configure()
            work(f"child {number}")
            os._exit(0 if handle.flush(20) and handle.stats().sent == 1 else 1)
        assert os.waitpid(pid, 0)[1] == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert configure().flush(30)
    print(len(ended))
    """
    variables = {"OTEL_BSP_MAX_QUEUE_SIZE": "16", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8"}
    program = start(code, received.url, **variables)
    out, err = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == 0, out + err
    names = received.names
    assert len(ids(received)) == len(names)
    assert names.count("parent") == int(out)
    assert len(names) == int(out) + 12
