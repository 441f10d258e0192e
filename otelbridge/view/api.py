"""The JSON API: what the page asks."""

from __future__ import annotations

import io
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from otelbridge.store import Store, StoreError
from otelbridge.store.records import SpanRecord, Trace
from otelbridge.view import queries, wire
from otelbridge.view.answers import answer
from otelbridge.view.compare import Row, compare
from otelbridge.view.critical_path import critical_path
from otelbridge.view.live import InPool
from otelbridge.view.queries import BadQueryError, NotFoundError

_MOST: Final = 500  # of a list
_LARGEST: Final = 2**63 - 1
_KEPT_TRACES: Final = 4

Asked = Callable[[Request], Response]


class Api:
    """Every address below ``/api/`` but the live stream.

    Args:
        store: what is asked.
        in_pool: where it is asked.
    """

    def __init__(self, store: Store, in_pool: InPool) -> None:
        self._store = store
        self._in_pool = in_pool
        self._opened = _Opened(store)

    def routes(self) -> list[Route]:
        """Return the addresses."""
        asked: dict[str, Asked] = {
            "/api/traces": self._traces,
            "/api/traces/{trace}": self._trace,
            "/api/traces/{trace}/spans/{span}/events": self._events,
            "/api/search": self._search,
            "/api/menus": self._menus,
            "/api/load": self._load,
            "/api/compare": self._compare,
            "/api/export/{trace}": self._export,
        }
        return [Route(path, self._answering(function)) for path, function in asked.items()]

    def _answering(self, function: Asked) -> Callable[[Request], Any]:
        async def answering(request: Request) -> Response:
            result: Response = await self._in_pool(function, request)
            return result

        return answering

    def _traces(self, request: Request) -> Response:
        query = request.query_params
        cursor = self._store.cursor()  # before the list, so that a stream from it misses nothing
        limit = queries.number(query, "limit", 50, 1, _MOST)
        before = query.get("before") or None
        found = [
            trace
            for wanted in queries.filters_of(query)
            for trace in self._store.traces(wanted, limit=limit, before=before)
        ]
        found.sort(key=lambda it: (it.start_ns, it.trace_id), reverse=True)
        del found[limit:]
        return answer({"traces": [wire.summary(it) for it in found], **_now(cursor)})

    def _trace(self, request: Request) -> Response:
        cursor = self._store.cursor()
        trace = self._opened.get(self._id(request.path_params["trace"]), cursor)
        now = _now(cursor)
        return answer({**wire.trace(trace, critical_path(trace, int(now["now_ns"]))), **now})

    def _events(self, request: Request) -> Response:
        query, wanted = request.query_params, request.path_params["span"]
        start = queries.number(query, "from", 0, 0, _LARGEST)
        limit = queries.number(query, "limit", wire.MOST_EVENTS, 1, wire.MOST_EVENTS)
        trace = self._opened.get(self._id(request.path_params["trace"]), self._store.cursor())
        events = _span(trace, wanted).events
        shown = [wire.event(it) for it in events[start : start + limit]]
        return answer({"events": shown, "total": len(events)})

    def _search(self, request: Request) -> Response:
        query = request.query_params
        if not query.get("text"):
            raise BadQueryError("text is missing: say what to look for")
        wanted = queries.filter_of({key: it for key, it in query.items() if key != "text"})
        hits = self._store.search(
            query["text"],
            wanted,
            limit=queries.number(query, "limit", 50, 1, _MOST),
            before=query.get("before") or None,
        )
        return answer({"hits": [wire.hit(it) for it in hits]})

    def _menus(self, request: Request) -> Response:
        return answer({"services": self._store.services(), "events": self._store.event_names()})

    def _load(self, request: Request) -> Response:
        query = request.query_params
        until_ns = queries.number(query, "until_ns", time.time_ns(), 0, _LARGEST)
        since_ns = queries.number(query, "since_ns", max(0, until_ns - 3600 * 10**9), 0, _LARGEST)
        if since_ns >= until_ns:
            raise BadQueryError("since_ns must be before until_ns")
        buckets = queries.number(query, "buckets", 60, 1, 1000)
        rest = {key: it for key, it in query.items() if key not in ("since_ns", "until_ns")}
        counted = [
            self._store.load(since_ns, until_ns, buckets, wanted)
            for wanted in queries.filters_of(rest)
        ]
        sums = [[sum(numbers) for numbers in zip(*each)] for each in zip(*counted)]
        return answer({"buckets": sums})

    def _compare(self, request: Request) -> Response:
        cursor = self._store.cursor()
        (trace_a, span_a), (trace_b, span_b) = (
            self._side(request.query_params.get(side, ""), side, cursor) for side in "ab"
        )
        rows = compare(trace_a, trace_b, span_a=span_a, span_b=span_b)
        return answer(
            {
                "a": wire.summary(trace_a.summary),
                "b": wire.summary(trace_b.summary),
                "rows": [_row(row) for row in rows],
            }
        )

    def _side(self, text: str, side: str, cursor: int) -> tuple[Trace, str | None]:
        trace_id, _, span_id = text.partition(":")
        if not trace_id:
            raise BadQueryError(f"{side} is missing: give the id of a trace, or trace:span")
        trace = self._opened.get(self._id(trace_id), cursor)
        return trace, _span(trace, span_id).span_id if span_id else None

    def _export(self, request: Request) -> Response:
        query = request.query_params
        trace_id = self._id(request.path_params["trace"])
        written = io.StringIO()
        if query.get("format") == "perfetto":
            self._store.export_perfetto(written, trace_ids=[trace_id])
            name, kind = f"{trace_id}.perfetto.json", "application/json"
        elif query.get("format") in (None, "", "otlp"):
            self._store.export_otlp(written, trace_ids=[trace_id], include_running=True)
            name, kind = f"{trace_id}.otlp.jsonl", "application/jsonl"
        else:
            raise BadQueryError(f"format={query['format'][:40]!r}: give otlp or perfetto")
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(written.getvalue().encode("utf-8", "replace"), 200, headers, kind)

    def _id(self, prefix: str) -> str:
        try:
            return self._store.find(prefix)
        except StoreError as problem:
            raise NotFoundError(str(problem)) from None


