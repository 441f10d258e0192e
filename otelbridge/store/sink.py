"""The sink: spans into the store while they happen, from a thread of its own.

::

    on_start ─► started ─┐
                         ├─► every 100 ms, a look: what is new ─► one transaction
    on_end ───► ended ───┘

A thread that starts or ends a span appends it to a queue, and that is all; so it may be a signal
handler, too. The writing thread keeps the spans that are open and looks into them for events. What
began and ended between two looks is one row. Where nothing is open it sleeps until it is woken.
"""

from __future__ import annotations

import logging
import os
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from types import MappingProxyType
from typing import Final
from weakref import WeakSet

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from otelbridge import _tracing
from otelbridge._process import renew_in_child
from otelbridge.encoding.encode import Encoder
from otelbridge.errors import StoreError
from otelbridge.store._database import database_of
from otelbridge.store._facts import Facts, ended_facts
from otelbridge.store._live import LiveSpan
from otelbridge.store._liveness import Presence, mark_lost
from otelbridge.store._retention import MAX_AGE_S, MAX_BYTES
from otelbridge.store._schema import ENDED, RUNNING
from otelbridge.store._upkeep import Upkeep
from otelbridge.store._writing import Writer

logger = logging.getLogger("otelbridge")

LOOK_S: Final = 0.1
BATCH: Final = 500
QUEUE: Final = 16_384
_CROWDED: Final = 4_096
_GIVE_WAY_S: Final = 0.001
_BEHIND: Final = 20_000
_RETRY_S: Final = 0.5
_POLL_S: Final = 0.002
_STOP_S: Final = 5.0
_LATE_S: Final = 1.0
_FORK_S: Final = 1.0
_TRIES: Final = 3
_GLANCES: Final = 20


class _AnotherFile(Exception):
    """The store's file was replaced since it was looked at."""


@dataclass(frozen=True)
class Written:
    """What became of the spans that have ended; ended = written + waiting + dropped.

    Attributes:
        dropped: spans given up here, by reason.
    """

    ended: int
    written: int
    waiting: int
    dropped: Mapping[str, int]


