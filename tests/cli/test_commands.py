"""The commands that read and tend the store: in a terminal, a pipe, and as JSON."""

from __future__ import annotations

import gzip
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from commands import COMMAND, LIMIT_S, environment, piped, terminal
from traces import CHECKOUT, HOSTILE, INDEX, lines

from otelbridge import __version__, demo
from otelbridge.store import Store
from otelbridge.store.records import Filter

COMMANDS = (
    *("demo", "run", "list", "show", "tail", "search"),
    *("view", "export", "import", "prune", "doctor"),
)
SHOWN = r"\u202eevil\x1b[2J\x1b]0;title\x07"
LIST = f"""\
TRACE     STARTED                  TOOK  STATE  SPANS  EVENTS  ERRORS  SERVICE{" " * 28}NAME
2c2c2c2c  2026-11-23 12:02:00    1.0 ms  error      1       1       1  {SHOWN}  {SHOWN}
2b2b2b2b  2026-11-23 12:01:00  250.0 ms  ok         2       1       1  shop{" " * 31}checkout
1a1a1a1a  2026-11-23 12:00:00    2.50 s  ok         2       3       0  library{" " * 28}index
"""
TREE = f"""\
index  ok 2.50 s  2026-11-23 12:00:00  library
trace {INDEX}  2 spans, 3 events
     0 µs    2.50 s  index [chain]
 100.0 ms    1.50 s  └─ load [chain]
 500.0 ms                 · progress  completed=1  total=2
   1.50 s                 · progress  completed=2  total=2
   1.55 s                 · file_skipped  file='a.bin'
"""
FAILED = f"""\
checkout  ok 250.0 ms  2026-11-23 12:01:00  shop
trace {CHECKOUT}  2 spans, 1 event, 1 error
     0 µs  250.0 ms  checkout
  10.0 ms  190.0 ms  └─ pay  ✗ ValueError: card 17
"""


# ---------------------------------------------------------------------------- list and show


def test_list_in_a_pipe_is_whole_and_plain(filled: Path) -> None:
    """Every column is as wide as what stands in it; nothing is cut, coloured or interpreted."""
    ran = piped("list", store=filled)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, LIST, "")


def test_list_in_a_terminal_fits_it(filled: Path) -> None:
    """The last columns give way, and what could steer the terminal is written out."""
    with terminal("list", store=filled, size=(10, 92)) as screen:
        assert screen.end() == 0
    assert [line[:71] for line in screen.lines] == [line[:71] for line in LIST.splitlines()]
    assert [line[71:] for line in screen.lines] == [
        "SERVICE    NAME",
        "\\u202eev…  \\u202eevi…",
        "shop       checkout",
        "library    index",
    ]
    assert b"\x1b[36m" in screen.raw
    assert b"title" not in screen.raw


def test_colours_are_off_for_no_color(filled: Path) -> None:
    """NO_COLOR leaves the text alone."""
    for words in (["list"], ["show", "2b"], ["doctor"], ["search", "card"]):
        with terminal(*words, store=filled, NO_COLOR="1") as screen:
            screen.end()
        assert b"\x1b" not in screen.raw


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--status", "error"], [SHOWN]),
        (["--service", "library"], ["index"]),
        (["--event", "progress"], ["index"]),
        (["--name", "pay"], ["checkout"]),
        (["--tag", "night"], ["index"]),
        (["--metadata", "user=ada"], []),
        (["--min-duration", "200ms"], ["checkout", "index"]),
        (["--since", "2026-11-23T12:00:30Z", "--until", "2026-11-23T12:01:30"], ["checkout"]),
        (["--until", "52w"], []),
        (["--limit", "1"], [SHOWN]),
        (["--before", "2b"], ["index"]),
        (["--state", "running"], []),
    ],
    ids=" ".join,
)
def test_list_takes_filters(options: list[str], names: list[str], filled: Path) -> None:
    """Each option narrows the list; a list without a trace is no error."""
    ran = piped("list", *options, store=filled)
    assert ran.returncode == 0, ran.stderr
    assert [line.split()[-1] for line in ran.stdout.splitlines()[1:]] == names
    if not names:
        assert ran.stdout == "No trace fits. Leave some options out, or see otelbridge list.\n"


