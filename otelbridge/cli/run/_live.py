"""The live tree of ``otelbridge run``: what runs now, how far it is, and what has ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from opentelemetry.trace import StatusCode

from otelbridge import semconv
from otelbridge._process import renew_in_child
from otelbridge._tracing import guard
from otelbridge.cli._values import failure
from otelbridge.cli.run._region import Region
from otelbridge.export.forest import Node, forest, start_of
from otelbridge.export.terminal import Part, paint, wants_colour
from otelbridge.export.tree import duration
from otelbridge.export.watch import Watch, Watched
from otelbridge.progress import Progress, bar, read

_EVERY_S = 0.1
_MOST_LINES = 14
_WHOLE_TRACES = 3  # as trees; those after them are one line each
_NAMED_TRACES = 20
_WHOLE_LINES = 24
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Live:
    """Draws what a ``Watch`` sees to a terminal, from its own thread, until ``stop``."""

    def __init__(self, watch: Watch, stream: TextIO, streams: Sequence[TextIO]) -> None:
        self.traces = 0
        self.last = ""
        self._watch = watch
        self._stream = stream
        self._region = Region(stream)
        self._region.take(*streams)
        self._over = threading.Event()
        self._turn = 0
        self._thread = threading.Thread(target=self._go, name="otelbridge-live", daemon=True)
        renew_in_child(self._region.forget)
        self._thread.start()

    def stop(self) -> None:
        """Show what has ended since, and leave the terminal to the program."""
        self._over.set()
        self._thread.join(timeout=2)
        self._look(draw=False)
        self._region.give_back()

    def _go(self) -> None:
        try:
            while not self._over.wait(_EVERY_S):
                self._look(draw=True)
        except Exception:
            guard("draw the live tree")

    def _look(self, *, draw: bool) -> None:
        running, over = self._watch.look()
        if not self._region.is_free:
            running = []
        for trace in over:
            self._tell(trace)
        if draw and self._region.is_free:
            self._turn += 1
            self._region.draw(self._lines(running))

    def _tell(self, trace: Watched) -> None:
        self.traces += 1
        self.last = f"{trace.trace_id:032x}"
        if self.traces > _NAMED_TRACES or not self._region.is_free:
            return
        rows = list(_rows(forest(trace.spans), whole=True))
        kept = rows[: _WHOLE_LINES if self.traces <= _WHOLE_TRACES else 1]
        lines = self._paint(kept)
        if len(kept) < len(rows) > 1 and self.traces <= _WHOLE_TRACES:
            lines.append(f"  … and {len(rows) - len(kept):,} more: otelbridge show {self.last[:8]}")
        self._region.say("\n".join(lines) + "\n")

    def _lines(self, running: Sequence[Watched]) -> list[str]:
        most = max(2, min(_MOST_LINES, self._region.size.lines // 2))
        rows = [row for trace in running for row in _rows(forest(trace.spans), whole=False)]
        return self._paint(_within(rows, most))

    def _paint(self, rows: Sequence[Row]) -> list[str]:
        columns, colour = self._region.size.columns, wants_colour(self._stream)
        spinner, now_ns = _FRAMES[self._turn % len(_FRAMES)], time.time_ns()
        return [
            paint(_parts(depth, node, now_ns, spinner), columns - 1, colour=colour)
            for depth, node in rows
        ]


Row = tuple[int, Node]  # depth, what stands there


def _rows(roots: Sequence[Node], *, whole: bool) -> Iterator[Row]:
    """Yield nodes, parents before children; where not ``whole``, nothing below what has ended."""
    todo = [(0, root) for root in reversed(roots)]
    while todo:
        depth, node = todo.pop()
        yield depth, node
        # A span that outlives its parent is shown all the same.
        below = [it for it in node.children if whole or _runs(node) or _runs(it)]
        todo.extend((depth + 1, child) for child in reversed(below))


def _within(rows: Sequence[Row], most: int) -> list[Row]:
    """Keep what there is room for: what runs before what has ended, the newest first."""
    if len(rows) <= most:
        return list(rows)
    order = sorted(
        range(len(rows)),
        key=lambda at: (_runs(rows[at][1]), start_of(rows[at][1].span)),
        reverse=True,
    )
    return [rows[at] for at in sorted(order[:most])]


def _parts(depth: int, node: Node, now_ns: int, spinner: str) -> Iterator[Part]:
    span = node.span
    took = duration((span.end_time or now_ns) - start_of(span))
    failed = span.status.status_code is StatusCode.ERROR
    mark = ("outcome", spinner) if _runs(node) else ("error", "✗") if failed else ("event", "✓")
    yield "", "  " * depth
    yield mark
    yield "", " "
    yield "name" if _runs(node) else "dim", span.name
    yield "dim", f"  {took}"
    yield from _last_of(node)
    if failed:
        kind = str((span.attributes or {}).get(semconv.ERROR_TYPE, ""))
        yield "error", f"  {failure(kind, span.status.description or '')}"


def _last_of(node: Node) -> Iterator[Part]:
    """Yield how far a run is, and its newest event that says something else."""
    progress = event = None
    for one in reversed(node.events[-200:]):
        told = _progress(one.name, one.attributes or {})
        if told is None:
            event = event or one.name
        else:
            progress = progress or told
        if progress and event:
            break
    if progress is not None:
        yield "event", f"  {bar(progress.share, 20)}"
        yield "", f" {progress.text}"
    if event is not None and _runs(node):
        yield "dim", f"  · {event}"


def _progress(name: str, attributes: Mapping[str, Any]) -> Progress | None:
    data = {key.removeprefix(semconv.DATA_PREFIX): value for key, value in attributes.items()}
    return read(name, data)


def _runs(node: Node) -> bool:
    return node.span.end_time is None
