"""Pictures of the pages, kept in artefacts/ for people to look at."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from browser.test_page_live import running
from browser.viewing import Look, Viewer
from playwright.sync_api import Page, expect
from view import synthetic
from view.made import trace_id

Artefacts = Callable[[str], Path]
AGENT = f"/trace/{trace_id('agent')}"

PICTURES = {
    "list": ("/", {}, ".traces tbody tr", []),
    "list-dark": ("/", {"color_scheme": "dark"}, ".traces tbody tr", []),
    "list-narrow": ("/", {"viewport": {"width": 390, "height": 780}}, ".traces tbody tr", []),
    "trace": (AGENT, {}, ".span-row", ["j", "j", "j", "]", "]"]),
    "trace-dark": (AGENT, {"color_scheme": "dark"}, ".span-row", ["j", "Enter"]),
    "trace-narrow": (AGENT, {"viewport": {"width": 390, "height": 780}}, ".span-row", []),
    "trace-error": (f"/trace/{trace_id('failing')}", {}, ".span-row", ["e"]),
    "trace-10000-spans": (f"/trace/{trace_id('large')}", {}, ".span-row", ["e"]),
    "trace-10000-events": (f"/trace/{trace_id('many events')}", {}, ".span-row", ["t"]),
    "messages": (AGENT, {}, ".span-row", ["End", "Enter", "tab:Messages"]),
    "compare": (
        f"/compare/{trace_id('pipeline 3')}/{trace_id('pipeline 58')}",
        {},
        ".compare-row",
        [],
    ),
}


def taken(page: Page, file: Path) -> None:
    page.screenshot(path=file)
    assert file.stat().st_size > 5_000


@pytest.mark.parametrize("name", PICTURES)
def test_picture_is_taken(look: Look, shown: Viewer, artefacts: Artefacts, name: str) -> None:
    """Each page as a reader sees it."""
    path, options, ready, keys = PICTURES[name]
    page = look.at(shown.url + path, **options)
    expect(page.locator(ready).first).to_be_visible()
    expect(page.locator(".live")).to_have_attribute("data-state", "live")
    for key in keys:
        if key.startswith("tab:"):
            page.get_by_role("tab", name=key[4:]).click()
        else:
            page.keyboard.press(key)
    if name == "trace-10000-events":
        expect(page.locator(".events:visible .count")).to_have_text("10,000")
    page.wait_for_timeout(150)
    taken(page, artefacts(name))


def test_picture_of_a_live_run_is_taken(look: Look, viewer: Viewer, artefacts: Artefacts) -> None:
    """A run of another process, half-way."""
    viewer.store.add(synthetic.pipeline(time.time_ns() - 10**10, 1))
    assert viewer.store.path is not None
    with running(viewer.store.path) as run:
        page = look.at(f"{viewer.url}/trace/{run.trace_id}")
        expect(page.locator(".span-row")).to_have_count(1)
        for number in range(6):
            run.say(f"file-{number}.txt")
            page.wait_for_timeout(200)
        expect(page.get_by_role("button", name="Events 6")).to_be_visible()
        page.keyboard.press("j")
        page.keyboard.press("]")
        page.wait_for_timeout(150)
        taken(page, artefacts("live"))
