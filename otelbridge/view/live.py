"""What happens, as it happens: server-sent events, for any number of pages.

The messages of a stream: ``change`` (its id is the cursor to go on from), ``traces`` (traces that
changed, as a list shows them), ``ping``, ``reset`` (too much happened since the cursor: ask anew),
``trouble`` (the store cannot be read for now).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message as Sent
from starlette.types import Send

from otelbridge.store import Store
from otelbridge.view import feed, queries
from otelbridge.view.answers import error
from otelbridge.view.feed import Feed, Message

PING_S: Final = 10.0
READ_S: Final = 60.0
"""A page that takes nothing for so long is gone, or stopped."""
_MOST_STREAMS: Final = 64
_TOLD_AGAIN: Final = 200
_LARGEST_CURSOR: Final = 2**63 - 1

InPool = Callable[..., Awaitable[Any]]
"""Calls a function in a thread of the pool."""


class Live:
    """All open streams of one viewer.

    Args:
        store: what is followed, while any stream is open.
        in_pool: where the store is asked.
    """

    def __init__(self, store: Store, in_pool: InPool) -> None:
        self._store = store
        self._in_pool = in_pool
        self._feed: Feed | None = None
        self._streams = 0
        self._is_closed = False

    async def stream(self, request: Request) -> Response:
        """Answer ``GET /api/live``."""
        last, after = _last(request), _after(request)
        if self._streams >= _MOST_STREAMS or self._is_closed:
            return error(503, f"{self._streams} pages are live already; close some of them.")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return _Told(self._stream(after, last), headers=headers, media_type="text/event-stream")

    def close(self) -> None:
        """End every stream; called on the loop's thread."""
        self._is_closed = True
        if self._feed is not None:
            self._feed.close()

    async def _stream(self, after: int | None, last: int | None) -> AsyncIterator[bytes]:
        self._streams += 1
        try:
            newest: int = await self._in_pool(self._store.cursor)
            if self._feed is None or self._feed.is_over:
                self._feed = Feed(self._store, newest)
            known = next((it for it in (last, after) if it is not None), newest)
            yield b"retry: 1000\n\n" + _ping(min(known, newest))
            if known > newest:  # of another store
                known = newest
                yield feed.reset_message(newest).body
            elif last is not None:
                yield await self._in_pool(self._told_of, known)
            async for body in self._messages(self._feed, known):
                yield body
        finally:
            self._streams -= 1
            if self._streams == 0 and self._feed is not None:
                self._feed.close()
                self._feed = None

    async def _messages(self, shared: Feed, known: int) -> AsyncIterator[bytes]:
        """Yield what is news for who knows a cursor: first from the store, then as it comes."""
        number = -1  # of the next message in the feed
        while not shared.is_over and not self._is_closed:
            if 0 <= number < shared.first:
                yield await self._in_pool(self._told_of, known)
            while number < shared.first and not shared.holds(known):
                messages, known = await self._in_pool(self._missed, known)
                yield _joined(messages)
            if number < shared.first:
                number = shared.place(known)
            taken = shared.since(number)
            number += len(taken)
            messages = [it for it in taken if not it.is_change or it.cursor > known]
            if messages:
                known = max(known, messages[-1].cursor)
                yield _joined(messages)
            elif not taken and not await shared.news(PING_S):
                yield _ping(known)

    def _told_of(self, known: int) -> bytes:
        """Tell again of the traces of the newest changes that are known: their news came later."""
        changes = self._store.changes(max(0, known - _TOLD_AGAIN), limit=_TOLD_AGAIN)
        ids = {it.span.trace_id for it in changes if it.cursor <= known}
        return _joined(feed.summaries(self._store, ids, known))

    def _missed(self, known: int) -> tuple[list[Message], int]:
        """Read what comes after a cursor; or skip it where it is too much."""
        newest = self._store.cursor()
        if newest - known > feed.FARTHEST:
            return [feed.reset_message(newest)], newest
        changes = self._store.changes(known, limit=feed.STEP)
        if not changes:
            return [], newest
        cursor = changes[-1].cursor
        ids = {it.span.trace_id for it in changes}
        told = feed.summaries(self._store, ids, cursor)
        return [*map(feed.change_message, changes), *told], cursor


class _Told(StreamingResponse):
    """A stream whose reader reads: one that does not would keep its place for ever."""

    async def stream_response(self, send: Send) -> None:
        async def sent(message: Sent) -> None:
            await asyncio.wait_for(send(message), READ_S)

        with suppress(asyncio.TimeoutError):  # an answer that is not whole is cut off
            await super().stream_response(sent)


def _ping(cursor: int) -> bytes:
    return feed.sent("ping", {"cursor": cursor, "now_ns": str(time.time_ns())}, cursor)


def _joined(messages: list[Message]) -> bytes:
    # Never nothing: a comment, which is passed over.
    return b"".join(it.body for it in messages) or b":\n\n"


def _last(request: Request) -> int | None:
    """Return what a browser knows that comes again."""
    last = request.headers.get("last-event-id", "")
    return int(last) if last.isascii() and last.isdigit() and len(last) < 19 else None


def _after(request: Request) -> int | None:
    """Return what a page knows that has just asked for a list or a trace."""
    if not request.query_params.get("after"):
        return None
    return queries.number(request.query_params, "after", 0, 0, _LARGEST_CURSOR)
