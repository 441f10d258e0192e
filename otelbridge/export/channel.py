"""What carries encoded spans to a receiver, and what can come of one request.

::

    Outcome
    ├── Delivered   taken, perhaps but for some spans that the receiver counted as rejected
    ├── TryAgain    not taken now: the same request may be taken later
    ├── Refused     never taken as it is: split it
    └── Blocked     not taken until a person changes the set-up; the data is not at fault
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has acknowledged the request; nothing of it is sent again.

    Attributes:
        rejected: spans that the receiver says it has not kept (partial success).
        message: what it says besides; it may warn although nothing is rejected.
    """

    rejected: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The request was not acknowledged, and may be later.

    It may have arrived all the same: sent again, a span keeps its ids.

    Attributes:
        reason: what happened, for a log line.
        after_s: what the receiver asks to wait, in seconds; None where it says nothing.
    """

    reason: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver will not take this request however often it is sent.

    Attributes:
        reason: what it says, for a log line or a dead letter.
        is_fault: whether it says that it has failed, which may not be for what the request holds.
    """

    reason: str
    is_fault: bool = False


@dataclass(frozen=True, slots=True)
class Blocked:
    """The set-up is wrong, so that no request at all is taken: certificate, token, address.

    Attributes:
        reason: what happened.
        cure: what a person can do about it.
    """

    reason: str
    cure: str


Outcome: TypeAlias = Delivered | TryAgain | Refused | Blocked


class Channel(Protocol):
    """A connection to one receiver, made when it first sends.

    A forked child makes its own connection, and uses nothing of the parent's.
    """

    @property
    def where(self) -> str:
        """Names the receiver in log lines; holds no user and password."""
        ...

    def send(self, request: bytes, timeout_s: float | None = None) -> Outcome:
        """Send one serialized ``ExportTraceServiceRequest`` and wait for the answer.

        Called from one thread at a time. Never raises.

        Args:
            request: the message, not compressed.
            timeout_s: for connecting, sending and the whole answer; None takes that of the set-up.
        """
        ...

    def close(self) -> None:
        """End a send in progress with ``TryAgain``, and every later one.

        From any thread; returns at once, may be called again.
        """
        ...
