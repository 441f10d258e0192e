"""``otelbridge run``: a program is what it is under ``python``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
from commands import COMMAND, LIMIT_S, environment

PROGRAMS = {
    "its argv, path, name and globals": """
        import sys, __main__
        print(sys.argv, sys.path[0], __name__, __file__, __main__.__file__)
        print(sorted(globals()), __main__.__dict__ is globals(), __spec__, __package__)
        print(type(__loader__).__name__, __builtins__.__name__, __doc__)
    """,
    "its standard input": """
        import sys
        print(input("name? "), sys.stdin.read().upper())
    """,
    "bytes on standard output": """
        import os, sys
        sys.stdout.buffer.write(b"\\xff\\x00raw"); sys.stdout.flush(); os.write(1, b"more")
    """,
    "an exit status": "raise SystemExit(41)",
    "an exit with a message": "import sys; sys.exit('went wrong')",
    "no exit status": "import sys; sys.exit()",
    "an exit past everything": "import os; print('seen', flush=True); os._exit(17)",
    "an exception": """
        def inner():
            raise KeyError("lost")
        def outer():
            try:
                inner()
            except KeyError as error:
                raise ValueError("bad") from error
        outer()
    """,
    "an exception at import": "import json\nfrom json import nothing_of_that_name",
    "a mistake in its syntax": "print('begun')\ndef broken(:\n",
    "an exception hook of its own": """
        import sys
        sys.excepthook = lambda kind, error, traceback: print("caught", error, traceback.tb_lineno)
        raise RuntimeError("x")
    """,
    "an exception in a thread": """
        import threading
        def fail(): raise ValueError("in a thread")
        threading.Thread(target=fail, name="t").start()
    """,
    "a thread that outlives its main": """
        import threading, time
        def late(): time.sleep(0.5); print("late")
        threading.Thread(target=late).start()
        print("main ends")
    """,
    "functions to call at its end": """
        import atexit
        total = 3
        @atexit.register
        def last(): print("last", total, __name__)
    """,
    "modules beside it": "import beside; print(beside.VALUE)",
    "workers of its own": """
        import multiprocessing
        def double(number): return 2 * number
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(double, [1, 2]))
    """,
    "pickles of its classes": """
        import pickle
        class Thing: pass
        print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)
    """,
    "a kill by itself": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "an end by SIGTERM": "import os, signal, time; signal.raise_signal(signal.SIGTERM)",
    "an interrupt": "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('no')",
    "a signal handler": """
        import os, signal
        signal.signal(signal.SIGTERM, lambda *_: print("taken"))
        os.kill(os.getpid(), signal.SIGTERM)
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    """,
    "a warning": "import warnings; warnings.warn('beware', stacklevel=1)",
    "another encoding": "# coding: latin-1\nprint(ascii('caf\xe9'))",
}


def outcome(words: list[str], folder: Path, given: str = "Ada\nrest") -> dict[str, object]:
    """What a program gave: exit status and both outputs, as bytes."""
    ran = subprocess.run(
        words,
        input=given.encode(),
        capture_output=True,
        cwd=folder,
        env=environment(folder / "store" / "traces.db"),
        timeout=LIMIT_S,
        check=False,
    )
    return {"code": ran.returncode, "out": ran.stdout, "err": ran.stderr}


@pytest.mark.parametrize("what", PROGRAMS)
def test_program_is_what_it_is_under_python(what: str, tmp_path: Path) -> None:
    """Exit status, both outputs and the traceback are those of ``python program.py``."""
    source = textwrap.dedent(PROGRAMS[what])
    (tmp_path / "program.py").write_bytes(source.encode("latin-1"))
    (tmp_path / "beside.py").write_text("VALUE = 'from beside'\n")
    words = ["program.py", "--flag", "-m", "--", "--help"]
    plain = outcome([sys.executable, *words], tmp_path)
    assert outcome([*COMMAND, "run", *words], tmp_path) == plain


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "package.module", "-x", "--help"],
        ["-m", "package", "1"],
        ["-m", "package.nothing"],
        ["-m", "nothing"],
        ["-m", "json"],
        ["folder", "1"],
        ["archive.zip", "1"],
        ["sub/linked.py"],
        ["broken.py"],
    ],
    ids=" ".join,
)
def test_modules_folders_and_archives_are_what_they_are_under_python(
    words: list[str], tmp_path: Path
) -> None:
    """``-m``, a folder or zip file with a ``__main__`` and a linked script run as Python has it."""
    show = (
        "import sys; print(__name__, __file__, sys.argv, sys.path[0], __spec__ and __spec__.name)"
    )
    for name in ("package/__init__.py", "package/__main__.py", "package/module.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(show + "\n" if "__init__" not in name else "")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text(show)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", show)
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "script.py").write_text(show)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "linked.py").symlink_to(tmp_path / "real" / "script.py")
    (tmp_path / "broken.py").write_text("import sys\n1 / 0\n")
    plain = outcome([sys.executable, *words], tmp_path)
    assert outcome([*COMMAND, "run", *words], tmp_path) == plain


def test_two_dashes_end_the_options(tmp_path: Path) -> None:
    """``--`` before the script is ours, after it the script's."""
    (tmp_path / "-odd.py").write_text("import sys; print(sys.argv)")
    ran = outcome([*COMMAND, "run", "-q", "--", "-odd.py", "--", "-q"], tmp_path)
    assert ran == {"code": 0, "out": b"['-odd.py', '--', '-q']\n", "err": b""}


def test_a_missing_script_is_said(tmp_path: Path) -> None:
    """What cannot be opened ends with status 2 and says the path, as Python does."""
    ran = outcome([*COMMAND, "run", "missing.py"], tmp_path)
    said = f"can't open file '{tmp_path}/missing.py': [Errno 2] No such file or directory"
    assert (ran["code"], ran["out"]) == (2, b"")
    assert said in str(ran["err"], "utf-8")  # type: ignore[call-overload]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_from_outside_ends_it_as_it_ends_python(
    number: signal.Signals, tmp_path: Path
) -> None:
    """The status that the parent sees is that of the signal."""
    (tmp_path / "wait.py").write_text(
        "import time\ntry:\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "finally:\n    print('cleaned up', flush=True)\n"
    )
    codes = []
    for command in ([sys.executable], [*COMMAND, "run"]):
        with subprocess.Popen(
            [*command, "wait.py"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
            env=environment(tmp_path / "traces.db"),
            preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # nohup has it ignored
        ) as ran:
            assert ran.stdout is not None
            assert ran.stdout.readline() == b"ready\n"
            os.kill(ran.pid, number)
            codes.append((ran.stdout.read(), ran.wait(LIMIT_S)))
    assert codes[0] == codes[1]
    assert codes[0][1] == -number
