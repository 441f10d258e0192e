"""Two traces of the same thing side by side: what got slower, and what differs.

Spans are aligned by the names of those above them and by occurrence: the second ``step`` below
``plan`` is compared with the second ``step`` below ``plan``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from otelbridge.store.records import SpanRecord, Trace
from otelbridge.view.tree import Forest, forest

Difference = Literal["structure", "name", "duration", "status", "events"]
_LONGEST_PATH: Final = 64
_SLOWER: Final = 0.2
_NOTICED_NS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """A place in the trees of both traces.

    Attributes:
        path: the names of the spans above it, and its own; of the last 64.
        depth: how many are above it.
        occurrence: 1 for the first span of this name below the same span, 2 for the next.
        a: the span that the first trace has there.
        b: the span that the second has there.
        differs: in what. ``structure``: only one of them has it. ``duration``: by a millisecond and
            by a fifth of the longer one, at least. ``events``: their names in order. ``status``:
            status, state or outcome. ``name``: of two roots.
        delta_ns: how much longer it took in the second; None where one has not ended.
    """

    path: tuple[str, ...]
    depth: int
    occurrence: int
    a: SpanRecord | None
    b: SpanRecord | None
    differs: tuple[Difference, ...] = field(default=())
    delta_ns: int | None = None


def compare(
    a: Trace, b: Trace, *, span_a: str | None = None, span_b: str | None = None
) -> list[Row]:
    """Align two traces, each span before those below it, in the order of the first trace.

    Args:
        a: the first; its pages are folded.
        b: the second; likewise.
        span_a: compare only this span of the first, and what is below it.
        span_b: likewise of the second.

    Raises:
        KeyError: a trace has no such span.
    """
    forest_a, forest_b = forest(a), forest(b)
    roots_a, roots_b = _roots(a, forest_a, span_a), _roots(b, forest_b, span_b)
    if len(roots_a) == len(roots_b) == 1:  # the same thing, whatever its name
        tops = [_Place((), 1, roots_a[0], roots_b[0])]
    else:
        tops = _places((), roots_a, roots_b)
    return list(_rows(tops, forest_a, forest_b))


def _roots(trace: Trace, tree: Forest, span_id: str | None) -> list[SpanRecord]:
    if span_id is None:
        return list(tree.roots)
    return [{span.span_id: span for span in trace.spans}[span_id]]


@dataclass(frozen=True, slots=True)
class _Place:
    above: tuple[str, ...]
    occurrence: int
    a: SpanRecord | None
    b: SpanRecord | None
    depth: int = 0


def _rows(tops: list[_Place], tree_a: Forest, tree_b: Forest) -> Iterator[Row]:
    waiting = tops[::-1]
    while waiting:
        place = waiting.pop()
        row = _row(place)
        yield row
        below_a = tree_a.below.get(place.a.span_id, []) if place.a else []
        below_b = tree_b.below.get(place.b.span_id, []) if place.b else []
        waiting.extend(reversed(_places(row.path, below_a, below_b, place.depth + 1)))


def _places(
    above: tuple[str, ...], a: list[SpanRecord], b: list[SpanRecord], depth: int = 0
) -> list[_Place]:
    """Align what is below one place; what only the second has stands where it has it."""
    named_a = dict(_numbered(a))
    placed: list[_Place] = []
    numbered_b = list(_numbered(b))
    keys_b = {key: index for index, (key, _) in enumerate(numbered_b)}
    done = 0  # of the second's
    for key, span in named_a.items():
        index = keys_b.get(key)
        if index is None:
            placed.append(_Place(above, key[1], span, None, depth))
            continue
        for other, only_b in numbered_b[done:index]:
            if other not in named_a:
                placed.append(_Place(above, other[1], None, only_b, depth))
        done = max(done, index + 1)
        placed.append(_Place(above, key[1], span, numbered_b[index][1], depth))
    for other, only_b in numbered_b[done:]:
        if other not in named_a:
            placed.append(_Place(above, other[1], None, only_b, depth))
    return placed


def _numbered(spans: list[SpanRecord]) -> Iterator[tuple[tuple[str, int], SpanRecord]]:
    seen: dict[str, int] = {}
    for span in spans:
        seen[span.name] = seen.get(span.name, 0) + 1
        yield (span.name, seen[span.name]), span


def _row(place: _Place) -> Row:
    a, b = place.a, place.b
    either = a or b
    assert either is not None
    path = (*place.above, either.name)[-_LONGEST_PATH:]
    if a is None or b is None:
        return Row(path, place.depth, place.occurrence, a, b, ("structure",))
    delta_ns = None
    if a.end_ns is not None and b.end_ns is not None:
        delta_ns = (b.end_ns - b.start_ns) - (a.end_ns - a.start_ns)
    differs = tuple(_differences(a, b, delta_ns))
    return Row(path, place.depth, place.occurrence, a, b, differs, delta_ns)


def _differences(a: SpanRecord, b: SpanRecord, delta_ns: int | None) -> Iterator[Difference]:
    if a.name != b.name:
        yield "name"
    if delta_ns is not None and a.end_ns is not None and b.end_ns is not None:
        longer_ns = max(a.end_ns - a.start_ns, b.end_ns - b.start_ns)
        if abs(delta_ns) >= max(_NOTICED_NS, _SLOWER * longer_ns):
            yield "duration"
    if (a.status, a.state, a.outcome) != (b.status, b.state, b.outcome):
        yield "status"
    if [it.name for it in a.events] != [it.name for it in b.events]:
        yield "events"
