"""Large traces stay smooth, since only what is seen is drawn."""

from __future__ import annotations

from statistics import median

from browser.test_page_trace import opened
from browser.viewing import Look, Viewer
from playwright.sync_api import CDPSession, Page, expect

# Scrolls by so many px a frame for a while, and returns the ms that each frame took.
SCROLL = """async ([selector, step]) => {
  const scroller = document.querySelector(selector);
  const frames = [];
  let last = await new Promise(requestAnimationFrame);
  for (let at = 0; at < 90; at += 1) {
    scroller.scrollTop += step;
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
  }
  return frames;
}"""
FRAME_MS = 1000 / 60


def busy_ms(session: CDPSession) -> float:
    """How long the page's main thread has worked, in ms of processor time."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return 1000 * float(next(it["value"] for it in metrics if it["name"] == "TaskDuration"))


def smooth(page: Page, scroller: str, step: int) -> None:
    """What scrolling asks of the page fits into a frame, so that frames stay short.

    It is measured in processor time, since frames get longer where other programs work, too.
    """
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    rest = median(page.evaluate(SCROLL, [scroller, 0]))
    before = busy_ms(session)
    frames = page.evaluate(SCROLL, [scroller, step])
    work = (busy_ms(session) - before) / len(frames)
    print(
        f"{scroller} by {step} px a frame: {work:.1f} ms of work, frames of {median(frames):.1f} ms"
        f" (at rest {rest:.1f} ms)"
    )
    assert work < FRAME_MS
    assert median(frames) < 100


def test_10000_spans_scroll_smoothly(look: Look, shown: Viewer) -> None:
    """Whatever is scrolled to, there are about as many rows as fit; frames stay short."""
    page = opened(look, shown, "large")
    expect(page.get_by_role("treegrid")).to_have_attribute("aria-rowcount", "10001")
    for step in (40, 150):
        smooth(page, ".waterfall-scroll", step)
        assert page.locator(".span-row").count() < 60
    page.keyboard.press("End")
    expect(page.locator(".span-row").last).to_have_attribute("aria-rowindex", "10001")
    assert page.locator("*").count() < 1_500


def test_10000_events_scroll_smoothly(look: Look, shown: Viewer) -> None:
    """All of them can be reached in the table; the marks that stand for them are few."""
    page = opened(look, shown, "many events")
    page.keyboard.press("t")
    expect(page.locator(".events:visible .count")).to_have_text("10,000")
    smooth(page, ".events-scroll", 150)
    assert page.locator(".event-row").count() < 70
    page.locator(".events-scroll").first.focus()
    page.keyboard.press("End")
    expect(page.locator(".event-detail:visible .json")).to_contain_text("row: 9999")
    page.keyboard.press("w")
    counts = page.locator(".mark").evaluate_all("all => all.map(it => Number(it.dataset.count))")
    assert sum(counts) == 10_000
    assert len(counts) < 90
