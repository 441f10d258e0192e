"""Where otelbridge differs from langchain-core on purpose, as functions on what was recorded.

Each function takes what was recorded on upstream and gives what is expected of ours, so that a
difference that is not listed here fails a test. The numbers are those of the table of departures
in the README. Departures without a function need none: what upstream gives is also what ours
gives, and ours gives more beside it (1, 4, 7, 8, 10; see `test_departures`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from .freeze import sort_key
from .recorder import STARTS, Call

FALLBACKS = "RunnableWithFallbacks"
ENDS = ("on_chain_end", "on_chain_error")
PLACES = ("seq:step:", "map:key:", "condition:", "branch:", "retry:attempt:")
"""How the tags begin that a composite gives to one part of it only."""

STREAMED_INPUT = {"input": ""}
"""What the start hook is told where the input comes as a stream."""


def called_once(calls: Sequence[Any]) -> list[Any]:
    """2: upstream calls a handler once for each time it is listed, ours once.

    The handler is listed twice, so each call of upstream is followed by its repetition.
    """
    once, again = list(calls[::2]), list(calls[1::2])
    if once != again:
        raise AssertionError("this is not the record of a handler that is listed twice")
    return once


def nested_callbacks_added(outer: Iterable[Call], inner: Iterable[Call], caller: str) -> list[Call]:
    """3: callbacks passed to a nested call add to the inherited ones and keep the parent run.

    Upstream tells the inherited handlers nothing of the nested run, and calls it a root.

    Args:
        outer: what the inherited handler was told.
        inner: what the passed handler was told.
        caller: name of the run whose body makes the nested call, as its last act.

    Returns:
        What the inherited handler is told by ours. The passed one is told the part of the nested
        run, with the same parent.
    """
    told = list(outer)
    run = next(call for call in told if call.hook in STARTS and call.name == caller)
    end = next(
        index for index, call in enumerate(told) if call.hook in ENDS and call.run_id == run.run_id
    )
    return [*told[:end], *nested_callbacks_linked(inner, run.run_id), *told[end:]]


def nested_callbacks_linked(inner: Iterable[Call], parent: Any) -> list[Call]:
    """3: what the passed handler is told by ours: upstream's calls, below the calling run."""
    return [
        replace(call, parent_run_id=parent)
        if call.parent_run_id is None and call.hook != "on_custom_event"
        else call
        for call in inner
    ]


def attempts_keep_their_parent(calls: Iterable[Call]) -> list[Call]:
    """5: the attempts of a runnable with fallbacks are children of its run.

    In `invoke` and `ainvoke` upstream hands them the config that it was called with itself, so
    they are told as its siblings, at its place in the composite around it (with that tag).
    """
    told = list(calls)
    adopted: dict[Any, Call] = {}
    for attempt, fallbacks in _attempts_beside(told):
        adopted[attempt.run_id] = fallbacks
    return [
        _adopt(call, adopted[call.run_id]) if call.run_id in adopted else call for call in told
    ]


def _attempts_beside(calls: Sequence[Call]) -> Iterator[tuple[Call, Call]]:
    """Each start that is told beside the fallbacks run that it is an attempt of."""
    running: dict[Any, Call] = {}
    for call in calls:
        if call.hook in STARTS:
            beside = [run for run in running.values() if _is_attempt(call, run)]
            if beside:
                yield call, beside[-1]
            if call.name == FALLBACKS:
                running[call.run_id] = call
        elif call.hook in ENDS:
            running.pop(call.run_id, None)


def _is_attempt(start: Call, fallbacks: Call) -> bool:
    same_place = set(fallbacks.given["tags"]) <= set(start.given["tags"])
    beside = start.parent_run_id == fallbacks.parent_run_id
    return same_place and beside and _same_input(_input(start), _input(fallbacks))


def _same_input(given: Any, wanted: Any) -> bool:
    """Whether an attempt's input is that of the fallbacks: as it is, or with the error added."""
    if given == STREAMED_INPUT:
        return True
    if isinstance(given, dict) and isinstance(wanted, dict):
        return all(sort_key(given.get(key)) == sort_key(value) for key, value in wanted.items())
    return sort_key(given) == sort_key(wanted)


def _input(start: Call) -> Any:
    return start.given["value 1"]


def _adopt(call: Call, fallbacks: Call) -> Call:
    lost = {tag for tag in fallbacks.given["tags"] if tag.startswith(PLACES)}
    given = dict(call.given)
    if "tags" in given:
        given["tags"] = [tag for tag in given["tags"] if tag not in lost]
    parent = fallbacks.run_id if call.hook != "on_custom_event" else call.parent_run_id
    return replace(call, given=given, parent_run_id=parent)


def data_left_alone(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """6: the input of the call is not written into the data of a custom event.

    Upstream writes it into the first event that it yields, whatever that is.
    """
    first, *rest = events
    if first["event"] != "on_custom_event":
        return list(events)
    data = {key: value for key, value in first["data"].items() if key != "input"}
    return [{**first, "data": data}, *rest]


def in_list_order(calls: Sequence[tuple[str, Any]], order: Sequence[str]) -> list[tuple[str, Any]]:
    """9: handlers are called one after another in list order.

    In async code upstream first calls the handlers with `run_inline`, then all others at once.

    Args:
        calls: (handler, call) of each call, where each handler is called once per call.
        order: the handlers as they are listed.
    """
    size = len(order)
    groups = [calls[start : start + size] for start in range(0, len(calls), size)]
    return [
        entry for group in groups for entry in sorted(group, key=lambda made: order.index(made[0]))
    ]
