"""A handler that writes down what it is told, written once in upstream's form for both libraries.

`Recorder` holds what was told; `Recorder.handler` is an instance of the library's own
`BaseCallbackHandler` (or `AsyncCallbackHandler`). `calls()` gives the calls in order, `runs()`
gives them per run, for programs whose branches run at the same time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from .forest import Told, forest
from .freeze import freeze
from .libraries import Library

STARTS = ("on_chain_start", "on_tool_start")
HOOKS = (
    *STARTS,
    "on_chain_end",
    "on_chain_error",
    "on_tool_end",
    "on_tool_error",
    "on_custom_event",
)


@dataclass(frozen=True)
class Call:
    """One call of a hook: which run it tells of, and everything it was given, frozen."""

    hook: str
    run_id: UUID
    parent_run_id: UUID | None
    name: str | None
    given: dict[str, Any]


class Labels:
    """Stable names of runs: the path of run names from the root, numbered where they repeat."""

    def __init__(self) -> None:
        self._labels: dict[Any, str] = {}
        self._used: Counter[str] = Counter()

    def start(self, run_id: Any, parent_run_id: Any, name: str | None) -> str:
        """The label of a run that starts now."""
        path = f"{self.of(parent_run_id)}/{name}" if parent_run_id else str(name)
        self._used[path] += 1
        repeat = f"#{self._used[path]}" if self._used[path] > 1 else ""
        return self._labels.setdefault(run_id, path + repeat)

    def of(self, run_id: Any) -> str:
        """The label of a run that has started, "?" where nothing was told of its start."""
        return self._labels.get(run_id, "?")


@dataclass
class Recorder:
    """What one handler was told, in the order of the calls."""

    lib: Library
    calls_made: list[Call] = field(default_factory=list)
    handler: Any = None

    def note(self, hook: str, values: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Write one call down; safe from any thread, since a list's append is atomic."""
        given = {f"value {index}": freeze(value) for index, value in enumerate(values)}
        for key in ("inputs", "tags", "metadata"):
            if key in named:
                given[key] = freeze(named[key])
        if named.get("run_type") is not None:
            given["run_type"] = named["run_type"]
        if hook == "on_custom_event":
            given["names"] = sorted(named)
        name = named.get("name")
        if name is None and isinstance(values[0], dict):  # a tool's name is in `serialized`
            name = values[0].get("name")
        self.calls_made.append(Call(hook, named["run_id"], named.get("parent_run_id"), name, given))

    def calls(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Every call as (hook, label of its run, what it was given)."""
        labels = Labels()
        return [(call.hook, _label(call, labels), call.given) for call in self.calls_made]

    def events(self) -> list[tuple[Any, Any]]:
        """Name and data of the custom events."""
        return [
            (call.given["value 0"], call.given["value 1"])
            for call in self.calls_made
            if call.hook == "on_custom_event"
        ]

    def runs(self) -> list[Any]:
        """The calls of each run, see `forest`."""
        return forest(
            Told(call.run_id, call.parent_run_id, call.name, (call.hook, _defined(call)))
            for call in self.calls_made
        )


def _defined(call: Call) -> dict[str, Any]:
    """What was given, without what branches leave to chance: a failed run's first chunk."""
    if call.hook.endswith("_error") and isinstance(call.given.get("inputs"), (dict, tuple)):
        return {key: value for key, value in call.given.items() if key != "inputs"}
    return call.given


def _label(call: Call, labels: Labels) -> str:
    if call.hook in STARTS:
        return labels.start(call.run_id, call.parent_run_id, call.name)
    return labels.of(call.run_id)


def record(lib: Library, *, asynchronous: bool = False, **flags: Any) -> Recorder:
    """A recorder whose handler belongs to `lib`; `flags` become attributes of the handler."""
    recorder = Recorder(lib)
    base = lib.AsyncCallbackHandler if asynchronous else lib.BaseCallbackHandler
    make = _asynchronous_hook if asynchronous else _synchronous_hook
    hooks = {hook: make(recorder, hook) for hook in HOOKS}
    recorder.handler = type("Recording", (base,), {**hooks, **flags})()
    return recorder


def _synchronous_hook(recorder: Recorder, hook: str) -> Any:
    def told(_self: Any, *values: Any, **named: Any) -> None:
        recorder.note(hook, values, named)

    return told


def _asynchronous_hook(recorder: Recorder, hook: str) -> Any:
    async def told(_self: Any, *values: Any, **named: Any) -> None:
        recorder.note(hook, values, named)

    return told