def test_filters_take_any_time(filled: Path) -> None:
    """Also such as no trace can have."""
    for options, there in (
        (["--since", "9999-12-31"], False),
        (["--since", "9" * 400 + "d"], True),
        (["--until", "9999-12-31"], True),
        (["--min-duration", "9" * 400 + "d"], False),
    ):
        ran = piped("list", *options, store=filled)
        assert (ran.returncode, ran.stdout == LIST, ran.stderr) == (0, there, "")
    ran = piped("prune", "--max-age", "9" * 400 + "d", store=filled)
    assert (ran.returncode, ran.stdout) == (0, "0 traces (0 spans) deleted, 0 bytes freed.\n")


def test_list_as_json_is_a_line_for_each_trace(filled: Path) -> None:
    """Times are strings, for readers that round large numbers."""
    ran = piped("list", "--json", store=filled)
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [it["trace_id"] for it in found] == [HOSTILE, CHECKOUT, INDEX]
    assert found[2]["start_ns"] == "1795435200000000000"
    assert found[0]["name"] == "\u202eevil\x1b[2J\x1b]0;title\x07"
    assert "\x1b" not in ran.stdout


def test_list_of_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    """Whoever has no trace yet is told how to get one."""
    ran = piped("list", store=tmp_path / "new" / "traces.db")
    assert ran.returncode == 0
    assert ran.stdout == (
        f"No traces yet in {tmp_path}/new/traces.db.\n"
        "Make some: otelbridge demo, or otelbridge run YOUR_SCRIPT.py\n"
    )


def test_list_says_that_there_are_more(filled: Path) -> None:
    """In a terminal the way to the next page is shown."""
    with terminal("list", "-n", "2", store=filled, size=(10, 130)) as screen:
        assert screen.end() == 0
    assert screen.lines[-1] == "There are older ones: otelbridge list --before 2b2b2b2b"


@pytest.mark.parametrize("name", [INDEX, "1a", "1A1A1A"])
def test_show_draws_the_tree(name: str, filled: Path) -> None:
    """An id may be shortened; the tree has events, durations and progress."""
    ran = piped("show", name.lower(), store=filled)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, TREE, "")


def test_show_in_a_terminal_is_the_same_in_colour(filled: Path) -> None:
    """The screen shows what a pipe gets."""
    with terminal("show", "2b", store=filled) as screen:
        assert screen.end() == 0
    assert screen.text + "\n" == FAILED
    assert b"\x1b[31m" in screen.raw


def test_show_shows_the_newest_by_itself_and_as_last(filled: Path) -> None:
    """Hostile text is written out, in the terminal too."""
    for words in (["show"], ["show", "last"]):
        ran = piped(*words, store=filled)
        assert ran.stdout.splitlines()[0] == f"{SHOWN}  error 1.0 ms  2026-11-23 12:02:00  {SHOWN}"
        assert "\x1b" not in ran.stdout
        assert "\u202e" not in ran.stdout


def test_show_prints_stacks(filled: Path) -> None:
    """The stack of each exception follows the tree, its control characters written out."""
    ran = piped("show", "2b", "--stacks", store=filled)
    assert ran.stdout == FAILED + (
        "\npay at 12:01:00.190\nTraceback (most recent call last):\n"
        '  File "pay.py", line 3\nValueError: card \\x1b[31m17\n'
    )


def test_show_as_json_is_one_object(filled: Path) -> None:
    """It has the summary and every span with its events."""
    found = json.loads(piped("show", "1a", "--json", store=filled).stdout)
    assert found["summary"]["name"] == "index"
    assert [it["name"] for it in found["spans"]] == ["index", "load"]
    assert found["spans"][1]["events"][2] == {
        "time_ns": "1795435201550000000",
        "name": "file_skipped",
        "attributes": {"data.file": "a.bin"},
        "dropped_attributes": 0,
    }


