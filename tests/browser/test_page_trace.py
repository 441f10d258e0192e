"""The page of one trace: its waterfall."""

from __future__ import annotations

import re
import time

import pytest
from browser.viewing import Look, Viewer, texts
from playwright.sync_api import Locator, Page, expect
from view import synthetic
from view.made import Event, Span, request, trace_id

ROWS = ".span-row"


def opened(look: Look, viewer: Viewer, name: str, query: str = "") -> Page:
    page = look.at(f"{viewer.url}/trace/{trace_id(name)}{query}")
    expect(page.locator(ROWS).first).to_be_visible()
    return page


def row(page: Page, name: str) -> Locator:
    return page.locator(ROWS).filter(has=page.locator(".span-name", has_text=name)).first


def middle(found: Locator) -> float:
    box = found.bounding_box()
    assert box
    return box["x"] + box["width"] / 2


def test_waterfall_shows_the_tree_and_its_times(look: Look, shown: Viewer) -> None:
    """Each span has its level, its duration, and a bar where it happened."""
    page = opened(look, shown, "agent")
    assert texts(page.locator(f"{ROWS} .span-name")) == [
        "invoke_agent forecaster",
        "chat gpt-5-mini",
        "execute_tool look_up",
        "GET",
        "chat gpt-5-mini",
    ]
    levels = page.locator(ROWS).evaluate_all("rows => rows.map(it => it.ariaLevel)")
    assert levels == ["1", "2", "2", "3", "2"]
    assert texts(page.locator(".bar-time")) == ["2.35 s", "800 ms", "400 ms", "330 ms", "1.08 s"]
    bars = [it.bounding_box() for it in page.locator(".bar").all()]
    root, tool = bars[0], bars[2]
    assert root
    assert tool
    assert tool["x"] == pytest.approx(root["x"] + root["width"] * 830 / 2350, abs=2)
    assert tool["width"] == pytest.approx(root["width"] * 400 / 2350, abs=2)
    grid = page.get_by_role("treegrid", name="Spans")
    expect(grid).to_have_attribute("aria-rowcount", "6")


def test_event_is_a_mark_at_its_time(look: Look, shown: Viewer) -> None:
    """Ten events of one span are ten marks, each at its time; hovering tells name and data."""
    page = opened(look, shown, "pipeline 3")
    marks = row(page, "read").locator(".mark")
    expect(marks).to_have_count(10)
    box = row(page, "RunnableSequence").locator(".bar").bounding_box()
    assert box
    for number in range(10):
        expected = box["x"] + box["width"] * (8 + 10 * number) / 465
        assert middle(marks.nth(number)) == pytest.approx(expected, abs=2)
    marks.nth(4).hover()
    tip = page.get_by_role("tooltip")
    expect(tip).to_contain_text("page read")
    expect(tip).to_contain_text("43 ms after the span's start")
    expect(tip).to_contain_text('"completed": 5')
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()


def test_marks_that_overlap_are_one_with_their_count(look: Look, shown: Viewer) -> None:
    """25 events in 25 ms are a few counted marks; coming nearer tells them apart."""
    page = opened(look, shown, "pipeline 3")
    marks = row(page, "score").locator(".mark")
    counts = [int(it) for it in marks.evaluate_all("all => all.map(it => it.dataset.count)")]
    assert sum(counts) == 25
    assert 1 < len(counts) < 6
    assert texts(marks)[0] == str(counts[0])
    marks.first.hover()
    expect(page.get_by_role("tooltip")).to_contain_text(f"{counts[0]} events")
    marks.first.dblclick()
    page.mouse.move(5, 5)
    expect(marks.first).to_have_attribute("data-count", "1")


def test_tree_folds(look: Look, shown: Viewer) -> None:
    """By its button, by keys, and all at once."""
    page = opened(look, shown, "agent")
    tool = row(page, "execute_tool")
    tool.get_by_role("button", name="Fold").click()
    expect(page.locator(ROWS)).to_have_count(4)
    expect(tool).to_have_attribute("aria-expanded", "false")
    tool.click()
    page.keyboard.press("ArrowRight")
    expect(page.locator(ROWS)).to_have_count(5)
    page.keyboard.press("ArrowLeft")
    expect(page.locator(ROWS)).to_have_count(4)
    page.get_by_role("button", name="Unfold all").click()
    expect(page.locator(ROWS)).to_have_count(5)
    page.get_by_role("button", name="Fold all", exact=True).click()
    expect(page.locator(ROWS)).to_have_count(4)


