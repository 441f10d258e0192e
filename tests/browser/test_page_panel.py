"""The details of a span: run, error, messages, events."""

from __future__ import annotations

import csv
import json
from typing import Any

from browser.test_page_trace import opened, row
from browser.viewing import Look, Viewer, texts
from playwright.sync_api import Page, expect


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_run_is_shown_with_its_config(look: Look, shown: Viewer) -> None:
    """Id, type, tags and metadata; what can be copied is copied whole."""
    page = opened(look, shown, "agent")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    row(page, "invoke_agent").click()
    run = page.locator(".run")
    expect(run).to_contain_text("0b9a3a52-0000-4000-8000-000000000001")
    assert texts(run.locator(".tag")) == ["weather", "oslo"]
    expect(run).to_contain_text("thread_id: thread-7")
    run.get_by_role("button", name="Copy the metadata as JSON").click()
    page.wait_for_timeout(100)
    assert json.loads(clipboard(page)) == {"thread_id": "thread-7", "user": "anna"}
    run.get_by_role("button", name="Copy the run id").click()
    page.wait_for_timeout(100)
    assert clipboard(page) == "0b9a3a52-0000-4000-8000-000000000001"
    run.get_by_role("link", name="oslo").click()
    expect(page).to_have_url(f"{shown.url}/?tag=oslo")


def test_exception_is_shown_with_its_stack(look: Look, shown: Viewer) -> None:
    """Type, message and stack come before all else."""
    page = opened(look, shown, "failing")
    page.keyboard.press("e")
    section = page.locator(".panel-section").first
    expect(section.locator("strong")).to_have_text("KeyError")
    expect(section.locator(".exception-message")).to_have_text("'CHF'")
    expect(section.locator(".stack pre")).to_contain_text('File "app.py", line 31, in price')


def test_messages_are_a_conversation(look: Look, shown: Viewer) -> None:
    """Who said what, which tool was called with what, and how many tokens it took."""
    page = opened(look, shown, "agent")
    row(page, "chat gpt-5-mini").click()
    assert texts(page.locator(".token-counts > div")) == ["Input 412", "Output 18"]
    page.locator(".span-row").nth(4).click()
    page.get_by_role("tab", name="Messages").click()
    messages = page.locator(".message")
    assert messages.evaluate_all("all => all.map(it => it.dataset.role)") == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert texts(messages)[1] == "User Will it rain in Oslo?"
    expect(messages.nth(2)).to_contain_text("look_up")
    expect(messages.nth(2)).to_contain_text("city: Oslo")
    assert texts(messages)[3] == "Tool rain, 11 °C"
    expect(messages.nth(4)).to_contain_text("print('umbrella')")
    row(page, "execute_tool").click()
    expect(page.locator(".panel-body")).to_contain_text("rain, 11 °C")


def saved(page: Page, kind: str) -> str:
    with page.expect_download() as download:
        page.locator(".events:visible").get_by_role("button", name=f"Save as {kind}").click()
    assert download.value.suggested_filename.endswith(f"-events.{kind.lower()}")
    return download.value.path().read_bytes().decode()


def test_events_are_a_table_that_is_filtered_and_saved(look: Look, shown: Viewer) -> None:
    """All events of the trace by time; a search leaves some, and those are saved."""
    page = opened(look, shown, "agent")
    page.get_by_role("button", name="Events 7").click()
    table = page.locator(".events:visible")
    names = [
        ["planning", "invoke_agent forecaster"],
        ["token", "chat gpt-5-mini"],
        ["token", "chat gpt-5-mini"],
        ["asking", "execute_tool look_up"],
        ["answered", "execute_tool look_up"],
        ["token", "chat gpt-5-mini"],
        ["done", "invoke_agent forecaster"],
    ]
    rows = table.locator(".event-row:not(.head)")
    assert texts(rows.locator(".event-event")) == [name for name, _ in names]
    assert texts(rows.locator(".event-span")) == [span for _, span in names]
    table.get_by_label("Filter events").fill("oslo")
    expect(rows).to_have_count(1)
    expect(table.locator(".count")).to_have_text("1 of 7")
    found: Any = json.loads(saved(page, "JSON"))
    assert [(it["name"], it["data"]) for it in found] == [("asking", {"city": "Oslo"})]
    table.get_by_label("Filter events").fill("")
    lines = list(csv.DictReader(saved(page, "CSV").splitlines()))
    assert [[it["name"], it["span"]] for it in lines] == names
    assert json.loads(lines[4]["data"]) == {"percent": 100, "sky": "rain"}
    rows.nth(4).click()
    expect(table.locator(".event-detail .json")).to_contain_text("sky: rain")


def test_formula_of_a_stranger_is_saved_as_text(look: Look, viewer: Viewer) -> None:
    """A spreadsheet that opens the CSV runs nothing."""
    import time

    from view.made import Event, Span, request

    span = Span("work", 0, 5, events=[Event(1, "=HYPERLINK(1)", {"data": '+1, "2"'})])
    viewer.store.add(request("formula", time.time_ns(), span))
    page = opened(look, viewer, "formula")
    page.keyboard.press("t")
    (line,) = csv.DictReader(saved(page, "CSV").splitlines())
    assert line["name"] == "'=HYPERLINK(1)"


def test_event_data_is_json_that_can_be_read_and_copied(look: Look, shown: Viewer) -> None:
    """Dotted keys are nested again; integers of 64 bits keep every digit."""
    page = opened(look, shown, "hostile")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".span-row").nth(2).click()
    expect(page.locator(".properties").first).to_contain_text("9223372036854775807")
    expect(page.locator(".properties").first).to_contain_text("NaN")
    page.get_by_role("tab", name="Events").click()
    page.locator(".panel .event-row:not(.head)").first.click()
    page.get_by_role("button", name="Copy the data as JSON").click()
    page.wait_for_timeout(100)
    data = json.loads(clipboard(page))
    assert data["deep"] == {"er": {"est": [1, "a", None]}}


def test_json_tab_has_the_whole_span(look: Look, shown: Viewer) -> None:
    """Nothing that is known of a span is out of reach."""
    page = opened(look, shown, "agent")
    row(page, "GET").click()
    page.get_by_role("tab", name="JSON").click()
    expect(page.locator(".panel-body")).to_contain_text("parent_id: ")
    expect(page.locator(".panel-body")).to_contain_text("kind: client")
