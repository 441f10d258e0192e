"""What `make noninterference` takes for a difference, and what it lets pass."""

from __future__ import annotations

from typing import Any

from upstream.noninterference import (
    WAYS,
    Difference,
    Ran,
    allowed_differences,
    complaints,
    differences,
    not_instrumented,
)

SPANS = (
    {"started": 0, "ended": 0, "with content": 0},
    {"started": 9, "ended": 9, "with content": 0},
    {"started": 9, "ended": 9, "with content": 4},
)


def rounds(
    *outcomes: dict[str, str], spans: Any = SPANS, still_open: tuple[str, ...] = ()
) -> dict[str, Ran]:
    ran = zip(WAYS, outcomes, spans, strict=True)
    return {way: Ran(tests, made, still_open, 1.0) for way, tests, made in ran}


def of(*outcomes: str) -> dict[str, str]:
    return dict(zip(WAYS, outcomes, strict=True))


ALIKE: dict[str, str] = {"t.py::a": "passed", "t.py::b": "failed in call: ValueError"}


def test_tests_that_fail_every_time_are_no_difference() -> None:
    """Only what instrumentation changes counts."""
    assert differences("suite", rounds(ALIKE, ALIKE, ALIKE)) == []


def test_other_outcome_is_a_difference_in_any_way() -> None:
    """Also another error than before, and also with content alone."""
    other = {**ALIKE, "t.py::b": "failed in call: KeyError"}
    was = "failed in call: ValueError"
    assert differences("suite", rounds(ALIKE, ALIKE, other)) == [
        Difference("suite", "t.py::b", of(was, was, "failed in call: KeyError"))
    ]


def test_test_that_is_not_run_is_a_difference() -> None:
    """A test that is lost, or found, has no outcome the other times."""
    found = {**ALIKE, "t.py::c": "passed"}
    assert differences("suite", rounds(ALIKE, found, ALIKE)) == [
        Difference("suite", "t.py::c", of("not run", "passed", "not run"))
    ]


def test_difference_fails_unless_it_is_allowed() -> None:
    """The file of allowed differences names suite and test."""
    difference = Difference("suite", "t.py::a", of("passed", "skipped", "skipped"))
    assert complaints([difference], {("suite", "t.py::a"): "counts"}, ["suite"]) == []
    assert complaints([difference], {("suite", "t.py::b"): "counts"}, ["suite"]) == [
        "differs: suite: t.py::a\n    alone: passed; instrumented: skipped; content: skipped",
        "allowed to differ, and does not: suite: t.py::b",
    ]


def test_allowed_difference_of_a_suite_that_was_not_run_is_not_missed() -> None:
    """Running one suite alone says nothing of the other."""
    assert complaints([], {("suite", "t.py::b"): "counts"}, ["another"]) == []


def test_instrumentation_that_does_nothing_is_noticed() -> None:
    """Equal outcomes mean nothing when no span was made."""
    assert not_instrumented(rounds(ALIKE, ALIKE, ALIKE)) == []
    assert not_instrumented(rounds(ALIKE, ALIKE, ALIKE, spans=SPANS[:1] * 3)) == [
        "instrumented, and no spans were made",
        "with content, and none was captured",
    ]
    assert not_instrumented(rounds(ALIKE, ALIKE, ALIKE, spans=SPANS[2:] * 3)) == [
        "alone, and spans were made",
        "instrumented, and content was captured",
    ]


def test_suite_may_be_run_in_fewer_ways() -> None:
    """What is told is of the ways in which it was run."""
    every = rounds(ALIKE, ALIKE, {**ALIKE, "t.py::b": "passed"}, spans=SPANS[:1] * 3)
    two = {way: every[way] for way in ("alone", "content")}
    (difference,) = differences("suite", two)
    assert str(difference) == (
        "suite: t.py::b\n    alone: failed in call: ValueError; content: passed"
    )
    assert not_instrumented(two) == ["with content, and none was captured"]


def test_a_span_that_never_ends_is_noticed() -> None:
    """With the test that began it."""
    span = "model, begun in t.py::a (call)"
    assert not_instrumented(rounds(ALIKE, ALIKE, ALIKE, still_open=(span,))) == [
        f"{way}, and never ended: {span}" for way in WAYS
    ]


def test_each_allowed_difference_has_its_reason() -> None:
    """The file can be read, and says why."""
    assert all(allowed_differences().values())
