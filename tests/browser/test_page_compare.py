"""Two traces side by side."""

from __future__ import annotations

from browser.viewing import Look, Viewer, texts
from playwright.sync_api import expect
from view.made import trace_id

STEPS = [
    "RunnableSequence",
    "read",
    "score",
    "batch",
    "batch#2",
    "batch#3",
    "batch#4",
    "write",
]


def test_compare_shows_what_got_slower(look: Look, shown: Viewer) -> None:
    """Steps stand beside each other with their change; those that are alike can be left out."""
    page = look.at(f"{shown.url}/compare/{trace_id('pipeline 3')}/{trace_id('pipeline 58')}")
    rows = page.locator(".compare-row:not(.head)")
    expect(rows).to_have_count(8)
    assert [it.replace(" ", "") for it in texts(rows.locator(".step"))] == STEPS
    assert texts(rows.locator(".delta")) == [
        "+900 ms (+194 %)",
        "same",
        "+900 ms (+300 %)",
        *["+180 ms (+360 %)"] * 4,
        "same",
    ]
    expect(page.locator(".verdict")).to_have_text("Of 8 steps: 6 slower.")
    page.get_by_role("button", name="Only differences").click()
    expect(rows).to_have_count(6)
    page.get_by_role("link", name="Swap").click()
    expect(rows).to_have_count(8)
    assert texts(rows.locator(".delta"))[0] == "\N{MINUS SIGN}900 ms (\N{MINUS SIGN}66 %)"


def test_compare_shows_structure_status_and_events(look: Look, shown: Viewer) -> None:
    """What only one of them has is named, and so are another status and other events."""
    page = look.at(f"{shown.url}/compare/{trace_id('agent')}/{trace_id('failing')}")
    rows = page.locator(".compare-row:not(.head)")
    expect(rows).to_have_count(7)
    differs = texts(rows.locator(".differs"))
    assert "unset → error" in differs[0]
    assert "events 2 → 1" in differs[0]
    assert differs[1:] == ["only in A"] * 4 + ["only in B"] * 2
    rows.nth(1).locator(".side[data-side=A]").click()
    expect(page.locator(".panel h2 bdi")).to_have_text("chat gpt-5-mini")


def test_compare_is_reached_from_a_trace(look: Look, shown: Viewer) -> None:
    """Its button leads to runs of the same name, to choose one from."""
    page = look.at(f"{shown.url}/trace/{trace_id('pipeline 3')}")
    page.get_by_role("link", name="Compare").click()
    expect(page.locator(".chooser")).to_contain_text("choose a second one")
    page.locator(".traces tbody tr").first.get_by_role("checkbox").check()
    page.locator(".chooser").get_by_role("button", name="Compare").click()
    expect(page).to_have_url(
        f"{shown.url}/compare/{trace_id('pipeline 3')}/{trace_id('pipeline 59')}"
    )
    expect(page.locator(".compare-row:not(.head)")).to_have_count(8)


def test_compare_with_a_trace_that_is_not_here_says_so(look: Look, shown: Viewer) -> None:
    """The page names it, and leads to the list."""
    page = look.at(f"{shown.url}/compare/{trace_id('agent')}/{'0' * 32}")
    expect(page.locator(".notice")).to_contain_text("cannot be compared")
    expect(page.get_by_role("link", name="All traces").last).to_be_visible()