def test_critical_path_is_drawn(look: Look, shown: Viewer) -> None:
    """What the duration was spent on is underlined, until it is switched off."""
    page = opened(look, shown, "pipeline 3")
    pieces = page.locator(".critical-path > div")
    box = row(page, "RunnableSequence").locator(".bar").bounding_box()
    assert box
    widths = pieces.evaluate_all("all => all.map(it => it.getBoundingClientRect().width)")
    assert sum(widths) == pytest.approx(box["width"], rel=0.02)
    page.keyboard.press("p")
    expect(pieces).to_have_count(0)
    expect(page.get_by_role("button", name="Critical path")).to_have_attribute(
        "aria-pressed", "false"
    )


def test_errors_are_found(look: Look, shown: Viewer) -> None:
    """The page goes from error to error among 10,000 spans, and puts their branches first."""
    page = opened(look, shown, "large")
    page.get_by_role("button", name="10 errors").click()
    expect(page.locator(f"{ROWS}[aria-selected=true]")).to_have_attribute("data-standing", "error")
    first = page.url
    page.keyboard.press("e")
    page.wait_for_function(f"location.href !== {first!r}")
    expect(page.locator(f"{ROWS}[aria-selected=true]")).to_have_attribute("data-standing", "error")
    page.get_by_role("button", name="Errors first").click()
    order = page.locator(ROWS).evaluate_all("rows => rows.map(it => it.dataset.standing)")
    assert order.index("error") < 6


def test_waterfall_is_zoomed_and_panned(look: Look, shown: Viewer) -> None:
    """By keys, by wheel, by drawing over the times, and back."""
    page = opened(look, shown, "pipeline 3")
    bar = row(page, "batch").locator(".bar")
    width = bar.bounding_box()["width"]  # type: ignore[index]
    page.keyboard.press("+")
    nearer = bar.bounding_box()["width"]  # type: ignore[index]
    assert nearer == pytest.approx(width * 1.6, rel=0.05)
    expect(page.locator(".overview-window")).to_be_visible()
    left = bar.bounding_box()["x"]  # type: ignore[index]
    page.keyboard.press("Shift+ArrowRight")
    assert bar.bounding_box()["x"] < left  # type: ignore[index]
    page.keyboard.press("0")
    assert bar.bounding_box()["width"] == pytest.approx(width, abs=1)  # type: ignore[index]
    expect(page.locator(".overview-window")).to_be_hidden()
    at = bar.bounding_box()
    assert at
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.wait_for_function(
        "width => document.querySelectorAll('.bar')[3].offsetWidth > width * 1.5", arg=width
    )
    page.keyboard.press("0")
    axis = page.locator(".axis").bounding_box()
    assert axis
    page.mouse.move(axis["x"] + 100, axis["y"] + 10)
    page.mouse.down()
    page.mouse.move(axis["x"] + 300, axis["y"] + 10, steps=4)
    page.mouse.up()
    expect(page.locator(".overview-window")).to_be_visible()


def test_address_leads_to_a_span_and_an_event(look: Look, shown: Viewer) -> None:
    """It is opened, seen and selected; the address follows what the reader selects."""
    trace = shown.store.get(trace_id("agent"))
    assert trace
    tool = next(it for it in trace.spans if it.name == "execute_tool look_up")
    page = opened(look, shown, "agent", f"?span={tool.span_id}&event=1")
    expect(page.locator(f"{ROWS}[aria-selected=true] .span-name")).to_have_text(tool.name)
    expect(page.locator(".event-detail h3")).to_have_text("answered")
    expect(page.locator(".event-detail .json")).to_contain_text("percent: 100")
    row(page, "GET").click()
    expect(page).to_have_url(re.compile(r"\?span=[0-9a-f]{16}$"))
    expect(page.locator(".panel h2 bdi")).to_have_text("GET")


