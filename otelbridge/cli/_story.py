"""Changes of the store in full: a run that the store learnt of at once is told step by step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from otelbridge.store.records import Change


class Story:
    """Puts the start and the events before an end that came without them.

    The store is told of a run every tenth of a second or so: one that is over by then comes as its
    end alone. What happened before this was made is left out.
    """

    def __init__(self) -> None:
        self._begin_ns = time.time_ns()
        self._told: dict[tuple[str, str], int] = {}  # of open spans, the time of their last event

    def of(self, change: Change) -> Iterator[Change]:
        """Yield what a change tells, oldest first."""
        span = change.span
        key = span.trace_id, span.span_id
        if change.event is not None:
            self._told[key] = change.event.time_ns
            yield change
        elif change.kind == "started":
            # It comes again where the attributes of an open span change.
            if key not in self._told:
                self._told[key] = 0
                yield change
        else:
            yield from self._before(change, self._told.pop(key, None))
            yield change

    def _before(self, end: Change, told: int | None) -> Iterator[Change]:
        bare = replace(end.span, events=())
        if told is None and bare.start_ns >= self._begin_ns:
            yield replace(end, kind="started", span=bare)
        for event in end.span.events:
            if event.time_ns >= self._begin_ns and event.time_ns > (told or 0):
                yield replace(end, kind="event", span=bare, event=event)
