"""Run ids, and the runs that they name: the live ones, and the last that ended.

A run is entered here when its id first leaves it (to a handler, a config, another library); a run
whose id nobody has seen can be nobody's explicit parent.
"""

from __future__ import annotations

from _random import Random  # all that is needed of ``random``, whose import takes 1.5 ms
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, cast
from uuid import UUID, SafeUUID

from otelbridge._process import renew_in_child

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

    from otelbridge._run_state import RunState
    from otelbridge._tracing import Tracing
    from otelbridge.run import Run

REMEMBERED = 10_000

# Not the module-wide generator: programs seed that one, and ids must differ all the same.
_random = Random()
_bits = _random.getrandbits
_next = count(1 << 47 | _bits(46)).__next__  # always twelve hexadecimal digits
_new = object.__new__
_set = object.__setattr__
_UNKNOWN = SafeUUID.unknown


class _Millisecond:
    """The last millisecond in which an id was made, and what the ids of that one begin with."""

    last: tuple[int, str] = (0, "")


def new_text(now_ns: int) -> str:
    """Return the text of a new run id.

    It is a UUID of version 7 (RFC 9562): the time in ms, 26 random bits that are new each
    millisecond, and a counter of 48 bits with a random start. The text is what every recorded
    run needs; number and UUID are made from it where they are asked for.
    """
    now = now_ns // 1_000_000
    last, prefix = _Millisecond.last
    if now != last:
        bits = _bits(26)
        prefix = f"{now >> 16:08x}-{now & 0xFFFF:04x}-7{bits >> 14:03x}-{0x8000 | bits & 0x3FFF:x}-"
        _Millisecond.last = (now, prefix)
    return prefix + "%x" % _next()  # noqa: UP031 - half the time of an f-string


def uuid_of(text: str) -> UUID:
    """Return the UUID with this text; a third of the cost of ``UUID(text)``."""
    made: UUID = _new(UUID)
    _set(made, "int", int(text.replace("-", ""), 16))
    _set(made, "is_safe", _UNKNOWN)
    return made


class EndedRun(NamedTuple):
    """What is kept of a run after its end: enough for children and late events."""

    span_context: SpanContext
    tracing: Tracing
    name: str


live: dict[int, Run] = {}
_ended: dict[int, tuple[SpanContext, Tracing, str]] = {}
_order: deque[int] = deque()


def enter(run: RunState, number: int) -> Run | None:
    """Make ``run`` the live run with this id; return the one that it shadows."""
    shadowed = live.get(number)
    live[number] = cast("Run", run)
    return shadowed


def leave(run: RunState, number: int, shadowed: Run | None) -> None:
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


def _renew() -> None:
    global _next
    _random.seed()
    _next = count(1 << 47 | _bits(46)).__next__
    _Millisecond.last = (0, "")


renew_in_child(_renew)
