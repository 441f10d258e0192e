"""The critical path of ten traces made by hand, each answer found with a ruler."""

from __future__ import annotations

import time

import pytest

from otelbridge.view.critical_path import Section, critical_path
from view.made import MS, Span, trace

# The name of a span, and from when to when it is on the path; the latest first.
Answer = list[tuple[str, float, float]]

CASES: dict[str, tuple[list[Span], Answer]] = {
    # root  ----------
    "a span alone": (
        [Span("root", 0, 10)],
        [("root", 0, 10)],
    ),
    # root  ------------------------------
    # first    --------
    # second                 --------
    "one after the other": (
        [Span("root", 0, 30, [Span("first", 3, 11), Span("second", 17, 25)])],
        [("root", 25, 30), ("second", 17, 25), ("root", 11, 17), ("first", 3, 11), ("root", 0, 3)],
    ),
    # root  --------------------
    # long     ------------
    # short       ----
    "of two at once the one that finished last": (
        [Span("root", 0, 20, [Span("long", 3, 15), Span("short", 6, 10)])],
        [("root", 15, 20), ("long", 3, 15), ("root", 0, 3)],
    ),
    # root  ------------------------------
    # early   ----------
    # over            ----------
    # last                   -------        `over` had not finished when `last` began
    "one that overlaps the last is passed over": (
        [Span("root", 0, 30, [Span("early", 2, 12), Span("over", 10, 20), Span("last", 17, 24)])],
        [("root", 24, 30), ("last", 17, 24), ("root", 12, 17), ("early", 2, 12), ("root", 0, 2)],
    ),
    # root  --------------------
    # step    ----------------
    # call        --------
    # wait          ----
    "down through every storey": (
        [Span("root", 0, 20, [Span("step", 2, 18, [Span("call", 6, 14, [Span("wait", 8, 12)])])])],
        [
            ("root", 18, 20),
            ("step", 14, 18),
            ("call", 12, 14),
            ("wait", 8, 12),
            ("call", 6, 8),
            ("step", 2, 6),
            ("root", 0, 2),
        ],
    ),
    # root       ----------
    # before  ------                        counts from the root's start on
    # after             ------              counts to the root's end
    # earlier --                            outside: not at all
    # later                  ----           outside, and what is below it
    # below                   --
    "children are cut to their parent's time": (
        [
            Span(
                "root",
                10,
                20,
                [
                    Span("earlier", 6, 8),
                    Span("before", 7, 13),
                    Span("after", 17, 23),
                    Span("later", 22, 26, [Span("below", 23, 25)]),
                ],
            )
        ],
        [("after", 17, 20), ("root", 13, 17), ("before", 10, 13)],
    ),
    # root  ----------
    # all   --------------                  the whole of it, from before to after
    # part       -----                      within what is left of `all`
    "a child that is longer than its parent at both ends": (
        [Span("root", 5, 15, [Span("all", 2, 20, [Span("part", 13, 19)])])],
        [("part", 13, 15), ("all", 5, 13)],
    ),
    # send  ----------                      (producer)
    # take      ---                         (consumer: nobody waits for it)
    # below      -
    # other  ---
    "a consumer does not keep its producer": (
        [
            Span(
                "send",
                0,
                10,
                [
                    Span("other", 1, 4, kind="consumer", below=[Span("sub", 2, 3)]),
                    Span("call", 5, 8, kind="client"),
                ],
                kind="producer",
            )
        ],
        [("send", 8, 10), ("call", 5, 8), ("send", 0, 5)],
    ),
    # root  --------------------
    # a       ------                        b begins at the ns when a ends: by Jaeger's rule only
    # b             ------                  what ended before b began comes before it
    # empty               |
    "no time between two, and one without length": (
        [Span("root", 0, 20, [Span("a", 2, 8), Span("b", 8, 14), Span("empty", 14, 14)])],
        [("root", 14, 20), ("b", 8, 14), ("root", 0, 8)],
    ),
    # first  ------                         two roots, of which one has a parent that never came
    # second    ----------
    # step         ----
    "each root by itself": (
        [
            Span("first", 0, 6),
            Span("second", 3, 13, [Span("step", 6, 10)], parent_id="00000000000000ff"),
        ],
        [("first", 0, 6), ("second", 10, 13), ("step", 6, 10), ("second", 3, 6)],
    ),
}


def drawn(sections: list[Section], names: dict[str, str]) -> Answer:
    """A path with names and milliseconds."""
    return [(names[it.span_id], it.start_ns / MS, it.end_ns / MS) for it in sections]


@pytest.mark.parametrize("name", CASES)
def test_critical_path_is_jaegers(name: str) -> None:
    """Every section of it, the latest first."""
    roots, answer = CASES[name]
    made = trace("path", *roots)
    names = {span.span_id: span.name for span in made.spans}
    assert drawn(critical_path(made), names) == answer


def test_running_spans_end_now() -> None:
    """Or, where nobody says what time it is, at the latest time that the trace knows."""
    made = trace("path", Span("root", 0, None, [Span("done", 1, 4), Span("going on", 6, None)]))
    names = {span.span_id: span.name for span in made.spans}
    known = [("root", 4, 6), ("done", 1, 4), ("root", 0, 1)]
    assert drawn(critical_path(made), names) == known
    now = [("going on", 6, 9), *known]
    assert drawn(critical_path(made, 9 * MS), names) == now


def test_pages_are_not_on_the_path() -> None:
    """A page only carries events of the run above it."""
    page = Span("root events", 1, 9, attributes={"otelbridge.page": 1})
    made = trace("path", Span("root", 0, 10, [page]))
    assert critical_path(made) == [Section(made.spans[0].span_id, 0, 10 * MS)]


def test_spans_above_each_other_are_a_root_and_its_child() -> None:
    """The earliest of a circle counts as its root; nothing goes round for ever."""
    one, two = "00000000000000a1", "00000000000000a2"
    below = Span("two", 2, 8, span_id=two)
    made = trace("path", Span("one", 0, 10, [below], span_id=one, parent_id=two))
    assert critical_path(made) == [
        Section(one, 8 * MS, 10 * MS),
        Section(two, 2 * MS, 8 * MS),
        Section(one, 0, 2 * MS),
    ]


@pytest.mark.parametrize("shape", ["wide", "deep"])
def test_ten_thousand_spans_take_no_more_than_their_share(shape: str) -> None:
    """However they are arranged: side by side, or each below the one before."""
    count = 10_000
    if shape == "wide":
        root = Span("root", 0, count, [Span("step", it + 0.2, it + 0.8) for it in range(count - 1)])
    else:
        root = Span("root", 0, count)
        above = root
        for it in range(1, count):
            below = Span("step", it / 4, count - it / 4)
            above.below, above = [below], below
    made = trace("path", root)
    begin = time.process_time()
    path = critical_path(made)
    assert time.process_time() - begin < 2
    assert len(path) == 2 * count - 1
    assert sum(it.end_ns - it.start_ns for it in path) == count * MS
