"""The live stream: what happens reaches every page, once, also after a break."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otelbridge.store import Store, StoreError
from otelbridge.store.sink import StoreSink
from otelbridge.view import Server, feed, start
from otelbridge.view import live as view_live
from view.asking import Message, Stream, ask, eventually, live
from view.made import Event, Span, request, trace_id

BEGIN_NS = 1_790_000_000_000_000_000


@contextmanager
def program(path: Path) -> Iterator[Any]:
    """A program that is being watched: its tracer."""
    provider = TracerProvider(resource=Resource({"service.name": "watched"}))
    provider.add_span_processor(StoreSink(path))
    try:
        yield provider.get_tracer("watched")
    finally:
        provider.shutdown()


def told(message: Message) -> tuple[str, ...]:
    """A message in words."""
    kind, _, data = message
    if kind == "change":
        name = data["event"]["name"] if data["event"] else ""
        return (data["kind"], data["span"]["name"], name)
    if kind == "traces":
        return ("traces", *(f"{it['name']} {it['state']}" for it in data["traces"]))
    return (kind,)


def changes(messages: list[Message]) -> list[tuple[str, ...]]:
    """The changes among messages."""
    return [told(it) for it in messages if it[0] == "change"]


def add(store: Store, name: str, events: int = 0) -> None:
    """A trace of one span arrives."""
    made = [Event(it, f"event {it}") for it in range(events)]
    store.add(request(name, BEGIN_NS, Span(name, 0, 10, events=made)))


def is_last(name: str) -> Any:
    """Whether a message tells of the end of this span."""
    return lambda message: message[0] == "change" and message[2]["span"]["name"] == name


def test_a_run_is_seen_while_it_works(viewer: Server, store: Store, tmp_path: Path) -> None:
    """Its start, each event within a second of its dispatch, its end; then its trace in a list."""
    assert store.path is not None
    with program(store.path) as tracer, live(viewer.url) as stream:
        stream.next("ping")
        with tracer.start_as_current_span("run") as span:
            assert told(stream.next("change")) == ("started", "run", "")
            assert told(stream.next("traces")) == ("traces", "run running")
            for number in range(5):
                begin = time.monotonic()
                span.add_event(f"event {number}", {"data.number": number})
                message = stream.next("change")
                assert time.monotonic() - begin < 1
                assert told(message) == ("event", "run", f"event {number}")
                assert message[2]["event"]["attributes"] == {"data.number": number}
                assert message[2]["span"]["events"] == []
                assert message[2]["span"]["state"] == "running"
                assert message[2]["span"]["resource"] is None
        message = stream.next("change")
        assert told(message) == ("ended", "run", "")
        assert message[2]["trace_id"] == message[2]["span"]["trace_id"]
        assert message[2]["span"]["events_total"] == 5
        ended = [*stream.until(lambda it: told(it) == ("traces", "run ended"))]
        assert {told(it) for it in ended} <= {("traces", "run running"), ("traces", "run ended")}


def test_the_first_message_says_that_it_is_connected(viewer: Server, store: Store) -> None:
    """With the cursor from which it goes on, as the message's id."""
    add(store, "before")
    with live(viewer.url) as stream:
        kind, cursor, data = stream.next("ping")
        assert (kind, cursor, data["cursor"]) == ("ping", str(store.cursor()), store.cursor())
        assert abs(int(data["now_ns"]) - time.time_ns()) < 60 * 10**9


@pytest.mark.parametrize("way", ["query", "header", "both"])
def test_a_stream_goes_on_from_a_cursor(viewer: Server, store: Store, way: str) -> None:
    """That of the page's own request, or of the last message; the browser's word counts more."""
    add(store, "first")
    cursor = store.cursor()
    add(store, "second")
    later = store.cursor()
    add(store, "third")
    query = {"query": f"?after={cursor}", "both": f"?after={later}"}.get(way, "")
    headers = {} if way == "query" else {"last_event_id": str(cursor)}
    with live(viewer.url, query, **headers) as stream:
        messages = stream.until(lambda it: it[0] == "traces" and "third" in str(it))
        assert changes(messages) == [("ended", "second", ""), ("ended", "third", "")]
        assert [it[1] for it in messages if it[0] == "change"] == [str(later), str(store.cursor())]
        told_of = [
            sorted(trace["name"] for trace in it[2]["traces"])
            for it in messages
            if it[0] == "traces"
        ]
        # Who comes again may have missed what was said of the last that it knows.
        again = [] if way == "query" else [["first"]]
        assert told_of == [*again, ["second", "third"]]
        add(store, "fourth")
        assert changes(stream.until(is_last("fourth"))) == [("ended", "fourth", "")]


def test_without_a_cursor_only_what_is_new_comes(viewer: Server, store: Store) -> None:
    """What was there before is in the lists."""
    add(store, "before")
    with live(viewer.url) as stream:
        stream.next("ping")
        add(store, "after")
        assert changes(stream.until(is_last("after"))) == [("ended", "after", "")]


