"""Sending: one request at a time, with back-off, replay, and isolation of what is refused."""

from __future__ import annotations

import logging
import queue
from contextlib import suppress
from time import monotonic

from otelbridge import _tracing
from otelbridge.encoding.units import Item, request
from otelbridge.export._suspicion import Suspicion
from otelbridge.export.account import Account
from otelbridge.export.backoff import Backoff
from otelbridge.export.batching import REQUEST_BYTES, Batching
from otelbridge.export.channel import Blocked, Delivered, Outcome, Refused, TryAgain
from otelbridge.export.notices import Notices
from otelbridge.export.outbox import Batch, Outbox
from otelbridge.export.parcel import Parcel
from otelbridge.export.reserve import Reserve
from otelbridge.export.route import Route
from otelbridge.export.spool import Lease

_IDLE_S = 60.0
_LONGEST_S = 300.0  # that a receiver may ask to wait
_SUSPICIOUS = 16  # spans refused one after another: then it is the receiver that may be at fault


class _Collected(Exception):
    """The pipeline has stopped and taken what was in hand: an answer comes too late."""


class Delivery:
    """Sends what is in the outbox, and what waits in the reserve, in turns.

    One thread calls ``run`` or ``step``; everything else may be called from any thread.

    Args:
        route: where to.
        account: counts what becomes of spans.
        outbox: new spans.
        reserve: spans that could not be sent before.
        notices: tells people.
        batching: sizes and times.
    """

    def __init__(
        self,
        route: Route,
        account: Account,
        outbox: Outbox,
        reserve: Reserve,
        notices: Notices,
        batching: Batching,
    ) -> None:
        self._route = route
        self._channel = route.channel
        self._account = account
        self._outbox = outbox
        self._reserve = reserve
        self._notices = notices
        self._batching = batching
        self._backoff = Backoff()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._replays = False
        self._parcel: Parcel | None = None  # of new spans
        self._replay: Parcel | None = None  # of the reserve's
        self._abandoned = self._collected = False
        self._deadline: float | None = None
        self._away_until = 0.0
        self._patient = False  # the receiver said itself how long to wait
        self._refusals = 0  # in a row
        self._suspicion = Suspicion()
        self._late_to = 0  # the reserve has held spans up to this one while an attempt failed
        self._failed = False  # at the last attempt
        self.is_away = False
        self.in_flight = 0

    def wake(self) -> None:
        """Say that there is something to send. Safe in a signal handler."""
        self._wake.put(None)

    def urge(self, deadline: float | None = None) -> None:
        """Try at once, though the last attempt failed, unless the receiver said when to.

        Args:
            deadline: no request may take longer, from now on; None: as long as usual.
        """
        with self._account.lock:
            self._deadline = deadline
            self._account.due(1)
            if not self._patient:
                self._away_until, self.is_away = 0.0, False
        self.wake()

    def run(self) -> None:
        """Send until abandoned."""
        while not self._abandoned:
            pause = min(self._away_until - monotonic(), _IDLE_S)
            if pause <= 0 and not self._stepped():
                pause = _IDLE_S
            if pause > 0 and not self._woken(pause) and pause == _IDLE_S:
                self._reserve.adopt()

    def _stepped(self) -> bool:
        try:
            return self.step()
        except Exception:
            _tracing.guard("send spans")
            return False

    def step(self) -> bool:
        """Send what is next; False where nothing waits."""
        self._replays = not self._replays
        sources = (self._send_old, self._send_new)
        try:
            return any(send() for send in (sources if self._replays else reversed(sources)))
        except _Collected:
            return False

    def abandon(self) -> None:
        """Send nothing more, and end the request that is on its way."""
        self._abandoned = True
        self._channel.close()
        self.wake()

    def collect(self) -> list[Batch]:
        """Return what is in memory and has no answer. One that comes now comes too late."""
        with self._account.lock:
            self._collected = True
            taken = [] if self._parcel is None else [self._parcel.left()]
            while (batch := self._outbox.take()) is not None:
                taken.append(batch)
        return taken

    def _woken(self, timeout_s: float) -> bool:
        try:
            self._wake.get(timeout=timeout_s)
        except queue.Empty:
            return False
        with suppress(queue.Empty):
            while True:
                self._wake.get_nowait()
        return True

    def _send_new(self) -> bool:
        parcel = self._parcel or self._next_parcel()
        if parcel is None:
            return False
        sent = self._send(parcel)
        if not sent and self._abandoned:
            return False  # the parcel is collected
        with self._account.lock:
            self._check()
            self._parcel = None
            if sent:
                self._account.left_memory(parcel.first)
        if not sent:
            self._keep(parcel.left(), first=not parcel.is_suspect)
        return True

    def _next_parcel(self) -> Parcel | None:
        with self._account.lock:
            batch = None if self._abandoned else self._outbox.take()
            if batch is not None:
                self._parcel = Parcel(batch.items, self._batching, batch.first)
            return self._parcel

    def _keep(self, batch: Batch | None, *, first: bool) -> None:
        """Move a batch, and what is behind it, to the reserve as far as that takes it.

        Args:
            batch: what was not sent.
            first: whether it is the next to be sent, where it stays in memory.
        """
        while batch is not None:
            kept = self._reserve.put(batch)
            with self._account.lock:
                if kept < len(batch.items):
                    self._outbox.put(batch.after(kept), first=first)
                    return
                self._account.due(1)
                batch, first = self._outbox.take(), True

    def _send_old(self) -> bool:
        if self._replay is None:
            lease = self._reserve.lease(self._batching.batch, REQUEST_BYTES)
            if lease is None:
                return False
            self._replay = Parcel(lease.items, self._batching, 0, lease)
            self._replay.is_replay = self._has_waited(lease)
        if self._send(self._replay):
            done, self._replay = self._replay.lease, None
            if done is not None:
                self._reserve.done(done)
        return True

    def _has_waited(self, lease: Lease) -> bool:
        """Tell a replay from what is in the reserve because all spans go there."""
        if lease.is_adopted or not self._route.durable:
            return True
        with self._account.lock:
            return self._account.own_out < self._late_to

    def _send(self, parcel: Parcel) -> bool:
        """Send a parcel; False where some of it must wait."""
        todo = parcel.todo
        while todo and not self._abandoned:
            outcome = self._ask(todo[0].items)
            if isinstance(outcome, Refused):
                why = self._refused(parcel, outcome)
                if why:
                    self._back_off(TryAgain(f"{why}, the last with {outcome.reason}"))
                    return not todo
            elif isinstance(outcome, Delivered):
                self._answered(parcel, outcome)
            else:
                self._back_off(outcome)
                return False
        return not todo

    def _refused(self, parcel: Parcel, outcome: Refused) -> str:
        """Split, put off or set aside what is refused; say why it is time to pause, if it is."""
        part = parcel.todo[0]
        if len(part.items) > 1:
            if outcome.is_fault:
                self._suspicion.refused(part)
            with self._account.lock:
                parcel.split()
        elif outcome.is_fault and not self._suspicion.convicts(part):
            with self._account.lock:
                parcel.put_off()
                if self._suspicion.is_of_all or all(map(self._suspicion.covers, parcel.todo)):
                    if parcel.lease is not None:
                        parcel.rejoin()
                    return "it takes nothing"
        else:
            self._answered(parcel, outcome)
            if self._refusals > _SUSPICIOUS:
                return "it refuses one span after another"
        return ""

    def _ask(self, part: list[Item]) -> Outcome:
        timeout_s = self._batching.timeout_s
        if self._deadline is not None:
            left_s = max(self._deadline - monotonic(), 0.001)
            timeout_s = left_s if timeout_s is None else min(left_s, timeout_s)
        self.in_flight = len(part)
        try:
            return self._channel.send(request(part), timeout_s)
        except Exception as error:
            _tracing.guard("send spans")
            return TryAgain(repr(error))
        finally:
            self.in_flight = 0

    def _answered(self, parcel: Parcel, outcome: Delivered | Refused) -> None:
        part = parcel.todo[0].items
        rejected = 1
        if isinstance(outcome, Delivered):
            rejected = min(max(outcome.rejected, 0), len(part))
            if rejected < len(part):
                self._suspicion.took()
        with self._account.lock:
            self._check()
            parcel.todo.popleft()
            self._account.sent(len(part) - rejected, replayed=parcel.is_replay)
            is_adopted = parcel.lease is not None and parcel.lease.is_adopted
            self._account.rejected(rejected, None if is_adopted else parcel.first)
            failed, self._failed = self._failed, False
            self.is_away = self._patient = False
        self._refusals = self._refusals + 1 if isinstance(outcome, Refused) else 0
        if self._refusals <= _SUSPICIOUS:
            self._backoff.reset()
        if isinstance(outcome, Refused):
            where = self._route.set_aside(part[0], outcome.reason)
            self._notices.lost(1, f"refused by {self._channel.where} ({outcome.reason}){where}")
        elif rejected:
            self._notices.lost(
                rejected, f"rejected by {self._channel.where} ({outcome.message or 'no reason'})"
            )
        elif outcome.message:
            line = "otelbridge has sent spans to %s, which says: %s"
            self._notices.say("told", logging.WARNING, line, self._channel.where, outcome.message)
        if failed:
            self._notices.say(
                "back", logging.INFO, "otelbridge sends to %s again", self._channel.where
            )
            self._notices.forget("away")

    def _back_off(self, outcome: TryAgain | Blocked) -> None:
        after_s = outcome.after_s if isinstance(outcome, TryAgain) else None
        pause_s = self._backoff.next_s() if after_s is None else min(after_s, _LONGEST_S)
        with self._account.lock:
            self._check()
            self._late_to = self._account.spool_in
            if self._replay is not None:
                self._replay.is_replay = True
            self._away_until = monotonic() + pause_s
            self._patient = after_s is not None
            self.is_away = self._failed = True
            self._account.changed.notify_all()
        where, reason = self._channel.where, outcome.reason
        if self._abandoned:
            return
        if isinstance(outcome, Blocked):
            line = "otelbridge cannot send to %s (%s): %s. Its spans wait meanwhile"
            self._notices.say("blocked", logging.WARNING, line, where, reason, outcome.cure)
        else:
            line = "otelbridge cannot send to %s now (%s); its spans wait, and it tries again"
            self._notices.say("away", logging.WARNING, line, where, reason)

    def _check(self) -> None:
        if self._collected:
            raise _Collected