@pytest.mark.parametrize(
    ("name", "said"),
    [("9", "no trace begins with '9'"), ("2", f"several traces begin with '2'.*{CHECKOUT}")],
)
def test_show_says_which_id_it_does_not_find(name: str, said: str, filled: Path) -> None:
    """No trace, or several: one line on standard error, and status 1."""
    ran = piped("show", name, store=filled)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert re.match(f"otelbridge: .*{said}", ran.stderr)
    assert ran.stderr.count("\n") == 1


def test_show_says_what_has_no_end(tmp_path: Path) -> None:
    """What was exported as it ran is lost here; what has ended below it has its duration."""
    path = tmp_path / "own.db"
    changed = json.loads(lines()[0])
    root = changed["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    del root["endTimeUnixNano"]
    root["attributes"] += [{"key": "otelbridge.run.state", "value": {"stringValue": "running"}}]
    with Store(path) as store:
        store.import_otlp([json.dumps(changed)])
    assert piped("show", store=path).stdout == TREE.replace(
        "index  ok 2.50 s", "index  lost 1.60 s"
    ).replace("0 µs    2.50 s  index", "0 µs    no end  index")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_json_stays_json_in_any_encoding(encoding: str, tmp_path: Path) -> None:
    """What the stream lacks, and what would steer a terminal, is escaped as JSON has it."""
    path, name = tmp_path / "own.db", "wörk … 😀 \u202e \x9b31m \x7f"
    with Store(path) as store:
        store.import_otlp([lines()[0].replace('"name": "load"', f'"name": {json.dumps(name)}')])
    ran = subprocess.run(
        [*COMMAND, "show", "last", "--json"],
        stdout=subprocess.PIPE,
        env=environment(path, PYTHONIOENCODING=encoding),
        timeout=LIMIT_S,
        check=True,
    )
    shown = ran.stdout.decode(encoding)
    assert json.loads(shown)["spans"][1]["name"] == name
    assert shown.replace("\n", "").isprintable()


def test_a_store_of_one_process_cannot_be_read(filled: Path) -> None:
    """OTELBRIDGE_STORE=:memory: is told to those who would read it."""
    ran = piped("list", store=Path(":memory:"))
    assert ran.returncode == 1
    assert "give --store FILE" in ran.stderr
    assert piped("list", "--store", str(filled), store=Path(":memory:")).stdout == LIST


def test_a_reader_that_leaves_ends_a_command_quietly(filled: Path) -> None:
    """``otelbridge list | head -1``."""
    with subprocess.Popen(
        [*COMMAND, "export"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(filled),
    ) as ran:
        assert ran.stdout is not None
        assert ran.stderr is not None
        ran.stdout.close()
        errors = ran.stderr.read()
        assert ran.wait(LIMIT_S) == 0
    assert b"Traceback" not in errors
    assert b"Broken" not in errors


# ---------------------------------------------------------------------------- search


def test_search_shows_where_it_was_found(filled: Path) -> None:
    """Each hit has its trace, its span, and the text around the words."""
    ran = piped("search", "card", store=filled)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [
        "2b2b2b2b  2026-11-23 12:01:00  checkout > pay",
        "          event exception: exception.message: card 17",
    ]


def test_search_as_json_and_without_hits(filled: Path) -> None:
    """A line for each hit; status 1 where there is none."""
    found = [
        json.loads(line)
        for line in piped("search", "a.bin", "--json", store=filled).stdout.splitlines()
    ]
    assert [(it["trace"]["trace_id"], it["name"]) for it in found] == [(INDEX, "load")]
    nothing = piped("search", "nowhere", "--json", store=filled)
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert piped("search", "card", "--service", "library", store=filled).returncode == 1


# ---------------------------------------------------------------------------- tail

WRITER = """
import sys, time
from otelbridge import configure, dispatch_custom_event, start_run
with configure(service_name="writer"):
    for number in range(2):
        try:
            with start_run("job"):
                dispatch_custom_event("progress", {"completed": number, "total": 2})
                dispatch_custom_event("note", {"text": "\\x1b[2J"})
                if number:
                    raise ValueError("broken")
        except ValueError:
            pass
"""


def written(store: Path) -> None:
    """Write two runs into a store, the second of which fails."""
    ran = subprocess.run(
        [sys.executable, "-c", WRITER], env=environment(store), timeout=LIMIT_S, check=False
    )
    assert ran.returncode == 0


def masked(lines: list[str]) -> list[str]:
    """Lines without their times and ids."""
    plain = [re.sub(r"^\d\d:\d\d:\d\d\.\d{3}  [0-9a-f]{8}  ", "", line) for line in lines]
    return [re.sub(r"\d+(\.\d)? (µs|ms)", "T", line) for line in plain]


def test_tail_in_a_terminal_shows_what_happens(own: Path) -> None:
    """Starts, events and ends appear line by line while another process works."""
    with terminal("tail", store=own, size=(24, 200)) as screen:
        screen.shows("Following")
        written(own)
        screen.shows("failed after")
        screen.child.kill(signal.SIGINT)
        assert screen.end() == 130
    name = "job" + " " * 23
    assert screen.lines[0] == f"Following {own}. Ctrl-C ends it."
    assert [line for line in masked(screen.lines) if line.startswith("job")] == [
        f"{name}started",
        f"{name}progress  completed=0  total=2",
        f"{name}note  text='\\x1b[2J'",
        f"{name}ended after T",
        f"{name}started",
        f"{name}progress  completed=1  total=2",
        f"{name}note  text='\\x1b[2J'",
        f"{name}exception  ValueError: broken",
        f"{name}failed after T: ValueError: broken",
    ]


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        (["--event", "progress", "--count", "2"], ["event progress", "event progress"]),
        (["--error", "--count", "1"], ["event exception"]),
        (["--name", "job", "--service", "writer", "--count", "1"], ["started "]),
    ],
    ids=["by event", "by error", "by name"],
)
def test_tail_filters_and_counts(options: list[str], kinds: list[str], own: Path) -> None:
    """As JSON each change is a line; after so many the command ends well."""
    with subprocess.Popen(
        [*COMMAND, "tail", "--json", *options],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(own),
    ) as ran:
        while ran.poll() is None and not _is_following(ran.pid, own):
            pass
        written(own)
        out, _ = ran.communicate(timeout=LIMIT_S)
    found = [json.loads(line) for line in out.splitlines()]
    assert ran.returncode == 0
    assert [f"{it['kind']} {(it['event'] or {'name': ''})['name']}" for it in found] == kinds