def test_a_cursor_that_is_none(viewer: Server, store: Store) -> None:
    """In the address it is refused; what a browser says is passed over where it is strange."""
    for after in ("x", "-1", "1.5", "9" * 30):
        answer = ask(viewer.url, f"/api/live?after={after}")
        assert answer.status == 400
        assert answer.json["error"].startswith("after=")
    for last in ("x", "", "9" * 30):
        with live(viewer.url, last_event_id=last) as stream:
            assert stream.next("ping")[2]["cursor"] == store.cursor()


def test_a_cursor_of_another_store_begins_anew(viewer: Server, store: Store) -> None:
    """The page is told to ask for what it shows, and then gets what is new."""
    add(store, "first")
    with live(viewer.url, "?after=1000000") as stream:
        assert stream.next() == ("reset", str(store.cursor()), {"cursor": store.cursor()})
        add(store, "second")
        assert changes(stream.until(is_last("second"))) == [("ended", "second", "")]


def test_ten_pages_see_the_same(viewer: Server, store: Store) -> None:
    """Whenever they came; and one thread follows the store for all of them."""
    with ExitStack() as opened:
        streams: list[Stream] = []
        cursor = store.cursor()
        for number in range(10):
            streams.append(opened.enter_context(live(viewer.url, f"?after={cursor}")))
            add(store, f"trace {number}")
        threads = [it for it in threading.enumerate() if it.name == "otelbridge-view-follow"]
        assert len(threads) == 1
        expected = [("ended", f"trace {it}", "") for it in range(10)]
        for stream in streams:
            assert changes(stream.until(is_last("trace 9"))) == expected
    eventually(lambda: not threads[0].is_alive())


