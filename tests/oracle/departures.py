"""Where otelbridge differs from langchain-core on purpose, as functions on what was recorded.

Each function takes what was recorded on upstream and gives what is expected of ours, so that a
difference that is not listed here fails a test. The numbers are those of the table of departures
in the README; a "corner" is one of those listed below it. Departures without a function need none:
what upstream gives is also what ours gives, and ours gives more beside it (1, 4, 7, 8; see
`test_departures`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from .freeze import sort_key
from .recorder import STARTS, Call

FALLBACKS = "RunnableWithFallbacks"
ENDS = ("on_chain_end", "on_chain_error")
PLACES = ("seq:step:", "map:key:", "condition:", "branch:", "retry:attempt:")
"""How the tags begin that a composite gives to one part of it only."""

CLOSED = ("error", "GeneratorExit", None)
STREAMED_INPUT = {"input": ""}
"""What the start hook is told where the input comes as a stream."""


def called_once(calls: Sequence[Any]) -> list[Any]:
    """2: a handler that is listed twice is called once.

    Upstream calls it twice for a run's start and end, one call right after the other.
    """
    return [call for call, _ in groupby(calls)]


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
    return [_adopt(call, adopted[call.run_id]) if call.run_id in adopted else call for call in told]


def _attempts_beside(calls: Sequence[Call]) -> Iterator[tuple[Call, Call]]:
    """Each start that is told beside the fallbacks run that it is an attempt of."""
    inputs = _inputs(calls)
    running: dict[Any, Call] = {}
    for call in calls:
        if call.hook in STARTS:
            given = inputs[call.run_id]
            beside = [
                run
                for run in running.values()
                if run.parent_run_id == call.parent_run_id
                and set(run.given["tags"]) <= set(call.given["tags"])
                and _same_input(given, inputs[run.run_id])
            ]
            if beside:
                yield call, beside[-1]
            if call.name == FALLBACKS:
                running[call.run_id] = call
        elif call.hook in ENDS:
            running.pop(call.run_id, None)


def _inputs(calls: Iterable[Call]) -> dict[Any, Any]:
    """The input of each run; where it came as a stream, it is told when the run has ended."""
    inputs: dict[Any, Any] = {}
    for call in calls:
        if call.hook in STARTS:
            inputs[call.run_id] = call.given["value 1"]
        elif call.hook in ENDS and inputs.get(call.run_id) == STREAMED_INPUT:
            inputs[call.run_id] = call.given.get("inputs", STREAMED_INPUT)
    return inputs


def _same_input(given: Any, wanted: Any) -> bool:
    """Whether an attempt's input is that of the fallbacks: as it is, or with the error added."""
    if isinstance(given, dict) and isinstance(wanted, dict):
        return all(sort_key(given.get(key)) == sort_key(value) for key, value in wanted.items())
    return sort_key(given) == sort_key(wanted)


def _adopt(call: Call, fallbacks: Call) -> Call:
    lost = {tag for tag in fallbacks.given["tags"] if tag.startswith(PLACES)}
    given = dict(call.given)
    if "tags" in given:
        given["tags"] = [tag for tag in given["tags"] if tag not in lost]
    parent = fallbacks.run_id if call.hook != "on_custom_event" else call.parent_run_id
    return replace(call, given=given, parent_run_id=parent)


def bindings_keep_their_parent(calls: Iterable[Call], name: str) -> list[Call]:
    """5: a binding's run is a child of the run whose config it is called with.

    Upstream merges that config with the one of the context, so a binding in a branch (which puts
    nothing into the context) is told as the branch's sibling.

    Args:
        calls: what was recorded.
        name: of the binding's run; the branch is the last run that started before and still runs.
    """
    running: list[Call] = []
    told = []
    for call in calls:
        if call.hook in STARTS and call.name == name:
            call = replace(call, parent_run_id=running[-1].run_id)
        if call.hook in STARTS:
            running.append(call)
        elif call.hook in ENDS:
            running = [start for start in running if start.run_id != call.run_id]
        told.append(call)
    return told


def attempts_keep_their_parent_in_events(events: Any) -> Any:
    """5: the same for what `astream_events` yields, where a body calls such a runnable.

    What is not a list of events is given back as it is.
    """
    if not isinstance(events, list):
        return events
    inputs = _inputs_of_events(event for event in events if isinstance(event, dict))
    fallbacks_of: dict[str, dict[str, Any]] = {}
    running: dict[str, dict[str, Any]] = {}
    told = []
    for event in events:
        if isinstance(event, dict) and "parent_ids" in event:
            beside = [run for run in running.values() if _is_attempt_event(event, run, inputs)]
            if beside:
                fallbacks_of[event["run_id"]] = beside[-1]
            _keep_count(event, running)
            event = _adopt_event(event, fallbacks_of)
        told.append(event)
    return told


