"""The pipeline: what ends arrives, waits on disk, or is counted, whatever the receiver does."""

from __future__ import annotations

import dis
import logging
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider, sampling
from peers import (
    QUICK,
    SERVICE,
    Peer,
    balance,
    end,
    numbered,
    route,
    tracer_of,
    until,
    watched,
)

from otelbridge.export import backoff, delivery, reserve
from otelbridge.export import pipeline as pipeline_module
from otelbridge.export._shield import Shield
from otelbridge.export.batching import REQUEST_BYTES, Batching
from otelbridge.export.channel import Blocked, Delivered, Outcome, Refused, TryAgain
from otelbridge.export.dead_letters import DeadLetters, read_dead_letters
from otelbridge.export.pipeline import Pipeline
from otelbridge.export.spool import Spool, SpoolUnavailable


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other quickly."""
    monkeypatch.setattr(backoff, "FIRST_S", 0.02)
    monkeypatch.setattr(backoff, "LONGEST_S", 0.05)


@contextmanager
def running(
    peer: Peer, folder: Path | None, batching: Batching = QUICK, *, durable: bool = False
) -> Iterator[Pipeline]:
    """A pipeline whose account is watched, and balances at the end too."""
    pipeline = Pipeline(route(peer, folder, durable=durable), batching)
    try:
        with watched(pipeline):
            yield pipeline
            pipeline.shutdown()
    finally:
        pipeline.shutdown()
    assert balance(pipeline.stats()) == 0


def away(names: Sequence[str]) -> Outcome:
    """A receiver that cannot be reached."""
    return TryAgain("away")


def taking(names: Sequence[str]) -> Outcome:
    """A receiver that takes everything."""
    return Delivered()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged as a warning."""
    return [it.getMessage() for it in caplog.records if it.levelno == logging.WARNING]


# ---------------------------------------------------------------------------- a good receiver


@pytest.mark.parametrize("durable", [False, True])
def test_spans_arrive_in_order_in_batches(tmp_path: Path, durable: bool) -> None:
    """All arrive, once, in their order, and no request holds more than a batch."""
    peer, names = Peer(), numbered("s", 100)
    with running(peer, tmp_path, durable=durable) as pipeline:
        end(pipeline, *names)
        assert pipeline.force_flush(5_000)
        stats = pipeline.stats()
    assert peer.taken == names
    assert max(map(len, peer.asked)) <= 16
    assert (stats.ended, stats.sent, stats.waiting) == (100, 100, 0)
    assert list(tmp_path.rglob("*.v1")) == []


def test_spans_go_out_after_the_delay_without_a_flush(tmp_path: Path) -> None:
    """A few spans wait for others for the delay, and then go."""
    peer = Peer()
    with running(peer, tmp_path) as pipeline:
        end(pipeline, "one")
        until(lambda: peer.taken == ["one"])


def test_full_batch_goes_out_before_the_delay(tmp_path: Path) -> None:
    """A batch that is full waits for nothing, and takes no smaller one with it."""
    peer = Peer()
    with running(peer, tmp_path, replace(QUICK, delay_s=60)) as pipeline:
        end(pipeline, *numbered("s", 18))
        until(lambda: len(peer.taken) == 16)
        assert pipeline.queued == 2


def test_spans_that_are_not_sampled_stay(tmp_path: Path) -> None:
    """A span that is recorded but not sampled is not exported."""

    class RecordOnly(sampling.StaticSampler):
        def __init__(self) -> None:
            super().__init__(sampling.Decision.RECORD_ONLY)

    with running(Peer(), tmp_path) as pipeline:
        provider = TracerProvider(sampler=RecordOnly(), shutdown_on_exit=False)
        provider.add_span_processor(pipeline)
        provider.get_tracer("t").start_span("a").end()
        pipeline.on_end(ReadableSpan("without context"))
        assert pipeline.stats().ended == 0


def test_requests_stay_below_what_receivers_take(tmp_path: Path) -> None:
    """A request has at most 3 MiB; a span that is larger goes alone."""
    peer = Peer()
    batching = Batching(delay_s=0.02)
    with running(peer, tmp_path, batching) as pipeline:
        tracer = tracer_of(pipeline)
        for number in range(8):
            tracer.start_span(f"s{number}", attributes={"text": "x" * (1 << 20)}).end()
        tracer.start_span("huge", attributes={"text": "x" * (4 << 20)}).end()
        assert pipeline.force_flush(10_000)
    assert len(peer.taken) == 9
    assert ["huge"] in peer.asked
    sizes = [size for size, names in zip(peer.sizes, peer.asked) if names != ["huge"]]
    assert max(sizes) <= REQUEST_BYTES


