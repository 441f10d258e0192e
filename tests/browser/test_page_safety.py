"""Values from strangers are text, and nothing else."""

from __future__ import annotations

from browser.test_page_trace import opened
from browser.viewing import Look, Viewer, texts
from playwright.sync_api import Page, expect
from view.made import trace_id

# Notes every breach of the Content-Security-Policy.
BREACHES = """globalThis.breaches = [];
addEventListener("securitypolicyviolation", it => breaches.push(it.violatedDirective))"""


def harmless(page: Page) -> None:
    """No element came of a value, and the policy had nothing to forbid."""
    assert page.locator("main img, main script, main iframe, main b").count() == 0
    assert page.evaluate("globalThis.breaches") == []


def test_hostile_names_and_data_are_inert(look: Look, shown: Viewer) -> None:
    """Script tags, bidi marks, NUL and 1 MB are shown as what they are, on every page."""
    context = look.context()
    context.add_init_script(BREACHES)
    page = look.at(shown.url, context)
    expect(page.get_by_text("<script>alert(1)</script>").first).to_be_visible()
    harmless(page)
    page.goto(f"{shown.url}/trace/{trace_id('hostile')}")
    expect(page.locator(".span-row")).to_have_count(13)
    names = texts(page.locator(".span-row .span-name"))
    assert names[2:5] == [
        "<img src=x onerror=alert(1)>",
        "\\u202egnirts desrever\\u202c",
        "NUL \\u0000 in the middle",
    ]
    assert names[11:] == ["(no name)", "(no name)"]
    for tab in ("Overview", "Events", "JSON"):
        for number in (1, 3, 4, 8):
            page.locator(".span-row").nth(number).click()
            page.get_by_role("tab", name=tab).click()
            harmless(page)
    page.keyboard.press("t")
    expect(page.locator(".event-row:visible").nth(3)).to_be_visible()
    harmless(page)
    page.goto(f"{shown.url}/compare/{trace_id('hostile')}/{trace_id('agent')}")
    expect(page.locator(".compare-row").nth(3)).to_be_visible()
    harmless(page)


def test_string_of_1_mb_costs_nothing_until_it_is_asked_for(look: Look, shown: Viewer) -> None:
    """Its beginning is shown, and more of it by a button."""
    page = opened(look, shown, "hostile")
    page.locator(".span-row").nth(1).click()
    value = page.locator(".property", has_text="xxxx").locator("dd")
    assert len(value.inner_text()) < 1_200
    value.get_by_role("button", name="show more (999,000 of 1,000,000").click()
    assert 60_000 < len(value.inner_text()) < 70_000


def test_addresses_of_strangers_are_inert(look: Look, shown: Viewer) -> None:
    """What an address carries is text, too, and leads nowhere else."""
    context = look.context()
    context.add_init_script(BREACHES)
    for path in (
        "/?text=<img src=x onerror=alert(1)>&service=%3Cscript%3E",
        "/trace/%3Cimg%20src=x%20onerror=alert(1)%3E",
        "/compare/<b>/javascript:alert(1)",
        "/trace/%00/<b>",
    ):
        page = look.at(shown.url + path, context)
        expect(page.locator("main .notice")).to_be_visible()
        harmless(page)
