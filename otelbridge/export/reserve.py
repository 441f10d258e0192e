"""Where spans wait that cannot be sent at once: the spool on disk while it can be used."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

from otelbridge import _tracing
from otelbridge.export._shield import Shield
from otelbridge.export.account import Account
from otelbridge.export.notices import Notices
from otelbridge.export.outbox import Batch
from otelbridge.export.spool import Lease, Spool, SpoolUnavailable

_RETRY_S = 30.0

OpenSpool = Callable[[], Spool]


class Reserve:
    """The spool, its account, and what happens while there is none.

    Safe to use from any thread. Where a person has turned the spool off, or the disk cannot be
    used, nothing is kept here and ``put`` says so; the disk is tried again every half a minute.

    Args:
        open_spool: opens the spool when it is first needed; None: there is none.
        account: counts what comes and goes.
        notices: tells what cannot be kept.
    """

    def __init__(self, open_spool: OpenSpool | None, account: Account, notices: Notices) -> None:
        self._open_spool = open_spool
        self._account = account
        self._notices = notices
        self._shield = Shield()
        self._spool: Spool | None = None
        self._unusable_until = 0.0

    @property
    def usable(self) -> bool:
        """Whether there is a spool that could be used when it was last tried."""
        return self._open_spool is not None and monotonic() >= self._unusable_until

    def adopt(self) -> None:
        """Take over what dead processes of the same service have left."""
        with self._shield:
            spool = self._opened()
        if spool is None:
            return
        try:
            spool.adopt()  # it takes a while, and holds up nobody
        except Exception:
            _tracing.guard("adopt the spans of earlier processes")
        with self._shield:
            if self._spool is spool:
                self._reconcile(spool)

    def put(self, batch: Batch) -> int:
        """Keep a batch on disk, and let it leave memory. Return how many of its spans are kept.

        What a signal handler raises may end it at any point; the books are right then too.
        """
        with self._shield:
            spool = self._opened()
            if spool is None:
                return 0
            before = spool.appended, self._account.spool_in
            pushed_out = 0
            try:
                try:
                    pushed_out = spool.append(batch.items)
                except SpoolUnavailable as error:
                    pushed_out = error.pushed_out
                    self._give_up(error)
                self._count(batch, spool, *before)
            except BaseException:
                self._count(batch, spool, *before)
                raise
            self._lose(pushed_out)
        self._notices.lost(pushed_out, "were pushed out of the full spool")
        return batch.kept

    def lease(self, max_items: int, max_bytes: int) -> Lease | None:
        """Return the oldest spans, if sending them is due; they stay until ``done``."""
        spool = self._spool
        with self._account.lock:
            is_due = self._account.spool_out < self._account.spool_due
        if spool is None or not is_due:
            return None
        try:
            lease = spool.lease(max_items, max_bytes)  # it reads, while others may write
        except SpoolUnavailable as error:
            self._give_up(error)
            return None
        with self._shield:
            if self._spool is spool:
                self._reconcile(spool)
        return lease

    def done(self, lease: Lease) -> None:
        """Let the spans of a lease go."""
        with self._shield:
            if self._spool is None:
                return
            try:
                self._spool.done(lease)
            except SpoolUnavailable as error:
                self._give_up(error)
            with self._account.lock:
                count = len(lease.items)
                self._account.unspooled(count, count if lease.is_adopted else 0)

    def close(self) -> None:
        """Leave the rest to the next process of the service."""
        with self._shield:
            spool, self._spool, self._open_spool = self._spool, None, None
            if spool is not None:
                spool.close()

    def in_child(self) -> None:
        """Let go of a parent's spool in a forked child, where the shield may be held for ever."""
        if self._spool is not None:
            self._spool.in_child()

    def _opened(self) -> Spool | None:
        if self._spool is not None and not self._unusable_until:
            return self._spool
        if self._spool is None and self._open_spool is not None and self.usable:
            try:
                self._spool = self._open_spool()
            except SpoolUnavailable as error:
                self._give_up(error)
            except Exception:
                self._unusable_until = monotonic() + _RETRY_S
                _tracing.guard("open the spool")
        if not self.usable:
            return None
        self._unusable_until = 0.0
        return self._spool

    def _count(self, batch: Batch, spool: Spool, appended: int, spool_in: int) -> None:
        """Count what a batch has added to these figures; once or twice, it is the same."""
        with self._account.lock:
            batch.kept = spool.appended - appended
            self._account.spooled(batch.kept, spool_in)
            if batch.kept == len(batch.items):
                batch.passed = True
                self._account.left_memory(batch.first)

    def _lose(self, count: int) -> None:
        if count:
            with self._account.lock:
                self._account.dropped(count, 0, "spool full")
                self._account.unspooled(count, count)  # adopted ones are the oldest

    def _reconcile(self, spool: Spool) -> None:
        """Count in what was adopted, and out what cannot be read back."""
        with self._account.lock:
            account = self._account
            missing = account.spool_in - account.spool_out - spool.waiting
            if missing > 0:
                account.dropped(missing, 0, "spool damaged")
                account.unspooled(missing, missing)
            elif missing < 0:
                account.adopted(-missing)
        self._notices.lost(max(missing, 0), "could not be read back from the spool")

    def _give_up(self, error: SpoolUnavailable) -> None:
        self._unusable_until = monotonic() + _RETRY_S
        self._notices.say(
            "spool",
            logging.WARNING,
            "otelbridge cannot keep spans on disk (%s), only in memory: %s",
            error.reason,
            error.cure,
        )
