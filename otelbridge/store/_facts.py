"""What the tables tell of a span beside its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from opentelemetry.sdk.trace import ReadableSpan

from otelbridge import semconv
from otelbridge.encoding._ended import facts_of
from otelbridge.encoding.units import Group, Item
from otelbridge.store._schema import ENDED, LOST, RUNNING
from otelbridge.store.codec import STATUSES, to_record
from otelbridge.store.records import SpanRecord

INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
_MOST = 1 << 63


class Facts(NamedTuple):
    """One span to be written.

    Attributes:
        group: who made it.
        body: a serialized ``Span``; of a running one without its events; empty where it is as it
            was when it was last written.
        state: ``RUNNING``, ``ENDED`` or ``LOST``.
        parent: whether it has one.
        end_ns: 0 while it runs.
        status: as a number of OTLP.
        events: how many it has.
        new_events: of a running one, those that are not yet written, each as a field of ``Span``.
        page: its number, 0 for a span that is no page.
    """

    group: Group
    body: bytes
    trace_id: bytes
    span_id: bytes
    state: int
    parent: bool
    name: str
    start_ns: int
    end_ns: int
    status: int
    outcome: str | None
    run_id: str | None
    events: int
    new_events: Sequence[bytes]
    page: int
    input_tokens: int | None
    output_tokens: int | None


def ended_facts(span: ReadableSpan, item: Item) -> Facts:
    """Return what to write of a span that has ended.

    Raises:
        ValueError: it has no ids, or something of it that cannot be stored.
    """
    try:
        return _of_sdk(span, item)
    except Exception:
        return record_facts(item, to_record(item.span, item.group))


def _of_sdk(span: ReadableSpan, item: Item) -> Facts:
    (
        name, context, parent, _, start, end, attributes, _, events, lost_events, _, _, status,
    ) = facts_of(span)  # fmt: skip
    if not name.isascii():
        name.encode()
    if not attributes:
        outcome = run_id = page = tokens_in = tokens_out = None
    else:
        get = attributes.get
        outcome, run_id, page = (
            get(semconv.RUN_OUTCOME), get(semconv.RUN_ID), get(semconv.PAGE)
        )  # fmt: skip
        tokens_in, tokens_out = get(INPUT_TOKENS), get(OUTPUT_TOKENS)
    return Facts(
        item.group,
        item.span,
        context.trace_id.to_bytes(16, "big"),
        context.span_id.to_bytes(8, "big"),
        ENDED,
        parent is not None,
        name,
        _time(start),
        _time(end),
        status.status_code.value,
        _text(outcome),
        _text(run_id),
        len(events) + lost_events,
        (),
        _count(page) or 0,
        _count(tokens_in),
        _count(tokens_out),
    )


def record_facts(item: Item, record: SpanRecord) -> Facts:
    """Return what to write of a span that was read from its bytes."""
    state = {"running": RUNNING, "ended": ENDED, "lost": LOST}[record.state]
    return Facts(
        item.group,
        item.span,
        bytes.fromhex(record.trace_id),
        bytes.fromhex(record.span_id),
        state,
        record.parent_id is not None,
        record.name,
        record.start_ns,
        record.end_ns or 0,
        STATUSES.index(record.status),
        record.outcome,
        record.run_id,
        len(record.events) + record.dropped_events,
        (),
        _count(record.page) or 0,
        _count(record.attributes.get(INPUT_TOKENS)),
        _count(record.attributes.get(OUTPUT_TOKENS)),
    )


def _time(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MOST:
        raise ValueError(f"{value!r} is no time in ns")
    return value


def _text(value: Any) -> str | None:
    if type(value) is not str:
        return None
    if not value.isascii():
        value.encode()
    return value


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < _MOST >> 16 else None
