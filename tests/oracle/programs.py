"""Programs as data: trees of runnables whose bodies dispatch, call each other and fail.

A program says nothing of a library; `build` makes the same runnable from either. Every value that
flows is a short text made from the name of the step and what it was given, so a result tells the
whole way that led to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ERRORS: dict[str, type[Exception]] = {"value": ValueError, "key": KeyError}


@dataclass(frozen=True)
class Say:
    """Dispatch a custom event.

    Args:
        how: "sync" or "async" (the library finds the run), "config" (passed by hand) or "thread"
            (passed by hand, from a plain thread).
    """

    name: str
    data: Any
    how: str


@dataclass(frozen=True)
class Call:
    """Call another runnable: "implicit", with the "config", in a "thread", or "sync" on a loop."""

    node: Node
    how: str


@dataclass(frozen=True)
class Fail:
    """Raise an error at the first `times` calls with the same input."""

    error: str
    times: int


Act = Say | Call | Fail


@dataclass(frozen=True)
class Step:
    """A function of some kind: see `functions`."""

    kind: str
    acts: tuple[Act, ...] = ()


@dataclass(frozen=True)
class Choose:
    """A function that returns a runnable, which is then called in its place."""

    kind: str
    node: Node


@dataclass(frozen=True)
class Chain:
    """One after the other."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Split:
    """Several at the same time."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Either:
    """The first for some inputs, the second for the others."""

    first: Node
    second: Node
    takes_first: bool


@dataclass(frozen=True)
class Again:
    """Try several times."""

    node: Node
    attempts: int


@dataclass(frozen=True)
class Rescue:
    """Others, where the first fails."""

    node: Node
    others: tuple[Node, ...]
    only: tuple[str, ...] = ("value", "key")


@dataclass(frozen=True)
class Add:
    """Put what the node gives beside what comes in, under a key."""

    node: Node


@dataclass(frozen=True)
class Every:
    """Call the node for each of two parts."""

    node: Node


@dataclass(frozen=True)
class Bound:
    """Bind a part of a config."""

    node: Node
    tags: tuple[str, ...] = ()
    metadata: tuple[tuple[str, Any], ...] = ()
    named: bool = False


Node = Step | Choose | Chain | Split | Either | Again | Rescue | Add | Every | Bound


@dataclass(frozen=True)
class Program:
    """A runnable, how it is called, and who listens.

    Args:
        form: one of `forms.FORMS`.
        handlers: "sync" or "async" for each handler that is passed.
    """

    node: Node
    form: str
    handlers: tuple[str, ...] = ("sync",)
    tags: tuple[str, ...] = ()
    metadata: tuple[tuple[str, Any], ...] = ()
    named: bool = False
    inputs: tuple[str, ...] = field(default=("one", "two"))


def parts(node: Node) -> tuple[Node, ...]:
    """The nodes that a node is directly made of, those that its bodies call included."""
    if isinstance(node, Step):
        return tuple(act.node for act in node.acts if isinstance(act, Call))
    if isinstance(node, (Chain, Split)):
        return node.nodes
    if isinstance(node, Either):
        return (node.first, node.second)
    if isinstance(node, Rescue):
        return (node.node, *node.others)
    return (node.node,)


def has_branches(node: Node) -> bool:
    """Whether parts of it run at the same time, so that their order is undefined."""
    return isinstance(node, (Split, Add, Every)) or any(map(has_branches, parts(node)))


def is_rescue(node: Node) -> bool:
    """Whether the run that it starts may be that of a runnable with fallbacks."""
    while isinstance(node, (Bound, Again)):
        node = node.node
    return isinstance(node, Rescue)
