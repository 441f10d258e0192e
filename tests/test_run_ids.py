"""Run ids: UUIDs of version 7 that never repeat, and the runs that they name."""

from __future__ import annotations

import random
from time import time_ns
from types import SimpleNamespace
from typing import Any, cast
from uuid import RFC_4122, UUID, SafeUUID

import pytest
from opentelemetry.trace import INVALID_SPAN_CONTEXT
from ways import captured_cleanly

from otelbridge import RunnableLambda, _run_ids, _tracing, start_run


def test_id_is_a_uuid_of_version_7() -> None:
    """With the time in it, in order."""
    before = time_ns() // 1_000_000
    made = [_run_ids.new_id(time_ns()) for _ in range(1_000)]
    after = time_ns() // 1_000_000
    texts, ids = [*map(_run_ids.text_of, made)], [*map(_run_ids.uuid_of, made)]
    assert len(set(ids)) == 1_000
    assert all(uuid == UUID(text) and str(uuid) == text for uuid, text in zip(ids, texts))
    assert all(uuid.version == 7 and uuid.variant == RFC_4122 for uuid in ids)
    assert all(uuid.is_safe is SafeUUID.unknown for uuid in ids)
    assert all(before <= uuid.int >> 80 <= after for uuid in ids)


def test_seeding_a_program_does_not_repeat_ids() -> None:
    """Ids have a generator of their own."""
    random.seed(1)
    first = _run_ids.new_id(time_ns())
    random.seed(1)
    assert _run_ids.new_id(time_ns()) != first


def test_child_of_a_fork_begins_anew() -> None:
    """Its counter starts elsewhere."""
    _, before = _run_ids.new_id(time_ns())
    _run_ids._renew()
    assert _run_ids.new_id(time_ns())[1] != before + 1


def test_live_run_is_found_by_its_id() -> None:
    """Once somebody knows the id, until its end; then what late events need is kept."""
    with captured_cleanly():
        with start_run("job") as run:
            number = run.run_id.int
            assert _run_ids.live[number] is run
        assert number not in _run_ids.live
        kept = _run_ids.ended_run(number)
    assert kept is not None
    assert (kept.name, kept.span_context) == ("job", run.span.get_span_context())
    assert _run_ids.ended_run(0) is None


def test_runs_of_one_id_shadow_each_other() -> None:
    """The last that began has the id; when it ends, the one before it has it again."""
    given = UUID(int=99)
    with captured_cleanly():
        with start_run("outer", config={"run_id": given}) as outer:
            assert outer.run_id == given
            with start_run("inner", config={"run_id": given}) as inner:
                assert inner.run_id == given
                assert _run_ids.live[99] is inner
            assert _run_ids.live[99] is outer
        assert 99 not in _run_ids.live


@pytest.mark.parametrize("is_ended", [False, True])
def test_leaving_in_another_order_keeps_the_live_one(is_ended: bool) -> None:
    """Whoever does not have the id leaves it alone."""
    first, second = (cast("Any", SimpleNamespace(ended=False)) for _ in range(2))
    assert _run_ids.enter(first, 98) is None
    assert _run_ids.enter(second, 98) is first
    _run_ids.leave(first, 98, None)
    assert _run_ids.live[98] is second
    first.ended = is_ended
    _run_ids.leave(second, 98, first)
    assert _run_ids.live.pop(98, None) is (None if is_ended else first)


def test_only_the_last_ended_runs_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are."""
    monkeypatch.setattr(_run_ids, "_ended", {})
    monkeypatch.setattr(_run_ids, "_order", type(_run_ids._order)())
    monkeypatch.setattr(_run_ids, "REMEMBERED", 2)
    tracing = _tracing.Tracing(recording=_tracing.Recording())
    for number in range(4):
        _run_ids.remember(number, INVALID_SPAN_CONTEXT, tracing, "job")
    assert [number for number in range(4) if _run_ids.ended_run(number)] == [2, 3]


def test_run_whose_id_nobody_knows_is_not_kept() -> None:
    """It can be nobody's parent by name."""
    before = len(_run_ids._order)
    with captured_cleanly():
        RunnableLambda(str).invoke(1)
    assert len(_run_ids._order) == before
