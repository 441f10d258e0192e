"""Everyone can use it: axe-core finds nothing serious, in light and in dark."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from browser.viewing import Look, Viewer
from playwright.sync_api import Page, expect
from view.made import trace_id

PACKAGES = Path(os.environ.get("OTELBRIDGE_BROWSER_CACHE", "~/.cache/otelbridge-browser"))
AXE = PACKAGES.expanduser() / "node_modules" / "axe-core" / "axe.min.js"

LIST, TRACE = "/", f"/trace/{trace_id('agent')}"
PAGES = {
    "list": (LIST, ".traces tbody tr", []),
    "found": ("/?text=umbrella", ".traces .found", []),
    "nothing found": ("/?service=nowhere", ".notice", []),
    "trace": (TRACE, ".span-row", []),
    "run": (TRACE, ".span-row", ["j", "Enter"]),
    "messages": (TRACE, ".span-row", ["j", "j", "Enter", "tab:Messages"]),
    "event": (TRACE, ".span-row", ["j", "j", "]"]),
    "json": (TRACE, ".span-row", ["j", "Enter", "tab:JSON"]),
    "error": (f"/trace/{trace_id('failing')}", ".span-row", ["e"]),
    "outcomes": (f"/trace/{trace_id('linked')}", ".span-row", ["j", "Enter"]),
    "events": (TRACE, ".span-row", ["t"]),
    "compare": (f"/compare/{trace_id('agent')}/{trace_id('failing')}", ".compare-row", []),
    "keys": (LIST, ".traces tbody tr", ["?"]),
}


def findings(page: Page) -> list[str]:
    """What axe-core calls serious or worse, with where it is."""
    # The policy lets no script in, so it comes by the debugger.
    page.evaluate(AXE.read_text())
    result: Any = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{it['id']}: {node['target']} {node['failureSummary']}"
        for it in result["violations"]
        if it["impact"] in ("serious", "critical")
        for node in it["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible(look: Look, shown: Viewer, name: str) -> None:
    """Roles, labels, contrast, focus: nothing serious is found, in light and in dark."""
    path, ready, keys = PAGES[name]
    page = look.at(shown.url + path, color_scheme="light", reduced_motion="reduce")
    expect(page.locator(ready).first).to_be_visible()
    for key in keys:
        if key.startswith("tab:"):
            page.get_by_role("tab", name=key[4:]).click()
        else:
            page.keyboard.press(key)
    assert findings(page) == []
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert findings(page) == []


def test_list_is_accessible_before_its_load_is_known(look: Look, shown: Viewer) -> None:
    """A picture that is still empty has a name."""
    context = look.context(reduced_motion="reduce")
    context.route("**/api/load?*", lambda route: None)
    page = look.at(shown.url, context)
    expect(page.locator(".traces tbody tr").first).to_be_visible()
    expect(page.locator(".spark-slot")).to_have_count(0)
    assert findings(page) == []


def test_narrow_page_is_accessible_and_fits(look: Look, shown: Viewer) -> None:
    """On a small screen nothing is wider than it."""
    narrow = {"width": 360, "height": 740}
    for path, ready in ((LIST, ".traces tbody tr"), (TRACE, ".span-row"), PAGES["compare"][:2]):
        page = look.at(shown.url + path, viewport=narrow, reduced_motion="reduce")
        expect(page.locator(ready).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate("document.querySelector('main').scrollWidth") <= 360
        assert findings(page) == []


def test_theme_is_the_systems_until_one_is_chosen(look: Look, shown: Viewer) -> None:
    """The button changes it, and the choice outlives the page."""
    colour = "getComputedStyle(document.body).backgroundColor"
    page = look.at(shown.url, color_scheme="dark")
    dark = page.evaluate(colour)
    page.get_by_role("button", name="Switch between light and dark").click()
    light = page.evaluate(colour)
    assert dark != light
    page.reload()
    assert page.evaluate(colour) == light
    assert look.at(shown.url, color_scheme="light").evaluate(colour) == light


def test_names_that_are_cut_can_be_read(look: Look, shown: Viewer) -> None:
    """At 320 px much of a name is seen in the list; hovering tells all of it, in the tree too."""
    page = look.at(shown.url, viewport={"width": 320, "height": 640})
    name = page.locator(".trace-link").first
    expect(name).to_have_attribute("title", "invoke_agent forecaster")
    width = name.locator("xpath=ancestor::td").evaluate("it => it.clientWidth")
    assert width >= 90
    name.click()
    expect(page.locator(".span-name").first).to_have_attribute("title", "invoke_agent forecaster")


def test_waterfall_is_seen_in_forced_colours(look: Look, shown: Viewer) -> None:
    """Where the system forces its own colours, bars, marks and what is chosen can be told apart."""
    page = look.at(f"{shown.url}/trace/{trace_id('agent')}", forced_colors="active")
    expect(page.locator(".span-row")).to_have_count(5)
    page.keyboard.press("j")
    empty = {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}
    for kind, part in [(".bar", ""), (".mark", "::before"), (".critical-path > div", "")]:
        colours = page.locator(kind).evaluate_all(
            f"all => all.map(it => getComputedStyle(it, '{part}').backgroundColor)"
        )
        assert colours
        assert not empty & set(colours), kind
    chosen = page.locator(".span-row[aria-selected=true]")
    expect(chosen).to_have_css("outline-style", "solid")
