"""An exception told as text: type, message, stack trace, whatever its ``str()`` does.

Written by hand rather than by ``traceback.format_exception`` because each message must be redacted
and cut before it becomes part of the text: the last lines of a stack trace repeat it.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

from . import semconv
from ._json import to_json
from ._redaction import Redactor
from ._shapes import UNREADABLE, error_text
from ._text import ELLIPSIS, clean, scalar_text

_FRAMES: Final = 100  # of one exception, the innermost
_CHAIN: Final = 16  # exceptions of one chain, and members of one group
_GROUPS: Final = 4  # levels of groups in groups
_FRAME_BYTES: Final = 2048
_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"


def facts_of(
    error: BaseException, redactor: Redactor, max_bytes: int, max_chars: int | None
) -> tuple[dict[str, str], list[str]]:
    """Return OTel's attributes of an exception, and the keys of those that were cut. Never raises.

    Args:
        error: The exception.
        redactor: Is asked for the message, each note, and the stack trace as a whole.
        max_bytes: UTF-8 bytes of each text.
        max_chars: Characters of each text, where the SDK has such a limit.
    """
    found: dict[str, str] = {}
    cut: list[str] = []
    for key, tell in _FACTS:
        try:
            found[key], was_cut = tell(error, redactor, max_bytes, max_chars)
        except Exception:
            found[key], was_cut = clean(UNREADABLE, max_bytes, max_chars)[0], True
        if was_cut:
            cut.append(key)
    return found, cut


def _type(
    error: BaseException, redactor: Redactor, max_bytes: int, max_chars: int | None
) -> tuple[str, bool]:
    return clean(_type_name(type(error)), max_bytes, max_chars)


def _message(
    error: BaseException, redactor: Redactor, max_bytes: int, max_chars: int | None
) -> tuple[str, bool]:
    return clean(_message_text(error, redactor, max_bytes), max_bytes, max_chars)


def _stack(
    error: BaseException, redactor: Redactor, max_bytes: int, max_chars: int | None
) -> tuple[str, bool]:
    """Tell the stack trace with its causes; where it is cut, it is at its beginning."""
    teller = _Teller(redactor, max_bytes // 4)
    text = "".join(teller.chain(error, _GROUPS))
    text = _redacted(redactor, semconv.EXCEPTION_STACKTRACE, text)
    shown, was_cut = _tail(text, max_bytes, max_bytes if max_chars is None else max_chars)
    return shown, was_cut or teller.cut


def _escaped(
    error: BaseException, redactor: Redactor, max_bytes: int, max_chars: int | None
) -> tuple[str, bool]:
    return clean("False", max_bytes, max_chars)


_FACTS: Final = (
    (semconv.EXCEPTION_TYPE, _type),
    (semconv.EXCEPTION_MESSAGE, _message),
    (semconv.EXCEPTION_STACKTRACE, _stack),
    (semconv.EXCEPTION_ESCAPED, _escaped),
)


def _type_name(kind: type) -> str:
    """Return the name under which an exception type is reported: qualified, unless builtin."""
    try:
        module, name = str(kind.__module__), str(kind.__qualname__)
    except Exception:  # a metaclass may do anything
        return "object"
    return name if module == "builtins" else f"{module}.{name}"


def _message_text(error: BaseException, redactor: Redactor, args_bytes: int) -> str:
    """Return ``str(error)``, of any length, or the head of large arguments as JSON; redacted."""
    key = semconv.EXCEPTION_MESSAGE
    text = error_text(error)
    if text is None:
        args = error.args[0] if len(error.args) == 1 else error.args
        text = to_json(args, args_bytes, key=key, redactor=redactor)[0]
    return _redacted(redactor, key, text)


def _redacted(redactor: Redactor, key: str, text: str) -> str:
    return scalar_text(redactor(key, text))[0] if redactor.active else text


def _tail(text: str, max_bytes: int, max_chars: int) -> tuple[str, bool]:
    """Return the end of a text, whole lines where that is possible, and whether it was cut."""
    raw = text.encode("utf-8", "backslashreplace")
    whole = raw.decode()
    if len(raw) <= max_bytes and len(whole) <= max_chars:
        return whole, False
    head = f"{ELLIPSIS}\n"
    room = max_bytes - len(head.encode())
    if room <= 0 or max_chars <= len(head):
        return clean(whole, max_bytes, max_chars)[0], True
    rest = raw[-room:].decode("utf-8", "ignore")[len(head) - max_chars :]
    _, newline, lines = rest.partition("\n")
    return head + (lines if newline and lines else rest), True


class _Teller:
    """Tells exceptions in the form of Python's own tracebacks."""

    def __init__(self, redactor: Redactor, message_bytes: int) -> None:
        self.cut = False
        self._redactor = redactor
        self._message_bytes = message_bytes

    def chain(self, error: BaseException, groups: int) -> Iterator[str]:
        """The oldest cause first, as Python prints them."""
        for one, link in reversed(_links(error)):
            yield from self._one(one, groups)
            yield link

    def _one(self, error: BaseException, groups: int) -> Iterator[str]:
        yield from self._frames(error)
        message = self._shortened(_message_text(error, self._redactor, self._message_bytes))
        name = _type_name(type(error))
        yield f"{name}: {message}\n" if message else f"{name}\n"
        for note in _listed(error, "__notes__"):
            if isinstance(note, str):
                note = _redacted(self._redactor, semconv.EXCEPTION_MESSAGE, str.__str__(note))
                yield self._shortened(note) + "\n"
        if groups:
            yield from self._members(_listed(error, "exceptions"), groups - 1)

    def _members(self, members: list[object], groups: int) -> Iterator[str]:
        for number, member in enumerate(members, 1):
            if isinstance(member, BaseException):
                yield f"  +---------------- {number} ----------------\n"
                for text in self.chain(member, groups):
                    yield "".join(f"  | {line}" for line in text.splitlines(keepends=True))

    def _frames(self, error: BaseException) -> Iterator[str]:
        try:
            frames = traceback.format_tb(error.__traceback__, limit=-_FRAMES)
        except Exception:  # a loader that fails to give its source
            self.cut = True
            return
        if frames:
            yield "Traceback (most recent call last):\n"
        if _is_deep(error.__traceback__):
            self.cut = True
            yield f"  {ELLIPSIS}\n"
        for frame in frames:
            yield clean(frame, _FRAME_BYTES)[0]

    def _shortened(self, text: str) -> str:
        text, was_cut = clean(text, self._message_bytes)
        self.cut = self.cut or was_cut
        return text


def _is_deep(frame: TracebackType | None) -> bool:
    count = 0
    while frame is not None and count <= _FRAMES:
        count, frame = count + 1, frame.tb_next
    return count > _FRAMES


def _links(error: BaseException) -> list[tuple[BaseException, str]]:
    """Return the error and what led to it, newest first, each with the words that follow it."""
    found = [(error, "")]
    seen = {id(error)}
    while len(found) < _CHAIN:
        try:
            cause = error.__cause__
            before = cause if cause is not None or error.__suppress_context__ else error.__context__
        except Exception:  # an exception class may make properties of them
            break
        if not isinstance(before, BaseException) or id(before) in seen:
            break
        seen.add(id(before))
        found.append((before, _CAUSE if cause is not None else _CONTEXT))
        error = before
    return found


def _listed(error: BaseException, name: str) -> list[object]:
    """Return a list or tuple that the exception has under the name, its first members."""
    try:
        value: Any = getattr(error, name, None)
        return list(value[:_CHAIN]) if type(value) in (list, tuple) else []
    except Exception:
        return []
