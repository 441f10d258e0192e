"""The unit of the pipeline: one ended span, encoded once, and the requests made of such spans.

The field numbers are those of opentelemetry-proto, ``collector/trace/v1/trace_service.proto`` and
``trace/v1/trace.proto``. Every function here takes bytes to be what the encoder made; none parses
a span but ``ids_of``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from otelbridge.encoding._protobuf import field, fields

_RESOURCE_SPANS = _RESOURCE = _SCOPE = b"\x0a"  # 1
_SCOPE_SPANS = _SPAN = b"\x12"  # 2
_SCHEMA_URL = b"\x1a"  # 3
_TRACE_ID, _SPAN_ID, _NAME = 1, 2, 5

_FRAME: Final = 6  # bytes of a tag and of a length, at most
_FRAMES_OF_GROUP: Final = 6  # a ResourceSpans, a ScopeSpans, and the two fields of each


class Group(NamedTuple):
    """Who produced a span. Spans of equal groups share their place in a request.

    Attributes:
        resource: a serialized ``Resource``.
        resource_schema: its schema URL, or nothing.
        scope: a serialized ``InstrumentationScope``.
        scope_schema: its schema URL, or nothing.
    """

    resource: bytes
    resource_schema: str
    scope: bytes
    scope_schema: str


class Item(NamedTuple):
    """One ended span.

    Attributes:
        group: who produced it.
        span: a serialized ``Span``, without tag and length.
    """

    group: Group
    span: bytes


def request(items: Sequence[Item]) -> bytes:
    """Make an ``ExportTraceServiceRequest``.

    The spans of a group keep their order; groups and resources come in the order of their first.
    """
    resources: dict[tuple[bytes, str], dict[Group, list[bytes]]] = {}
    for group, span in items:
        scopes = resources.setdefault(group[:2], {})
        scopes.setdefault(group, []).append(span)
    return b"".join(
        field(_RESOURCE_SPANS, _resource_spans(key, scopes)) for key, scopes in resources.items()
    )


def _resource_spans(resource: tuple[bytes, str], scopes: dict[Group, list[bytes]]) -> bytes:
    parts = [field(_RESOURCE, resource[0])]
    parts += [field(_SCOPE_SPANS, _scope_spans(group, spans)) for group, spans in scopes.items()]
    return b"".join(parts) + _schema(resource[1])


def _scope_spans(group: Group, spans: list[bytes]) -> bytes:
    parts = [field(_SCOPE, group.scope)]
    parts += [field(_SPAN, span) for span in spans]
    return b"".join(parts) + _schema(group.scope_schema)


def _schema(url: str) -> bytes:
    return field(_SCHEMA_URL, url.encode("utf-8", "backslashreplace")) if url else b""


def request_size(items: Iterable[Item]) -> int:
    """Return how many bytes the request of these spans has at most, without making it."""
    groups: set[Group] = set()
    size = 0
    for group, span in items:
        size += len(span) + _FRAME
        if group not in groups:
            groups.add(group)
            size += _group_size(group)
    return size


def _group_size(group: Group) -> int:
    """Return what a group adds to a request at most (a resource may be shared)."""
    schemas = 6 * (len(group.resource_schema) + len(group.scope_schema))  # as \\udc80, at worst
    return len(group.resource) + len(group.scope) + schemas + _FRAMES_OF_GROUP * _FRAME


def batches(items: Iterable[Item], max_items: int, max_bytes: int) -> Iterator[list[Item]]:
    """Cut spans into batches, in their order.

    Args:
        items: the spans.
        max_items: how many a batch holds at most.
        max_bytes: how large the request of a batch is at most; a span that is larger alone is a
            batch of its own.

    Yields:
        Batches, none of them empty.
    """
    batch: list[Item] = []
    groups: set[Group] = set()
    size = 0
    for item in items:
        added = len(item.span) + _FRAME
        if item.group not in groups:
            added += _group_size(item.group)
        if batch and (len(batch) >= max_items or size + added > max_bytes):
            yield batch
            batch, size = [], 0
            groups.clear()
            added = len(item.span) + _FRAME + _group_size(item.group)
        batch.append(item)
        groups.add(item.group)
        size += added
    if batch:
        yield batch


def ids_of(span: bytes) -> tuple[str, str, str]:
    """Read a span's trace id, span id (both in hex) and name back from its bytes.

    Returns:
        Three empty strings where the bytes are no span. Never raises.
    """
    found: dict[int, bytes] = {}
    try:
        for number, value in fields(span):
            if number in (_TRACE_ID, _SPAN_ID, _NAME) and isinstance(value, bytes):
                found[number] = value
    except ValueError:
        return "", "", ""
    trace_id, span_id = found.get(_TRACE_ID, b"").hex(), found.get(_SPAN_ID, b"").hex()
    return trace_id, span_id, found.get(_NAME, b"").decode("utf-8", "replace")