def test_address_may_be_short_or_last(look: Look, shown: Viewer) -> None:
    """The beginning of an id is enough, and `last` is the newest trace."""
    for short in (trace_id("agent")[:9], "last"):
        page = look.at(f"{shown.url}/trace/{short}")
        expect(page.locator("h1 bdi")).to_have_text("invoke_agent forecaster")
        expect(page).to_have_url(f"{shown.url}/trace/{trace_id('agent')}")


def test_trace_that_is_not_here_is_shown_when_it_comes(look: Look, viewer: Viewer) -> None:
    """The page says so, offers the list, and waits."""
    page = look.at(f"{viewer.url}/trace/{trace_id('failing')}")
    expect(page.locator(".notice")).to_contain_text("This trace is not here")
    expect(page.locator(".notice").get_by_role("link", name="All traces")).to_be_visible()
    viewer.store.add(synthetic.failing(time.time_ns()))
    expect(page.locator(ROWS)).to_have_count(3, timeout=3_000)


def test_links_lead_to_other_traces(look: Look, shown: Viewer) -> None:
    """A link of a span says what it is, and opens the trace that it points to."""
    page = opened(look, shown, "linked")
    row(page, "LangGraph").click()
    links = page.locator(".links a")
    assert texts(links)[0].startswith(f"resumes {trace_id('agent')[:8]}")
    links.first.click()
    expect(page.locator("h1 bdi")).to_have_text("invoke_agent forecaster")


def test_outcomes_have_words(look: Look, shown: Viewer) -> None:
    """What did not simply end says how it ended, not by colour alone."""
    page = opened(look, shown, "linked")
    flags = dict(
        zip(
            texts(page.locator(f"{ROWS} .span-name")),
            texts(page.locator(f"{ROWS} .span-flag")),
            strict=True,
        )
    )
    assert flags["approve"] == "Interrupted"
    assert flags["stream words"] == "Closed early"
    assert flags["wait for a friend"] == "Cancelled"


def test_trace_is_exported(look: Look, shown: Viewer) -> None:
    """The menu offers OTLP and Perfetto files."""
    page = opened(look, shown, "agent")
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="OTLP JSON lines").click()
    assert download.value.suggested_filename.startswith(trace_id("agent"))
    assert '"invoke_agent forecaster"' in download.value.path().read_text()


def test_strange_trees_are_drawn(look: Look, viewer: Viewer) -> None:
    """A parent that never came, and 2,000 levels, each leave every span in its row."""
    deep = Span("level 0", 0, 100)
    at = deep
    for number in range(1, 2_000):
        below = Span(f"level {number}", 0, 100, events=[Event(1, "here", {})])
        at.below = [below]
        at = below
    viewer.store.add(request("deep", time.time_ns(), deep))
    viewer.store.add(synthetic.orphans(time.time_ns()))
    page = opened(look, viewer, "deep")
    expect(page.get_by_role("treegrid")).to_have_attribute("aria-rowcount", "2001")
    page.keyboard.press("End")
    expect(page.locator(f"{ROWS}[aria-selected=true]")).to_have_attribute("aria-level", "2000")
    page = opened(look, viewer, "orphans")
    assert texts(page.locator(f"{ROWS} .span-name")) == ["first", "second"]


def test_waterfall_is_used_by_keys_alone(look: Look, shown: Viewer) -> None:
    """Spans, events and details are reached without a pointer."""
    page = opened(look, shown, "agent")
    for key in ("j", "j", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(".panel h2 bdi")).to_have_text("chat gpt-5-mini")
    page.keyboard.press("]")
    expect(page.locator(".event-detail .json")).to_contain_text("Let me")
    page.keyboard.press("]")
    expect(page.locator(".event-detail .json")).to_contain_text("look")
    page.keyboard.press("[")
    expect(page).to_have_url(re.compile("event=0$"))
    grid = page.get_by_role("treegrid", name="Spans")
    active = grid.get_attribute("aria-activedescendant")
    expect(page.locator(f"#{active}")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(page.locator(".panel")).to_be_hidden()
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    expect(page.locator(f"{ROWS}[aria-selected=true] .bar-time")).to_have_text("1.08 s")
