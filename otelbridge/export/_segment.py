"""The format of a spool's segment files: frames, one after another, appended and never changed.

::

    frame   = head payload
    head    = marker (8)  kind (1)  group (4)  length (4)  crc32 of payload (4)  crc32 of head (4)
    marker  = "OTB", the version, 4 random bytes of this segment
    payload = a span's bytes (kind 2, of the group of that number), or a group's (kind 1)

Numbers are little-endian. The version and the random bytes are in the file's name too, which is
where a reader takes the marker from: there is no file header that could be damaged. A payload is
skipped by its length when it alone is damaged. When a head is, the reader goes on at the next
marker that begins a sound head; what spans hold cannot pass for one, since nobody knows the random
bytes beforehand. So damage costs the frames that it touches and no others.

A group is written before the spans of the append that names it first, and once more after them:
the loss of one copy costs no span.
"""

from __future__ import annotations

import re
import secrets
import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from zlib import crc32

from otelbridge.encoding.units import Group, Item

GROUP: Final = 1
SPAN: Final = 2

_VERSION: Final = 1
_MAGIC: Final = b"OTB" + bytes([_VERSION])
_SALT: Final = 4
_HEAD: Final = struct.Struct("<8sBIII")
_CRC: Final = struct.Struct("<I")
_WHOLE_HEAD: Final = struct.Struct("<8sBIIII")
_LENGTHS: Final = struct.Struct("<III")
_NAME: Final = re.compile(rf"(\d{{10}})-([0-9a-f]{{{2 * _SALT}}})\.v{_VERSION}")

HEAD_SIZE: Final = _HEAD.size + _CRC.size


class Frame(NamedTuple):
    """A sound frame: ``data[start:end]`` is its payload."""

    kind: int
    group: int
    start: int
    end: int


class Record(NamedTuple):
    """A span that was read, and where in the file its frame ends."""

    item: Item
    end: int


class Contents(NamedTuple):
    """What was read: sound spans, and how many places or spans had to be skipped."""

    records: list[Record]
    damaged: int


def new_name(number: int) -> str:
    """Return a file name for the segment of this number: such names sort by number."""
    return f"{number:010d}-{secrets.token_hex(_SALT)}.v{_VERSION}"


def parse_name(name: str) -> tuple[int, bytes] | None:
    """Return the number and the marker of the segment of this name.

    Returns:
        None for any other file, one of a later version included.
    """
    match = _NAME.fullmatch(name)
    return (int(match[1]), _MAGIC + bytes.fromhex(match[2])) if match else None


class Encoder:
    """Makes the frames of one segment.

    Args:
        marker: the segment's.
    """

    def __init__(self, marker: bytes) -> None:
        self._marker = marker
        self._groups: dict[Group, int] = {}

    def encode(self, items: Sequence[Item]) -> tuple[bytes, list[Group]]:
        """Return frames for these spans, and the groups that appear with them for the first time.

        Nothing is remembered before ``learn`` is told that they are written.
        """
        new: dict[Group, int] = {}
        spans: list[bytes] = []
        for group, span in items:
            number = self._groups.get(group)
            if number is None:
                number = new.setdefault(group, len(self._groups) + len(new))
            spans += self._frame(SPAN, number, span)
        if not new:  # as with most
            return b"".join(spans), []
        groups: list[bytes] = []
        for group, number in new.items():
            groups += self._frame(GROUP, number, _group_bytes(group))
        return b"".join(groups + spans + groups), list(new)

    def learn(self, groups: list[Group]) -> None:
        """Take these groups of the last ``encode`` as written."""
        for group in groups:
            self._groups.setdefault(group, len(self._groups))

    def _frame(self, kind: int, group: int, payload: bytes) -> tuple[bytes, bytes, bytes]:
        head = _HEAD.pack(self._marker, kind, group, len(payload), crc32(payload))
        return head, _CRC.pack(crc32(head)), payload


def scan(data: bytes, marker: bytes) -> Iterator[Frame | None]:
    """Find the frames in a segment's bytes.

    Yields:
        Sound frames in their order, and None for each damaged place between, before or after.
    """
    view = memoryview(data)
    position = 0
    while position < len(data):
        head = _head(view, position, marker)
        if head is None:
            yield None
            position = _next_head(data, position + 1, marker)
            continue
        frame, crc = head
        yield frame if crc32(view[frame.start : frame.end]) == crc else None
        position = frame.end


def read(data: bytes, marker: bytes, groups: dict[int, Group], base: int = 0) -> Contents:
    """Return the sound spans in a part of a segment.

    A span of which both copies of the group are damaged counts as damaged.

    Args:
        data: the bytes from ``base`` on; a frame begins there.
        marker: the segment's.
        groups: the groups of the parts before; those found are added.
        base: where in the file the part begins.
    """
    spans = []
    damaged = 0
    for frame in scan(data, marker):
        if frame is None:
            damaged += 1
            continue
        kind, group, start, end = frame
        if kind == SPAN:
            spans.append((group, data[start:end], base + end))
        elif kind == GROUP and group not in groups:
            groups[group] = _group_of(data[start:end])
    records = [
        Record(Item(groups[group], span), end) for group, span, end in spans if group in groups
    ]
    return Contents(records, damaged + len(spans) - len(records))


def _head(view: memoryview, position: int, marker: bytes) -> tuple[Frame, int] | None:
    """Return the frame that begins here and its payload's checksum; None without a sound head."""
    start = position + HEAD_SIZE
    if start > len(view):
        return None
    found, kind, group, length, crc, own = _WHOLE_HEAD.unpack_from(view, position)
    end = start + length
    if found != marker or end > len(view) or own != crc32(view[position : start - _CRC.size]):
        return None
    return Frame(kind, group, start, end), crc


def _next_head(data: bytes, position: int, marker: bytes) -> int:
    """Return where the next sound head begins, else the end."""
    while (position := data.find(marker, position)) >= 0:
        if _head(memoryview(data), position, marker) is not None:
            return position
        position += 1
    return len(data)


def _group_bytes(group: Group) -> bytes:
    resource_schema = group.resource_schema.encode("utf-8", "surrogatepass")
    scope_schema = group.scope_schema.encode("utf-8", "surrogatepass")
    lengths = _LENGTHS.pack(len(group.resource), len(resource_schema), len(group.scope))
    return lengths + group.resource + resource_schema + group.scope + scope_schema


def _group_of(payload: bytes) -> Group:
    resource, resource_schema, scope = _LENGTHS.unpack_from(payload)
    schema_at = _LENGTHS.size + resource
    scope_at = schema_at + resource_schema
    end = scope_at + scope
    return Group(
        payload[_LENGTHS.size : schema_at],
        payload[schema_at:scope_at].decode("utf-8", "surrogatepass"),
        payload[scope_at:end],
        payload[end:].decode("utf-8", "surrogatepass"),
    )
