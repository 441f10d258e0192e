"""Dead letters: what a receiver refuses for good can be read, and takes bounded room."""

from __future__ import annotations

import json
import logging
import stat
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from spooled import Child, Voice, umask

from otelbridge.encoding.units import Group, Item
from otelbridge.export.dead_letters import DeadLetters, read_dead_letters

GROUP = Group(
    Resource(attributes=[KeyValue(key="service.name")]).SerializeToString(),
    "",
    InstrumentationScope(name="otelbridge").SerializeToString(),
    "",
)


def letter(name: str = "search", events: int = 0) -> Item:
    span = Span(trace_id=b"\x01" * 16, span_id=b"\x02" * 8, name=name)
    span.events.extend([Span.Event(name="e" * 100)] * events)
    return Item(GROUP, span.SerializeToString())


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jsonl"))


def test_a_letter_is_read_back(tmp_path: Path) -> None:
    """It says when, why and where, which span, and holds a request that can be sent again."""
    letters = DeadLetters(tmp_path, "checkout")
    letters.write(letter("größe"), "span too old", "http://localhost:4318")
    (found,) = read_dead_letters(letters.path)
    assert abs(found.time - datetime.now(timezone.utc)) < timedelta(minutes=1)
    assert (found.reason, found.where) == ("span too old", "http://localhost:4318")
    assert (found.trace_id, found.span_id, found.name) == ("01" * 16, "02" * 8, "größe")
    request = ExportTraceServiceRequest.FromString(found.request)
    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert span.name == "größe"
    assert request.resource_spans[0].resource.attributes[0].key == "service.name"


def test_each_letter_is_a_line_of_json(tmp_path: Path) -> None:
    """The file of the day has one object a line, in the service's folder."""
    letters = DeadLetters(tmp_path, "checkout")
    for name in ("first", "second"):
        letters.write(letter(name), "line\nbreak", "there")
    assert letters.path == files(tmp_path)[0]
    assert letters.path.name == f"rejected-{datetime.now(timezone.utc):%Y%m%d}.jsonl"
    lines = letters.path.read_text().splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["first", "second"]


def test_bytes_that_are_no_span_are_kept_too(tmp_path: Path) -> None:
    """The letter has no ids, and the bytes."""
    letters = DeadLetters(tmp_path, "checkout")
    letters.write(Item(GROUP, b"\xff\xff"), "\udc80 unreadable", "there")
    (found,) = read_dead_letters(tmp_path / letters.path.parent.name)
    assert (found.trace_id, found.span_id, found.name) == ("", "", "")
    assert b"\xff\xff" in found.request


def test_nothing_is_made_before_the_first_letter(tmp_path: Path) -> None:
    """A path can be told without a file or folder."""
    letters = DeadLetters(tmp_path / "spool", "checkout")
    assert letters.path.name.startswith("rejected-")
    assert list(read_dead_letters(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mask", [0, 0o777])
def test_only_the_user_can_read_them(tmp_path: Path, mask: int) -> None:
    """Files have mode 0600 in folders of mode 0700, whatever the umask."""
    letters = DeadLetters(tmp_path / "spool", "checkout")
    with umask(mask):
        letters.write(letter(), "refused", "there")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (letters.path, letters.path.parent)]
    assert modes == [0o600, 0o700]


def test_the_oldest_file_makes_room(tmp_path: Path) -> None:
    """The bound holds over files of a day and of days before; the newest letters are kept."""
    letters = DeadLetters(tmp_path, "checkout", max_bytes=20_000)
    letters.write(letter(), "refused", "there")
    old = letters.path.rename(letters.path.with_name("rejected-20010101.jsonl"))
    for number in range(100):
        letters.write(letter(str(number)), "refused", "there")
        assert sum(it.stat().st_size for it in files(tmp_path)) <= 20_000
    assert not old.exists()
    kept = [it.name for it in read_dead_letters(letters.path.parent)]
    assert kept == [str(number) for number in range(100 - len(kept), 100)]
    assert len(kept) > 30


def test_parts_of_a_day_are_read_in_their_order(tmp_path: Path) -> None:
    """The tenth part comes after the ninth."""
    letters = DeadLetters(tmp_path, "checkout", max_bytes=2_000)
    names: list[str] = []
    while not letters.path.stem.endswith("-10") or not letters.path.exists():
        names.append(str(len(names)))
        letters.write(letter(names[-1]), "refused", "there")
    assert {"9", "10"} <= {it.stem.rpartition("-")[2] for it in files(tmp_path)}
    kept = [it.name for it in read_dead_letters(letters.path.parent)]
    assert kept == names[-len(kept) :]


def test_a_letter_larger_than_the_bound_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is given up, and those that are there stay."""
    letters = DeadLetters(tmp_path, "checkout", max_bytes=2_000)
    letters.write(letter("small"), "refused", "there")
    with caplog.at_level(logging.WARNING):
        letters.write(letter(events=100), "refused", "there")
    assert [it.name for it in read_dead_letters(letters.path)] == ["small"]


def test_a_folder_that_cannot_be_made_raises_nothing(tmp_path: Path) -> None:
    """The program goes on, and the log says what is wrong."""
    (tmp_path / "file").touch()
    letters = DeadLetters(tmp_path / "file", "checkout")
    letters.write(letter(), "refused", "there")


def test_a_line_cut_short_costs_itself(tmp_path: Path) -> None:
    """A letter that a full disk cut short is left out, and the next has a line of its own."""
    letters = DeadLetters(tmp_path, "checkout")
    for name in ("first", "cut"):
        letters.write(letter(name), "refused", "there")
    whole = letters.path.read_bytes()
    letters.path.write_bytes(whole[:-30])
    letters.write(letter("last"), "refused", "there")
    with letters.path.open("ab") as file:
        file.write(b'[1]\n{"time": 1}\n\xff\n')
    assert [it.name for it in read_dead_letters(letters.path)] == ["first", "last"]


def _write(_: Voice, folder: Path) -> None:
    for number in range(50):
        DeadLetters(folder, "checkout").write(letter(str(number), 20), "refused", "there")


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_processes_share_a_file(tmp_path: Path) -> None:
    """Letters of several processes do not mix within a line."""
    children = [Child(_write, tmp_path) for _ in range(3)]
    for child in children:
        child.wait()
    names = [it.name for path in files(tmp_path) for it in read_dead_letters(path)]
    assert sorted(names) == sorted(str(number) for number in range(50) for _ in range(3))
