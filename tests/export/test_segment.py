"""Segments: what is written is read back, and damage costs what it touches and nothing else."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otelbridge.encoding.units import Group, Item
from otelbridge.export import _segment

MARKER = b"OTB\x01\xde\xad\xbe\xef"

texts = st.text(max_size=12)
groups = st.builds(
    Group, st.binary(max_size=40), texts, st.binary(max_size=20), texts | st.just("\udc80")
)
# Spans that look like parts of a segment are the hard ones.
spans = st.binary(max_size=120) | st.sampled_from([b"", MARKER[:4] * 9, b"\x02" * 60])
items = st.builds(Item, groups, spans)
appends = st.lists(st.lists(items, min_size=1, max_size=5), min_size=1, max_size=5)


def written(batches: list[list[Item]]) -> bytes:
    """A segment's bytes after these appends."""
    encoder = _segment.Encoder(MARKER)
    data = b""
    for batch in batches:
        frames, new = encoder.encode(batch)
        encoder.learn(new)
        data += frames
    return data


def spans_of(data: bytes) -> list[Item]:
    return [record.item for record in _segment.read(data, MARKER, {}).records]


def frames_of(data: bytes) -> list[_segment.Frame]:
    return [frame for frame in _segment.scan(data, MARKER) if frame is not None]


def survivors(data: bytes, touched: set[int]) -> list[bytes]:
    """What must be left of a whole segment when these bytes are damaged."""
    whole = [
        frame
        for frame in frames_of(data)
        if not touched.intersection(range(frame.start - _segment.HEAD_SIZE, frame.end))
    ]
    known = {frame.group for frame in whole if frame.kind == _segment.GROUP}
    return [
        data[frame.start : frame.end]
        for frame in whole
        if frame.kind == _segment.SPAN and frame.group in known
    ]


@given(appends)
def test_spans_are_read_back(batches: list[list[Item]]) -> None:
    """What is read is what was written, groups included, in its order, with nothing damaged."""
    data = written(batches)
    contents = _segment.read(data, MARKER, {})
    assert [record.item for record in contents.records] == [it for batch in batches for it in batch]
    assert contents.damaged == 0


@given(appends)
def test_a_segment_is_read_in_parts(batches: list[list[Item]]) -> None:
    """Parts cut between appends give the same spans, and places in the file."""
    ends = list(
        accumulate(
            len(written(batches[: i + 1])) - len(written(batches[:i])) for i in range(len(batches))
        )
    )
    data = written(batches)
    known: dict[int, Group] = {}
    parts: list[_segment.Record] = []
    for start, end in zip([0, *ends], ends):
        parts += _segment.read(data[start:end], MARKER, known, start).records
    assert parts == _segment.read(data, MARKER, {}).records


@given(appends, st.data())
def test_flipped_bits_cost_the_frames_that_they_touch(
    batches: list[list[Item]], draw: st.DataObject
) -> None:
    """Whatever bits are flipped, in a head, a length or a payload, all other frames are read."""
    data = bytearray(written(batches))
    flips = draw.draw(
        st.dictionaries(st.integers(0, len(data) - 1), st.integers(1, 255), max_size=6)
    )
    expected = survivors(bytes(data), set(flips))
    for position, bits in flips.items():
        data[position] ^= bits
    contents = _segment.read(bytes(data), MARKER, {})
    assert [record.item.span for record in contents.records] == expected
    assert bool(contents.damaged) == bool(flips)


@given(appends, st.data())
def test_zeroed_blocks_cost_the_frames_that_they_touch(
    batches: list[list[Item]], draw: st.DataObject
) -> None:
    """A block that the disk gives back empty is stepped over."""
    data = bytearray(written(batches))
    start = draw.draw(st.integers(0, len(data) - 1))
    end = draw.draw(st.integers(start + 1, len(data)))
    expected = survivors(bytes(data), {at for at in range(start, end) if data[at]})
    data[start:end] = bytes(end - start)
    assert [item.span for item in spans_of(bytes(data))] == expected


@given(appends, st.data())
def test_a_torn_tail_costs_itself(batches: list[list[Item]], draw: st.DataObject) -> None:
    """A segment cut anywhere gives the frames before the cut."""
    data = written(batches)
    cut = draw.draw(st.integers(0, len(data)))
    assert [item.span for item in spans_of(data[:cut])] == survivors(
        data, set(range(cut, len(data)))
    )


@pytest.mark.parametrize("at", range(_segment.HEAD_SIZE))
def test_every_byte_of_a_head_is_guarded(at: int) -> None:
    """A head damaged at any byte, those of the length too, costs its own span."""
    group = Group(b"resource", "", b"scope", "")
    batch = [Item(group, bytes([i]) * 50) for i in range(5)]
    data = bytearray(written([batch]))
    second = [it for it in frames_of(bytes(data)) if it.kind == _segment.SPAN][1]
    data[second.start - _segment.HEAD_SIZE + at] ^= 0x40
    assert spans_of(bytes(data)) == [batch[0], *batch[2:]]


def test_a_span_that_holds_a_segment_adds_nothing_when_it_is_damaged() -> None:
    """Frames of another segment inside a damaged span are not taken for this one's."""
    group = Group(b"", "", b"", "")
    ghost, _ = _segment.Encoder(MARKER[:4] + b"\0\0\0\0").encode([Item(group, b"ghost")])
    data = bytearray(written([[Item(group, ghost), Item(group, b"next")]]))
    (first, _) = [it for it in frames_of(bytes(data)) if it.kind == _segment.SPAN]
    data[first.start - _segment.HEAD_SIZE] ^= 1
    assert spans_of(bytes(data)) == [Item(group, b"next")]


def test_a_group_that_is_lost_once_is_read_from_its_second_copy() -> None:
    """The spans of a damaged group are read all the same; without both copies they are counted."""
    items = [Item(Group(b"r" * 30, "", b"s" * 30, ""), b"span")] * 3
    data = bytearray(written([items]))
    first, *_, last = frames_of(bytes(data))
    data[first.start] ^= 1
    assert spans_of(bytes(data)) == items
    data[last.start] ^= 1
    assert _segment.read(bytes(data), MARKER, {}) == ([], 2 + 3)


@given(st.integers(1, 10**10 - 1))
def test_names_tell_number_and_marker(number: int) -> None:
    """A name gives its number back, and a marker of its own."""
    name = _segment.new_name(number)
    parsed = _segment.parse_name(name)
    assert parsed is not None
    assert parsed[0] == number
    assert parsed != _segment.parse_name(_segment.new_name(number))


@pytest.mark.parametrize("name", ["lock", "0000000001-deadbeef.v2", "1-deadbeef.v1", ".v1"])
def test_other_names_are_none(name: str) -> None:
    """A segment of a later version, and any other file, is left alone."""
    assert _segment.parse_name(name) is None
