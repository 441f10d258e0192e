"""What happens is seen while it happens: from any process, after any break, in every tab."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from browser.viewing import Look, Viewer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from playwright.sync_api import Page, expect
from view.made import Span, request

from otelbridge.store import Store, StoreError

PROGRAM = Path(__file__).with_name("live_program.py")
WITHIN_S = 1.0


class Watched:
    """A run of another process that dispatches what it is told to."""

    def __init__(self, process: subprocess.Popen[str], viewing: bool) -> None:
        self._input: IO[str] = process.stdin  # type: ignore[assignment]
        output: IO[str] = process.stdout  # type: ignore[assignment]
        self.url = output.readline().strip().rstrip("/") if viewing else ""
        self.trace_id = output.readline().strip()

    def say(self, word: str) -> float:
        """Have an event dispatched; return when, in s since the epoch."""
        self._input.write(f"{word}\n")
        self._input.flush()
        return time.time()


@contextmanager
def running(store: Path, *options: str) -> Iterator[Watched]:
    """Start the program; its run goes on until ``end`` is said."""
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), str(store), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])},
    ) as process:
        try:
            yield Watched(process, "--view" in options)
        finally:
            process.stdin.close()  # type: ignore[union-attr]
            process.wait(20)


@pytest.fixture
def run(viewer: Viewer) -> Iterator[Watched]:
    """A run in another process that writes to the viewer's store."""
    assert viewer.store.path is not None
    with running(viewer.store.path) as run:
        yield run


# Notes when the page first had so many events on its waterfall, in ms since the epoch.
NOTE = """globalThis.seenAt = {};
setInterval(() => {
  const marks = [...document.querySelectorAll(".mark")];
  seenAt[marks.reduce((sum, it) => sum + Number(it.dataset.count), 0)] ??= Date.now();
}, 20);"""


def seen(page: Page, count: int) -> float:
    """Wait until so many events are marked on the waterfall; when they were first, in s."""
    return float(page.wait_for_function("count => seenAt[count]", arg=count).json_value()) / 1000


def watching(look: Look, url: str, run: Watched) -> Page:
    context = look.context()
    context.add_init_script(NOTE)
    page = look.at(f"{url}/trace/{run.trace_id}", context)
    expect(page.locator("h1 bdi")).to_have_text("watched run")
    expect(page.locator(".live")).to_have_attribute("data-state", "live")
    return page


def test_event_is_seen_within_a_second_while_its_run_goes_on(
    look: Look, viewer: Viewer, run: Watched
) -> None:
    """Each event of another process is a mark before the run ends; then it is seen to end."""
    page = watching(look, viewer.url, run)
    for number in range(1, 6):
        said = run.say(f"event {number}")
        assert seen(page, number) - said < WITHIN_S
        expect(page.locator("h1 .chip")).to_have_text("Running")
    run.say("end")
    expect(page.locator("h1 .chip")).to_have_text("OK", timeout=2_000)


def test_event_of_the_viewers_own_process_is_seen_within_a_second(
    look: Look, tmp_path: Path
) -> None:
    """A program that serves its own viewer shows what it does."""
    with running(tmp_path / "traces.db", "--view") as run:
        page = watching(look, run.url, run)
        said = run.say("own")
        assert seen(page, 1) - said < WITHIN_S
        expect(page.locator("h1 .chip")).to_have_text("Running")


def test_page_goes_on_after_the_viewer_was_restarted(
    look: Look, viewer: Viewer, run: Watched
) -> None:
    """It says that the connection is lost, comes back by itself, and has missed nothing."""
    page = watching(look, viewer.url, run)
    run.say("before")
    seen(page, 1)
    viewer.stop()
    badge = page.locator(".live")
    expect(badge).to_have_text("Connection lost, trying again …", timeout=3_000)
    run.say("meanwhile")
    time.sleep(0.3)
    viewer.restart()
    expect(badge).to_have_text("Live", timeout=6_000)
    seen(page, 2)
    said = run.say("after")
    assert seen(page, 3) - said < WITHIN_S
    expect(page.locator("h1 .chip")).to_have_text("Running")


