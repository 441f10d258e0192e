"""The demo: what it prints, what it leaves in the trace, and which folders it refuses."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from receivers import http_receiver

from otelbridge import demo
from otelbridge.demo import corpus, pipeline, search
from otelbridge.demo.corpus import Document, Files
from otelbridge.demo.progress import ProgressBar
from otelbridge.demo.screen import Screen
from otelbridge.store import Store
from otelbridge.testing import capture_runs

TIDES = """\
The moon pulls the water of the oceans, and so the tides rise and fall.
A spring tide is the highest, when the sun and the moon stand in one line.

Neap tides are lower.
"""
BREAD = """\
Flour, water, salt and time make bread.
The dough rests overnight before it is baked.
"""


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two texts, one of them below another folder, and a binary file."""
    (tmp_path / "sea").mkdir()
    (tmp_path / "sea" / "tides.txt").write_text(TIDES)
    (tmp_path / "bread.md").write_text(BREAD)
    (tmp_path / "picture.bin").write_bytes(b"\x89PNG\0\0\0")
    return tmp_path


def test_demo_answers_from_the_folder_with_file_and_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer quotes the text and says where it stands."""
    assert demo.run(str(folder), "When is a spring tide highest?") == 0
    printed = capsys.readouterr().out
    assert "A spring tide is the highest, when the sun and the moon stand in one line." in printed
    assert "(sea/tides.txt:2)" in printed


def test_demo_prints_one_line_for_each_step_when_no_terminal_listens(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal a step is one line, and nothing is drawn over."""
    demo.run(str(folder))
    printed = capsys.readouterr().out
    for line in (r"load +3 of 3", r"split +2 of 2", r"index +\d of \d"):
        assert len(re.findall(line, printed)) == 1
    assert "\r" not in printed
    assert "\x1b" not in printed