def test_nobody_follows_the_store_where_no_page_is_live(
    viewer: Server, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A viewer that nobody looks at costs nothing."""
    asked: list[int] = []
    changes_of = store.changes
    monkeypatch.setattr(
        store, "changes", lambda after, limit=1: (asked.append(after), changes_of(after))[1]
    )
    with live(viewer.url) as stream:
        stream.next("ping")
        eventually(lambda: asked)
    eventually(lambda: "otelbridge-view-follow" not in {it.name for it in threading.enumerate()})
    count = len(asked)
    time.sleep(0.3)
    assert len(asked) == count


def test_a_quiet_stream_is_kept_alive(
    viewer: Server, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By pings, with the cursor as their id."""
    monkeypatch.setattr(view_live, "PING_S", 0.05)
    with live(viewer.url) as stream:
        pings = [stream.next("ping") for _ in range(4)]
    assert {it[2]["cursor"] for it in pings} == {store.cursor()}


def test_a_page_that_is_slow_gets_everything(
    viewer: Server, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no longer kept for it is read from the store again, and nobody else waits."""
    monkeypatch.setattr(feed, "_KEPT_MESSAGES", 8)
    cursor = store.cursor()
    with live(viewer.url, f"?after={cursor}") as slow, live(viewer.url) as quick:
        # What a socket can hold is in between, so more than that must come.
        monkeypatch.setattr(slow._answer, "readline", _gated(slow._answer.readline, gate := []))
        quick.next("ping")
        padding = {"padding": "x" * 20_000}
        for at in range(0, 700, 50):
            roots = [Span(f"span {at + it}", it, 60, attributes=padding) for it in range(50)]
            store.add(request(f"large {at}", BEGIN_NS, *roots))
        add(store, "last")
        assert told(quick.until(is_last("last"))[-1]) == ("ended", "last", "")
        gate.append(True)
        got = changes(slow.until(is_last("last")))
    assert got == [*(("ended", f"span {it}", "") for it in range(700)), ("ended", "last", "")]


def _gated(read: Any, gate: list[bool]) -> Any:
    def readline() -> bytes:
        eventually(lambda: gate)
        return bytes(read())

    return readline


def test_a_page_that_is_too_far_behind_begins_anew(
    viewer: Server, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody wants to see a million changes pass by."""
    monkeypatch.setattr(feed, "FARTHEST", 20)
    for number in range(30):
        add(store, f"trace {number}")
    with live(viewer.url, "?after=1") as stream:
        assert stream.next() == ("reset", str(store.cursor()), {"cursor": store.cursor()})
        add(store, "new")
        assert changes(stream.until(is_last("new"))) == [("ended", "new", "")]


def test_a_flood_begins_anew(viewer: Server, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an import of a million spans is; the stream goes on behind it."""
    monkeypatch.setattr(feed, "FARTHEST", 20)
    monkeypatch.setattr(feed, "STEP", 10)
    with live(viewer.url) as stream:
        stream.next("ping")
        store.add(request("flood", BEGIN_NS, *(Span(f"span {it}", 0, 1) for it in range(500))))
        assert told(stream.until(lambda it: it[0] == "reset")[-1]) == ("reset",)
        add(store, "new")
        assert told(stream.until(is_last("new"))[-1]) == ("ended", "new", "")


def test_a_span_with_many_events_is_cut(viewer: Server, store: Store) -> None:
    """As it is where a trace is asked for: the rest is there."""
    with live(viewer.url) as stream:
        stream.next("ping")
        add(store, "many", 1500)
        span = stream.next("change")[2]["span"]
    assert (len(span["events"]), span["events_total"]) == (1000, 1500)


def test_a_page_of_events_comes_as_it_is(viewer: Server, store: Store) -> None:
    """With the run that it belongs to as its parent; the page knows what to do with it."""
    run = Span("run", 0, 9, [Span("run events", 1, 2, attributes={"otelbridge.page": 1})])
    with live(viewer.url) as stream:
        stream.next("ping")
        store.add(request("paged", BEGIN_NS, run))
        spans = [stream.next("change")[2]["span"] for _ in range(2)]
    assert [it["page"] for it in spans] == [None, 1]
    assert spans[1]["parent_id"] == spans[0]["span_id"]


def test_a_store_that_is_away_for_a_while(
    viewer: Server, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once; the stream stays open, and goes on when the store is back."""
    monkeypatch.setattr(feed, "_TROUBLE_S", 0.05)

    def away(*_: Any, **__: Any) -> Any:
        raise StoreError("the store is away")

    with live(viewer.url) as stream:
        stream.next("ping")
        with monkeypatch.context() as broken:
            broken.setattr(store, "changes", away)
            assert stream.next() == ("trouble", None, {"error": "the store is away"})
            time.sleep(0.2)
        add(store, "back")
        assert changes(stream.until(is_last("back"))) == [("ended", "back", "")]
    assert [it.getMessage() for it in caplog.records] == [
        "The viewer cannot read its store for now: the store is away"
    ]


def test_a_store_that_begins_anew(viewer: Server, store: Store) -> None:
    """Its file was removed: streams end, and the page that comes again begins anew too."""
    assert store.path is not None
    for number in range(10):
        add(store, f"trace {number}")
    with live(viewer.url) as stream:
        last = stream.next("ping")[1]
        for file in store.path.parent.glob(f"{store.path.name}*"):
            file.unlink()
        add(store, "new")
        assert "new" not in str(stream.end())
    with live(viewer.url, last_event_id=str(last)) as stream:
        assert stream.next() == ("reset", str(store.cursor()), {"cursor": store.cursor()})
        add(store, "newer")
        assert changes(stream.until(is_last("newer"))) == [("ended", "newer", "")]


def test_streams_end_with_the_viewer(store: Store) -> None:
    """At once, whole, and nobody's thread stays behind."""
    before = set(threading.enumerate())
    with start(store, port=0, otlp_http_port=None, otlp_grpc_port=None) as viewer:
        with ExitStack() as opened:
            streams = [opened.enter_context(live(viewer.url)) for _ in range(5)]
            for stream in streams:
                stream.next("ping")
            mine = set(threading.enumerate()) - before
            begin = time.monotonic()
            viewer.stop()
            assert time.monotonic() - begin < 2
            for stream in streams:
                assert [it[0] for it in stream.end()] == []
        eventually(lambda: not any(it.is_alive() for it in mine))


def test_a_page_stays_live_when_the_viewer_is_restarted(store: Store, tmp_path: Path) -> None:
    """What happened in between, and a run that goes on all the while, comes after the break."""
    assert store.path is not None
    with program(store.path) as tracer, tracer.start_as_current_span("run") as span:
        with start(store, port=0, otlp_http_port=None, otlp_grpc_port=None) as first:
            port = int(first.url.rstrip("/").rpartition(":")[2])
            with live(first.url) as stream:
                stream.next("ping")
                span.add_event("before")
                (message,) = [
                    it
                    for it in stream.until(lambda it: told(it)[2:] == ("before",))
                    if told(it)[2:] == ("before",)
                ]
                cursor = str(message[1])
        span.add_event("between")
        with (
            Store(store.path) as again,
            start(again, port=port, otlp_http_port=None, otlp_grpc_port=None) as second,
            live(second.url, last_event_id=cursor) as stream,
        ):
            seen = stream.until(lambda it: told(it) == ("event", "run", "between"))
            assert "before" not in str(changes(seen))
            span.add_event("after")
            stream.until(lambda it: told(it) == ("event", "run", "after"))


def test_more_streams_than_anybody_needs(viewer: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are refused, until others have gone."""
    monkeypatch.setattr(view_live, "_MOST_STREAMS", 2)
    with live(viewer.url) as one, live(viewer.url) as other:
        one.next("ping")
        other.next("ping")
        answer = ask(viewer.url, "/api/live")
        assert answer.status == 503
        assert answer.json == {"error": "2 pages are live already; close some of them."}
    eventually(lambda: _is_let_in(viewer))


def _is_let_in(viewer: Server) -> bool:
    try:
        with live(viewer.url) as stream:
            return bool(stream.next("ping"))
    except AssertionError:
        return False


def test_summaries_come_in_portions(viewer: Server, store: Store) -> None:
    """Of every trace that changed, however many."""
    names = [f"trace {it}" for it in range(450)]
    cursor = store.cursor()
    for name in names:
        add(store, name)
    ids = {trace_id(name) for name in names}
    with live(viewer.url, f"?after={cursor}") as stream:
        while ids:
            told_of = {it["trace_id"] for it in stream.next("traces")[2]["traces"]}
            assert len(told_of) <= 200
            ids -= told_of