def _inputs_of_events(events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    for event in events:
        if event.get("event") in ("on_chain_start", "on_chain_end") and "input" in event["data"]:
            inputs.setdefault(event["run_id"], event["data"]["input"])
    return inputs


def _keep_count(event: dict[str, Any], running: dict[str, dict[str, Any]]) -> None:
    if event["event"] == "on_chain_start" and event["name"] == FALLBACKS:
        running[event["run_id"]] = event
    elif event["event"] == "on_chain_end":
        running.pop(event["run_id"], None)


def _is_attempt_event(
    event: dict[str, Any], fallbacks: dict[str, Any], inputs: dict[str, Any]
) -> bool:
    return (
        event["event"].endswith("_start")
        and event["parent_ids"] == fallbacks["parent_ids"]
        and set(fallbacks["tags"]) <= set(event["tags"])
        and _same_input(
            inputs.get(event["run_id"], inputs.get(fallbacks["run_id"])),
            inputs.get(fallbacks["run_id"]),
        )
    )


def _adopt_event(event: dict[str, Any], fallbacks_of: dict[str, dict[str, Any]]) -> dict[str, Any]:
    def with_fallbacks(run_id: str) -> list[str]:
        above = fallbacks_of.get(run_id)
        return [*(with_fallbacks(above["run_id"]) if above else ()), run_id]

    own = event["run_id"]
    lineage = [run_id for known in (*event["parent_ids"], own) for run_id in with_fallbacks(known)]
    tags = event["tags"]
    if own in fallbacks_of:
        lost = {tag for tag in fallbacks_of[own]["tags"] if tag.startswith(PLACES)}
        tags = [tag for tag in tags if tag not in lost]
    return {**event, "parent_ids": lineage[:-1], "tags": tags}


def closed_runs_end(calls: Iterable[Call]) -> list[Call]:
    """A corner: every run that a closed async stream leaves behind ends by `GeneratorExit`.

    Upstream leaves some without an end. Where it tells of one, the chunks that it says were read
    depend on which of its streams was dropped first, so they are not compared.
    """
    told = [replace(call, given=_without_inputs(call.given)) for call in calls]
    ended = {call.run_id for call in told if call.hook in ENDS}
    left = [call for call in told if call.hook in STARTS and call.run_id not in ended]
    return [*told, *map(_ended_by_closing, left)]


def _without_inputs(given: dict[str, Any]) -> dict[str, Any]:
    if given.get("value 0") != CLOSED:
        return given
    return {key: value for key, value in given.items() if key != "inputs"}


def _ended_by_closing(start: Call) -> Call:
    given = {"value 0": CLOSED, "tags": start.given["tags"]}
    return replace(start, hook="on_chain_error", name=None, given=given)


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


def thrown_error_arrives(outcome: Any) -> Any:
    """A corner: an error that the consumer throws into an async stream is what its runs end by.

    On upstream one of its generators takes the throw and drops the next one, whose runs end by
    `GeneratorExit`; the sync form is as ours.
    """
    first, thrown, calls = outcome
    told = [(hook, run, {**given, **_thrown(given, thrown)}) for hook, run, given in calls]
    return first, thrown, told


def _thrown(given: dict[str, Any], thrown: Any) -> dict[str, Any]:
    return {"value 0": thrown} if given.get("value 0") == CLOSED else {}


def empty_stream_is_none(outcome: Any) -> Any:
    """A corner: a lambda with an empty stream as its input fails in upstream's own code.

    Ours calls the function with None.
    """
    _chunks, (start, (_error, run, given)) = outcome
    return [None], [start, ("on_chain_end", run, {**given, "value 0": None})]


def each_failed_input_keeps_its_error(outcome: Any, inputs: Sequence[Any]) -> Any:
    """A corner: in a batch of retries an error that is not retried is that of its own input.

    Upstream gives the first input's error for all inputs that failed.
    """
    results, runs = outcome
    errors: dict[str, Any] = {}
    told = []
    for name, (start, (end, given)), attempts in runs:
        error = attempts[-1][1][-1][1]["value 0"]
        errors[sort_key(start[1]["value 1"])] = error
        told.append((name, [start, (end, {**given, "value 0": error})], attempts))
    own = [errors[sort_key(given)] for given in inputs]
    return [error for error, _ in zip(own, results, strict=True)], sorted(told, key=sort_key)


def own_config_of_a_tool(outcome: Any) -> Any:
    """5: the config that a tool's function is given is linked to the tool's run.

    Upstream gives it the config that the tool was called with, so what it does with that config is
    told as the caller's, at the tool's place; where the call has no run above, it fails.
    """
    result, calls = outcome
    tool = next(run for hook, run, _ in calls if hook == "on_tool_start")
    above = tool.rpartition("/")[0]
    inside, told = False, []
    for hook, run, given in calls:
        if inside and hook != "on_tool_end":
            tags = [tag for tag in given["tags"] if not tag.startswith(PLACES)]
            run, given = tool + run[len(above) :], {**given, "tags": tags}
        inside = (inside or hook == "on_tool_start") and hook != "on_tool_end"
        told.append((hook, run, given))
    return result, told


def input_left_alone(outcome: Any, inputs: Sequence[Any]) -> Any:
    """A corner: fallbacks with `exception_key` get a copy of the input with the error in it.

    Upstream writes the error into the caller's input, which the first event holds.
    """
    (events, errors), calls = outcome
    first, *rest = events
    return ([{**first, "data": {**first["data"], "input": inputs[0]}}, *rest], errors), calls


OF_TABLE = {
    ("retry_of_other_errors", "batch"): each_failed_input_keeps_its_error,
    ("retry_of_other_errors", "abatch"): each_failed_input_keeps_its_error,
    ("fallbacks_told_the_error", "astream_events"): input_left_alone,
}
"""What the table of forms needs, by shape and form."""

NOT_ON_UPSTREAM = {("each", "astream_events")}
"""6: forms of the table that upstream refuses; `test_departures` shows what ours gives."""