class _Opened:
    """The traces that were asked for last, as long as nothing in the store has changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._kept: OrderedDict[str, tuple[int, Trace]] = OrderedDict()

    def get(self, trace_id: str, cursor: int) -> Trace:
        """Return a trace with its pages folded.

        Args:
            trace_id: its whole id.
            cursor: the store's, as it was before.
        """
        with self._lock:
            kept = self._kept.get(trace_id)
        if kept is not None and kept[0] == cursor:
            return kept[1]
        found = self._store.get(trace_id)
        if found is None:
            raise NotFoundError(f"The trace {trace_id} is not in the store any more.")
        trace = wire.folded(found)
        with self._lock:
            self._kept[trace_id] = (cursor, trace)
            self._kept.move_to_end(trace_id)
            while len(self._kept) > _KEPT_TRACES:
                self._kept.popitem(last=False)
        return trace


def _span(trace: Trace, span_id: str) -> SpanRecord:
    for span in trace.spans:
        if span.span_id == span_id:
            return span
    raise NotFoundError(f"The trace {trace.summary.trace_id} has no span {span_id[:40]!r}.")


def _row(row: Row) -> dict[str, Any]:
    return {
        "path": row.path,
        "depth": row.depth,
        "occurrence": row.occurrence,
        "a": _cell(row.a),
        "b": _cell(row.b),
        "differs": row.differs,
        "delta_ns": None if row.delta_ns is None else str(row.delta_ns),
    }


def _cell(span: SpanRecord | None) -> dict[str, Any] | None:
    if span is None:
        return None
    return {
        "span_id": span.span_id,
        "name": span.name,
        "duration_ns": None if span.end_ns is None else str(max(0, span.end_ns - span.start_ns)),
        "state": span.state,
        "status": span.status,
        "outcome": span.outcome,
        "events": [it.name for it in span.events[: wire.MOST_EVENTS]],
        "events_total": len(span.events),
    }


def _now(cursor: int) -> dict[str, Any]:
    return {"cursor": cursor, "now_ns": str(time.time_ns())}
