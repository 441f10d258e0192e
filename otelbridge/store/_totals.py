"""What a list shows of a trace: kept from span to span by whoever writes them."""

from __future__ import annotations

from typing import Any, Final

from otelbridge.store._facts import Facts
from otelbridge.store._schema import ENDED, LOST, RUNNING

_ROOT: Final = -1 << 62
_ERROR: Final = 2

COLUMNS: Final = (
    "id", "trace_id", "next", "name", "service", "named_by", "start_ns", "end_ns", "status",
    "outcome", "run_id", "spans", "events", "errors", "running", "lost", "input_tokens",
    "output_tokens", "changed",
)  # fmt: skip


class Totals:
    """One row of ``traces``; its slots are the columns.

    Attributes:
        next: the number of its next span.
        named_by: the start of the span that gave the name, and of a root so much less that it is
            below 0: roots come first, and of several the earliest.
        end_ns: the end of the span that ended last; not before ``start_ns``.
    """

    __slots__ = COLUMNS

    def __init__(self, *values: Any) -> None:
        (
            self.id, self.trace_id, self.next, self.name, self.service, self.named_by,
            self.start_ns, self.end_ns, self.status, self.outcome, self.run_id, self.spans,
            self.events, self.errors, self.running, self.lost, self.input_tokens,
            self.output_tokens, self.changed,
        ) = values  # fmt: skip

    @classmethod
    def first(cls, number: int, facts: Facts) -> Totals:
        """Return the row of a trace whose first span is about to be counted."""
        start = facts.start_ns
        return cls(
            number, facts.trace_id, 0, "", "", 1 << 62, start, start, 0, None, None,
            0, 0, 0, 0, 0, None, None, 0,
        )  # fmt: skip

    def row(self) -> tuple[Any, ...]:
        """Return the columns' values."""
        return (
            self.id, self.trace_id, self.next, self.name, self.service, self.named_by,
            self.start_ns, self.end_ns, self.status, self.outcome, self.run_id, self.spans,
            self.events, self.errors, self.running, self.lost, self.input_tokens,
            self.output_tokens, self.changed,
        )  # fmt: skip

    def count(self, facts: Facts, service: str, before: int | None, events: int) -> None:
        """Count a span in.

        Args:
            facts: the span.
            service: of its resource.
            before: the state in which it was counted before; None: it was not.
            events: with so many events.
        """
        if before is None:
            self.spans += not facts.page
            self.start_ns = min(self.start_ns, facts.start_ns)
        self.running += (facts.state == RUNNING) - (before == RUNNING)
        self.lost += (facts.state == LOST) - (before == LOST)
        self.events += facts.events - events
        if facts.state == ENDED:
            self.end_ns = max(self.end_ns, facts.end_ns)
            self.errors += facts.status == _ERROR
            self.input_tokens = _sum(self.input_tokens, facts.input_tokens)
            self.output_tokens = _sum(self.output_tokens, facts.output_tokens)
        named_by = facts.start_ns if facts.parent else facts.start_ns + _ROOT
        if named_by <= self.named_by:
            self._name(facts, service, named_by)
        if self.named_by >= 0:
            self.status = _ERROR if self.errors else 0

    def _name(self, facts: Facts, service: str, named_by: int) -> None:
        self.named_by = named_by
        self.name, self.service = facts.name, service
        if named_by < 0:
            self.status = facts.status
            self.outcome, self.run_id = facts.outcome, facts.run_id


def _sum(total: int | None, more: int | None) -> int | None:
    return total if more is None else (total or 0) + more
