"""Traces out of a store, for other programs, and into it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, TextIO

from otelbridge import semconv
from otelbridge.encoding._protobuf import field
from otelbridge.encoding.units import Item, batches
from otelbridge.errors import StoreError
from otelbridge.store._to_otlp_json import to_otlp_json
from otelbridge.store.codec import parse
from otelbridge.store.otlp_json import otlp_json_to_request
from otelbridge.store.perfetto import write_perfetto
from otelbridge.store.records import Added, Filter, State

if TYPE_CHECKING:
    from otelbridge.store._store import Store

_ATTRIBUTE: Final = b"\x4a"  # 9 of a span
_PAGE: Final = 200  # traces that are listed at once
_SPANS: Final = 500  # of one line
_LINE_BYTES: Final = 192 << 10  # in protobuf: the Collector's reader of files takes lines of 1 MiB
_REASONS: Final = 3


def export_otlp(
    store: Store,
    out: TextIO,
    filter: Filter,
    *,
    trace_ids: Iterable[str] | None,
    include_running: bool,
) -> int:
    """Write spans as OTLP JSON lines, in ASCII, each line a request of one trace's spans.

    It is the format of the Collector's file exporter. A span that has not ended carries the
    attribute ``otelbridge.run.state``: ``lost``, or ``running`` with ``include_running``; without,
    those that run are left out.

    Args:
        store: where from.
        out: where to.
        filter: which traces, newest first.
        trace_ids: these instead, by their whole ids.
        include_running: also what runs.

    Returns:
        How many spans were written.

    Raises:
        StoreError: there is no trace of one of the ids.
        OSError: ``out`` cannot be written; what came before is.
    """
    written = 0
    for trace_id in _chosen(store, filter) if trace_ids is None else trace_ids:
        found = store._items(trace_id)
        if not found and trace_ids is not None:
            raise _unknown(trace_id)
        items = [_marked(*each) for each in found if include_running or each[1] != "running"]
        for batch in batches(items, _SPANS, _LINE_BYTES):
            out.write(to_otlp_json(batch) + "\n")
            written += len(batch)
    return written


def import_otlp(store: Store, lines: Iterable[str]) -> Added:
    """Store the spans of OTLP JSON lines; each line is committed before the next is read.

    Returns:
        How many spans were stored and how many rejected; the message names the lines.

    Raises:
        StoreError: a line is no OTLP JSON with traces; the lines before it are stored. Or the store
            cannot be written.
    """
    accepted = rejected = 0
    messages: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip("\ufeff \t\r\n"):
            continue
        try:
            request = otlp_json_to_request(_document(line.lstrip("\ufeff")))
        except ValueError as error:
            raise StoreError(
                f"line {number} is no OTLP JSON with traces ({error}): give one request a line, as "
                f"the Collector's file exporter writes it. {_so_far(accepted, number)}"
            ) from error
        added = store.add(request)
        accepted += added.accepted
        rejected += added.rejected
        if added.message:
            messages.append(f"line {number}: {added.message}")
    more = f"; and {len(messages) - _REASONS} lines more" if len(messages) > _REASONS else ""
    return Added(accepted, rejected, "; ".join(messages[:_REASONS]) + more)


def export_perfetto(store: Store, out: TextIO, *, trace_ids: Iterable[str]) -> int:
    """Write traces as Chrome trace events, one JSON document; see ``write_perfetto``.

    Returns:
        How many spans it holds; pages are none.

    Raises:
        StoreError: there is no trace of one of the whole ids.
    """
    traces = []
    for trace_id in trace_ids:
        trace = store.get(trace_id)
        if trace is None:
            raise _unknown(trace_id)
        traces.append(trace)
    return write_perfetto(out, traces)


def _chosen(store: Store, filter: Filter) -> Iterator[str]:
    before = None
    while True:
        page = store.traces(filter, limit=_PAGE, before=before)
        yield from [summary.trace_id for summary in page]
        if len(page) < _PAGE:
            return
        before = page[-1].trace_id


def _marked(item: Item, state: State) -> Item:
    """Say in a span that has not ended that it has not."""
    if state == "ended" or any(it.key == semconv.RUN_STATE for it in parse(item.span).attributes):
        return item
    text = field(b"\x0a", state.encode())
    pair = field(b"\x0a", semconv.RUN_STATE.encode()) + field(b"\x12", text)
    return item._replace(span=item.span + field(_ATTRIBUTE, pair))


def _document(line: str) -> Any:
    try:
        data = json.loads(line)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if isinstance(data, dict) and not data.keys() & {"resourceSpans", "resource_spans"}:
        raise ValueError("it has no resourceSpans")
    return data


def _so_far(accepted: int, number: int) -> str:
    if number == 1:
        return "Nothing was stored"
    return f"The {accepted} span{'s' * (accepted != 1)} of the lines before are stored"


def _unknown(trace_id: str) -> StoreError:
    return StoreError(f"the store holds no trace {trace_id!r}: see `otelbridge list`")