def test_one_value_that_cannot_be_encoded_costs_no_other_span(tmp_path: Path) -> None:
    """A name that is no valid text arrives as something else, and the rest as it is."""
    peer = Peer()
    with running(peer, tmp_path) as pipeline:
        end(pipeline, *numbered("s", 5), "bad \udcff", *numbered("t", 5))
        assert pipeline.force_flush(5_000)
    assert len(peer.taken) == 11


# ---------------------------------------------------------------------------- a slow one


def test_slow_receiver_slows_no_run_and_holds_little_memory(tmp_path: Path) -> None:
    """While a request takes for ever, spans end at once; past the memory they go to disk."""
    peer, names = Peer(), numbered("s", 3_000)
    batching = replace(QUICK, memory=20_000)
    with running(peer, tmp_path, batching) as pipeline:
        with peer.held_up():
            began = time.perf_counter()
            end(pipeline, *names)
            took_s = time.perf_counter() - began
            until(lambda: not pipeline.queued)
            outbox = pipeline._delivery._outbox
            assert outbox._size < 20_000 + 10_000
            assert list(tmp_path.rglob("*.v1"))
            assert pipeline.stats().waiting == 3_000
        assert pipeline.force_flush(20_000)
        assert pipeline.stats().replayed > 0
    assert took_s < 20
    assert sorted(peer.taken) == sorted(names)


def test_full_queue_is_no_loss() -> None:
    """Where the worker cannot keep up, the threads that end spans encode them."""
    peer, names, go = Peer(), numbered("s", 200), threading.Event()
    with running(peer, None, Batching(delay_s=60, batch=4, queue=8)) as pipeline:
        move_all = pipeline._intake.move_all

        def held_up() -> None:
            if threading.current_thread() is pipeline._worker:
                go.wait(20)
            move_all()

        pipeline._intake.move_all = held_up  # type: ignore[method-assign]
        end(pipeline, *names)
        assert pipeline.queued <= 8
        assert pipeline.stats().ended == 200
        assert pipeline.force_flush(5_000)
        go.set()
    assert sorted(peer.taken) == sorted(names)


# ---------------------------------------------------------------------------- one that is away


