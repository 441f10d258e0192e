"""The list of traces."""

from __future__ import annotations

import re
import time

import pytest
from browser.viewing import Look, Viewer, texts
from playwright.sync_api import Page, expect
from view import synthetic
from view.made import trace_id

ROWS = ".traces tbody tr"
SPECIAL = [  # the newest first, before 60 pipelines
    "invoke_agent forecaster",
    "checkout",
    "LangGraph",
    "<script>alert(1)</script>",
    "import rows",
    "crawl",
]


def names(page: Page) -> list[str]:
    return texts(page.locator(f"{ROWS} .trace-link"))


def test_list_shows_what_each_trace_is(look: Look, shown: Viewer) -> None:
    """The newest comes first, with name, service, status, duration, spans, events, tokens."""
    page = look.at(shown.url)
    expect(page.locator(ROWS).first).to_be_visible()
    assert names(page)[:6] == SPECIAL
    cells = texts(page.locator(f"{ROWS}:first-child td"))
    assert cells[1:8] == [
        f"invoke_agent forecaster{trace_id('agent')[:8]}",
        "weather",
        "OK",
        "2.35 s",
        "5",
        "7",
        "867 → 79",
    ]
    assert texts(page.locator(f"{ROWS}:nth-child(2) td"))[3] == "Error"


@pytest.mark.parametrize(
    ("label", "value", "found"),
    [
        ("Service", "shop", ["checkout"]),
        ("Status", "error", ["checkout"]),
        ("Event name", "planning", ["invoke_agent forecaster"]),
        ("Tag", "resumed", ["LangGraph"]),
        ("Metadata key=value", "thread_id=thread-7", ["invoke_agent forecaster"]),
        ("Span name", "fetch rates", ["checkout"]),
        ("Search names, events, attributes, errors", "umbrella", ["invoke_agent forecaster"]),
    ],
)
def test_list_is_filtered(
    look: Look, shown: Viewer, label: str, value: str, found: list[str]
) -> None:
    """Each filter leaves what it asks for, and the address keeps it."""
    page = look.at(shown.url)
    field = page.get_by_label(label, exact=True)
    if label in ("Service", "Status"):
        field.locator(f"option[value={value}]").wait_for(state="attached")
        field.select_option(value)
    else:
        field.fill(value)
    expect(page.locator(ROWS)).to_have_count(len(found))
    assert names(page) == found
    page.reload()
    expect(page.locator(ROWS)).to_have_count(len(found))
    assert names(page) == found


def test_list_is_filtered_by_what_ended_well(look: Look, shown: Viewer) -> None:
    """What has ended with no error of its root is one choice, which the address keeps."""
    page = look.at(shown.url)
    page.get_by_label("Status", exact=True).select_option("Finished, no error")
    expect(page.locator(ROWS, has_text="checkout")).to_have_count(0)
    page.reload()
    expect(page.locator(ROWS).first).to_be_visible()
    assert names(page)[:6] == [it for it in SPECIAL if it != "checkout"] + ["RunnableSequence"]
    expect(page.get_by_label("Status", exact=True)).to_have_value("well")


def test_list_shows_where_the_words_are(look: Look, shown: Viewer) -> None:
    """A search shows where the newest span has the words, marks them, and leads to that span."""
    page = look.at(f"{shown.url}/?text=umbrella")
    found = page.locator(f"{ROWS} .found")
    expect(found).to_have_count(1)
    assert texts(found)[0].startswith("attribute gen_ai.output.messages")
    assert texts(found)[0].endswith("in chat gpt-5-mini")
    assert texts(found.locator("mark")) == ["umbrella"]
    found.click()
    expect(page.locator(".span-row[aria-selected=true] .span-name")).to_have_text("chat gpt-5-mini")
    page.go_back()
    expect(found).to_have_count(1)
    page.get_by_label("Search names, events, attributes, errors").fill("")
    expect(page.locator(ROWS)).not_to_have_count(1)
    expect(found).to_have_count(0)


def test_list_is_filtered_by_time(look: Look, shown: Viewer) -> None:
    """A span of time leaves what began within it."""
    page = look.at(shown.url)
    page.get_by_label("Time", exact=True).select_option("15m")
    expect(page.locator(ROWS)).to_have_count(len(names(page)))
    expect(page.locator(ROWS).last).not_to_have_text(re.compile("h ago"))
    assert 6 < page.locator(ROWS).count() < 15


def test_sparkline_shows_the_load_and_chooses_a_stretch(look: Look, shown: Viewer) -> None:
    """Its columns count traces and errors; drawing over some of them filters the list."""
    page = look.at(f"{shown.url}/?since=24h")
    spark = page.locator("svg.spark")
    expect(spark).to_have_attribute("aria-label", "Load over time: 66 traces, 1 with errors")
    page.goto(f"{shown.url}/?since=15m")
    expect(page.locator(ROWS).first).to_be_visible()
    expect(page.locator(".spark-slot").first).to_be_attached()
    before = page.locator(ROWS).count()
    box = page.locator(".spark-field").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"], box["y"] + 20, steps=4)
    page.mouse.up()
    expect(page.locator(".stretch")).to_be_visible()
    page.wait_for_function(f"document.querySelectorAll('{ROWS}').length < {before}")
    assert re.search(r"from=\d{19}&to=\d{19}", page.url)
    page.get_by_role("button", name="Show all time").click()
    expect(page.locator(ROWS)).to_have_count(50)


