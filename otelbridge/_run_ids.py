"""Run ids, and the runs that they name: the live ones, and the last that ended.

A run is entered here when its id first leaves it (to a handler, a config, another library); a run
whose id nobody has seen can be nobody's explicit parent.
"""

from __future__ import annotations

from collections import deque
from random import Random
from time import time_ns
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID, SafeUUID

from otelbridge._process import renew_in_child

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

    from otelbridge._tracing import Tracing
    from otelbridge.run import Run

REMEMBERED = 10_000

# Not the module-wide generator: programs seed that one, and ids must differ all the same.
_random = Random()
_bits = _random.getrandbits
_new = object.__new__
_set = object.__setattr__
_UNKNOWN = SafeUUID.unknown


def new_id() -> int:
    """Return a new run id: a UUID of version 7, ordered by time to the millisecond (RFC 9562)."""
    random = _bits(74)
    return (
        (time_ns() // 1_000_000 << 80)
        | 0x7000_8000_0000_0000_0000
        | (random >> 62) << 64
        | random & 0x3FFF_FFFF_FFFF_FFFF
    )


def uuid_of(number: int) -> UUID:
    """Return the UUID with this number; a third of the cost of ``UUID(int=number)``."""
    made: UUID = _new(UUID)
    _set(made, "int", number)
    _set(made, "is_safe", _UNKNOWN)
    return made


def text_of(number: int) -> str:
    """Return the usual text of a run id."""
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class EndedRun(NamedTuple):
    """What is kept of a run after its end: enough for children and late events."""

    span_context: SpanContext
    tracing: Tracing
    name: str


live: dict[int, Run] = {}
_ended: dict[int, tuple[SpanContext, Tracing, str]] = {}
_order: deque[int] = deque()


def enter(run: Run, number: int) -> Run | None:
    """Make ``run`` the live run with this id; return the one that it shadows."""
    shadowed = live.get(number)
    live[number] = run
    return shadowed


def leave(run: Run, number: int, shadowed: Run | None) -> None:
    """Take an ended run out; one that it shadowed and that is still live has the id again."""
    if live.get(number) is run:
        if shadowed is not None and not shadowed.ended:
            live[number] = shadowed
        else:
            live.pop(number, None)


def remember(number: int, span_context: SpanContext, tracing: Tracing, name: str) -> None:
    """Keep what later children and late events need of an ended run."""
    _ended[number] = (span_context, tracing, name)
    # A queue beside the dict: looking for a dict's oldest key walks over all that were deleted.
    _order.append(number)
    if len(_order) > REMEMBERED:
        _ended.pop(_order.popleft(), None)


def ended_run(number: int) -> EndedRun | None:
    """Return what is kept of an ended run, or None when it is unknown or long ago."""
    kept = _ended.get(number)
    return None if kept is None else EndedRun(*kept)


renew_in_child(_random.seed)
