"""What a span can be found by: its text, and the facets that filters name.

The bytes are read by the generated classes, and not as a record: millions are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from otelbridge import semconv
from otelbridge.store.codec import parse

TEXT_CHARS: Final = 100_000
"""So much of a span's text is searched."""

_OWN: Final = "otelbridge."


class Document(NamedTuple):
    """What a span is found by.

    Attributes:
        text: names, attributes and messages, one a line.
        facets: see ``facet``.
        events: the names of its events.
    """

    text: str
    facets: set[int]
    events: set[str]


@lru_cache(maxsize=10_000)
def facet(kind: str, value: str) -> int:
    """Return the number that stands for one property of a span.

    Args:
        kind: "name", "event", "tag", "key" (of metadata) or "pair" (``key=value`` of it).
        value: which.
    """
    text = f"{kind}\0{value}".encode("utf-8", "backslashreplace")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def document(span: bytes) -> Document:
    """Read a span.

    Raises:
        ValueError: the bytes are none.
    """
    it = parse(span)
    found = {facet("name", it.name)}
    events = {event.name for event in it.events}
    found.update([facet("event", name) for name in events])
    lines = [it.name, it.status.message]
    for pair in it.attributes:
        key, text = pair.key, text_of(pair.value)
        if not key.startswith(_OWN):
            lines.append(f"{key} {text}")
            continue
        lines.append(text)
        if key.startswith(semconv.RUN_METADATA):
            name = key[len(semconv.RUN_METADATA) :]
            found.update((facet("key", name), facet("pair", f"{name}={text}")))
        elif key == semconv.RUN_TAGS:
            tags = [entry.string_value for entry in pair.value.array_value.values]
            found.update([facet("tag", tag) for tag in tags])
    for event in it.events:
        lines.append(event.name)
        lines += [f"{pair.key} {text_of(pair.value)}" for pair in event.attributes]
    return Document("\n".join(lines)[:TEXT_CHARS].replace("\0", " "), found, events)


def text_of(value: Any) -> str:
    """Return a generated ``AnyValue`` as a person writes it."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return str(value.string_value)
    if kind == "array_value":
        return _joined(value.array_value.values)
    if kind == "kvlist_value":
        return " ".join([f"{it.key} {text_of(it.value)}" for it in value.kvlist_value.values])
    if kind is None or kind == "bytes_value":
        return ""
    return json.dumps(getattr(value, kind))


def _joined(values: Iterable[Any]) -> str:
    return " ".join([text_of(value) for value in values])