def test_demo_shows_the_handled_error_and_the_retry_in_the_trace(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tree holds the file that could not be decoded and the attempt that failed."""
    demo.run(str(folder))
    tree = capsys.readouterr().out.partition("The trace")[2]
    assert re.search(r"decode \[chain\].*UnicodeDecodeError", tree)
    assert re.search(r"file_skipped +file='not-utf8-on-purpose.txt'", tree)
    assert re.search(r"search \[chain\].*ConnectionError", tree)
    assert re.search(r"passages_found +attempt=2", tree)


def test_demo_says_where_the_trace_was_sent(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an endpoint in the environment, the trace goes there, as the environment names it."""
    with http_receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        assert demo.run(str(folder)) == 0
        printed = capsys.readouterr().out
        assert f"sent to {received.url}/v1/traces" in printed
        assert "Look there for the service otelbridge-demo." in printed

        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=theirs,team=blue")
        demo.run(str(folder))
        monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
        demo.run(str(folder))
        assert "for the service mine." in capsys.readouterr().out
    assert list(dict.fromkeys(received.services)) == ["otelbridge-demo", "theirs", "mine"]
    assert "demo" in received.names
    attributes = received.requests[-1].resource_spans[0].resource.attributes
    assert {it.key: it.value.string_value for it in attributes}["team"] == "blue"


@pytest.mark.parametrize("endpoint", [False, True], ids=["alone", "with an endpoint"])
def test_demo_keeps_its_trace_and_says_the_address(
    endpoint: bool,
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The trace is in the store, sent or not; its page and the command that shows it are named."""
    home = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    with http_receiver() as received:
        if endpoint:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        assert demo.run(str(folder)) == 0
    printed = capsys.readouterr().out
    with Store(home / "otelbridge" / "traces.db", create=False) as store:
        (trace,) = store.traces()
    assert (trace.name, trace.state) == ("demo", "ended")
    assert f"It is kept in {home}/otelbridge/traces.db." in printed
    assert f"  http://127.0.0.1:4321/trace/{trace.trace_id}\n" in printed
    assert re.search(rf"otelbridge show {trace.trace_id[:8]} ", printed)
    assert bool(received.names) is endpoint


def test_demo_keeps_nothing_where_the_store_is_off(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OTELBRIDGE_STORE=off is heeded."""
    monkeypatch.setenv("OTELBRIDGE_STORE", "off")
    assert demo.run(str(folder)) == 0
    printed = capsys.readouterr().out
    assert "decode [chain]" in printed
    assert "kept in" not in printed
    assert "otelbridge show" not in printed


def test_demo_says_when_the_trace_could_not_be_sent(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing listens it says so, and shows the trace all the same."""
    logging.getLogger("otelbridge").setLevel(logging.CRITICAL)
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    assert demo.run(str(folder)) == 0
    printed = capsys.readouterr().out
    assert "The trace could not be sent to http://127.0.0.1:9" in printed
    assert "decode [chain]" in printed


def test_demo_chooses_a_question_for_a_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a question, one about a word of the text is asked and answered."""
    demo.run(str(folder))
    printed = capsys.readouterr().out
    asked = re.search(r"Question: What is said about (\w+)\?", printed)
    assert asked is not None
    assert asked[1] in (TIDES + BREAD).lower()
    assert "Nothing in this text" not in printed


def test_demo_says_when_nothing_answers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A question whose words are not in the text is told so."""
    assert demo.run(str(folder), "Quarks?") == 0
    assert "Nothing in this text holds a word of the question." in capsys.readouterr().out


def test_demo_writes_what_its_stream_can_show(folder: Path) -> None:
    """Text that the encoding lacks, or that would steer a terminal, is written out."""
    (folder / "odd.txt").write_text("The quokka\x1b[2J costs 5 € in Zürich today.\n", "utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "otelbridge.demo", str(folder), "What does the quokka cost?"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert r"quokka\x1b[2J costs 5 \u20ac in Z\xfcrich today." in ran.stdout


@pytest.mark.parametrize("lines", [1, 4])
def test_demo_stops_quietly_when_its_reader_leaves(lines: int, folder: Path) -> None:
    """`otelbridge demo | head` ends without a traceback."""
    with subprocess.Popen(
        [sys.executable, "-m", "otelbridge.demo", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as demonstrated:
        assert demonstrated.stdout is not None
        assert demonstrated.stderr is not None
        for _ in range(lines):
            demonstrated.stdout.readline()
        demonstrated.stdout.close()
        errors = demonstrated.stderr.read()
    assert errors == b""
    assert demonstrated.returncode == 0


def _missing(folder: Path) -> Path:
    return folder / "missing"


def _empty(folder: Path) -> Path:
    return folder


def _a_file(folder: Path) -> Path:
    path = folder / "a.txt"
    path.write_text("text")
    return path


def _binary_only(folder: Path) -> Path:
    (folder / "a.bin").write_bytes(b"\0\1\2")
    (folder / "empty.txt").touch()
    return folder


def _not_utf8_only(folder: Path) -> Path:
    (folder / "a.txt").write_bytes("café".encode("latin-1"))
    return folder


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_missing, "there is no folder"),
        (_empty, "holds no files"),
        (_a_file, "is not a folder"),
        (_binary_only, "holds 2 files, but no text"),
        (_not_utf8_only, "no file of .* is UTF-8 text"),
    ],
)
def test_demo_refuses_a_folder_without_text(
    make: Any, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that cannot be used gives one line on standard error and exit code 2."""
    assert demo.run(str(make(tmp_path))) == 2
    errors = capsys.readouterr().err
    assert re.match(f"otelbridge demo: .*{said}", errors)
    assert errors.count("\n") == 1


def test_find_files_takes_part_of_the_standard_library_by_default() -> None:
    """The default text is there in every installation and within the bounds."""
    files = corpus.find_files(None)
    assert 50 < len(files.paths) <= corpus.MAX_FILES
    assert files.left_out == 0
    assert "asyncio/tasks.py" in {files.name(path) for path in files.paths}


def test_find_files_leaves_out_what_is_over_the_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files past a bound are counted, not read."""
    monkeypatch.setattr(corpus, "MAX_FILES", 2)
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text("text")
    files = corpus.find_files(tmp_path)
    assert [path.name for path in files.paths] == ["0.txt", "1.txt"]
    assert files.left_out == 3


def test_find_files_does_not_follow_links_or_hidden_folders(tmp_path: Path) -> None:
    """A link in a circle and a hidden folder add nothing."""
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "b.txt").write_text("text")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert [path.name for path in corpus.find_files(tmp_path).paths] == ["a.txt"]


def test_split_keeps_every_line_and_its_number() -> None:
    """Passages hold all lines that are not empty, under the numbers they have in the file."""
    text = "".join(f"line {n}\n\n" if n % 7 == 0 else f"line {n}\n" for n in range(100))
    lines = text.splitlines()
    passages = corpus.split(Document("a", text))
    assert all(
        lines[passage.line - 1 + at] == line
        for passage in passages
        for at, line in enumerate(passage.lines)
    )
    kept = [line for passage in passages for line in passage.lines if line]
    assert kept == [line for line in lines if line]
    assert max(len(passage.lines) for passage in passages) <= corpus.PASSAGE_LINES


def test_index_in_parts_ranks_as_one_index_does() -> None:
    """Joining parts loses nothing: the best passage is the same, whatever the parts."""
    texts = [f"The {word} stands here alone.\n" for word in ("oak", "elm", "fir", "yew", "ash")]
    passages = [corpus.split(Document(f"{n}.txt", text))[0] for n, text in enumerate(texts)]
    parts = [search.Index(passages), search.Index(passages)]
    for number in range(len(passages)):
        parts[number % 2].add(number)
    joined = search.Index.join(parts)
    assert [passage.name for passage in joined.best("Where are the firs?")] == ["2.txt"]
    assert joined.best("nothing") == []


def test_words_meet_across_endings() -> None:
    """Usual English endings are cut, and words that say nothing are left out."""
    assert search.words("the cancelled_task, cancelling tasks") == ["cancel", "task"] * 2


def test_load_reports_progress_up_to_its_total(tmp_path: Path) -> None:
    """The progress events of a step add up to its total, and stay few."""
    paths = [tmp_path / f"{number}.txt" for number in range(50)]
    for path in paths:
        path.write_text("text")
    with capture_runs() as runs:
        pipeline.RunnableLambda(pipeline.load).invoke(Files(tmp_path, tuple(paths)))
    events = [data for name, data in runs.events("load") if name == "progress"]
    assert sum(data["data.advance"] for data in events) == 50
    assert len(events) == pipeline.REPORTS


def test_progress_bar_draws_over_itself_on_a_terminal() -> None:
    """On a terminal one line grows; another message goes above it."""
    out = Terminal()
    bar = ProgressBar(Screen(out))
    bar.handle_custom_event("progress", {"step": "load", "advance": 1, "total": 2})
    bar.handle_custom_event("file_skipped", {"file": "a", "reason": "why"})
    bar.handle_custom_event("progress", {"step": "load", "advance": 1, "total": 2})
    drawn = out.getvalue()
    assert drawn.count("\n") == 2
    assert "a is skipped: why\n" in drawn
    assert drawn.endswith("] 2 of 2\n")


def test_progress_bar_escapes_what_a_file_name_holds() -> None:
    """A file name cannot send commands to the terminal."""
    out = io.StringIO()
    ProgressBar(Screen(out)).handle_custom_event(
        "file_skipped", {"file": "\x1b[2J", "reason": "why"}
    )
    assert "\x1b" not in out.getvalue()
