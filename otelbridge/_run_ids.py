"""Run ids, and the runs that they name: the live ones, and the last that ended.

A run is entered here when its id first leaves it (to a handler, a config, another library); a run
whose id nobody has seen can be nobody's explicit parent.
"""

from __future__ import annotations

from _random import Random  # all that is needed of ``random``, whose import takes 1.5 ms
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, cast
from uuid import UUID, SafeUUID

from otelbridge._process import renew_in_child
from otelbridge._record import Record

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
_set_int = UUID.__dict__["int"].__set__
_set_is_safe = UUID.__dict__["is_safe"].__set__
_UNKNOWN = SafeUUID.unknown


Id = tuple[tuple[int, int, str], int]
"""A run id: the millisecond, with number and text of what its ids begin with, and a count."""


class _Latest:
    """The last millisecond in which an id was made."""

    __slots__ = ("millisecond",)

    def __init__(self) -> None:
        self.millisecond: tuple[int, int, str] = (0, 0, "")


_latest = _Latest()


def new_id(now_ns: int) -> Id:
    """Return a new run id; its text and its UUID are made where they are asked for.

    It is a UUID of version 7 (RFC 9562): the time in ms, 26 random bits that are new each
    millisecond, and a counter of 48 bits with a random start.
    """
    now = now_ns // 1_000_000
    first = _latest.millisecond
    if now != first[0]:
        bits = _bits(26)
        a, b = 0x7000 | bits >> 14, 0x8000 | bits & 0x3FFF
        text = f"{now >> 16:08x}-{now & 0xFFFF:04x}-{a:x}-{b:x}-"
        first = _latest.millisecond = (now, (now << 32 | a << 16 | b) << 48, text)
    return first, _next()


def text_of(made: Id) -> str:
    """Return the text of a run id."""
    return made[0][2] + "%x" % made[1]  # noqa: UP031 - half the time of an f-string


def uuid_of(made: Id) -> UUID:
    """Return the UUID of a run id; a fifth of the cost of ``UUID(text)``."""
    uuid: UUID = _new(UUID)
    _set_int(uuid, made[0][1] | made[1])
    _set_is_safe(uuid, _UNKNOWN)
    return uuid


class EndedRun(Record):
    """What is kept of a run after its end: enough for children and late events."""

    __slots__ = ("span_context", "tracing", "name")

    def __init__(self, span_context: SpanContext, tracing: Tracing, name: str) -> None:
        self.span_context = span_context
        self.tracing = tracing
        self.name = name


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
    _latest.millisecond = (0, 0, "")


renew_in_child(_renew)
