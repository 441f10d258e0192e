"""What a scripted chat model is to answer, and what it was asked."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

_Line = TypeVar("_Line")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question.

    Attributes:
        messages: what the model was sent, the messages themselves and not copies.
        options: the call's other arguments: ``stop`` where given, ``tools`` and ``tool_choice`` of
            ``bind_tools``, and whatever else was bound or passed.
    """

    messages: list[BaseMessage]
    options: Mapping[str, Any]


class Script(Generic[_Line]):
    """Gives each line once, to any thread; all copies of one model share theirs."""

    def __init__(self, lines: Iterable[_Line]) -> None:
        self.asked: list[Asked] = []
        self.call_ids = map("call_{}".format, itertools.count(1))
        self._lines: Iterator[_Line] = iter(lines)
        self._given = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<{self._given} given>"

    def next(self, asked: Asked) -> _Line:
        """Return the next line.

        Raises:
            AssertionError: there are no more.
        """
        with self._lock:
            self.asked.append(asked)
            for line in self._lines:
                self._given += 1
                return line
        last = asked.messages[-1].content if asked.messages else ""
        raise AssertionError(
            f"the script is over after {self._given} answers, and the model was asked again, last "
            f"{last!r}: add an answer, or let itertools.repeat(answer) give it each time"
        )
