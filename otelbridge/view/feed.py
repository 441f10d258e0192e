"""One thread that follows the store, and the messages that every open stream is sent."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from otelbridge.store import Store, StoreError
from otelbridge.store.records import Change
from otelbridge.view import wire

logger = logging.getLogger(__name__)

STEP: Final = 1000
"""So many changes are read at once."""
FARTHEST: Final = 20_000
"""Who is further behind than so many changes is told to begin anew."""
_POLL_S: Final = 0.1
_SUMMARIES_S: Final = 0.25
_MOST_SUMMARIES: Final = 200
_TROUBLE_S: Final = 1.0
_PIECE_BYTES: Final = 256 * 1024
_KEPT_MESSAGES: Final = 4096
_KEPT_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a stream.

    Attributes:
        cursor: of the newest change that it tells of.
        is_change: it tells of that change alone, so that who knows it can do without.
        body: as it is sent.
    """

    cursor: int
    is_change: bool
    body: bytes


def sent(kind: str, data: Any, cursor: int | None = None) -> bytes:
    """Write one server-sent event; its id is the cursor."""
    number = b"" if cursor is None else b"id: %d\n" % cursor
    return b"event: %s\n%bdata: %b\n\n" % (kind.encode(), number, wire.encoded(data))


def change_message(change: Change) -> Message:
    """Tell of one change."""
    span = wire.span(change.span)
    data = {
        "kind": change.kind,
        "trace_id": change.span.trace_id,
        "span": span,
        "event": None if change.event is None else wire.event(change.event),
    }
    return Message(change.cursor, True, sent("change", data, change.cursor))


def summaries(store: Store, trace_ids: Iterable[str], cursor: int) -> list[Message]:
    """Tell of these traces as a list shows them."""
    ids = sorted(trace_ids)
    messages = []
    for place in range(0, len(ids), _MOST_SUMMARIES):
        found = store.summaries(ids[place : place + _MOST_SUMMARIES])
        data = {"traces": [wire.summary(it) for it in found]}
        messages.append(Message(cursor, False, sent("traces", data)))
    return messages


def reset_message(cursor: int) -> Message:
    """Tell that too much happened: what is shown has to be asked for anew."""
    return Message(cursor, False, sent("reset", {"cursor": cursor}, cursor))


Bring = Callable[["list[Message] | None"], None]
"""Takes messages, from any thread; None: no more will come."""


class Feed:
    """The newest messages, on the event loop; and the thread that brings them.

    Every method is called on the loop's thread.

    Args:
        store: what is followed.
        cursor: from where.

    Attributes:
        first: the number of the oldest message that is kept.
        is_over: nothing more comes: the viewer ends, or the store's file is another.
    """

    def __init__(self, store: Store, cursor: int) -> None:
        self.first = 0
        self.is_over = False
        self._kept: deque[Message] = deque()
        self._bytes = 0
        self._from = cursor  # everything after it is kept
        self._news = asyncio.Event()
        self._follower = _Follower(store, cursor, self._bring(asyncio.get_running_loop()))

    def holds(self, cursor: int) -> bool:
        """Whether everything after a cursor is here, or will come."""
        return cursor >= self._from

    def place(self, cursor: int) -> int:
        """Return the number of the first message that may be news for who knows a cursor."""
        return self.first + bisect_left(self._kept, cursor, key=lambda it: it.cursor)

    def since(self, number: int) -> list[Message]:
        """Return messages from a number on, no more than one stream should hold at once."""
        newest = list(islice(reversed(self._kept), self.next - number))
        taken: list[Message] = []
        size = 0
        for message in reversed(newest):
            size += len(message.body)
            if taken and size > _PIECE_BYTES:
                break
            taken.append(message)
        return taken

    @property
    def next(self) -> int:
        """The number that the next message will have."""
        return self.first + len(self._kept)

    async def news(self, timeout_s: float) -> bool:
        """Wait for a message, or for the end; False: none came in time."""
        try:
            await asyncio.wait_for(self._news.wait(), timeout_s)
        except asyncio.TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Wake all who wait, and let the thread end, which takes it a moment."""
        self.is_over = True
        self._follower.stop()
        self._news.set()

    def _bring(self, loop: asyncio.AbstractEventLoop) -> Bring:
        def bring(messages: list[Message] | None) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                if messages is None:
                    loop.call_soon_threadsafe(self.close)
                else:
                    loop.call_soon_threadsafe(self._take, messages)

        return bring

    def _take(self, messages: list[Message]) -> None:
        for message in messages:
            self._kept.append(message)
            self._bytes += len(message.body)
        while len(self._kept) > _KEPT_MESSAGES or self._bytes > _KEPT_BYTES:
            gone = self._kept.popleft()
            self._bytes -= len(gone.body)
            self._from = max(self._from, gone.cursor)
            self.first += 1
        news, self._news = self._news, asyncio.Event()
        news.set()


class _Follower:
    """The thread."""

    def __init__(self, store: Store, cursor: int, bring: Bring) -> None:
        self._store = store
        self._cursor = cursor
        self._bring = bring
        self._over = threading.Event()
        self._changed: set[str] = set()  # traces, of which nobody has been told yet
        self._told = 0.0
        threading.Thread(target=self._run, name="otelbridge-view-follow", daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def _run(self) -> None:
        well, pause_s = True, _POLL_S
        while not self._over.wait(pause_s):
            try:
                if self._is_another():
                    self._bring(None)
                    return
                messages, more = self._step()
                well, pause_s = True, 0.0 if more else _POLL_S
            except Exception as error:  # a live page outlives a store that is away for a while
                messages, pause_s = [], _TROUBLE_S
                if well:
                    messages = [self._trouble(error)]
                well = False
            if messages:
                self._bring(messages)

    def _is_another(self) -> bool:
        """Whether the store has begun anew: its file was removed, or was damaged."""
        return self._store.cursor() < self._cursor

    def _step(self) -> tuple[list[Message], bool]:
        changes = self._store.changes(self._cursor, limit=STEP)
        more = len(changes) >= STEP
        if more and (newest := self._store.cursor()) - self._cursor > FARTHEST:
            self._cursor = newest
            self._changed.clear()
            return [reset_message(newest)], False
        messages = [change_message(it) for it in changes]
        if changes:
            self._cursor = changes[-1].cursor
            self._changed.update(it.span.trace_id for it in changes)
        if self._changed and time.monotonic() - self._told >= _SUMMARIES_S:
            messages += summaries(self._store, self._changed, self._cursor)
            self._changed.clear()
            self._told = time.monotonic()
        return messages, more

    def _trouble(self, error: Exception) -> Message:
        if isinstance(error, StoreError):
            logger.warning("The viewer cannot read its store for now: %s", error)
        else:
            logger.exception("The viewer cannot read its store for now")
        return Message(self._cursor, False, sent("trouble", {"error": str(error)}))
