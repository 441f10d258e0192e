"""The body of a request, read and unpacked without ever holding more than is allowed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

from starlette.requests import ClientDisconnect

MOST_BYTES: Final = 16 * 1024 * 1024
"""Of one request, as it comes and as it is unpacked."""
_COMES_S: Final = 30.0
_MOST_TOGETHER: Final = 8 * MOST_BYTES
_READ_OUT: Final = 4 * MOST_BYTES
_WBITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class RefusedError(Exception):
    """A request that is not taken.

    Args:
        status: of HTTP.
        code: of gRPC.
        message: what happened and the cure.
        headers: of the answer.
    """

    def __init__(
        self, status: int, code: int, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def too_large(what: str, limit: int) -> RefusedError:
    """Refuse what is larger than is allowed."""
    return RefusedError(413, 8, f"The {what} is larger than {limit} bytes; send smaller batches.")


class Bodies:
    """Reads bodies; all that are read at the same time share one limit.

    Args:
        limit: bytes of one body, as it comes and as it is unpacked.
    """

    def __init__(self, limit: int = MOST_BYTES) -> None:
        self._limit = limit
        self._held = 0

    @asynccontextmanager
    async def read(self, chunks: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
        """Read and unpack a body, which counts towards the limit of all until the end of the block.

        Raises:
            RefusedError: it is too large, stops in the middle, is packed in an unknown way, or
                damaged; or too much is held already.
        """
        unpacker = _unpacker(encoding, self._limit)
        held = came = 0
        try:
            async for chunk in _coming(chunks):
                came += len(chunk)
                if came > self._limit:
                    raise too_large("request", self._limit)
                unpacker.take(chunk)
                self._held += unpacker.held - held
                held = unpacker.held
                if self._held > _MOST_TOGETHER:
                    raise RefusedError(
                        503, 14, "Too many requests at the same time.", {"Retry-After": "1"}
                    )
            yield unpacker.done()
        finally:
            self._held -= held


async def read_out(chunks: AsyncIterator[bytes]) -> None:
    """Read the rest of what is refused, within reason: who still sends would not see the answer."""
    rest = 0
    with suppress(ClientDisconnect, RefusedError):
        async for chunk in _coming(chunks):
            rest += len(chunk)
            if rest > _READ_OUT:
                return


async def _coming(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what comes; who stops in the middle is not waited for."""
    while True:
        try:
            yield await asyncio.wait_for(chunks.__anext__(), _COMES_S)
        except StopAsyncIteration:
            return
        except asyncio.TimeoutError:
            raise RefusedError(
                408, 4, f"Nothing more of the request came for {_COMES_S:g} s."
            ) from None


class _Plain:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self.held = 0

    def take(self, chunk: bytes) -> None:
        self.held += len(chunk)
        if self.held > self._limit:
            raise too_large("unpacked request", self._limit)
        self._parts.append(chunk)

    def done(self) -> bytes:
        return b"".join(self._parts)


class _Packed(_Plain):
    """gzip (of several members too) or zlib; a bomb is noticed when it is one byte too large."""

    def __init__(self, limit: int, wbits: int) -> None:
        super().__init__(limit)
        self._wbits = wbits
        self._stream = zlib.decompressobj(wbits)
        self._is_begun = False

    def take(self, chunk: bytes) -> None:
        try:
            while chunk:
                if self._stream.eof:
                    self._stream = zlib.decompressobj(self._wbits)
                self._is_begun = True
                super().take(self._stream.decompress(chunk, self._limit - self.held + 1))
                chunk = self._stream.unconsumed_tail or self._stream.unused_data
        except zlib.error as problem:
            raise RefusedError(
                400, 3, f"The request is not packed as it says: {problem}."
            ) from None

    def done(self) -> bytes:
        if self._is_begun and not self._stream.eof:
            raise RefusedError(400, 3, "The request is packed, and ends too soon.")
        return super().done()


def _unpacker(encoding: str, limit: int) -> _Plain:
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return _Plain(limit)
    if encoding in _WBITS:
        return _Packed(limit, _WBITS[encoding])
    raise RefusedError(
        415,
        3,
        f"Content-Encoding {encoding[:40]!r} is not known: send gzip, deflate, or none.",
        {"Accept-Encoding": "gzip, deflate"},
    )
