"""Runnables one after another."""

from __future__ import annotations

from typing import Any

import pytest
from ways import captured_cleanly, every_way, traces

from otelbridge import RunnableLambda, RunnableSequence


@every_way
def test_each_step_is_a_run_below(way: Any) -> None:
    """In order, and each gets the output of the one before."""
    with captured_cleanly() as captured:
        assert way(RunnableLambda(str) | repr | len, 12) == 4
    assert traces(captured) == [
        "RunnableSequence",
        "  str #seq:step:1",
        "  repr #seq:step:2",
        "  len #seq:step:3",
    ]


def test_sequences_are_flat() -> None:
    """Steps by position or by name; two sequences compare by their steps."""
    one, two, three = map(RunnableLambda, (str, repr, len))
    flat = RunnableSequence(first=one, middle=[two], last=three)
    assert flat == (one | two) | three == one | (two | three)
    assert (flat.first, flat.middle, flat.last) == (one, [two], three)
    assert flat != one
    assert (one | two) != (two | one)
    with pytest.raises(ValueError, match="at least 2 steps, and got 1"):
        RunnableSequence(one)


@pytest.mark.parametrize("form", ["batch", "abatch"])
async def test_failed_input_leaves_the_line(form: str) -> None:
    """The others go on; where all have failed, no later step begins."""
    runnable = RunnableLambda(int) | RunnableLambda(str)
    with captured_cleanly() as captured:
        for inputs in (["1", "x"], ["x", "y"]):
            call = getattr(runnable, form)(inputs, return_exceptions=True)
            outputs = await call if form == "abatch" else call
            assert isinstance(outputs[-1], ValueError)
    assert len(captured.find_all("str")) == 1
