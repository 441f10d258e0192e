"""Event streams with the run ids replaced by labels, so that two of them can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .forest import Told, forest
from .freeze import freeze, sort_key
from .recorder import Labels


def normalised(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events in their order, each with all its keys, runs named by their path of names."""
    labels = Labels()
    return [_normalised(event, labels) for event in events]


def by_run(events: Iterable[dict[str, Any]]) -> list[Any]:
    """The events of each run, see `forest`.

    Chunks that are dictionaries may come from branches, so they are put into a fixed order.
    """
    runs: dict[str, list[Told]] = {}
    for event in events:
        runs.setdefault(event["run_id"], []).append(_told(event))
    return forest(telling for own in runs.values() for telling in _settled(own))


def _normalised(event: dict[str, Any], labels: Labels) -> dict[str, Any]:
    run_id, parents = event["run_id"], event["parent_ids"]
    if event["event"].endswith("_start"):
        labels.start(run_id, parents[-1] if parents else None, event["name"])
    told = {key: freeze(value) for key, value in event.items()}
    told["run_id"] = labels.of(run_id)
    told["parent_ids"] = [labels.of(parent) for parent in parents]
    return told


def _told(event: dict[str, Any]) -> Told:
    parents = event["parent_ids"]
    what = {key: freeze(value) for key, value in event.items() if key != "run_id"}
    what["parent_ids"] = len(parents)
    return Told(event["run_id"], parents[-1] if parents else None, event["name"], what)


def _settled(own: list[Told]) -> list[Told]:
    from_branches = [telling for telling in own if _chunk_of_a_branch(telling.what)]
    if not from_branches:
        return own
    rest = [telling for telling in own if not _chunk_of_a_branch(telling.what)]
    return [*rest, *sorted(from_branches, key=lambda telling: sort_key(telling.what))]


def _chunk_of_a_branch(event: dict[str, Any]) -> bool:
    chunk = event["data"].get("chunk") if isinstance(event["data"], dict) else None
    return isinstance(chunk, (dict, tuple))
