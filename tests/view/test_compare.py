"""Ten pairs of traces made by hand, and what differs between the two of each."""

from __future__ import annotations

import pytest

from otelbridge.view.compare import Row, compare
from view.made import MS, Event, Span, trace

# Path and occurrence; milliseconds in the first and in the second; what differs; the difference.
Drawn = tuple[str, float | None, float | None, str, float | None]


def steps(*spans: Span, until: float = 100) -> list[Span]:
    """A root with these below it."""
    return [Span("root", 0, until, spans)]


CASES: dict[str, tuple[list[Span], list[Span], list[Drawn]]] = {
    "the same": (
        steps(Span("a", 0, 50)),
        steps(Span("a", 0, 50)),
        [("root#1", 100, 100, "", 0), ("root/a#1", 50, 50, "", 0)],
    ),
    "one step got slower": (
        steps(Span("a", 0, 20), Span("b", 20, 90)),
        steps(Span("a", 0, 20), Span("b", 20, 180), until=200),
        [
            ("root#1", 100, 200, "duration", 100),
            ("root/a#1", 20, 20, "", 0),
            ("root/b#1", 70, 160, "duration", 90),
        ],
    ),
    "faster counts; a fifth and a millisecond are the least that does": (
        steps(Span("faster", 0, 50), Span("little", 50, 60), Span("short", 60, 61)),
        steps(Span("faster", 0, 40), Span("little", 50, 61.9), Span("short", 60, 61.9)),
        [
            ("root#1", 100, 100, "", 0),
            ("root/faster#1", 50, 40, "duration", -10),
            ("root/little#1", 10, 11.9, "", 1.9),
            ("root/short#1", 1, 1.9, "", 0.9),
        ],
    ),
    "the second of a name is compared with the second": (
        steps(Span("try", 0, 10), Span("try", 20, 30), Span("try", 40, 50)),
        steps(Span("try", 0, 10), Span("try", 20, 39)),
        [
            ("root#1", 100, 100, "", 0),
            ("root/try#1", 10, 10, "", 0),
            ("root/try#2", 10, 19, "duration", 9),
            ("root/try#3", 10, None, "structure", None),
        ],
    ),
    "what only one has, with all below it, stands where that one has it": (
        steps(Span("a", 0, 10), Span("old", 15, 25, [Span("deep", 16, 20)]), Span("z", 80, 90)),
        steps(Span("new", 0, 5), Span("a", 10, 20), Span("newer", 30, 40), Span("z", 80, 90)),
        [
            ("root#1", 100, 100, "", 0),
            ("root/new#1", None, 5, "structure", None),
            ("root/a#1", 10, 10, "", 0),
            ("root/old#1", 10, None, "structure", None),
            ("root/old/deep#1", 4, None, "structure", None),
            ("root/newer#1", None, 10, "structure", None),
            ("root/z#1", 10, 10, "", 0),
        ],
    ),
    "another order is no difference": (
        steps(Span("a", 0, 10), Span("b", 20, 30)),
        steps(Span("b", 0, 10), Span("a", 20, 30)),
        [
            ("root#1", 100, 100, "", 0),
            ("root/a#1", 10, 10, "", 0),
            ("root/b#1", 10, 10, "", 0),
        ],
    ),
    "status and outcome": (
        steps(Span("a", 0, 10), Span("b", 20, 30), Span("c", 40, 50)),
        steps(
            Span("a", 0, 10, status="error", message="no"),
            Span("b", 20, 30, attributes={"otelbridge.run.outcome": "cancelled"}),
            Span("c", 40, None),
        ),
        [
            ("root#1", 100, 100, "", 0),
            ("root/a#1", 10, 10, "status", 0),
            ("root/b#1", 10, 10, "status", 0),
            ("root/c#1", 10, None, "status", None),
        ],
    ),
    "events by their names in order": (
        steps(Span("a", 0, 10, events=[Event(1, "x"), Event(2, "y")]), Span("b", 20, 30)),
        steps(
            Span("a", 0, 10, events=[Event(1, "y"), Event(2, "x")]),
            Span("b", 20, 30, events=[Event(21, "x", {"data": 1})]),
        ),
        [
            ("root#1", 100, 100, "", 0),
            ("root/a#1", 10, 10, "events", 0),
            ("root/b#1", 10, 10, "events", 0),
        ],
    ),
    "everything at once, under a root of another name": (
        [Span("RunnableSequence", 0, 100, status="ok")],
        [Span("pipeline", 0, 300, events=[Event(1, "x")])],
        [("RunnableSequence#1", 100, 300, "name duration status events", 200)],
    ),
    "several roots are aligned by name": (
        [Span("first", 0, 10), Span("second", 20, 30)],
        [Span("second", 0, 10, [Span("below", 1, 2)]), Span("third", 20, 30)],
        [
            ("first#1", 10, None, "structure", None),
            ("second#1", 10, 10, "", 0),
            ("second/below#1", None, 1, "structure", None),
            ("third#1", None, 10, "structure", None),
        ],
    ),
}


def drawn(row: Row) -> Drawn:
    """A row with milliseconds."""
    took = [
        None if it is None or it.end_ns is None else (it.end_ns - it.start_ns) / MS
        for it in (row.a, row.b)
    ]
    delta = None if row.delta_ns is None else row.delta_ns / MS
    assert row.depth == len(row.path) - 1
    name = f"{'/'.join(row.path)}#{row.occurrence}"
    return (name, took[0], took[1], " ".join(row.differs), delta)


@pytest.mark.parametrize("name", CASES)
def test_two_traces_are_compared(name: str) -> None:
    """Row by row, each span before what is below it."""
    first, second, answer = CASES[name]
    rows = compare(trace("first", *first), trace("second", *second))
    assert [drawn(row) for row in rows] == answer


def test_compare_from_two_spans_on() -> None:
    """Only they and what is below them; of one trace, too."""
    made = trace(
        "both",
        *steps(
            Span("try", 0, 10, [Span("call", 1, 2)], span_id="00000000000000a1"),
            Span("try again", 20, 60, [Span("call", 21, 59)], span_id="00000000000000a2"),
        ),
    )
    rows = compare(made, made, span_a="00000000000000a1", span_b="00000000000000a2")
    assert [drawn(row) for row in rows] == [
        ("try#1", 10, 40, "name duration", 30),
        ("try/call#1", 1, 38, "duration", 37),
    ]


def test_compare_from_a_span_that_is_not_there() -> None:
    """It raises."""
    made = trace("a", Span("root", 0, 1))
    with pytest.raises(KeyError):
        compare(made, made, span_a="00000000000000ff")


def test_a_deep_trace_is_compared_without_recursion() -> None:
    """Ten thousand storeys; a path holds the last 64 names of them."""
    root = Span("0", 0, 10_000)
    above = root
    for it in range(1, 10_000):
        below = Span(str(it), 0, 10_000 - it / 2)
        above.below, above = [below], below
    made = trace("deep", root)
    rows = compare(made, made)
    assert [row.depth for row in rows] == list(range(10_000))
    assert rows[-1].path == tuple(str(it) for it in range(10_000 - 64, 10_000))
    assert {row.differs for row in rows} == {()}
