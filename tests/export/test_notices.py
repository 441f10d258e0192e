"""What the export says: each thing once a minute, losses with their counts."""

from __future__ import annotations

import logging

import pytest

from otelbridge.export import notices
from otelbridge.export.notices import Notices


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds; the test moves it."""
    time = [1_000.0]
    monkeypatch.setattr(notices, "monotonic", lambda: time[0])
    return time


def test_one_topic_is_told_once_a_minute(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """Others are not held up by it, and what is over may be told again."""
    said = Notices()
    for _ in range(3):
        said.say("away", logging.WARNING, "away since %d", 1)
        said.say("spool", logging.WARNING, "no disk")
    assert caplog.messages == ["away since 1", "no disk"]
    clock[0] += 61
    said.say("away", logging.WARNING, "away since %d", 2)
    said.forget("away")
    said.say("away", logging.WARNING, "away since %d", 3)
    assert caplog.messages[2:] == ["away since 2", "away since 3"]


def test_losses_are_told_once_a_minute_with_all_counts(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """The first at once; what follows is added up, and told in a minute or at the end."""
    said = Notices()
    said.lost(0, "nothing")
    said.lost(2, "were pushed out")
    said.lost(3, "were pushed out")
    said.lost(1, "were refused")
    assert caplog.messages == ["otelbridge lost spans: 2 were pushed out"]
    clock[0] += 61
    said.tell_losses()
    assert caplog.messages[1:] == ["otelbridge lost spans: 3 were pushed out; 1 were refused"]
    said.lost(1, "at the end")
    said.tell_losses()
    said.tell_losses(at_once=True)
    said.tell_losses(at_once=True)
    assert caplog.messages[2:] == ["otelbridge lost spans: 1 at the end"]


def test_receiver_that_gives_each_span_a_reason_fills_no_memory(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """Past a few reasons the rest is told together."""
    said = Notices()
    for number in range(100):
        said.lost(1, f"refused: bad id {number}")
    said.tell_losses(at_once=True)
    assert "; 89 otherwise" in caplog.messages[-1]


def test_lines_are_kept_back_while_a_signal_handler_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They come when it lets them go."""
    said = Notices()
    notices.hold()
    said.say("away", logging.WARNING, "away")
    assert caplog.messages == []
    notices.let_go()
    assert caplog.messages == ["away"]