def test_list_goes_on_when_scrolled(look: Look, shown: Viewer) -> None:
    """Older traces come as the reader gets to the end."""
    page = look.at(shown.url)
    expect(page.locator(ROWS)).to_have_count(50)
    page.locator(ROWS).last.scroll_into_view_if_needed()
    expect(page.locator(ROWS)).to_have_count(66)


def test_list_is_used_by_keys_alone(look: Look, shown: Viewer) -> None:
    """Moving, searching, leaving the search, choosing two, comparing, opening."""
    page = look.at(shown.url)
    expect(page.locator(ROWS).first).to_be_visible()
    for key in ("j", "j", "k"):
        page.keyboard.press(key)
    expect(page.locator(f"{ROWS}:first-child a")).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("checkout")
    expect(page.locator(ROWS)).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator(ROWS)).to_have_count(50)
    for key in ("j", "x", "j", "x", "c"):
        page.keyboard.press(key)
    expect(page).to_have_url(f"{shown.url}/compare/{trace_id('agent')}/{trace_id('failing')}")
    page.go_back()
    expect(page.locator(ROWS).first).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{shown.url}/trace/{trace_id('agent')}")
    expect(page.locator(".span-row").first).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Next error")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_focus_stays_when_the_list_is_asked_for_again(look: Look, viewer: Viewer) -> None:
    """A row that comes into a filtered list leaves the one that is read alone."""
    now = time.time_ns()
    viewer.store.add(synthetic.pipeline(now, 1))
    page = look.at(f"{viewer.url}/?service=pipeline")
    expect(page.locator(ROWS)).to_have_count(1)
    page.keyboard.press("j")
    link = page.locator(f"{ROWS}:last-child .trace-link")
    expect(link).to_be_focused()
    viewer.store.add(synthetic.pipeline(now + 10**9, 2))
    expect(page.locator(ROWS)).to_have_count(2)
    expect(link).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator(f"{ROWS}:first-child .trace-link")).to_be_focused()


def test_filters_that_are_cleared_stay_so(look: Look, viewer: Viewer) -> None:
    """What was typed a moment before, and not yet asked for, does not come back."""
    viewer.store.add(synthetic.failing(time.time_ns()))
    page = look.at(f"{viewer.url}/?text=nowhere")
    clear = page.get_by_role("button", name="Clear the filters")
    expect(clear).to_be_visible()
    page.evaluate("""() => {
        const search = document.querySelector("input[type=search]");
        search.value = "elsewhere";
        search.dispatchEvent(new Event("input"));
        document.querySelector(".notice button").click();
    }""")
    expect(page.locator(ROWS)).to_have_count(1)
    page.wait_for_timeout(400)
    assert page.url == f"{viewer.url}/"
    expect(page.locator(ROWS)).to_have_count(1)


def test_list_that_is_empty_says_what_to_do(look: Look, viewer: Viewer) -> None:
    """Without traces it names commands; the first trace takes their place at once."""
    page = look.at(viewer.url)
    notice = page.locator(".notice")
    expect(notice).to_contain_text("No traces yet")
    assert texts(notice.locator("pre")) == [
        "otelbridge demo",
        "otelbridge run your_program.py",
        "import otelbridge.export otelbridge.export.configure()",
    ]
    viewer.store.add(synthetic.failing(time.time_ns()))
    expect(page.locator(ROWS)).to_have_count(1, timeout=2_000)
    expect(notice).to_have_count(0)


def test_list_without_a_match_offers_to_clear_the_filters(look: Look, shown: Viewer) -> None:
    """It says that the filters are the reason, and takes them away when pressed."""
    page = look.at(f"{shown.url}/?text=nowhere")
    expect(page.locator(".notice")).to_contain_text("No trace matches")
    page.get_by_role("button", name="Clear the filters").click()
    expect(page.locator(ROWS)).to_have_count(50)
    assert page.url == f"{shown.url}/"


def test_times_are_of_the_readers_zone_and_relative(look: Look, viewer: Viewer) -> None:
    """The same moment reads nine hours later in Tokyo than in Reykjavik, and as long ago."""
    start = (time.time_ns() // 86_400_000_000_000) * 86_400_000_000_000 - 10**9
    viewer.store.add(synthetic.failing(start))
    found = {}
    for zone in ("Atlantic/Reykjavik", "Asia/Tokyo"):
        page = look.at(viewer.url, timezone_id=zone, locale="de-DE")
        expect(page.locator(ROWS)).to_have_count(1)
        found[zone] = texts(page.locator(f"{ROWS} .col-start"))[0]
    assert "23:59:59" in found["Atlantic/Reykjavik"]
    assert "08:59:59" in found["Asia/Tokyo"]
    assert all(it.endswith(" ago") for it in found.values())


def test_list_changes_while_it_is_seen(look: Look, viewer: Viewer) -> None:
    """New traces come at the top, within the filters that are set."""
    viewer.store.add(synthetic.failing(time.time_ns()))
    plain = look.at(viewer.url)
    filtered = look.at(f"{viewer.url}/?service=weather")
    expect(plain.locator(ROWS)).to_have_count(1)
    expect(filtered.locator(".notice")).to_be_visible()
    viewer.store.add(synthetic.pipeline(time.time_ns(), 1))
    viewer.store.add(synthetic.agent(time.time_ns()))
    expect(plain.locator(ROWS)).to_have_count(3, timeout=2_000)
    assert names(plain) == ["invoke_agent forecaster", "RunnableSequence", "checkout"]
    expect(filtered.locator(ROWS)).to_have_count(1, timeout=3_000)
    assert names(filtered) == ["invoke_agent forecaster"]