@pytest.mark.parametrize("durable", [False, True])
def test_spans_of_an_outage_are_replayed_oldest_first(
    tmp_path: Path, durable: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """What ended while the receiver was away arrives in its order; one line said that it was."""
    caplog.set_level(logging.INFO)
    peer, names = Peer(away), numbered("s", 100)
    with running(peer, tmp_path, durable=durable) as pipeline:
        end(pipeline, *names)
        until(lambda: len(peer.asked) > 3)
        assert pipeline.stats().waiting == 100
        peer.answer = taking
        assert pipeline.force_flush(5_000)
        assert pipeline.stats().replayed >= 100 - QUICK.batch
    assert sorted(peer.taken) == sorted(names)
    order = [names.index(name) for name in peer.taken]
    # Beside the replay go the batch that was kept for the next attempt, and the last, part one.
    assert sum(a > b for a, b in zip(order, order[1:])) <= 2
    said = [it.getMessage() for it in caplog.records]
    assert [it for it in said if "cannot send to the peer now (away)" in it] == said[:1]
    assert "otelbridge sends to the peer again" in said


def test_new_spans_flow_while_old_ones_are_replayed(tmp_path: Path) -> None:
    """A span that ends during a long replay does not wait for its end."""
    peer = Peer(away)
    with running(peer, tmp_path) as pipeline:
        end(pipeline, *numbered("old", 600))
        until(lambda: len(list(tmp_path.rglob("*.v1"))) > 0 and not pipeline.queued)

        def slowly(names: Sequence[str]) -> Outcome:
            time.sleep(0.02)
            return Delivered()

        peer.answer = slowly
        until(lambda: len(peer.taken) > 32)
        end(pipeline, "new")
        until(lambda: "new" in peer.taken)
        assert len(peer.taken) < 600
        peer.answer = taking
        assert pipeline.force_flush(10_000)


def test_receiver_that_says_when_to_come_back_is_obeyed(tmp_path: Path) -> None:
    """Neither a flush nor new spans bring the next attempt forward."""
    answers = iter([TryAgain("busy", after_s=0.4)])
    peer = Peer(lambda names: next(answers, Delivered()))
    with running(peer, tmp_path) as pipeline:
        end(pipeline, "a")
        assert not pipeline.force_flush(100)
        end(pipeline, "b")
        assert pipeline.force_flush(5_000)
    assert peer.times[1] - peer.times[0] >= 0.4


def test_receiver_may_not_ask_to_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor for longer than a thread can."""
    monkeypatch.setattr(delivery, "_LONGEST_S", 0.1)
    answers = iter([TryAgain("in a century", after_s=1e11)])
    with running(Peer(lambda names: next(answers, Delivered())), tmp_path) as pipeline:
        end(pipeline, "a")
        assert pipeline.force_flush(5_000)


def test_flush_tries_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush does not wait for a back-off to end."""
    monkeypatch.setattr(backoff, "FIRST_S", 60.0)
    peer = Peer(away)
    with running(peer, tmp_path) as pipeline:
        end(pipeline, "a")
        until(lambda: peer.asked)
        peer.answer = taking
        assert pipeline.force_flush(5_000)


def test_shutdown_leaves_spans_to_the_next_process_of_the_service(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At the end what cannot be sent is on disk, which is said; the next one sends it."""
    with running(Peer(away), tmp_path) as first:
        end(first, *numbered("s", 50))
        began = time.perf_counter()
        first.shutdown()
        assert time.perf_counter() - began < 4.5
    assert (first.stats().waiting, dict(first.stats().dropped)) == (50, {})
    assert "has not sent 50 spans to the peer; they wait on disk" in caplog.text
    peer = Peer()
    with running(peer, tmp_path) as second:
        until(lambda: second.stats().sent == 50)
        stats = second.stats()
        assert (stats.ended, stats.adopted, stats.replayed) == (0, 50, 50)
    assert sorted(peer.taken) == sorted(numbered("s", 50))


def test_shutdown_ends_a_request_that_takes_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its spans go to disk, those behind it too."""
    monkeypatch.setattr(pipeline_module, "STOP_S", 0.2)
    peer = Peer()
    with running(peer, tmp_path) as pipeline, peer.held_up():
        end(pipeline, *numbered("s", 40))
        began = time.perf_counter()
        pipeline.shutdown()
        assert time.perf_counter() - began < 15
        assert pipeline.stats().waiting == 40
    spool = Spool.open(tmp_path, SERVICE)
    assert spool.adopt() == 40
    spool.close()


def test_channel_that_cannot_be_closed_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that comes after the end is not counted: the spans are on disk by then."""
    monkeypatch.setattr(pipeline_module, "STOP_S", 0.1)
    monkeypatch.setattr(pipeline_module, "_LATE_S", 0.1)
    go = threading.Event()

    def stuck(names: Sequence[str]) -> Outcome:
        go.wait(20)
        return Delivered()

    with running(Peer(stuck), tmp_path) as pipeline:
        end(pipeline, *numbered("s", 10))
        until(lambda: pipeline.in_flight)
        pipeline.shutdown()
        assert pipeline.stats().waiting == 10
        go.set()
        sender = pipeline._sender
        assert sender is not None
        sender.join(5)
        assert not sender.is_alive()
        assert (pipeline.stats().waiting, pipeline.stats().sent) == (10, 0)


# ---------------------------------------------------------------------------- one that refuses


FAULTS = pytest.mark.parametrize("is_fault", [False, True], ids=["refused", "failing"])


def refusing(*bad: str, is_fault: bool = False) -> Peer:
    """A receiver that refuses, or fails over, every request with a span of these names."""
    refused = Refused("no such thing", is_fault)
    return Peer(lambda names: refused if set(bad) & set(names) else Delivered())


@FAULTS
@pytest.mark.parametrize("place", [0, 300, 511])
@pytest.mark.parametrize("durable", [False, True])
def test_one_bad_span_in_512_is_set_aside_and_511_arrive(
    tmp_path: Path, durable: bool, place: int, is_fault: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The request is split until the bad span is alone; it can be read, and is told."""
    bad = f"s{place}"
    peer, names = refusing(bad, is_fault=is_fault), numbered("s", 512)
    with running(peer, tmp_path, Batching(delay_s=60), durable=durable) as pipeline:
        end(pipeline, *names)
        assert pipeline.force_flush(10_000) is False
        stats = pipeline.stats()
    assert (stats.sent, stats.rejected, stats.waiting) == (511, 1, 0)
    assert sorted(peer.taken) == sorted(set(names) - {bad})
    assert len(peer.asked) <= 19 + is_fault
    (letter,) = read_dead_letters(DeadLetters(tmp_path, SERVICE).path)
    assert (letter.name, letter.reason, letter.where) == (bad, "no such thing", "the peer")
    (line,) = lines(caplog)
    assert "lost spans: 1 refused by the peer (no such thing), set aside in" in line
    assert "rejected-" in line


@pytest.mark.parametrize("spool", [True, False], ids=["spool", "memory"])
def test_receiver_that_fails_as_a_whole_loses_nothing(
    tmp_path: Path, spool: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """HTTP 500 for everything, for a while, is an outage: all arrives, once, with few requests."""
    monkeypatch.setattr(backoff, "LONGEST_S", 0.2)
    peer, names = Peer(lambda names: Refused("HTTP 500", is_fault=True)), numbered("s", 1_000)
    with running(peer, tmp_path if spool else None, Batching(delay_s=0.02)) as pipeline:
        for start in range(0, 1_000, 50):
            end(pipeline, *names[start : start + 50])
            time.sleep(0.05)
        until(lambda: not pipeline.queued)
        assert len(peer.asked) < 400
        assert pipeline.stats().waiting == 1_000
        assert "(it takes nothing, the last with HTTP 500)" in caplog.text
        peer.answer = taking
        assert pipeline.force_flush(10_000)
    assert sorted(peer.taken) == sorted(names)


@pytest.mark.parametrize("spool", [True, False], ids=["spool", "memory"])
def test_span_over_which_a_receiver_fails_waits_for_another_to_be_taken(
    tmp_path: Path, spool: bool
) -> None:
    """Alone it may be the receiver that is at fault; when others are taken it is set aside."""
    peer = refusing("bad", is_fault=True)
    with running(peer, tmp_path if spool else None) as pipeline:
        end(pipeline, "bad")
        until(lambda: len(peer.asked) > 3)
        assert (pipeline.stats().waiting, pipeline.stats().rejected) == (1, 0)
        end(pipeline, "good")
        until(lambda: pipeline.stats().rejected == 1)
        assert (peer.taken, pipeline.stats().sent) == (["good"], 1)


def test_span_with_no_other_to_try_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold up what is behind it on disk."""
    peer = refusing("bad", is_fault=True)
    with running(peer, tmp_path) as pipeline:
        end(pipeline, "bad")
        until(lambda: pipeline.stats().rejected == 1)
        assert 20 <= len(peer.asked) <= 21


@pytest.mark.parametrize("spool", [True, False], ids=["spool", "memory"])
def test_several_spans_over_which_a_receiver_fails_are_each_found(
    tmp_path: Path, spool: bool
) -> None:
    """Side by side at the beginning too, where one after another is refused."""
    bad = [f"s{n}" for n in (0, 1, 2, 3, 4, 77, 200)]
    peer, names = refusing(*bad, is_fault=True), numbered("s", 256)
    with running(peer, tmp_path if spool else None, Batching(delay_s=60)) as pipeline:
        end(pipeline, *names)
        assert pipeline.force_flush(10_000) is False
        until(lambda: not pipeline.stats().waiting)
        assert (pipeline.stats().sent, pipeline.stats().rejected) == (249, 7)
        assert len(peer.asked) < 100
    assert sorted(peer.taken) == sorted(set(names) - set(bad))


def test_isolation_goes_on_where_an_outage_interrupted_it(tmp_path: Path) -> None:
    """What was answered for is not sent again when the receiver is back."""
    turn = iter(range(1_000))

    def answer(names: Sequence[str]) -> Outcome:
        if next(turn) % 3 == 2:
            return TryAgain("hiccup")
        return Refused("bad") if "s7" in names else Delivered()

    peer = Peer(answer)
    with running(peer, tmp_path, replace(QUICK, batch=32)) as pipeline:
        end(pipeline, *numbered("s", 32))
        assert pipeline.force_flush(10_000) is False
        until(lambda: pipeline.stats().sent == 31)
        assert pipeline.stats().rejected == 1
    assert sorted(peer.taken) == sorted(set(numbered("s", 32)) - {"s7"})


def test_receiver_that_refuses_everything_is_asked_less_and_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A few spans are set aside; the others wait until it takes spans again."""
    monkeypatch.setattr(backoff, "FIRST_S", 0.2)
    monkeypatch.setattr(backoff, "LONGEST_S", 60.0)
    peer, names = Peer(lambda names: Refused("HTTP 500")), numbered("s", 500)
    with running(peer, tmp_path, Batching(delay_s=0.02)) as pipeline:
        end(pipeline, *names)
        until(lambda: pipeline._delivery.is_away)
        asked = len(peer.asked)
        assert asked < 80
        time.sleep(0.3)
        assert len(peer.asked) - asked < 40
        assert "it refuses one span after another, the last with HTTP 500" in caplog.text
        peer.answer = taking
        pipeline.force_flush(5_000)
        stats = pipeline.stats()
    assert stats.rejected < 25
    assert (stats.sent, stats.waiting) == (500 - stats.rejected, 0)


def test_partial_success_is_counted_and_not_sent_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What the receiver says it has not kept is rejected, even if it says nonsense."""
    answers = iter([Delivered(3, "too old"), Delivered(rejected=99), Delivered(-1)])
    peer = Peer(lambda names: next(answers, Delivered()))
    with running(peer, tmp_path, Batching(delay_s=60)) as pipeline:
        for prefix in "abc":
            end(pipeline, *numbered(prefix, 10))
            assert pipeline.force_flush(5_000) is False
        stats = pipeline.stats()
    assert (stats.sent, stats.rejected) == (7 + 0 + 10, 3 + 10)
    assert len(peer.asked) == 3
    assert "3 rejected by the peer (too old)" in caplog.text


def test_what_a_receiver_says_besides_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once a minute; nothing is rejected by it."""
    with running(Peer(lambda names: Delivered(message="use gzip")), tmp_path) as pipeline:
        for prefix in "abc":
            end(pipeline, prefix)
            assert pipeline.force_flush(5_000)
    assert lines(caplog) == ["otelbridge has sent spans to the peer, which says: use gzip"]


def test_wrong_set_up_is_said_with_its_cure_and_spans_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line, however many attempts; when it is put right they arrive."""
    peer = Peer(lambda names: Blocked("401 Unauthorized", "set OTEL_EXPORTER_OTLP_HEADERS"))
    with running(peer, tmp_path) as pipeline:
        end(pipeline, *numbered("s", 40))
        until(lambda: len(peer.asked) > 4)
        assert pipeline.stats().waiting == 40
        (line,) = lines(caplog)
        assert "the peer (401 Unauthorized): set OTEL_EXPORTER_OTLP_HEADERS" in line
        peer.answer = taking
        assert pipeline.force_flush(5_000)
    assert sorted(peer.taken) == sorted(numbered("s", 40))


def test_channel_that_raises_counts_as_one_that_is_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever happens in sending, the sender lives and tries again."""
    raised = []

    def answer(names: Sequence[str]) -> Outcome:
        if not raised:
            raised.append(names)
            raise ValueError("a defect")
        return Delivered()

    peer = Peer(answer)
    with running(peer, tmp_path) as pipeline:
        end(pipeline, "a")
        assert pipeline.force_flush(5_000)
    assert peer.taken == ["a"]
    assert "could not send spans" in caplog.text


# ---------------------------------------------------------------------------- no disk


def test_without_a_spool_memory_is_bounded_and_losses_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the spool off the oldest spans go when memory is full; one line says how many."""
    peer = Peer(away)
    with running(peer, None, replace(QUICK, memory=10_000)) as pipeline:
        end(pipeline, *numbered("s", 1_000))
        until(lambda: pipeline.stats().dropped)
        assert not pipeline.force_flush(100)
        peer.answer = taking
        until(lambda: not pipeline.stats().waiting)
        stats = pipeline.stats()
    dropped = stats.dropped["memory full"]
    assert 0 < dropped < 1_000
    assert stats.sent == 1_000 - dropped
    assert "s999" in peer.taken
    losses = [line for line in lines(caplog) if "lost spans" in line]
    assert 1 <= len(losses) <= 2  # at once, and at the end
    assert "found no room in memory" in losses[0]


@pytest.mark.parametrize("durable", [False, True])
def test_spool_that_cannot_be_used_is_said_once(
    tmp_path: Path, durable: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Spans then wait in memory, and arrive."""
    blocked = tmp_path / "file"
    blocked.write_text("", "utf-8")
    peer = Peer(away)
    with running(peer, blocked / "spool", durable=durable) as pipeline:
        end(pipeline, *numbered("s", 50))
        until(lambda: len(peer.asked) > 3)
        peer.answer = taking
        assert pipeline.force_flush(5_000)
    assert sorted(peer.taken) == sorted(numbered("s", 50))
    said = [line for line in lines(caplog) if "on disk" in line]
    assert len(said) == 1
    assert "cannot keep spans on disk (a part of the path is a file at " in said[0]
    assert "only in memory: set OTELBRIDGE_SPOOL" in said[0]


def test_disk_that_has_room_again_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is tried again; until then new spans stay in memory."""
    monkeypatch.setattr(reserve, "_RETRY_S", 0.1)
    full = [True]
    append = Spool.append

    def maybe(self: Spool, items: Sequence[object]) -> int:
        if full:
            raise SpoolUnavailable("the disk is full", "free some space")
        return append(self, items)  # type: ignore[arg-type]

    monkeypatch.setattr(Spool, "append", maybe)
    with running(Peer(away), tmp_path) as pipeline:
        end(pipeline, *numbered("s", 50))
        until(lambda: not pipeline.queued)
        assert list(tmp_path.rglob("*.v1")) == []
        full.clear()
        until(lambda: list(tmp_path.rglob("*.v1")))
    assert pipeline.stats().waiting == 50


def test_full_spool_loses_the_oldest_and_counts_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The newest spans arrive; one line says how many were pushed out."""
    peer = Peer(away)
    small = replace(
        route(peer, tmp_path), open_spool=lambda: Spool.open(tmp_path, SERVICE, max_bytes=40_000)
    )
    pipeline = Pipeline(small, QUICK)
    with watched(pipeline):
        end(pipeline, *numbered("s", 1_000))
        until(lambda: pipeline.stats().dropped)
        peer.answer = taking
        assert pipeline.force_flush(5_000) is False
        pipeline.shutdown()
    stats = pipeline.stats()
    dropped = stats.dropped["spool full"]
    assert (stats.sent, stats.waiting, balance(stats)) == (1_000 - dropped, 0, 0)
    assert "s999" in peer.taken
    assert "were pushed out of the full spool" in lines(caplog)[-1]


def test_damaged_spool_costs_what_is_damaged_and_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Spans that cannot be read back are dropped from the account, the others arrive."""
    peer = Peer(away)
    with running(peer, tmp_path) as pipeline:
        end(pipeline, *numbered("s", 64))
        until(lambda: len(peer.asked) > 5)
        with pipeline._account.lock:
            pipeline._delivery._away_until = time.monotonic() + 60
        (segment, *_) = sorted(tmp_path.rglob("*.v1"))
        data = bytearray(segment.read_bytes())
        data[-200] ^= 0xFF
        segment.write_bytes(data)
        peer.answer = taking
        pipeline.force_flush(5_000)
        stats = pipeline.stats()
        assert stats.waiting == 0
        assert stats.sent + stats.dropped.get("spool damaged", 0) == 64


# ---------------------------------------------------------------------------- durable


def test_durable_span_is_on_disk_when_its_end_returns(tmp_path: Path) -> None:
    """From any thread, also when another thread writes at the time."""
    with running(Peer(away), tmp_path, durable=True) as pipeline:
        missing = []

        def work(prefix: str) -> None:
            tracer = tracer_of(pipeline)
            for name in numbered(prefix, 30):
                tracer.start_span(name).end()
                data = b"".join(path.read_bytes() for path in sorted(tmp_path.rglob("*.v1")))
                if name.encode() not in data:
                    missing.append(name)

        threads = [threading.Thread(target=work, args=(prefix,)) for prefix in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert missing == []
    assert pipeline.stats().waiting == 90


def test_durable_spans_are_sent_in_batches(tmp_path: Path) -> None:
    """Not one request for each span."""
    peer = Peer()
    batching = Batching(delay_s=60, batch=64, queue=128)
    with running(peer, tmp_path, batching, durable=True) as pipeline:
        end(pipeline, *numbered("s", 640))
        assert pipeline.force_flush(10_000)
        assert pipeline.stats().replayed == 0
    assert len(peer.asked) < 40
    assert peer.taken == numbered("s", 640)


# ---------------------------------------------------------------------------- flush


def test_flush_is_true_only_when_all_that_ended_before_is_acknowledged(tmp_path: Path) -> None:
    """False while anything waits, True when it has arrived, False for good after a loss."""
    peer = Peer()
    with running(peer, tmp_path) as pipeline:
        assert pipeline.force_flush(0)
        with peer.held_up():
            end(pipeline, "a")
            assert not pipeline.force_flush(50)
        assert pipeline.force_flush(5_000)
        peer.answer = away
        end(pipeline, "b")
        assert not pipeline.force_flush(100)
        peer.answer = taking
        assert pipeline.force_flush(5_000)
        peer.answer = lambda names: Refused("no")
        end(pipeline, "c")
        assert not pipeline.force_flush(5_000)


@pytest.mark.parametrize("durable", [False, True])
def test_flush_does_not_wait_for_spans_of_an_earlier_process(tmp_path: Path, durable: bool) -> None:
    """They did not end in this one; those of this one are waited for, whoever goes first."""
    with running(Peer(away), tmp_path) as first:
        end(first, *numbered("old", 50))
    peer = Peer(lambda names: Delivered() if "new" in names else TryAgain("away"))
    with running(peer, tmp_path, durable=durable) as second:
        until(lambda: second.stats().adopted == 50)
        assert second.force_flush(5_000)
        end(second, "new")
        assert second.force_flush(5_000) is not durable  # on disk it is behind the old ones
        peer.answer = taking
        assert second.force_flush(5_000)
        until(lambda: not second.stats().waiting)
        stats = second.stats()
        assert (stats.ended, stats.adopted, stats.sent) == (1, 50, 51)
        assert stats.replayed == 50 + durable


def test_flush_does_not_wait_for_spans_that_end_later(tmp_path: Path) -> None:
    """A flush beside threads that never stop ending spans comes to an end."""
    stop = threading.Event()
    with running(Peer(), tmp_path) as pipeline:
        tracer = tracer_of(pipeline)

        def work() -> None:
            while not stop.is_set():
                tracer.start_span("s").end()
                time.sleep(0)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            time.sleep(0.05)
            assert [pipeline.force_flush(5_000) for _ in range(5)] == [True] * 5
        finally:
            stop.set()
            thread.join()


def test_spans_that_end_after_shutdown_are_dropped_and_counted(tmp_path: Path) -> None:
    """They are nobody's to send any more."""
    with running(Peer(), tmp_path) as pipeline:
        end(pipeline, "in time")
        pipeline.shutdown()
        end(pipeline, "late")
        assert pipeline.stats().dropped == {"ended after shutdown": 1}
        assert not pipeline.force_flush(0)
        pipeline.shutdown()


# ---------------------------------------------------------------------------- all at once


@FAULTS
@pytest.mark.parametrize("durable", [False, True])
def test_account_balances_whatever_happens_at_once(
    tmp_path: Path, durable: bool, is_fault: bool
) -> None:
    """Threads end spans and flush, the receiver errs in every way: all is accounted for."""
    chance = random.Random(4)

    def answer(names: Sequence[str]) -> Outcome:
        time.sleep(chance.random() * 0.002)
        if any(name.endswith("13") for name in names):
            return Refused("unlucky", is_fault)
        draw = chance.random()
        if draw < 0.1:
            return TryAgain("a hiccup", after_s=0.01 if draw < 0.05 else None)
        if draw < 0.13:
            return Blocked("no token", "set one")
        return Delivered(rejected=1 if draw > 0.98 else 0)

    peer = Peer(answer)
    with running(peer, tmp_path, durable=durable) as pipeline:
        threads = [
            threading.Thread(target=end, args=(pipeline, *numbered(prefix, 250)))
            for prefix in "abcd"
        ]
        threads += [threading.Thread(target=pipeline.force_flush, args=(50,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: not pipeline.stats().waiting, 20)
        stats = pipeline.stats()
    assert stats.ended == 1_000
    assert stats.sent + stats.rejected == 1_000
    assert stats.dropped == {}
    assert len(list(read_dead_letters(DeadLetters(tmp_path, SERVICE).path))) == 12
    unlucky = {f"{prefix}{n}" for prefix in "abcd" for n in range(250) if f"{n}".endswith("13")}
    assert set(peer.taken) == {n for p in "abcd" for n in numbered(p, 250)} - unlucky
    assert max(Counter(peer.taken).values()) == 1


# ---------------------------------------------------------------------------- odd places


@pytest.mark.parametrize("durable", [False, True])
def test_span_may_end_inside_a_lock_of_the_pipeline(tmp_path: Path, durable: bool) -> None:
    """As a signal handler or a finaliser does: nothing waits for itself, and the span arrives."""
    peer = Peer()
    with running(peer, tmp_path, durable=durable) as pipeline:
        with Shield():
            end(pipeline, *numbered("s", 100))
        assert pipeline.force_flush(5_000)
    assert sorted(peer.taken) == sorted(numbered("s", 100))


@pytest.mark.parametrize("durable", [False, True])
def test_exception_of_a_signal_handler_loses_no_span(tmp_path: Path, durable: bool) -> None:
    """Raised in the midst of encoding, in the thread that ended the span, it costs nothing."""
    peer, names = Peer(), numbered("s", 20)
    with running(peer, tmp_path, Batching(delay_s=60, batch=4, queue=4), durable=durable) as it:
        item = it._intake._encoder.item
        interrupted = []

        def interrupt(span: ReadableSpan) -> object:
            if span.name == "s5" and not interrupted:
                interrupted.append(span)
                raise KeyboardInterrupt
            return item(span)

        it._intake._encoder.item = interrupt  # type: ignore[method-assign, assignment]
        for name in names:
            with suppress(KeyboardInterrupt):
                end(it, name)
        assert interrupted
        assert it.force_flush(5_000)
    assert sorted(peer.taken) == sorted(names)


class _Interruption(BaseException):
    """What the handler of a time limit raises."""


@cache
def after_calls(code: CodeType) -> set[int]:
    """Where in a function its interpreter looks for signals: behind calls, and at the start."""
    steps = list(dis.get_instructions(code))
    looks = ("CALL", "RESUME")
    return {it.offset for before, it in pairwise(steps) if before.opname.startswith(looks)}


def interrupted(pipeline: Pipeline, name: str, at: int) -> bool:
    """End a span, and raise behind a call in the pipeline; False: it makes fewer calls."""
    folder, steps = str(Path(pipeline_module.__file__).parent), iter(range(at))

    def trace(frame: FrameType, event: str, arg: object) -> object:
        if not frame.f_code.co_filename.startswith(folder):
            return None
        frame.f_trace_opcodes = True
        is_step = event == "opcode" and frame.f_lasti in after_calls(frame.f_code)
        if is_step and next(steps, None) is None:
            sys.settrace(None)
            raise _Interruption
        return trace

    span = tracer_of(pipeline).start_span(name)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        span.end()
    except _Interruption:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("way", ["durable", "away", "memory"])
def test_exception_of_a_signal_handler_at_any_step_loses_no_span(tmp_path: Path, way: str) -> None:
    """Each step of the way of a span to the disk, or to the sender, is interrupted once."""
    peer = Peer(away if way == "away" else taking)
    batching = Batching(delay_s=60, batch=1, queue=1, memory=0 if way == "away" else 1 << 20)
    with running(peer, tmp_path, batching, durable=way == "durable") as pipeline:
        until(lambda: pipeline._reserve._spool)
        at = 0
        while interrupted(pipeline, f"s{at}", at):
            at += 1
        peer.answer = taking
        assert pipeline.force_flush(20_000)
        stats = pipeline.stats()
    assert at > 30
    assert (stats.waiting, stats.adopted, stats.sent) == (0, 0, stats.ended)
    assert max(Counter(peer.taken).values()) == 1
    assert len(peer.taken) == stats.ended


@pytest.mark.parametrize("durable", [False, True])
def test_calls_do_the_work_where_no_thread_can_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    """As in a forked child that is about to exit: flush and shutdown send, spans wait for them."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        peer = Peer()
        pipeline = Pipeline(route(peer, tmp_path, durable=durable), QUICK)
        end(pipeline, *numbered("a", 100))
        assert peer.taken == []
        assert pipeline.force_flush(5_000)
        assert sorted(peer.taken) == sorted(numbered("a", 100))
        end(pipeline, "b")
        pipeline.shutdown()
        assert peer.taken[-1] == "b"
        pipeline = Pipeline(route(Peer(away), tmp_path, durable=durable), QUICK)
        end(pipeline, *numbered("c", 10))
        assert not pipeline.force_flush(5_000)
        pipeline.shutdown()
        assert (pipeline.stats().waiting, balance(pipeline.stats())) == (10, 0)


def test_threads_start_when_they_can_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit on threads may be a passing one."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    peer = Peer()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        pipeline = Pipeline(route(peer, tmp_path), QUICK)
    end(pipeline, *numbered("s", 16))
    until(lambda: len(peer.taken) == 16)
    pipeline.shutdown()


def test_idle_pipeline_looks_for_spans_of_processes_that_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that lives on sends what others of its service have left since it began."""
    monkeypatch.setattr(delivery, "_IDLE_S", 0.05)
    peer = Peer()
    with running(peer, tmp_path) as pipeline:
        with running(Peer(away), tmp_path) as other:
            end(other, *numbered("s", 5))
        until(lambda: pipeline.stats().sent == 5)
        assert pipeline.stats().adopted == 5
