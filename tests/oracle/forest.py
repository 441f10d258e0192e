"""Runs as trees in a fixed order, for programs whose branches run at the same time.

What a run was told keeps its order; the order between runs is not compared, because with branches
it is not defined.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .freeze import sort_key


@dataclass(frozen=True)
class Told:
    """One thing told about a run. The first one of a run decides its name and its parent."""

    run_id: Any
    parent_id: Any
    name: str | None
    what: Any


def forest(tellings: Iterable[Told]) -> list[Any]:
    """Trees of (name, what was told of the run in order, children sorted by what they are).

    A root whose parent was never told of is named "?/name".
    """
    first: dict[Any, Told] = {}
    told: dict[Any, list[Any]] = {}
    for telling in tellings:
        first.setdefault(telling.run_id, telling)
        told.setdefault(telling.run_id, []).append(telling.what)

    def tree(run_id: Any) -> tuple[str, list[Any], list[Any]]:
        children = [child for child, start in first.items() if start.parent_id == run_id]
        return (_name(first[run_id], first), told[run_id], grow(children))

    def grow(run_ids: list[Any]) -> list[Any]:
        return sorted(map(tree, run_ids), key=sort_key)

    return grow([run_id for run_id, start in first.items() if start.parent_id not in first])


def _name(start: Told, known: dict[Any, Told]) -> str:
    detached = start.parent_id is not None and start.parent_id not in known
    return f"?/{start.name}" if detached else str(start.name)
