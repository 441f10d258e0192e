"""The live tree of ``otelbridge run``: drawn below the program's output, gone when it is over."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import COMMAND, LIMIT_S, environment, terminal

from otelbridge.store import Store
from otelbridge.store.records import Filter

PIPELINE = """
import sys, time
from pathlib import Path
from otelbridge import RunnableLambda, dispatch_custom_event

go = Path(sys.argv[1])

def wait(name):
    while not (go / name).exists():
        time.sleep(0.02)

def load(n):
    print("loading", flush=True)
    dispatch_custom_event("load", {"completed": 3, "total": 10})
    dispatch_custom_event("opened \\x1b[2J", {"file": "a"})
    wait("one")
    dispatch_custom_event("load", {"completed": 10, "total": 10})
    return n

def answer(n):
    name = input("name? ")
    wait("two")
    print("hello", name)
    raise ValueError("bad \\x1b[31m")

(RunnableLambda(load) | RunnableLambda(answer)).with_config(run_name="pipeline").invoke(1)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A program that waits for files ``one`` and ``two`` beside it."""
    path = tmp_path / "pipeline.py"
    path.write_text(PIPELINE)
    return path


def masked(text: str) -> str:
    """Without times, spinner and ids."""
    text = re.sub(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", "*", text)
    text = re.sub(r"\b\d+(\.\d+)? (µs|ms|s)\b", "T", text)
    return re.sub(r"show [0-9a-f]{8}", "show ID", text)


def test_live_tree_grows_below_what_the_program_prints(script: Path, tmp_path: Path) -> None:
    """Runs, progress and newest events are drawn; prompts and output stand as without it."""
    store = tmp_path / "traces.db"
    with terminal("run", str(script), str(tmp_path), store=store, size=(60, 120)) as screen:
        screen.until(lambda it: "3 of 10" in it.text and "opened" in it.text)
        assert masked(screen.text) == (
            "loading\n\n* pipeline  T\n  * load  T  ━━━━━━────────────── 3 of 10  · opened \\x1b[2J"
        )
        assert screen.cursor == (1, 0)
        (tmp_path / "one").touch()
        screen.until(lambda it: "name?" in it.text and "answer" in it.text)
        assert masked(screen.text) == (
            "loading\nname?\n* pipeline  T\n"
            "  ✓ load  T  ━━━━━━━━━━━━━━━━━━━━ 10 of 10\n  * answer  T"
        )
        assert screen.cursor == (1, 6)
        screen.child.send("Ada\r")
        (tmp_path / "two").touch()
        assert screen.end() == 1
    shown = masked(screen.text)
    assert shown.startswith("loading\nname? Ada\nhello Ada\n")
    assert "File " in shown
    assert "otelbridge/cli" not in shown
    assert "  ✓ load  T  ━━━━━━━━━━━━━━━━━━━━ 10 of 10\n" in shown
    assert "  ✗ answer  T  ValueError: bad \\x1b[31m\n" in shown
    assert shown.endswith(
        "otelbridge: 1 trace is in the store. Look: otelbridge show ID, or otelbridge view"
    )
    with Store(store) as held:
        (trace,) = held.traces(Filter())
    assert (trace.name, trace.service, trace.errors) == ("pipeline", "pipeline", 2)


@pytest.mark.parametrize("words", [["--quiet"], []], ids=["quiet", "piped"])
def test_nothing_is_drawn_when_quiet_or_piped(
    words: list[str], script: Path, tmp_path: Path
) -> None:
    """What the program prints is all that there is."""
    (tmp_path / "one").touch()
    (tmp_path / "two").touch()
    store = tmp_path / "traces.db"
    if words:
        with terminal("run", *words, str(script), str(tmp_path), store=store) as screen:
            screen.shows("name?").child.send("Ada\r")
            assert screen.end() == 1
        assert screen.lines[:3] == ["loading", "name? Ada", "hello Ada"]
        assert b"\x1b[J" not in screen.raw
        return
    ran = subprocess.run(
        [*COMMAND, "run", script, tmp_path],
        input="Ada\n",
        capture_output=True,
        text=True,
        env=environment(store),
        timeout=LIMIT_S,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "loading\nname? hello Ada\n")
    assert ran.stderr.startswith("Traceback (most recent call last):\n")
    assert "otelbridge:" not in ran.stderr


@pytest.mark.parametrize("end", ["os._exit(9)", "os.kill(os.getpid(), 9)"], ids=["exit", "kill"])
def test_a_program_that_ends_at_once_leaves_the_terminal_in_order(end: str, tmp_path: Path) -> None:
    """The cursor is shown, and stands where the program left it."""
    script = tmp_path / "ends.py"
    script.write_text(
        "import os, time\nfrom otelbridge import start_run\n"
        "with start_run('work'):\n    print('begun')\n"
        f"    while not os.path.exists('go'): time.sleep(0.02)\n    {end}\n"
    )
    store = tmp_path / "traces.db"
    with terminal("run", str(script), store=store, size=(12, 60), cwd=tmp_path) as screen:
        screen.shows("work")
        (tmp_path / "go").touch()
        assert screen.end() == (9 if "exit" in end else -9)
    assert screen.lines[0] == "begun"
    assert screen.cursor == (1, 0)
    assert b"\x1b[?25l" not in screen.raw
    assert b"\x1b[r" not in screen.raw
    assert masked(screen.lines[2]) == "* work  T"


def test_what_children_and_buffers_write_is_kept(tmp_path: Path) -> None:
    """Output past ``sys.stdout`` appears whole, in order."""
    script = tmp_path / "writes.py"
    script.write_text(
        "import os, subprocess, sys, time\nfrom otelbridge import start_run\n"
        "with start_run('work'):\n"
        "    for number in range(3):\n"
        "        time.sleep(0.3)\n"
        "        subprocess.run(['echo', f'child {number}'])\n"
        "        sys.stdout.buffer.write(b'bytes\\n'); sys.stdout.flush()\n"
        "        os.write(1, b'straight\\n')\n"
        "        print('error', file=sys.stderr)\n"
    )
    with terminal("run", str(script), store=tmp_path / "traces.db", size=(24, 60)) as screen:
        assert screen.end() == 0
    said = [line.split("  ")[0] for line in screen.lines]
    each = ["bytes", "straight", "error"]
    assert said[:12] == ["child 0", *each, "child 1", *each, "child 2", *each]


def test_langchain_is_traced_without_a_line_of_code(tmp_path: Path) -> None:
    """A program that knows nothing of otelbridge has its runs in the store."""
    script = tmp_path / "chain.py"
    script.write_text(
        "from langchain_core.runnables import RunnableLambda\n"
        "from langchain_core.callbacks import dispatch_custom_event\n"
        "def step(x):\n    dispatch_custom_event('noted', {'x': x})\n    return x + 1\n"
        "print(RunnableLambda(step).with_config(run_name='theirs').invoke(1))\n"
    )
    store = tmp_path / "traces.db"
    ran = subprocess.run(
        [*COMMAND, "run", script], capture_output=True, env=environment(store), check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"2\n", b"")
    with Store(store) as held:
        (trace,) = held.traces(Filter(event="noted"))
    assert (trace.name, trace.service) == ("theirs", "chain")


def test_a_setting_that_cannot_be_used_is_said_before_the_program_begins(tmp_path: Path) -> None:
    """Status 2, one line, and nothing of the program."""
    script = tmp_path / "program.py"
    script.write_text("print('begun')")
    ran = subprocess.run(
        [sys.executable, "-m", "otelbridge.cli", "run", script],
        capture_output=True,
        text=True,
        env=environment(
            tmp_path / "traces.db",
            OTEL_BSP_MAX_QUEUE_SIZE="-1",
            OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        ),
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("otelbridge run: OTEL_BSP_MAX_QUEUE_SIZE='-1' cannot be used")
    assert ran.stderr.count("\n") == 1
