"""A conversation as JSON: where there is no room for all of it, its end stays.

What a model was asked last matters most, and a list that is cut from its end would lose that first.
The newest message comes first into the room, then the instructions that stand before all, then one
message after the other back in time. Each takes at most half of what is left, and what remains in
the end goes to those that were shortened, the newest first. The result is a valid list of whole
or shortened messages in their own order; how many are missing is told beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ._json import to_json
from ._redaction import Redactor
from ._text import utf8_len

MESSAGES: Final = "messages"
_LEAST: Final = 320  # bytes of a message that is shortened: of its text, half
_ROOM: Final = 2 * _LEAST  # of a conversation that is worth the trouble


class Conversation(list[Any]):
    """Messages, the oldest first.

    Args:
        messages: in whatever form.
        instructions: how many of them, from the first on, are the system's.
    """

    __slots__ = ("instructions",)

    def __init__(self, messages: Iterable[Any], instructions: int = 0) -> None:
        super().__init__(messages)
        self.instructions = instructions


def is_spoken(value: object) -> bool:
    """Return whether this is a conversation, or a dict that has one as its messages."""
    if type(value) is dict:
        value = value.get(MESSAGES)
    return type(value) is Conversation


def to_text(value: Any, room: int, key: str, redactor: Redactor) -> tuple[str, bool, int]:
    """Return the JSON of what ``is_spoken``, whether it was cut, and how many messages it lacks.

    Args:
        value: A conversation, or a dict with one.
        room: Bytes of the result.
        key: The attribute key it goes under.
        redactor: What is asked for each key and leaf.
    """
    plain = (
        list(value) if isinstance(value, Conversation) else {**value, MESSAGES: [*value[MESSAGES]]}
    )
    text, was_cut = to_json(plain, room, key=key, redactor=redactor)
    if not was_cut or room < _ROOM:
        return text, was_cut, 0
    if isinstance(value, Conversation):
        text, dropped = _written(value, room, key, redactor)
        return text, True, dropped
    if redactor.denies(f"{key}.{MESSAGES}"):
        return text, True, 0
    rest = {name: held for name, held in value.items() if name != MESSAGES}
    beside = to_json(rest, room // 4, key=key, redactor=redactor)[0] if rest else "{}"
    if not beside.startswith("{"):  # hidden as a whole
        return text, True, 0
    head = f'{{"{MESSAGES}":'
    tail = "," + beside[1:] if len(beside) > 2 else "}"
    left = room - len(head) - utf8_len(tail)
    written, dropped = _written(value[MESSAGES], left, f"{key}.{MESSAGES}", redactor)
    return head + written + tail, True, dropped


def _written(messages: Conversation, room: int, key: str, redactor: Redactor) -> tuple[str, int]:
    """Return as much of a conversation as there is room for, and how many messages are left out."""
    parents = (id(messages),)

    def write(index: int, most: int) -> str:
        return to_json(messages[index], most, key=key, redactor=redactor, parents=parents)[0]

    whole: dict[int, str] = {}
    given: dict[int, int] = {}  # bytes, with a comma
    left = room - 2
    for index in _by_weight(messages):
        whole[index] = write(index, room)
        share = min(utf8_len(whole[index]) + 1, max(left // 2, _LEAST))
        if share > left:
            break
        given[index] = share
        left -= share
    for index, share in given.items():
        more = min(utf8_len(whole[index]) + 1 - share, left)
        given[index] += more
        left -= more
    texts = [
        whole[index] if utf8_len(whole[index]) < given[index] else write(index, given[index] - 1)
        for index in sorted(given)
    ]
    return f"[{','.join(texts)}]", len(messages) - len(texts)


def _by_weight(messages: Conversation) -> Iterable[int]:
    """Yield the positions of the messages, the one that matters most first."""
    last = len(messages) - 1
    instructions = min(messages.instructions, last)
    yield last
    yield from range(instructions)
    yield from range(last - 1, instructions - 1, -1)
