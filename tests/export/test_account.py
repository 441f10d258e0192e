"""The account: whatever is counted, in whatever order, it balances."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from otelbridge.export.account import Account, Stats


def balance(stats: Stats) -> int:
    """What the account owes: 0."""
    out = stats.sent + stats.waiting + stats.rejected + sum(stats.dropped.values())
    return stats.ended + stats.adopted - out


class Counting(RuleBasedStateMachine):
    """Batches that are counted in, and come to any end, in memory and in the spool."""

    def __init__(self) -> None:
        super().__init__()
        self.account = Account()
        self.memory: dict[int, int] = {}
        self.spooled = 0
        self.of_others = 0  # adopted, and in the spool
        self.lost = 0  # of this process
        self.ended = 0

    @rule(count=st.integers(1, 600))
    def took(self, count: int) -> None:
        """A batch is taken from the queue."""
        with self.account.lock:
            self.memory[self.account.took(count)] = count
        self.ended += count

    @rule(count=st.integers(0, 600))
    def adopted(self, count: int) -> None:
        """A dead process has left spans."""
        with self.account.lock:
            self.account.adopted(count)
        self.of_others += count

    @precondition(lambda self: self.memory)
    @rule(data=st.data())
    def batch_ends(self, data: st.DataObject) -> None:
        """Part of a batch is sent, part rejected, part dropped, and the rest goes to the spool."""
        first = data.draw(st.sampled_from(sorted(self.memory)))
        left = self.memory.pop(first)
        with self.account.lock:
            sent = data.draw(st.integers(0, left))
            rejected = data.draw(st.integers(0, left - sent))
            dropped = data.draw(st.integers(0, left - sent - rejected))
            self.account.sent(sent, replayed=False)
            self.account.rejected(rejected, first)
            self.account.dropped(dropped, first, "memory full")
            left -= sent + rejected + dropped
            self.lost += rejected + dropped
            self.account.spooled(left)
            self.account.left_memory(first)
        self.spooled += left

    @precondition(lambda self: self.spooled or self.of_others)
    @rule(data=st.data(), adopted=st.booleans())
    def lease_ends(self, data: st.DataObject, adopted: bool) -> None:
        """Spans leave the spool, all of them this process's or all an earlier one's."""
        if adopted := self.of_others > 0 and (adopted or not self.spooled):
            count = data.draw(st.integers(1, self.of_others))
            self.of_others -= count
        else:
            count = data.draw(st.integers(1, self.spooled))
            self.spooled -= count
        sent = data.draw(st.integers(0, count))
        self.lost += 0 if adopted else count - sent
        with self.account.lock:
            self.account.sent(sent, replayed=True)
            self.account.rejected(count - sent, None if adopted else 0)
            self.account.unspooled(count, count if adopted else 0)

    @rule(queued=st.integers(0, 5))
    def flush(self, queued: int) -> None:
        """A flush is true exactly when nothing of this process waits, and nothing of it is lost."""
        with self.account.lock:
            answer = self.account.acknowledged(self.account.mark(queued))
        if queued or self.memory or self.spooled:
            assert answer is None
        else:
            assert answer is (self.lost == 0)

    @invariant()
    def balances(self) -> None:
        """At all times."""
        with self.account.lock:
            stats = self.account.stats(0)
            assert self.account.spool_in - self.account.own_out == self.spooled
            assert self.account.spool_in - self.account.spool_out == self.spooled + self.of_others
        assert balance(stats) == 0
        assert stats.ended == self.ended
        assert stats.waiting == self.spooled + self.of_others + sum(self.memory.values())


TestCounting = Counting.TestCase


def test_flush_looks_at_what_ended_before_it_and_at_nothing_else() -> None:
    """Spans that end later may wait or be lost; adopted ones do not stand for one's own."""
    account = Account()
    with account.lock:
        mine = account.took(3)
        mark = account.mark(2)
        assert account.acknowledged(mark) is None
        later = account.took(4)  # two that were queued at the mark, two that end later
        account.spooled(3)
        account.left_memory(mine)
        account.sent(4, replayed=False)
        account.left_memory(later)
        much_later = account.took(1)
        assert account.acknowledged(mark) is None
        account.adopted(3)
        account.sent(3, replayed=True)
        account.unspooled(3, 3)
        assert account.acknowledged(mark) is None
        account.dropped(1, much_later, "memory full")
        account.adopted(5)
        account.sent(3, replayed=True)
        account.unspooled(3, 0)
        assert account.acknowledged(mark) is True
        assert account.acknowledged(account.mark(0)) is None
        account.left_memory(much_later)
        assert account.acknowledged(account.mark(0)) is False


def test_accounts_of_several_pipelines_add_up() -> None:
    """Each counts every span; reasons are kept apart."""
    one = Stats(ended=5, sent=2, waiting=1, dropped={"memory full": 2})
    two = Stats(ended=5, adopted=2, sent=1, replayed=1, rejected=1, waiting=1)
    two = replace(two, dropped={"memory full": 1, "spool full": 3})
    total = Stats.total([one, two])
    assert (total.ended, total.adopted, total.sent, total.waiting) == (10, 2, 3, 2)
    assert (total.replayed, total.rejected) == (1, 1)
    assert total.dropped == {"memory full": 3, "spool full": 3}
    assert Stats.total([]) == Stats(dropped={})
