"""One iterator for several readers, in threads or tasks; the slowest one's chunks are kept."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from otelbridge.context import closable

T = TypeVar("T")


def tee(chunks: Iterator[T], readers: int, lock: AbstractContextManager[Any]) -> list[Iterator[T]]:
    """Return iterators that each yield all of ``chunks``, one for each reader."""
    kept: list[deque[T]] = [deque() for _ in range(readers)]
    return [_read(chunks, own, kept, lock) for own in list(kept)]


def _read(
    chunks: Iterator[T], own: deque[T], kept: list[deque[T]], lock: AbstractContextManager[Any]
) -> Iterator[T]:
    try:
        while True:
            if not own:
                with lock:
                    if not own and not _pull(chunks, kept):
                        return
            yield own.popleft()
    finally:
        with lock:
            _forget(own, kept)


def _pull(chunks: Iterator[T], kept: list[deque[T]]) -> bool:
    for chunk in chunks:
        for buffer in kept:
            buffer.append(chunk)
        return True
    return False


def _forget(own: deque[T], kept: list[deque[T]]) -> None:
    kept[:] = [buffer for buffer in kept if buffer is not own]


def atee(chunks: AsyncIterator[T], readers: int) -> list[AsyncIterator[T]]:
    """As ``tee``, for an async iterator read by tasks of one event loop."""
    kept: list[deque[T]] = [deque() for _ in range(readers)]
    lock = asyncio.Lock()
    return [_aread(chunks, own, kept, lock) for own in list(kept)]


async def _aread(
    chunks: AsyncIterator[T], own: deque[T], kept: list[deque[T]], lock: asyncio.Lock
) -> AsyncIterator[T]:
    try:
        while True:
            if not own:
                async with lock:
                    if not own and not await _apull(chunks, kept):
                        return
            yield own.popleft()
    finally:
        _forget(own, kept)


async def _apull(chunks: AsyncIterator[T], kept: list[deque[T]]) -> bool:
    try:
        chunk = await closable(chunks.__anext__())
    except StopAsyncIteration:
        return False
    for buffer in kept:
        buffer.append(chunk)
    return True