class StoreSink(SpanProcessor):
    """Writes every sampled span into the store as it starts, gets events, and ends.

    Safe to use from any thread, from a signal handler, and in a forked child, which begins anew.
    Where the store cannot be written, spans wait in memory; past ``QUEUE`` of them further ones are
    dropped, counted, and told in the log.

    Args:
        path: the store's file; None: in memory.
        max_age_s: traces that ended longer ago are deleted.
        max_bytes: so much is kept of the others, the newest.

    Raises:
        StoreError: the store cannot be opened.
    """

    def __init__(
        self, path: Path | None, *, max_age_s: float = MAX_AGE_S, max_bytes: int = MAX_BYTES
    ) -> None:
        self.path = path
        self._max_age_s = max_age_s
        self._max_bytes = max_bytes
        self._database = database_of(path, create=True)
        self._database.open()
        self._parents: set[tuple[int, int]] = set()  # open when this process was forked
        self._begin()
        _sinks.add(self)

    def _begin(self) -> None:
        """Make everything that a process does not share with its parent."""
        self._started: deque[Span] = deque()
        self._ended: deque[ReadableSpan] = deque()
        self._hand: list[Facts] = []  # out of the queues, and not yet committed
        self._live: dict[int, LiveSpan] = {}
        self._moves = 0  # odd while a span is between two places where it is counted
        self._taken = 0  # 1 while a span is out of the queue and not yet in hand
        self._written = 0
        self._dropped: dict[str, int] = {}
        self._encoder = Encoder()
        self._writer = Writer()
        self._presence = Presence(self.path)
        self._renewed = self._database.renewed
        self._upkeep = Upkeep(self._database, self._max_age_s, self._max_bytes)
        self._trouble = ""
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._unstarted = threading.Lock()
        self._working = threading.Lock()
        self._alarm = BATCH  # at so many in the queue, the thread that ends a span looks at it
        self._idle, self._hurry, self._finished = True, False, False
        self._begun = self._done = 0  # looks

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Take note of an open span."""
        started = self._started
        if len(started) < QUEUE:  # past that, only its end is seen
            started.append(span)
        if self._idle:
            self._rouse()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended."""
        ended = self._ended
        ended.append(span)
        if self._idle or len(ended) >= self._alarm:
            self._crowd(len(ended))

    def _crowd(self, waiting: int) -> None:
        """Wake the writer; let it go first where it does not keep up, and bound what waits."""
        if self._finished:
            self._drop_queued("ended after shutdown")
            return
        self._rouse()
        if waiting < _CROWDED:
            self._alarm = _CROWDED
        elif waiting >= QUEUE:
            self._drop_last()
        elif not self._trouble:
            sleep(_GIVE_WAY_S)  # the writer gets the interpreter's lock

    def _rouse(self) -> None:
        self._idle = False
        self._start()
        self._wake.put(None)

    def _start(self) -> None:
        """Start the thread, once; while Python lets none start, ``force_flush`` does its work."""
        if self._finished or not self._unstarted.acquire(blocking=False):
            return
        try:
            threading.Thread(target=self._work, name="otelbridge-store", daemon=True).start()
        except RuntimeError:
            self._unstarted.release()

    def stats(self) -> Written:
        """Return what became of the spans so far."""
        for _ in range(_GLANCES):  # a signal handler may have interrupted a move: not for ever
            moves = self._moves
            seen = self._glance()
            if moves == self._moves and not moves % 2:
                return seen
            sleep(_GIVE_WAY_S)
        return self._glance()

    def _glance(self) -> Written:
        dropped = dict(self._dropped)
        hand = sum(facts.state == ENDED for facts in list(self._hand))
        waiting = len(self._ended) + self._taken + hand
        written = self._written
        return Written(
            written + waiting + sum(dropped.values()), written, waiting, MappingProxyType(dropped)
        )

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until what has ended is committed; True when all of it is."""
        deadline = monotonic() + timeout_millis / 1000
        wanted = self._begun + 1  # the look that goes on may have begun before the span ended
        while self._done < wanted and not self._finished:
            self._hurry = True
            self._rouse()
            if self._unstarted.acquire(blocking=False):  # there is no thread
                self._unstarted.release()
                self._look()
            if monotonic() >= deadline:
                return False
            sleep(_POLL_S)
        return (self._finished or self._done >= wanted) and not self._dropped

    def shutdown(self) -> None:
        """Write what has ended for at most ``_STOP_S`` seconds, and stop."""
        self.begin_stop(_STOP_S)
        self.await_stop(_STOP_S)

    def begin_stop(self, grace_s: float) -> None:
        """Have the writer look at once; ``await_stop`` waits for it."""
        self._hurry = True
        if not self._finished:
            self._rouse()

    def await_stop(self, timeout_s: float) -> None:
        """Write what has ended, and stop. Spans that are still open are lost to the store."""
        if self._finished:
            return
        self.force_flush(round(1000 * max(timeout_s, 0)))
        self._finished, self._idle, self._alarm = True, True, 0
        self._wake.put(None)
        if self._working.acquire(timeout=_LATE_S):
            try:
                self._leave()
            finally:
                self._working.release()

    def _leave(self) -> None:
        count = sum(facts.state == ENDED for facts in self._hand)
        self._hand.clear()
        if count:
            self._drop(count, "not written at the end")
        self._drop_queued("not written at the end")
        try:
            self._upkeep.finish(_LATE_S / 4)
            self._presence.leave()
            if self._live:
                self._live.clear()
                mark_lost(self._database)
            if self.path is not None:
                self._database.close()
        except (sqlite3.Error, StoreError, OSError):
            pass  # the next who opens the store marks what ran

    def _drop_last(self) -> None:
        with suppress(IndexError):
            self._ended.pop()
            self._drop(1, "the store could not keep up")

    def _drop_queued(self, reason: str) -> None:
        with suppress(IndexError):
            while True:
                self._ended.popleft()
                self._drop(1, reason)

    def _drop(self, count: int, reason: str) -> None:
        if reason not in self._dropped:
            logger.warning("otelbridge drops spans on their way to the store: %s", reason)
        self._dropped[reason] = self._dropped.get(reason, 0) + count

    def _work(self) -> None:
        while not self._finished:
            self._wait()
            try:
                self._look()
                self._tend()
            except Exception:
                _tracing.guard("write to the store")
                sleep(_RETRY_S)

    def _tend(self) -> None:
        """Index and prune, step by step, until there is something to write."""
        until = monotonic() + LOOK_S
        while not self._trouble and not self._finished:
            is_busy = bool(self._ended) or self._hurry or monotonic() > until
            if is_busy and self._upkeep.behind < _BEHIND:
                return
            with self._working:
                if self._finished or not self._upkeep.step() or is_busy:
                    return

    def _wait(self) -> None:
        """Wait for the time of the next look; where no span is open, for one that begins."""
        if not self._live and not self._hand:
            self._idle = True
            if not (self._ended or self._started or self._hurry or self._finished):
                self._wake.get()
            self._idle = False
        until = monotonic() + (_RETRY_S if self._trouble else LOOK_S)
        while (left := until - monotonic()) > 0 and not self._is_due():
            with suppress(queue.Empty):
                self._wake.get(timeout=left)
        self._hurry = False

    def _is_due(self) -> bool:
        is_full = len(self._ended) >= BATCH and not self._trouble
        return self._hurry or self._finished or is_full

    def _look(self) -> None:
        """Write all that is new by now."""
        with self._working:
            if self._finished:
                return
            self._begun = number = self._begun + 1
            self._take_started()
            self._take_ended()
            self._take_news()
            if self._commit():
                self._done = number
            self._alarm = BATCH

    def _take_started(self) -> None:
        started, live = self._started, self._live
        for _ in range(len(started)):
            span = started.popleft()
            if span.end_time is None and span.get_span_context().trace_flags.sampled:
                live[id(span)] = LiveSpan(span)

    def _take_ended(self) -> None:
        for _ in range(min(len(self._ended), QUEUE - len(self._hand))):
            self._moves += 1
            span = self._ended.popleft() if self._ended else None
            self._taken = int(span is not None)
            self._moves += 1
            if span is None:  # another thread has dropped some
                break
            facts, is_bad = None, False
            try:
                facts = self._facts(span)
            except ValueError:
                is_bad = True
            finally:
                self._moves += 1
                if facts is not None:
                    self._hand.append(facts)
                elif is_bad:
                    self._drop(1, "no span that can be stored")
                self._taken = 0
                self._moves += 1

    def _facts(self, span: ReadableSpan) -> Facts | None:
        """Return what is written of a span that has ended; None where it is not stored here."""
        if span.context is None or not span.context.trace_flags.sampled:
            return None
        if self._parents and _ids(span) in self._parents:
            return None
        return ended_facts(span, self._encoder.item(span))

    def _take_news(self) -> None:
        for key, live in list(self._live.items()):
            if live.has_ended:
                del self._live[key]
                continue
            try:
                news = live.news(self._encoder)
            except Exception:  # its end may yet be written
                del self._live[key]
                _tracing.guard("look into an open span")
                continue
            if news is not None:
                self._hand.append(news)

    def _commit(self) -> bool:
        """Write what is in hand; False where the store cannot take it now."""
        for _ in range(_TRIES):
            try:
                self._database.open()
                if self._renewed != self._database.renewed:
                    self._anew()
                while self._hand:
                    self._commit_part(self._hand[:BATCH])
                if self._trouble:
                    self._trouble = ""
                    logger.info("otelbridge writes to the store again")
                return True
            except _AnotherFile:
                continue
            except (sqlite3.Error, StoreError, OSError) as error:
                self._writer.forget()
                self._presence.forget_row()
                if not (isinstance(error, sqlite3.Error) and self._database.recover(error)):
                    self._tell(error)
                    return False
        return False

    def _commit_part(self, part: list[Facts]) -> None:
        try:
            self._write(part)
        except (ValueError, OverflowError, sqlite3.InterfaceError, sqlite3.ProgrammingError):
            self._writer.forget()
            self._presence.forget_row()
            if len(part) > 1:
                for facts in part:
                    self._commit_part([facts])
                return
            self._moves += 1
            if part[0].state == ENDED:
                self._drop(1, "no span that can be stored")
        else:
            self._upkeep.wrote(len(part))
            self._moves += 1
            self._written += sum(facts.state == ENDED for facts in part)
        del self._hand[: len(part)]
        self._moves += 1

    def _write(self, part: list[Facts]) -> None:
        with self._database.writing() as connection:
            if self._renewed != self._database.renewed:
                raise _AnotherFile
            runs = any(facts.state == RUNNING for facts in part)
            process = self._presence.row(connection) if runs else None
            self._writer.write(connection, part, process)

    def _anew(self) -> None:
        """The file is another: what is open is written again, what had been written is gone."""
        self._renewed = self._database.renewed
        self._writer.forget()
        self._presence.forget_row()
        self._hand = [facts for facts in self._hand if facts.state == ENDED]
        for live in self._live.values():
            live.unwritten()
        self._take_news()  # now: who flushes may read at once

    def _tell(self, error: Exception) -> None:
        if self._trouble != str(error):
            self._trouble = str(error)
            logger.warning(
                "otelbridge cannot write to the store %s now (%s); up to %d spans wait in memory",
                self.path or "in memory",
                error,
                QUEUE,
            )

    def in_child(self) -> None:
        """Begin anew in a forked child: what was queued and what is open are the parent's."""
        if not self._finished:
            self._presence.in_child()
            open_spans = [*self._started, *(live.span for live in self._live.values())]
            self._parents.update([_ids(span) for span in open_spans])
            self._begin()

    def hold(self) -> None:
        """Keep the writer out of SQLite while the program forks: it has locks of its own."""
        self._held = self._working.acquire(timeout=_FORK_S)

    def let_go(self) -> None:
        """The program has forked."""
        if self._held:
            self._held = False
            self._working.release()

    _held = False


def _ids(span: ReadableSpan) -> tuple[int, int]:
    return (span.context.trace_id, span.context.span_id) if span.context else (0, 0)


_sinks: WeakSet[StoreSink] = WeakSet()


def _hold() -> None:
    for sink in list(_sinks):
        sink.hold()


def _let_go() -> None:
    for sink in list(_sinks):
        sink.let_go()


def _renew() -> None:
    for sink in list(_sinks):
        sink.in_child()


renew_in_child(_renew)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go)
