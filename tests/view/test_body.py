"""Bodies of requests: unpacked piece by piece, and bounded together."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otelbridge.view import body
from otelbridge.view.body import Bodies, RefusedError


async def chunks(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@given(
    st.lists(st.binary(max_size=200), min_size=1, max_size=5),
    st.integers(1, 50),
    st.sampled_from(["", "gzip", "deflate"]),
)
async def test_what_was_packed_is_unpacked(parts: list[bytes], size: int, encoding: str) -> None:
    """Whatever the size of its pieces, and however many members it has."""
    if encoding == "gzip":
        packed = b"".join(gzip.compress(it) for it in parts)
    else:
        packed = b"".join(parts)
        packed = zlib.compress(packed) if encoding else packed
    pieces = [packed[it : it + size] for it in range(0, len(packed), size)]
    async with Bodies().read(chunks(pieces), encoding) as read:
        assert read == b"".join(parts)


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_the_limit_is_exact(encoding: str) -> None:
    """As many bytes are taken as it says, and not one more."""
    bodies = Bodies(1000)

    async def read(size: int) -> int:
        packed = gzip.compress(bytes(size)) if encoding else bytes(size)
        async with bodies.read(chunks([packed[:20], packed[20:]]), encoding) as one:
            return len(one)

    assert await read(1000) == 1000
    with pytest.raises(RefusedError) as raised:
        await read(1001)
    assert (raised.value.status, raised.value.code) == (413, 8)


async def test_all_that_is_held_together_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes when too much is held is asked to come again; then there is room again."""
    monkeypatch.setattr(body, "_MOST_TOGETHER", 2500)
    bodies = Bodies(1000)

    async def read() -> int:
        async with bodies.read(chunks([bytes(600), bytes(400)]), "") as one:
            return len(one)

    async with bodies.read(chunks([bytes(1000)]), ""), bodies.read(chunks([bytes(1000)]), ""):
        with pytest.raises(RefusedError) as raised:
            await read()
        assert (raised.value.status, raised.value.code) == (503, 14)
        assert raised.value.headers == {"Retry-After": "1"}
    assert await read() == 1000


async def test_what_is_refused_is_read_out_within_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends for ever is left alone at last."""
    monkeypatch.setattr(body, "_READ_OUT", 1000)
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 100
            yield bytes(100)

    await body.read_out(endless())
    assert read == 1100
