"""Ended spans as OTLP bytes, made without message objects: what the pipeline's worker does.

The official encoder raises, and loses the whole batch, on one name with a lone surrogate or one
event whose name is no string. Here a span is first written as it stands (``_span``, ``_values``);
where that fails it is repaired (``_repair``, ``_fit``) and written again.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from otelbridge.encoding._ended import Facts, Raw, facts_of, producer_of
from otelbridge.encoding._producer import group_of
from otelbridge.encoding._repair import bare, repaired
from otelbridge.encoding._span import span_bytes
from otelbridge.encoding.units import Group, Item

_KNOWN: Final = 1_000  # pairs; a program that makes a tracer for every call has no end of them


class Encoder:
    """Encodes ended spans. It may be used from several threads.

    Spans of equal resources and scopes get the same ``Group`` object.
    """

    def __init__(self) -> None:
        # Found by identity, since to hash a resource costs more than to encode a span; the
        # resource and scope are held, so that no other can get their ids.
        self._known: dict[tuple[int, int], tuple[Group, Any, Any]] = {}
        self._groups: dict[Group, Group] = {}

    def item(self, span: ReadableSpan) -> Item:
        """Encode a span. Never raises: what cannot leave as it is is made fit to."""
        resource, scope = producer_of(span)
        known = self._known.get((id(resource), id(scope)))
        group = self._group(resource, scope) if known is None else known[0]
        return Item(group, _bytes(facts_of(span)))

    def _group(self, resource: Any, scope: Any) -> Group:
        group = group_of(resource, scope)
        if len(self._known) >= _KNOWN:
            self._known.clear()
            self._groups.clear()
        group = self._groups.setdefault(group, group)
        self._known[id(resource), id(scope)] = group, resource, scope
        return group


def _bytes(facts: Raw) -> bytes:
    try:
        return span_bytes(facts)
    except Exception:
        pass
    for less in (repaired, bare):
        try:
            return span_bytes(less(Facts._make(facts)))
        except Exception:  # memory, or a stack with no room for another call
            continue
    return b""
