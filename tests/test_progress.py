"""Progress bars from custom events: what an event tells, and what is drawn where."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from otelbridge import RunnableLambda, dispatch_custom_event
from otelbridge.progress import Progress, ProgressBars, bar, read


@pytest.mark.parametrize(
    ("data", "told", "text"),
    [
        ({"completed": 3, "total": 10}, Progress("load", 3, 10), "3 of 10"),
        ({"completed": 1500.0, "total": 3000}, Progress("load", 1500, 3000), "1,500 of 3,000"),
        ({"completed": 0.5, "total": 2.25}, Progress("load", 0.5, 2.25), "0.50 of 2.25"),
        ({"completed": 1, "total": 2, "step": "s"}, Progress("s", 1, 2), "1 of 2"),
        ({"progress": 0.25}, Progress("load", 0.25, 1, is_share=True), "25 %"),
        ({"progress": 1, "description": "d"}, Progress("d", 1, 1, is_share=True), "100 %"),
    ],
)
def test_read_understands_counts_and_shares(data: Any, told: Progress, text: str) -> None:
    """``completed`` and ``total``, or ``progress`` from 0 to 1, with a name of their own."""
    assert read("load", data) == told
    assert told.text == text


@pytest.mark.parametrize(
    "data",
    [
        *(None, 3, "50 %", [1, 2], {}, {"completed": 3}, {"total": 3}, {"progress": 2}),
        *({"completed": True, "total": 2}, {"completed": -1, "total": 2}, {"progress": "0.5"}),
        {"completed": float("nan"), "total": 2},
        {"completed": 1, "total": float("inf")},
    ],
)
def test_read_leaves_other_events_aside(data: Any) -> None:
    """What tells nothing of progress is no progress."""
    assert read("event", data) is None


KEYS = st.sampled_from(["completed", "total", "progress", "step"])
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none())


@given(st.dictionaries(KEYS, VALUES))
def test_read_never_raises_and_shares_are_shares(data: dict[str, Any]) -> None:
    """Whatever the data hold, a share is between 0 and 1 and can be drawn."""
    told = read("event", data)
    if told is not None:
        assert 0 <= told.share <= 1
        assert len(bar(told.share, 20)) == 20
        assert told.text


def work(counts: int) -> None:
    """Tell of progress, and of something else."""
    for number in range(1, counts + 1):
        dispatch_custom_event("work", {"completed": number, "total": counts})
        dispatch_custom_event("other", {"number": number})


def test_without_a_terminal_a_complete_bar_is_one_line() -> None:
    """Nothing is drawn over; an escape sequence in a name is written out."""
    out = io.StringIO()
    RunnableLambda(work).invoke(3, {"callbacks": [ProgressBars(out)]})
    bars = ProgressBars(out)
    bars.handle_custom_event("e", {"progress": 1.0, "step": "\x1b[2J"})
    bars.handle_custom_event("e", {"progress": 1.0, "step": "\x1b[2J"})
    assert out.getvalue() == "work  3 of 3\n\\x1b[2J  100 %\n"


def test_in_a_terminal_bars_are_drawn_and_stay() -> None:
    """Each piece of work has a bar; when all are complete the cursor is shown again."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, legacy_windows=False)
    bars = ProgressBars(console=console)
    bars.handle_custom_event("a", {"completed": 0, "total": 2})
    bars.handle_custom_event("b", {"progress": 0.5})
    assert "\x1b[?25l" in out.getvalue()
    assert "\x1b[?25h" not in out.getvalue()
    bars.handle_custom_event("a", {"completed": 2, "total": 2})
    bars.handle_custom_event("b", {"progress": 1.0})
    drawn = out.getvalue()
    assert drawn.endswith("\x1b[?25h")
    assert "2 of 2" in drawn
    assert "100 %" in drawn


def test_close_leaves_bars_as_they_are() -> None:
    """A bar that is never complete does not keep the terminal."""
    out = io.StringIO()
    with ProgressBars(console=Console(file=out, force_terminal=True, width=80)) as bars:
        bars.handle_custom_event("a", {"completed": 1, "total": 2})
    assert out.getvalue().endswith("\x1b[?25h")
    bars.close()


def test_in_a_notebook_bars_are_drawn_by_rich() -> None:
    """Rich's own console for notebooks is used as it is."""
    bars = ProgressBars(console=Console(file=io.StringIO(), force_jupyter=True))
    assert bars._draws


def test_threads_share_the_bars() -> None:
    """Events from many threads at once lose nothing."""
    out = io.StringIO()
    bars = ProgressBars(out)
    threads = [
        threading.Thread(
            target=lambda name: [
                bars.handle_custom_event(name, {"completed": n, "total": 50}) for n in range(51)
            ],
            args=(f"t{number}",),
        )
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(out.getvalue().splitlines()) == [f"t{n}  50 of 50" for n in range(8)]


def test_without_rich_the_error_says_what_to_install() -> None:
    """The module can be imported; the handler cannot be made."""
    code = (
        "import sys; sys.modules['rich'] = sys.modules['rich.console'] = None\n"
        "import otelbridge.progress as p\n"
        "try: p.ProgressBars()\n"
        "except p.ConfigurationError as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == (
        "otelbridge.progress draws with the package rich, which is not installed: "
        "pip install 'otelbridge[view]'\n"
    )