def _is_following(pid: int, store: Path) -> bool:
    """Tell whether a process has the store open."""
    try:
        opened = [path.resolve() for path in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    return any(path.name == store.name for path in opened)


# ---------------------------------------------------------------------------- export and import


def test_what_is_exported_comes_back_whole(filled: Path, tmp_path: Path) -> None:
    """Export, import into another store, export again: the same lines."""
    out = tmp_path / "traces.jsonl"
    ran = piped("export", "--output", str(out), store=filled)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", f"5 spans written to {out}.\n")
    again = piped("import", str(out), store=tmp_path / "other.db")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", f"{out}: 5 spans read\n")
    assert piped("export", store=tmp_path / "other.db").stdout == out.read_text()


def test_some_traces_are_exported(filled: Path) -> None:
    """By their ids, or by a filter."""
    ran = piped("export", "last", "1a", store=filled)
    assert (ran.returncode, ran.stderr) == (0, "3 spans written.\n")
    assert "checkout" not in ran.stdout
    assert piped("export", "--service", "shop", store=filled).stderr == "2 spans written.\n"
    assert piped("export", "9", store=filled).returncode == 1


def test_export_for_perfetto_is_one_document(filled: Path) -> None:
    """It is Chrome's trace event format."""
    ran = piped("export", "1a", "--format", "perfetto", store=filled)
    events = json.loads(ran.stdout)["traceEvents"]
    assert {"index", "load"} <= {it["name"] for it in events}


def test_import_reads_packed_files_and_standard_input(tmp_path: Path) -> None:
    """A .gz file and - are read as they are."""
    packed = tmp_path / "traces.jsonl.gz"
    packed.write_bytes(gzip.compress("\n".join(lines()[:2]).encode()))
    store = tmp_path / "traces.db"
    ran = piped("import", str(packed), "-", store=store, given=lines()[2])
    assert (ran.returncode, ran.stderr) == (0, f"{packed}: 4 spans read\n-: 1 span read\n")
    with Store(store) as held:
        assert [it.trace_id for it in held.traces(Filter())] == [HOSTILE, CHECKOUT, INDEX]


def test_import_says_what_it_cannot_read_and_keeps_the_rest(tmp_path: Path) -> None:
    """A line that is no OTLP JSON, or a missing file, is named; the others are read."""
    bad = tmp_path / "bad.jsonl"
    bad.write_text(lines()[0] + "\nnonsense\n")
    good = tmp_path / "good.jsonl"
    good.write_text(lines()[1])
    store = tmp_path / "traces.db"
    ran = piped("import", str(bad), str(tmp_path / "none"), str(good), store=store)
    assert ran.returncode == 1
    said = ran.stderr.splitlines()
    assert said[0].startswith(f"otelbridge import: {bad}: line 2 ")
    assert "No such file" in said[1]
    assert said[2] == f"{good}: 2 spans read"
    with Store(store) as held:
        assert len(held.traces(Filter())) == 2


# ---------------------------------------------------------------------------- prune


def test_prune_deletes_traces_by_id(own: Path) -> None:
    """The traces that are named, and nothing else."""
    ran = piped("prune", "1a", "2c", store=own)
    assert (ran.returncode, ran.stdout) == (0, "2 traces deleted.\n")
    with Store(own) as held:
        assert [it.trace_id for it in held.traces(Filter())] == [CHECKOUT]


def test_prune_deletes_what_is_old(own: Path) -> None:
    """By age; the JSON form counts what went."""
    written(own)
    found = json.loads(piped("prune", "--max-age", "500w", "--json", store=own).stdout)
    assert (found["traces"], found["spans"]) == (0, 0)
    ran = piped("prune", "--max-size", "0", store=own)
    assert ran.returncode == 0
    with Store(own) as held:
        assert held.traces(Filter()) == []


# ---------------------------------------------------------------------------- view


def test_view_serves_until_it_is_interrupted(filled: Path) -> None:
    """It says where the page and the receivers are, serves them, and ends well on Ctrl-C."""
    words = ("view", "1a", "--port", "0", "--otlp-http-port", "0", "--otlp-grpc-port", "0")
    with terminal(*words, store=filled) as screen:
        screen.shows("Ctrl-C ends it.")
        assert re.fullmatch(
            rf"Traces       http://127\.0\.0\.1:\d+/trace/{INDEX}\n"
            r"OTLP/HTTP    http://127\.0\.0\.1:\d+\n"
            r"OTLP/gRPC    (http://)?127\.0\.0\.1:\d+\n"
            rf"Store        {re.escape(str(filled))}\nCtrl-C ends it\.",
            screen.text,
        )
        page = screen.lines[0].split()[1]
        asked = page.replace("/trace/", "/api/traces/")
        with urllib.request.urlopen(asked, timeout=LIMIT_S) as answer:
            assert json.load(answer)["summary"]["name"] == "index"
        screen.child.kill(signal.SIGINT)
        assert screen.end() == 0


def test_view_says_which_port_is_taken(filled: Path) -> None:
    """Status 2, and the cure."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = piped("view", "--port", port, "--no-otlp", store=filled)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"{port} on 127.0.0.1" in ran.stderr
    assert "taken by another program" in ran.stderr


def test_view_beyond_this_machine_needs_a_token(filled: Path) -> None:
    """Another address than loopback is refused without one."""
    ran = piped("view", "--host", "0.0.0.0", "--port", "0", "--no-otlp", store=filled)
    assert ran.returncode == 2
    assert "token" in ran.stderr


# ---------------------------------------------------------------------------- the command itself


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_and_exit_status(command: str, filled: Path) -> None:
    """Every command's help shows how it is called and what its status says."""
    ran = piped(command, "--help", store=filled)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert f"Usage: otelbridge {command} " in ran.stdout
    assert f"$ otelbridge {command}" in ran.stdout or command == "import"
    assert re.search(r"Exit status +\S", ran.stdout)
    assert "\x1b" not in ran.stdout


def test_bare_command_lists_the_commands(filled: Path) -> None:
    """In the order in which they are met."""
    ran = piped(store=filled)
    assert ran.returncode == 0
    assert tuple(re.findall(r"^│ (\w+)  ", ran.stdout.partition("Commands")[2], re.M)) == COMMANDS
    assert "ends with the status of the program that it runs" in " ".join(ran.stdout.split())


def test_version_is_said(filled: Path) -> None:
    """``--version`` prints the package's version."""
    ran = piped("--version", store=filled)
    assert (ran.returncode, ran.stdout) == (0, f"otelbridge {__version__}\n")


@pytest.mark.parametrize(
    "words",
    [
        ["shwo"],
        ["list", "--limit", "many"],
        ["list", "--since", "yesterday"],
        ["list", "--min-duration", "long"],
        ["list", "--status", "bad"],
        ["prune", "--max-size", "huge"],
        ["list", "--store", "~nobody of this name/x"],
        ["export", "--format", "xml"],
        ["run"],
    ],
    ids=" ".join,
)
def test_a_command_line_that_cannot_be_used_ends_with_2(words: list[str], filled: Path) -> None:
    """What is wrong is said on standard error, nothing on standard output."""
    ran = piped(*words, store=filled)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert re.search(f"{words[-1]}|Missing argument|valid integer", ran.stderr)


def test_without_the_extra_one_line_says_what_to_install() -> None:
    """A base installation has the command, which says how to get the rest of it."""
    for missing in ("typer", "rich"):
        code = f"import sys; sys.modules[{missing!r}] = None; import otelbridge.cli as c; "
        ran = subprocess.run(
            [sys.executable, "-c", code + "sys.exit(c.main(['list']))"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr == (
            "otelbridge: the command needs more than the library: pip install 'otelbridge[view]'\n"
        )


def test_library_imports_nothing_of_the_command() -> None:
    """``import otelbridge`` and ``configure`` are as quick as before."""
    code = (
        "import sys, otelbridge; otelbridge.configure; "
        "print([n for n in sys.modules if n.partition('.')[0] in ('typer', 'rich', 'starlette')"
        " or n.startswith(('otelbridge.cli', 'otelbridge.progress', 'otelbridge.view'))])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("otelbridge sh", ["show"]),
        ("otelbridge show 2", ["2b2b2b2b", "2c2c2c2c"]),
        ("otelbridge show l", ["last"]),
    ],
)
def test_shell_completes_commands_and_traces(line: str, offered: list[str], filled: Path) -> None:
    """The shell asks by environment variables, as typer's completion scripts do."""
    ran = piped(
        store=filled,
        _OTELBRIDGE_COMPLETE="complete_bash",
        COMP_WORDS=line,
        COMP_CWORD=str(line.count(" ")),
    )
    assert sorted(ran.stdout.split()) == offered


@pytest.mark.parametrize(("words", "folder"), [([], None), (["texts"], "texts")])
def test_demo_gets_its_folder(
    words: list[str], folder: str | None, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``otelbridge demo`` runs the demo over the folder given, and ends with its status."""
    given: list[str | None] = []

    def run(folder: str | None = None) -> int:
        given.append(folder)
        return 2

    monkeypatch.setattr(demo, "run", run)
    assert piped("demo", *words, store=filled).returncode == 2
    assert given == [folder]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is missing")
def test_output_that_cannot_be_written_is_said(own: Path) -> None:
    """A full disk in one line; a standard output that is closed gets nothing, as from ``print``."""
    for target, told, code in (
        ("> /dev/full", "otelbridge: standard output cannot be written (No space left", 1),
        (">&-", "", 0),
    ):
        for command in ("list", "list --json", "show last"):
            ran = subprocess.run(
                ["sh", "-c", f'"$@" {command} {target}', "sh", *COMMAND],
                env=environment(own),
                capture_output=True,
                text=True,
                check=False,
            )
            assert (ran.returncode, ran.stdout) == (code, "")
            assert ran.stderr.startswith(told)
            assert ran.stderr.count("\n") == code
