"""Hypothesis strategies that draw programs as data.

What is drawn has a defined outcome on upstream. Left out is what upstream itself leaves to chance:
failures of a branch while its siblings are still running in async code or in a stream.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from . import forms
from .programs import (
    Add,
    Again,
    Bound,
    Call,
    Chain,
    Choose,
    Either,
    Every,
    Fail,
    Node,
    Program,
    Rescue,
    Say,
    Split,
    Step,
)
from .running import NO_CONFIG_IN_TASKS

SYNC_KINDS = ("plain", "generator", "chunks", "both", "both_generators", "both_chunks", "tool")
ASYNC_KINDS = (
    "plain",
    "coroutine",
    "async_generator",
    "async_chunks",
    "both",
    "both_generators",
    "both_chunks",
    "tool",
    "async_tool",
)
SYNC_BODIES = ("plain", "generator", "chunks", "tool")
ASYNC_FORMS = {
    "ainvoke",
    "abatch",
    "abatch_as_completed",
    "astream",
    "atransform",
    "astream_events",
}
FORMS_HERE = [
    name for name in sorted(forms.FORMS) if name not in ASYNC_FORMS or not NO_CONFIG_IN_TASKS
]
INVOKING = {"invoke", "invoke_in_a_thread", "batch"}
"""Forms in which the branches of a failed parallel are waited for."""

texts = st.sampled_from(("a", "b", "c"))
data = st.one_of(st.integers(0, 9), texts, st.dictionaries(texts, st.integers(0, 9), max_size=2))
tags = st.lists(texts, max_size=2, unique=True).map(tuple)
metadata = st.dictionaries(texts, st.integers(0, 9), max_size=2).map(
    lambda pairs: tuple(sorted(pairs.items()))
)


@dataclass(frozen=True)
class Surroundings:
    """What may be drawn where a node is to stand.

    Args:
        asynchronous: it is called in async code.
        failing: bodies may fail.
        branches_fail: bodies in parts that run at the same time may fail too.
        depth: how many levels there may be below.
        binding: a binding (a retry is one) may stand here. Not where upstream calls it with one
            run in the config and another in the context and takes it for a child of the latter.
        batched: it is called by a batch that is called in a body.
        by_hand: the body may pass its config on. Not in a tool, which upstream gives the config of
            its caller: see `departures.own_config_of_a_tool`.
        rescue: fallbacks may stand here. Not as fallbacks: an event stream does not tell that the
            inner ones have failed, so `departures` could not tell whose attempts come next.
    """

    asynchronous: bool
    failing: bool
    branches_fail: bool
    depth: int = 3
    binding: bool = True
    batched: bool = False
    rescue: bool = True
    by_hand: bool = True

    @property
    def below(self) -> Surroundings:
        """One level down, called with the context of the run that calls."""
        return replace(
            self,
            depth=self.depth - 1,
            binding=True,
            batched=False,
            rescue=True,
            by_hand=True,
        )

    @property
    def as_part(self) -> Surroundings:
        """One level down, called in the form that this one is called in."""
        return replace(self.below, binding=not self.batched, batched=self.batched)

    @property
    def without_context(self) -> Surroundings:
        """One level down, called with a context that is not that of the run that calls."""
        return replace(self.below, binding=False)

    @property
    def in_a_branch(self) -> Surroundings:
        """One level down, beside others that run at the same time."""
        return replace(self.below, failing=self.failing and self.branches_fail)


@st.composite
def nodes(draw: st.DrawFn, where: Surroundings) -> Node:
    """Trees of runnables."""
    if where.depth == 0 or draw(st.integers(0, 2)) == 0:
        return draw(_steps(where))
    bindings = BINDINGS if where.binding else ()
    fallbacks = (_rescues,) if where.rescue else ()
    return draw(draw(st.sampled_from((*COMPOSITES, *bindings, *fallbacks)))(where))


@st.composite
def _steps(draw: st.DrawFn, where: Surroundings) -> Step:
    kind = draw(st.sampled_from(ASYNC_KINDS if where.asynchronous else SYNC_KINDS))
    body = replace(
        where,
        asynchronous=where.asynchronous and kind not in SYNC_BODIES,
        by_hand="tool" not in kind,
    )
    acts = [_says(body), _fails] if where.failing else [_says(body)]
    if where.depth:
        acts.append(_calls(body))
    return Step(kind, tuple(draw(st.lists(st.one_of(acts), max_size=2))))


def _says(where: Surroundings) -> st.SearchStrategy[Say]:
    ways = ("sync", "async") if where.asynchronous else ("sync",)
    by_hand = ("config", "thread") if where.by_hand else ()
    return st.builds(Say, name=texts, data=data, how=st.sampled_from((*ways, *by_hand)))


def _calls(where: Surroundings) -> st.SearchStrategy[Call]:
    def calls(callees: st.SearchStrategy[Node], *ways: str) -> st.SearchStrategy[Call]:
        return st.builds(Call, node=callees, how=st.sampled_from(ways))

    in_sync_code = nodes(replace(where.below, asynchronous=False))
    if not where.asynchronous:
        by_hand = ("config", "thread") if where.by_hand else ()
        return calls(in_sync_code, "implicit", *by_hand)
    if not where.by_hand:
        return st.one_of(calls(nodes(where.below), "implicit"), calls(in_sync_code, "sync"))
    return st.one_of(
        calls(nodes(where.below), "implicit", "config"), calls(in_sync_code, "sync", "thread")
    )


_fails = st.builds(Fail, error=st.sampled_from(("value", "key")), times=st.integers(1, 3))


def _several(where: Surroundings, least: int, most: int) -> st.SearchStrategy[tuple[Node, ...]]:
    return st.lists(nodes(where), min_size=least, max_size=most).map(tuple)


def _chains(where: Surroundings) -> st.SearchStrategy[Chain]:
    return st.builds(Chain, nodes=_several(where.as_part, 2, 3))


def _splits(where: Surroundings) -> st.SearchStrategy[Split]:
    return st.builds(Split, nodes=_several(where.in_a_branch, 1, 3))


def _eithers(where: Surroundings) -> st.SearchStrategy[Either]:
    inner = nodes(where.without_context)
    return st.builds(Either, first=inner, second=inner, takes_first=st.booleans())


def _agains(where: Surroundings) -> st.SearchStrategy[Again]:
    return st.builds(Again, node=nodes(where.as_part), attempts=st.integers(1, 3))


def _rescues(where: Surroundings) -> st.SearchStrategy[Rescue]:
    inner = replace(where.as_part, binding=False, rescue=False)
    return st.builds(
        Rescue,
        node=nodes(inner),
        others=_several(inner, 1, 2),
        only=st.sampled_from((("value", "key"), ("value",))),
    )


def _adds(where: Surroundings) -> st.SearchStrategy[Add]:
    return st.builds(Add, node=nodes(where.in_a_branch))


def _everies(where: Surroundings) -> st.SearchStrategy[Every]:
    inner = replace(where.below, failing=False, binding=False, batched=True)
    return st.builds(Every, node=nodes(inner))


def _bounds(where: Surroundings) -> st.SearchStrategy[Bound]:
    inner = nodes(where.as_part)
    return st.builds(Bound, node=inner, tags=tags, metadata=metadata, named=st.booleans())


def _chooses(where: Surroundings) -> st.SearchStrategy[Choose]:
    kinds = ("plain", "coroutine") if where.asynchronous else ("plain",)
    return st.builds(Choose, kind=st.sampled_from(kinds), node=nodes(where.below))


BINDINGS = (_bounds, _agains)
COMPOSITES = (
    _chains,
    _splits,
    _eithers,
    _adds,
    _everies,
    _chooses,
    _steps,
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Any program."""
    form = draw(st.sampled_from(FORMS_HERE))
    where = Surroundings(form in ASYNC_FORMS, draw(st.booleans()), form in INVOKING)
    # In sync code upstream starts an event loop for each call of an async handler, which is slow.
    kinds = ("sync", "async") if where.asynchronous else ("sync", "sync", "sync", "async")
    return Program(
        node=draw(nodes(where)),
        form=form,
        handlers=draw(st.lists(st.sampled_from(kinds), max_size=2).map(tuple)),
        tags=draw(tags),
        metadata=draw(metadata),
        named=draw(st.booleans()),
    )
