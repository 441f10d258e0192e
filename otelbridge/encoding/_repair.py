"""A span that cannot leave as it is, part by part made into one that can. Nothing here raises.

A part that is as it should be stays: the rest of a span with one bad value is what it was. An id,
a time or a count that is no number of its size becomes 0, which OTLP reads as unknown; values are
treated as ``_fit`` says.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final, NamedTuple

from opentelemetry.trace import SpanKind, StatusCode

from otelbridge.encoding import _fit
from otelbridge.encoding._ended import Facts, part

_PARTS: Final = 1_000_000  # events or links that are looked at


class _Ids(NamedTuple):
    trace_id: int
    span_id: int
    is_remote: bool
    trace_state: dict[str, str]


class _Event(NamedTuple):
    name: str
    timestamp: int
    attributes: dict[str, Any]
    dropped_attributes: int


class _Link(NamedTuple):
    context: _Ids
    attributes: dict[str, Any]
    dropped_attributes: int


class _Status(NamedTuple):
    status_code: StatusCode
    description: str


def repaired(facts: Facts) -> Facts:
    """Return facts that can be written."""
    return Facts(
        name=_fit.text(facts.name),
        context=_ids(facts.context),
        parent=None if facts.parent is None else _ids(facts.parent),
        kind=facts.kind if type(facts.kind) is SpanKind else SpanKind.INTERNAL,
        start_time=_number(facts.start_time, 64),
        end_time=_number(facts.end_time, 64),
        attributes=_fit.attributes(facts.attributes),
        dropped_attributes=_number(facts.dropped_attributes, 32),
        events=_each(facts.events, _event),
        dropped_events=_number(facts.dropped_events, 32),
        links=_each(facts.links, _link),
        dropped_links=_number(facts.dropped_links, 32),
        status=None if facts.status is None else _status(facts.status),
    )


def bare(facts: Facts) -> Facts:
    """Return what tells which span it was, for when there is no room for the rest."""
    return Facts(
        _fit.text(facts.name), _ids(facts.context), None, SpanKind.INTERNAL,
        _number(facts.start_time, 64), _number(facts.end_time, 64), None, 0, (), 0, (), 0, None,
    )  # fmt: skip


def _ids(context: Any) -> _Ids:
    return _Ids(
        _number(part(context, "trace_id"), 128),
        _number(part(context, "span_id"), 64),
        part(context, "is_remote") is True,
        _state(part(context, "trace_state")),
    )


def _state(state: Any) -> dict[str, str]:
    """Return the entries of a trace state: a lone surrogate in one loses no other."""
    return {key: _fit.text(entry) for key, entry in _fit.attributes(state).items()}


def _number(number: Any, bits: int) -> int:
    try:
        whole = int(number)
    except Exception:
        return 0
    return whole if 0 <= whole < 1 << bits else 0


def _each(parts: Any, repair: Callable[[Any], Any]) -> list[Any]:
    try:
        return [repair(each) for each in islice(parts, _PARTS)]
    except Exception:
        return []


def _event(event: Any) -> _Event:
    return _Event(
        _fit.text(part(event, "name")),
        _number(part(event, "timestamp"), 64),
        _fit.attributes(part(event, "attributes")),
        _number(part(event, "dropped_attributes"), 32),
    )


def _link(link: Any) -> _Link:
    return _Link(
        _ids(part(link, "context")),
        _fit.attributes(part(link, "attributes")),
        _number(part(link, "dropped_attributes"), 32),
    )


def _status(status: Any) -> _Status:
    code = part(status, "status_code")
    description = _fit.text(part(status, "description"))
    return _Status(code if type(code) is StatusCode else StatusCode.UNSET, description)
