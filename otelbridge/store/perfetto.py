"""Stored traces as Chrome trace events, which https://ui.perfetto.dev draws.

One process a resource; in it as many tracks as it takes for spans to nest: on one track the viewer
takes what lies within a span for its child, and cannot draw two that overlap. So a span stands on
its parent's track where it lies within it and beside no sibling, else on one of its own. Times are
µs since the earliest span, since those since 1970 have more digits than the viewer's numbers.

The format is that of the "Trace Event Format" document of Chromium.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

from otelbridge import semconv
from otelbridge.store.records import EventRecord, SpanRecord, Trace

Json = dict[str, Any]
_Key = tuple[str, str]  # a span's trace and id

_NAMELESS: Final = "unknown service"


@dataclass(slots=True)
class _Track:
    """A row of slices.

    Attributes:
        process: whose it is.
        number: unlike that of every other track.
        name: for a person.
        open: the spans that are open where the next begins, outermost first, with their ends.
    """

    process: int
    number: int
    name: str
    open: list[tuple[_Key, int]] = field(default_factory=list)

    def top(self, start: int) -> _Key | None:
        """Return the span that is open at a time; None where none is."""
        while self.open and self.open[-1][1] <= start:
            self.open.pop()
        return self.open[-1][0] if self.open else None


def write_perfetto(out: TextIO, traces: Sequence[Trace]) -> int:
    """Write traces as one JSON document, in ASCII; return how many spans it holds.

    Each span is a complete event, each event of one an instant on its track; events of pages stand
    with those of their run. A span that has not ended reaches to the last time that is known of its
    trace, and says its state in ``args``.
    """
    spans = [(span, _until(trace)) for trace in traces for span in trace.spans]
    zero = min((span.start_ns for span, _ in spans), default=0)
    layout = _Layout()
    other = {"start_ns": str(zero), "traces": [trace.summary.trace_id for trace in traces]}
    head = json.dumps({"displayTimeUnit": "ms", "otherData": other})
    out.write(f'{head[:-1]}, "traceEvents": [')
    written = 0
    separator = "\n"
    for span, tracks, event in _slices(spans, layout, zero):
        for each in (*tracks, event):
            out.write(separator + json.dumps(each, allow_nan=False))
            separator = ",\n"
        written += span
    out.write("\n]}\n")
    return written


def _slices(
    spans: list[tuple[SpanRecord, int]], layout: _Layout, zero: int
) -> Iterator[tuple[bool, list[Json], Json]]:
    """Yield each event of the document, whether it is a span, and what to say before it."""
    ends = {_key(span): end if span.end_ns is None else span.end_ns for span, end in spans}
    depths = _depths([span for span, _ in spans])
    # A parent before its children, also where they begin and end at once.
    order = sorted(
        (span for span, _ in spans if span.page is None),
        key=lambda it: (it.start_ns, -ends[_key(it)], depths[_key(it)]),
    )
    for span in order:
        track, news = layout.place(span, ends[_key(span)])
        yield True, news, _complete(span, track, ends[_key(span)], zero)
        for event in span.events:
            yield False, [], _instant(event, track, zero)
    for span, _ in spans:
        if span.page is not None:
            track, news = layout.of(span)
            for event in span.events:
                yield False, news, _instant(event, track, zero)
                news = []


def _until(trace: Trace) -> int:
    """Return the last time that is known of a trace."""
    return max(
        time
        for span in trace.spans
        for time in (span.start_ns, span.end_ns or 0, *(event.time_ns for event in span.events))
    )


def _depths(spans: list[SpanRecord]) -> dict[_Key, int]:
    parents = {_key(span): (span.trace_id, span.parent_id or "") for span in spans}
    depths: dict[_Key, int] = {}
    for key in parents:
        way: list[_Key] = []
        while key in parents and key not in depths:
            depths[key] = 0  # a circle ends here
            way.append(key)
            key = parents[key]
        depth = depths.get(key, -1)
        for below in reversed(way):
            depth += 1
            depths[below] = depth
    return depths


class _Layout:
    """Which track each span stands on."""

    def __init__(self) -> None:
        self._processes: dict[tuple[str, str], int] = {}
        self._tracks: list[_Track] = []
        self._placed: dict[_Key, _Track] = {}

    def place(self, span: SpanRecord, end: int) -> tuple[_Track, list[Json]]:
        """Choose a track; spans come in the order of their start.

        Returns:
            The track, and what to write first: the names of a process or track that are new.
        """
        process, news = self._process(span)
        parent = (span.trace_id, span.parent_id or "")
        track = self._placed.get(parent)
        if track is None or track.process != process or not _fits(track, parent, span, end):
            track = self._free(process, span.start_ns)
        if track is None:
            track, name = self._new(process, span)
            news += [name]
        track.open.append((_key(span), end))
        self._placed[_key(span)] = track
        return track, news

    def of(self, page: SpanRecord) -> tuple[_Track, list[Json]]:
        """Return the track of the run that a page is of; where that is not here, one of its own."""
        track = self._placed.get((page.trace_id, page.parent_id or ""))
        if track is not None:
            return track, []
        process, news = self._process(page)
        track, name = self._new(process, page)
        self._placed[page.trace_id, page.parent_id or ""] = track
        return track, [*news, name]

    def _process(self, span: SpanRecord) -> tuple[int, list[Json]]:
        key = (span.service, json.dumps(_plain(span.resource), sort_keys=True))
        known = self._processes.get(key)
        if known is not None:
            return known, []
        number = self._processes[key] = len(self._processes) + 1
        name = _metadata("process_name", number, 0, {"name": span.service or _NAMELESS})
        return number, [name, _metadata("process_labels", number, 0, {"labels": key[1]})]

    def _free(self, process: int, start: int) -> _Track | None:
        for track in self._tracks:
            if track.process == process and track.top(start) is None:
                return track
        return None

    def _new(self, process: int, span: SpanRecord) -> tuple[_Track, Json]:
        track = _Track(process, len(self._tracks) + 1, span.name)
        self._tracks.append(track)
        return track, _metadata("thread_name", process, track.number, {"name": track.name})


def _fits(track: _Track, parent: _Key, span: SpanRecord, end: int) -> bool:
    return track.top(span.start_ns) == parent and end <= track.open[-1][1]


def _key(span: SpanRecord) -> _Key:
    return span.trace_id, span.span_id


def _metadata(name: str, process: int, track: int, args: Json) -> Json:
    return {"ph": "M", "name": name, "pid": process, "tid": track, "args": args}


def _complete(span: SpanRecord, track: _Track, end: int, zero: int) -> Json:
    args = _plain(span.attributes)
    args |= {"trace_id": span.trace_id, "span_id": span.span_id}
    if span.status != "unset":
        args["status"] = f"{span.status}: {span.status_message}".removesuffix(": ")
    if span.state != "ended":
        args[semconv.RUN_STATE] = span.state
    return {
        "ph": "X", "name": span.name, "cat": span.run_type or span.kind, "pid": track.process,
        "tid": track.number, "ts": _us(span.start_ns - zero),
        "dur": _us(max(end - span.start_ns, 0)), "args": args,
    }  # fmt: skip


def _instant(event: EventRecord, track: _Track, zero: int) -> Json:
    return {
        "ph": "i", "s": "t", "name": event.name, "cat": "event", "pid": track.process,
        "tid": track.number, "ts": _us(event.time_ns - zero), "args": _plain(event.attributes),
    }  # fmt: skip


def _us(time_ns: int) -> float:
    return time_ns / 1000


def _plain(attributes: Mapping[str, Any]) -> Json:
    return {key: _value(value) for key, value in attributes.items()}


def _value(value: Any) -> Any:
    """Return a value that JSON has."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return _plain(value)
    return [_value(each) for each in value] if isinstance(value, (list, tuple)) else value
