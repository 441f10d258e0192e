"""Writers and readers at once, each of them killed again and again: nothing is lost."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest
from children import SPANS, Child, read, receive, trace

from otelbridge.store import Store

SECONDS = float(os.environ.get("STORE_STORM_S", "20"))
"""A minute is the measure; less is a look at it."""


def test_nothing_acknowledged_is_lost_and_no_reader_fails(tmp_path: Path) -> None:
    """4 writers, 4 readers, kill -9: what was flushed or added is there, whole and ended."""
    path = tmp_path / "traces.db"
    bodies = [receive, receive, trace, trace, read, read, read, read]
    children = [Child(body, path) for body in bodies]
    for child in children:
        child.hear()  # each is at work
    acknowledged: set[str] = set()
    turns = [0, 0]  # answers that readers got; kills
    until = time.monotonic() + SECONDS
    while time.monotonic() < until or turns[1] < 2 * len(children):
        index = turns[1] % len(children)
        said = children[index].kill()
        children[index] = Child(bodies[index], path)
        if bodies[index] is read:
            turns[0] += len(said)
        else:
            acknowledged.update(said)
        turns[1] += 1
        time.sleep(SECONDS / 40)
    for child in children:
        said = child.kill()
        if child.body is not read:
            acknowledged.update(said)
        else:
            turns[0] += len(said)
    print(f"{len(acknowledged)} traces acknowledged, {turns[0]} readings, {turns[1]} kills")
    assert len(acknowledged) >= 20  # a machine that is busy with other things is no defect
    assert turns[0] >= 8
    _check(path, acknowledged)
    assert [it.name for it in tmp_path.iterdir() if "corrupt" in it.name] == []


def _check(path: Path, acknowledged: set[str]) -> None:
    with Store(path) as store:
        store.traces()  # marks what ran in those who were killed
        summaries = {it.trace_id: it for it in store.summaries(acknowledged)}
        assert acknowledged - summaries.keys() == set()
        assert {(it.spans, it.state) for it in summaries.values()} == {(SPANS, "ended")}
        for trace_id in sorted(acknowledged)[:: len(acknowledged) // 50 or 1]:
            found = store.get(trace_id)
            assert found is not None
            assert {span.state for span in found.spans} == {"ended"}
            assert len({span.span_id for span in found.spans}) == SPANS
        assert store.stats().running == 0
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


@pytest.mark.parametrize("body", [receive, trace])
def test_writer_that_is_killed_leaves_a_store_that_opens_at_once(tmp_path: Path, body) -> None:
    """The next who opens it waits for nobody, and sees what ran as lost."""
    path = tmp_path / "traces.db"
    child = Child(body, path)
    first = child.hear()
    rest = child.kill()
    began = time.monotonic()
    with Store(path) as store:
        found = store.traces(limit=100)
        assert time.monotonic() - began < 2
        assert {first, *rest} <= {it.trace_id for it in store.summaries([first, *rest])}
        lost = [it for it in found if it.state == "lost"]
        assert [it.name for it in lost] in ([], ["runs for ever"])
        assert [it for it in found if it.state == "running"] == []


def test_store_that_is_taken_away_from_everybody_is_made_again(tmp_path: Path) -> None:
    """Five times, while all are at work: no reader fails, what comes after is in the new one."""
    path = tmp_path / "folder" / "traces.db"
    path.parent.mkdir()
    children = [Child(body, path) for body in (receive, trace, read, read)]
    for child in children:
        child.hear()
    for number in range(5):
        time.sleep(0.5)
        _await(path)
        os.rename(path.parent, tmp_path / f"away {number}")
    _await(path)
    with Store(path) as store:
        for child in children:
            child.hear_anew()
        acknowledged = {child.hear() for child in children if child.body is not read}
        found = store.summaries(acknowledged)
        assert {it.trace_id for it in found} == acknowledged
        assert {it.service.partition(":")[0] for it in found} == {"", "unknown_service"}
    for child in children:
        child.kill()
    assert list(tmp_path.rglob("*corrupt*")) == []


def _await(path: Path) -> None:
    until = time.monotonic() + 30
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)
