"""Programs as data: trees of runnables whose bodies dispatch events, wait, fail and open spans.

``built`` makes the runnable of a tree, and says what its spans must look like.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from otelbridge import (
    Runnable,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnableSequence,
    adispatch_custom_event,
    dispatch_custom_event,
)

from .watching import Watch

ALWAYS = 99


class Boom(Exception):
    """What a body raises."""


@dataclass(frozen=True)
class Call:
    """A function: so many events, so many awaits (in async form), and so many failing calls."""

    events: int = 1
    awaits: int = 1
    failures: int = 0
    opens_span: bool = False


@dataclass(frozen=True)
class Chunks:
    """A generator: so many chunks for each that it gets, an event and an await with each.

    It fails after ``fails_after`` chunks, if that is not None. In async form it may await while it
    is closed.
    """

    chunks: int = 2
    awaits: int = 1
    fails_after: int | None = None
    opens_span: bool = False
    cleans_up: bool = False


@dataclass(frozen=True)
class InTurn:
    """A sequence."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Together:
    """A parallel."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Again:
    """A retry of at most two attempts."""

    body: Node


@dataclass(frozen=True)
class Instead:
    """A runnable with fallbacks."""

    tries: tuple[Node, ...]


Node = Call | Chunks | InTurn | Together | Again | Instead


def programs(
    *, together: bool = True, spans: bool = True, awaits_at_end: bool = True, leaves: int = 5
) -> st.SearchStrategy[Node]:
    """Return trees.

    Args:
        together: some have a parallel, which needs threads or a loop.
        spans: some bodies hold a span of the user's own open.
        awaits_at_end: some async generators await while they are closed.
        leaves: how many bodies at most.
    """
    small = st.integers(0, 2)
    no = st.just(False)
    cleans_up = st.booleans() if awaits_at_end else no
    failures = st.sampled_from([0, 0, 0, 1, ALWAYS])
    fails_after = st.sampled_from([None, None, None, 0, 1])
    bodies = st.one_of(
        st.builds(Call, small, small, failures, st.booleans() if spans else no),
        st.builds(
            Chunks, small, st.integers(0, 1), fails_after, st.booleans() if spans else no, cleans_up
        ),
    )

    def around(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        kinds = [
            st.builds(InTurn, several),
            st.builds(InTurn, several),
            st.builds(Again, inner),
            st.builds(Instead, several),
        ]
        if together:
            kinds.append(st.builds(Together, several))
        return st.one_of(*kinds)

    return st.recursive(bodies, around, max_leaves=leaves)


@dataclass
class Built:
    """A tree as a runnable, and the names of its spans with the names that their parents may have.

    A retry has the name of its body, so a body in a retry may be its own namesake's child.
    """

    runnable: Runnable[Any, Any]
    parents: dict[str, set[str | None]] = field(default_factory=dict)


def bodies(program: Node) -> list[Call | Chunks]:
    """Return the leaves of a tree."""
    if isinstance(program, (Call, Chunks)):
        return [program]
    if isinstance(program, Again):
        return bodies(program.body)
    parts = program.tries if isinstance(program, Instead) else program.parts
    return [body for part in parts for body in bodies(part)]


def may_fail_together(program: Node) -> bool:
    """Return whether a parallel of the tree has a body that fails; it cancels the others then."""
    if isinstance(program, (Call, Chunks)):
        return False
    if isinstance(program, Together):
        fails = (
            getattr(b, "failures", 0) or getattr(b, "fails_after", None) is not None
            for b in bodies(program)
        )
        return any(fails)
    if isinstance(program, Again):
        return may_fail_together(program.body)
    parts = program.tries if isinstance(program, Instead) else program.parts
    return any(map(may_fail_together, parts))


def built(program: Node, watch: Watch, *, in_async: bool) -> Built:
    """Return the runnable of a program, whose bodies tell ``watch`` what they do."""
    parents: dict[str, set[str | None]] = {}
    maker = _Maker(watch, parents, _async_body if in_async else _sync_body, in_async)
    return Built(maker.make(program, "0", None), parents)


@dataclass
class _Maker:
    watch: Watch
    parents: dict[str, set[str | None]]
    body: Callable[[Call, str, Watch], Any]
    in_async: bool

    def make(self, node: Node, label: str, parent: str | None) -> Runnable[Any, Any]:
        self.parents.setdefault(label, set()).add(parent)
        if isinstance(node, (Call, Chunks)):
            return self._leaf(node, label)
        if isinstance(node, InTurn):
            return _named(RunnableSequence(*self._parts(_flat(node), label)), label)
        if isinstance(node, Together):
            parts = self._parts(node.parts, label)
            return _named(RunnableParallel({f"b{i}": p for i, p in enumerate(parts)}), label)
        if isinstance(node, Instead):
            first, *others = self._parts(node.tries, label)
            return _named(first.with_fallbacks(others), label)
        self.parents[label].add(label)
        return self.make(node.body, label, parent).with_retry(
            stop_after_attempt=2, wait_exponential_jitter=False
        )

    def _parts(self, nodes: tuple[Node, ...], label: str) -> list[Runnable[Any, Any]]:
        return [self.make(node, f"{label}.{i}", label) for i, node in enumerate(nodes)]

    def _leaf(self, node: Call | Chunks, label: str) -> Runnable[Any, Any]:
        if node.opens_span:
            self.parents[f"{label} own"] = {label}
        if isinstance(node, Call):
            return RunnableLambda(self.body(node, label, self.watch), name=label)
        make = _async_chunks if self.in_async else _sync_chunks
        return RunnableGenerator(make(node, label, self.watch), name=label)


def _flat(node: InTurn) -> tuple[Node, ...]:
    """A sequence in a sequence is taken apart."""
    parts: list[Node] = []
    for part in node.parts:
        parts.extend(_flat(part) if isinstance(part, InTurn) else [part])
    return tuple(parts)


def _named(runnable: Any, label: str) -> Runnable[Any, Any]:
    runnable.name = label
    made: Runnable[Any, Any] = runnable
    return made


class _Own:
    """A span of the user's own around what a body does, made current by OTel's own means."""

    def __init__(self, node: Call | Chunks, label: str, watch: Watch) -> None:
        self._wanted, self._name, self._tracer = node.opens_span, f"{label} own", watch.tracer
        self._block: Any = None

    def __enter__(self) -> None:
        if self._wanted:
            # An exception that passes is no fault of the span.
            self._block = self._tracer.start_as_current_span(
                self._name, record_exception=False, set_status_on_exception=False
            )
            self._block.__enter__()

    def __exit__(self, *error: Any) -> None:
        if self._block is not None:
            self._block.__exit__(*error)


def _sync_body(node: Call, label: str, watch: Watch) -> Callable[[Any], str]:
    def body(value: Any) -> str:
        calls = watch.entered(label)
        with _Own(node, label, watch):
            for _ in range(node.events):
                dispatch_custom_event(label, watch.about_to_dispatch(label))
        if calls <= node.failures:
            raise Boom(label)
        return label

    return body


def _async_body(node: Call, label: str, watch: Watch) -> Callable[[Any], Any]:
    async def body(value: Any) -> str:
        calls = watch.entered(label)
        with _Own(node, label, watch):
            for number in range(max(node.events, node.awaits)):
                if number < node.awaits:
                    await watch.pause()
                    watch.inside(label)
                if number < node.events:
                    await _adispatch(label, watch)
        if calls <= node.failures:
            raise Boom(label)
        return label

    return body


async def _adispatch(label: str, watch: Watch) -> None:
    data = watch.about_to_dispatch(label)
    if data["n"] % 2:
        await adispatch_custom_event(label, data)
    else:
        dispatch_custom_event(label, data)


def _sync_chunks(node: Chunks, label: str, watch: Watch) -> Callable[..., Iterator[str]]:
    def body(inputs: Iterator[Any]) -> Iterator[str]:
        watch.entered(label)
        given = 0
        with _Own(node, label, watch):
            for _ in inputs:
                for _ in range(node.chunks):
                    if given == node.fails_after:
                        raise Boom(label)
                    dispatch_custom_event(label, watch.about_to_dispatch(label))
                    yield label
                    watch.inside(label)
                    given += 1

    return body


def _async_chunks(node: Chunks, label: str, watch: Watch) -> Callable[..., AsyncIterator[str]]:
    async def body(inputs: AsyncIterator[Any]) -> AsyncIterator[str]:
        watch.entered(label)
        given = 0
        try:
            with _Own(node, label, watch):
                async for _ in inputs:
                    for _ in range(node.chunks):
                        if given == node.fails_after:
                            raise Boom(label)
                        for _ in range(node.awaits):
                            await watch.pause()
                        await _adispatch(label, watch)
                        yield label
                        watch.inside(label)
                        given += 1
        finally:
            watch.inside(label)
            if node.cleans_up:
                await watch.cleaned_up()
                watch.inside(label)

    return body
