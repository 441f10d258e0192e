"""Every kind of runnable in every form of call: the same result, hooks and events on both."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from . import departures, forms
from .libraries import OURS, UPSTREAM, Library
from .recorder import record
from .running import outcome, skip_where_upstream_cannot
from .shapes import SHAPES


def _program(shape_name: str, form_name: str, asynchronous: bool) -> Callable[[Library], Any]:
    """A program that calls that shape in that form with one recording handler."""
    shape, form = SHAPES[shape_name], forms.FORMS[form_name]
    branches = shape.branches or form in forms.MANY

    def finish(recorder: Any, result: Any) -> Any:
        tidied = forms.tidy(form, result, branches=branches)
        if recorder.lib is UPSTREAM:
            recorder.calls_made = departures.attempts_keep_their_parent(recorder.calls_made)
        return tidied, recorder.runs() if branches else recorder.calls()

    def prepare(lib: Library) -> tuple[Any, Any, dict[str, Any]]:
        recorder = record(lib, asynchronous=asynchronous)
        config = {"callbacks": [recorder.handler], "tags": ["called"], "metadata": {"of": "table"}}
        return recorder, shape.build(lib), config

    def synchronous_program(lib: Library) -> Any:
        recorder, runnable, config = prepare(lib)
        return finish(recorder, attempt(lambda: form(runnable, deepcopy(shape.inputs), config)))

    async def asynchronous_program(lib: Library) -> Any:
        recorder, runnable, config = prepare(lib)
        try:
            result = await form(runnable, deepcopy(shape.inputs), config)
        except Exception as error:
            result = error
        return finish(recorder, result)

    return asynchronous_program if inspect.iscoroutinefunction(form) else synchronous_program


def attempt(call: Callable[[], Any]) -> Any:
    """What the call gives, or the exception it raises."""
    try:
        return call()
    except Exception as error:
        return error


TABLE = [
    (shape, form)
    for shape in SHAPES
    for form in forms.FORMS
    if (shape, form) not in departures.NOT_ON_UPSTREAM
]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["handler", "async_handler"])
@pytest.mark.parametrize(("shape_name", "form_name"), TABLE)
def test_form_of_shape_gives_what_upstream_gives(
    shape_name: str, form_name: str, asynchronous: bool
) -> None:
    """Result, hooks and events of one call are the same on both libraries."""
    program = _program(shape_name, form_name, asynchronous)
    skip_where_upstream_cannot(program)
    expected = outcome(program, UPSTREAM)
    departure = departures.OF_TABLE.get((shape_name, form_name))
    if departure is not None:
        expected = departure(expected, SHAPES[shape_name].inputs)
    assert outcome(program, OURS) == expected