def test_store_in_trouble_is_said(
    look: Look, viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says that its store cannot be read, and is live again by itself."""
    page = look.at(viewer.url)
    badge = page.locator(".live")
    expect(badge).to_have_text("Live")
    with monkeypatch.context() as broken:

        def away(*args: object, **options: object) -> None:
            raise StoreError("the store is away")

        broken.setattr(viewer.store, "changes", away)
        expect(badge).to_have_attribute("data-state", "trouble", timeout=5_000)
        expect(badge).to_have_text("The store cannot be read right now, trying again …")
        expect(badge).to_have_attribute("role", "status")
    viewer.store.add(request("back", time.time_ns(), Span("back", 0, 5)))
    expect(badge).to_have_text("Live", timeout=5_000)
    expect(page.locator(".traces .trace-link")).to_have_text("back")


def test_running_span_grows_and_pulses(look: Look, viewer: Viewer, run: Watched) -> None:
    """Its bar and its duration grow without an event; it pulses unless motion is unwanted."""
    page = watching(look, viewer.url, run)
    still = look.at(page.url, reduced_motion="reduce")
    bar = page.locator(".span-row[data-standing=running] .bar").first
    expect(bar).to_be_visible()
    name = "it => getComputedStyle(it).animationName"
    assert bar.evaluate(name) == "pulse"
    assert still.locator(".span-row[data-standing=running] .bar").first.evaluate(name) == "none"
    took = page.locator(".took")
    before = took.inner_text()
    page.wait_for_function(
        "before => document.querySelector('.took').innerText !== before", arg=before
    )


def test_ten_tabs_stay_live(look: Look, viewer: Viewer, run: Watched) -> None:
    """Browsers allow six connections a host; ten tabs share one and all see each event."""
    context = look.context(reduced_motion="reduce")
    context.add_init_script(NOTE)
    pages = [look.at(f"{viewer.url}/trace/{run.trace_id}", context) for _ in range(10)]
    for page in pages:
        expect(page.locator(".live")).to_have_attribute("data-state", "live")
    said = run.say("for all")
    late = [seen(page, 1) - said for page in pages]
    print("seen after", [f"{it:.2f} s" for it in late])
    assert max(late) < 3
    for page in pages[:9]:
        page.close()
    said = run.say("for the last")
    assert seen(pages[9], 2) - said < WITHIN_S


WITHOUT_WORKERS = "delete globalThis.SharedWorker"
WITHOUT_LOCKS = (
    f"{WITHOUT_WORKERS}; Object.defineProperty(Navigator.prototype, 'locks', {{value: undefined}});"
    "delete Navigator.prototype.locks"
)


def test_tabs_share_a_stream_without_shared_workers(
    look: Look, viewer: Viewer, run: Watched
) -> None:
    """One tab leads; when it is closed another one does."""
    context = look.context(reduced_motion="reduce")
    context.add_init_script(WITHOUT_WORKERS)
    context.add_init_script(NOTE)
    streams: list[str] = []
    context.on("request", lambda it: streams.append(it.url) if "/api/live" in it.url else None)
    pages = [look.at(f"{viewer.url}/trace/{run.trace_id}", context) for _ in range(8)]
    for page in pages:
        expect(page.locator(".live")).to_have_attribute("data-state", "live")
    assert len(streams) == 1
    run.say("led")
    for page in pages:
        seen(page, 1)
    pages[0].close()
    run.say("led by another")
    seen(pages[7], 2)
    assert len(streams) == 2


def test_tab_without_workers_and_locks_is_live_alone(
    look: Look, viewer: Viewer, run: Watched
) -> None:
    """Where the browser offers nothing to share by, a tab holds a stream of its own."""
    context = look.context()
    context.add_init_script(WITHOUT_LOCKS)
    context.add_init_script(NOTE)
    page = look.at(f"{viewer.url}/trace/{run.trace_id}", context)
    expect(page.locator(".live")).to_have_attribute("data-state", "live")
    said = run.say("alone")
    assert seen(page, 1) - said < WITHIN_S


def test_run_is_seen_in_the_list_while_it_goes_on(
    look: Look, viewer: Viewer, tmp_path: Path
) -> None:
    """It appears when it starts, counts its events, and is seen to end."""
    page = look.at(viewer.url)
    expect(page.locator(".notice")).to_be_visible()
    assert viewer.store.path is not None
    with running(viewer.store.path) as run:
        row = page.locator(f"tr[data-trace='{run.trace_id}']")
        expect(row.locator(".chip")).to_have_text("Running", timeout=2_000)
        run.say("one")
        run.say("two")
        expect(row.locator(".col-events")).to_have_text("2", timeout=2_000)
        run.say("end")
        expect(row.locator(".chip")).to_have_text("OK", timeout=2_000)


def test_events_beyond_a_spans_room_are_live_too(look: Look, viewer: Viewer, run: Watched) -> None:
    """What goes to pages of a run is seen on the run, and no page has a row."""
    page = watching(look, viewer.url, run)
    for number in range(300):
        run.say(f"event {number}")
    seen(page, 300)
    expect(page.locator(".span-row")).to_have_count(1)
    run.say("end")
    expect(page.locator("h1 .chip")).to_have_text("OK", timeout=2_000)
    expect(page.get_by_role("button", name="Events 300")).to_be_visible()
    page.reload()
    seen(page, 300)


def test_spans_that_arrive_by_otlp_are_seen_as_they_come(look: Look, tmp_path: Path) -> None:
    """A trace that is open gets the spans that arrive later, under their parents."""
    start_ns = time.time_ns()
    whole = Span("parent", 0, 50, [Span("first", 5, 20), Span("second", 25, 45)])
    message = ExportTraceServiceRequest.FromString(request("late", start_ns, whole))
    spans = message.resource_spans[0].scope_spans[0].spans
    parent = spans.pop(0)
    with Store(tmp_path / "traces.db") as store, Viewer(store) as viewer:
        store.add(message.SerializeToString())
        page = look.at(f"{viewer.url}/trace/last")
        expect(page.locator(".span-row")).to_have_count(2)
        del spans[:]
        spans.append(parent)
        store.add(message.SerializeToString())
        expect(page.locator(".span-row")).to_have_count(3, timeout=2_000)
        levels = page.locator(".span-row").evaluate_all("rows => rows.map(it => it.ariaLevel)")
        assert levels == ["1", "2", "2"]
