"""Exceptions: their facts on a span, whatever the exception does."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any

import odd_values
import pytest
from odd_values import encoded

from otelbridge import semconv
from otelbridge._attributes import Bounds, Gate
from otelbridge._limits import Limits

KEYS = [
    semconv.EXCEPTION_TYPE,
    semconv.EXCEPTION_MESSAGE,
    semconv.EXCEPTION_STACKTRACE,
    semconv.EXCEPTION_ESCAPED,
]


def raised(make: Callable[[], BaseException]) -> BaseException:
    """Return the exception after it was raised, with a traceback."""
    try:
        raise make()
    except BaseException as error:
        return error


def told(error: BaseException, gate: Gate | None = None) -> dict[str, Any]:
    """Return the attributes of an exception, after the OTLP encoder saw them."""
    gate = gate or Gate()
    found = gate.exception(error)
    encoded("exception", found, gate.limits)
    return dict(found)


def test_exception_has_the_facts_of_the_convention() -> None:
    """Type, message, stack and escaped are there, the stack as Python prints it."""
    error = raised(lambda: ValueError("bad"))
    assert told(error) == dict(
        zip(KEYS, ["ValueError", "bad", "".join(traceback.format_exception(error)), "False"])
    )


def test_exception_type_is_qualified() -> None:
    """A type that is not builtin comes with its module."""

    class Inner(Exception):
        pass

    name = told(Inner())[semconv.EXCEPTION_TYPE]
    assert name == f"{__name__}.{Inner.__qualname__}"
    assert told(Inner())[semconv.EXCEPTION_STACKTRACE] == f"{name}\n"


def test_exception_chain_is_told_as_python_does() -> None:
    """Causes, contexts and suppressed contexts are told in Python's order and words."""
    for raising in (_cause, _context, _suppressed):
        error = raised(raising) if raising is _cause else _caught(raising)
        assert told(error)[semconv.EXCEPTION_STACKTRACE] == "".join(
            traceback.format_exception(error)
        )


def _cause() -> BaseException:
    error = ValueError("outer")
    error.__cause__ = raised(lambda: KeyError("inner"))
    return error


def _context() -> None:
    try:
        raise KeyError("first")
    except KeyError:
        raise ValueError("second")  # noqa: B904


def _suppressed() -> None:
    try:
        raise KeyError("first")
    except KeyError:
        raise ValueError("second") from None


def _caught(function: Callable[[], Any]) -> BaseException:
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError


def test_exception_chain_without_end_ends() -> None:
    """A chain that leads back to itself, or is very long, is told in part."""
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert told(first)[semconv.EXCEPTION_STACKTRACE].count("ValueError") == 2
    error = ValueError("0")
    for number in range(1, 1000):
        outer = ValueError(str(number))
        outer.__context__ = error
        error = outer
    assert told(error)[semconv.EXCEPTION_STACKTRACE].count("ValueError") == 16


def test_exception_notes_and_groups_are_told() -> None:
    """Notes follow the message; the members of a group are told below it."""

    class Group(Exception):
        exceptions = (raised(lambda: ValueError("one\ntwo")), KeyError("k"), "odd")
        __notes__ = ("a note", 5)

    stack = told(Group("group"))[semconv.EXCEPTION_STACKTRACE]
    assert "Group: group\na note\n" in stack
    assert "  | ValueError: one\n  | two\n" in stack
    assert "  | KeyError: 'k'\n" in stack
    Group.exceptions = (Group("a"), Group("b"))
    assert told(Group("recursive"))[semconv.EXCEPTION_MESSAGE] == "recursive"
    assert len(told(Group("recursive"))[semconv.EXCEPTION_STACKTRACE]) <= 8192


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups and notes are of Python 3.11")
def test_exception_groups_of_python_are_told() -> None:
    """Python's own groups and notes are told."""
    group = ExceptionGroup("many", [ValueError("one"), TypeError("two")])  # noqa: F821
    group.add_note("noted")
    stack = told(group)[semconv.EXCEPTION_STACKTRACE]
    assert "ExceptionGroup: many (2 sub-exceptions)\nnoted\n" in stack
    assert "ValueError: one" in stack
    assert "TypeError: two" in stack


class Raising(Exception):
    """An exception whose text and links cannot be read."""

    def __str__(self) -> str:
        raise ValueError

    def __repr__(self) -> str:
        raise ValueError

    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        raise ValueError

    @property
    def exceptions(self) -> Any:
        """Raise."""
        raise ValueError


class OddText(Exception):
    """An exception whose text is none."""

    def __str__(self) -> str:
        return 5  # type: ignore[return-value]


def test_exception_that_cannot_be_read_is_told() -> None:
    """An exception that raises when looked at leaves its type and place."""
    for kind in (Raising, OddText):
        found = told(raised(kind))
        assert found[semconv.EXCEPTION_MESSAGE] == "[unreadable]"
        assert "Traceback" in found[semconv.EXCEPTION_STACKTRACE]


def test_exception_of_a_hostile_class_is_told() -> None:
    """A class that cannot be named, or has a name that is no text, does no harm."""

    class Meta(type):
        @property
        def __module__(cls) -> str:  # type: ignore[override]
            raise ValueError

    class Nameless(Exception, metaclass=Meta):
        pass

    assert told(Nameless("x"))[semconv.EXCEPTION_TYPE] == "object"
    odd = type("Odd", (Exception,), {"__module__": "m\udc80"})
    assert told(odd("\udc80"))[semconv.EXCEPTION_TYPE] == "m\\udc80.Odd"


def test_exception_text_is_bounded() -> None:
    """A long message is cut in both places, a deep stack at its beginning."""
    found = told(raised(lambda: ValueError("x" * 1_000_000)))
    assert len(found[semconv.EXCEPTION_MESSAGE]) == 8190
    assert found[semconv.EXCEPTION_STACKTRACE].startswith("Traceback")
    assert found[semconv.EXCEPTION_STACKTRACE].endswith("x…\n")
    assert found[semconv.TRUNCATED] == (semconv.EXCEPTION_MESSAGE, semconv.EXCEPTION_STACKTRACE)

    def descend(depth: int) -> None:
        if depth:
            turn(depth - 1)
        raise ValueError("the end")

    def turn(depth: int) -> None:  # two frames in turns, which Python does not fold into one
        descend(depth)

    found = told(_caught(lambda: descend(200)), Gate(Bounds(string=4096)))
    stack = found[semconv.EXCEPTION_STACKTRACE]
    assert stack.startswith("…\n")
    assert stack.endswith("ValueError: the end\n")
    assert 4000 < len(stack.encode()) <= 4096
    assert found[semconv.TRUNCATED] == (semconv.EXCEPTION_STACKTRACE,)
    wide = told(_caught(lambda: descend(200)), Gate(Bounds(string=1_000_000)))
    assert wide[semconv.EXCEPTION_STACKTRACE].startswith(
        "Traceback (most recent call last):\n  …\n"
    )
    assert wide[semconv.TRUNCATED] == (semconv.EXCEPTION_STACKTRACE,)


@pytest.mark.parametrize("bound", [1, 3, 4, 5, 20, 60])
def test_exception_keeps_the_smallest_bounds(bound: int) -> None:
    """Each text is within the bound, however small."""
    found = told(raised(lambda: ValueError("é" * 100)), Gate(Bounds(string=bound)))
    texts = [value for key, value in found.items() if key != semconv.TRUNCATED]
    assert all(len(text.encode()) <= bound for text in texts)


@pytest.mark.parametrize("limit", range(7))
@pytest.mark.parametrize("message", ["short", "x" * 10_000])
def test_exception_keeps_the_limits_of_the_sdk(limit: int, message: str) -> None:
    """The type stays longest, and the note has its place."""
    gate = Gate(limits=Limits(event_attributes=limit, event_value_length=1000))
    found = told(raised(lambda: ValueError(message)), gate)
    assert len(found) == min(limit, 4 + (message != "short"))
    if message == "short":
        assert list(found) == KEYS[:limit]
    elif limit:
        assert list(found) == [*KEYS[: limit - 1], semconv.TRUNCATED]


@pytest.mark.parametrize("length", [0, 1, 4, 10, 100])
def test_exception_keeps_the_length_limit_of_the_sdk(length: int) -> None:
    """No text is longer than the SDK allows."""
    gate = Gate(limits=Limits(event_value_length=length))
    found = told(raised(lambda: ValueError("x" * 10_000)), gate)
    assert all(len(value) <= length for value in found.values() if isinstance(value, str))
    assert semconv.TRUNCATED in found


def test_exception_is_redacted_in_each_place() -> None:
    """A secret in a message is hidden in the message, the stack, the causes and the notes."""

    class Noted(Exception):
        __notes__ = ("note swordfish",)
        exceptions = (ValueError("member swordfish"),)

    error = raised(lambda: Noted("token swordfish"))
    error.__cause__ = raised(lambda: KeyError("swordfish"))
    gates = [
        Gate(redact=lambda key, value: value.replace("swordfish", "*")),
        Gate(redact=lambda key, value: "*" if key == semconv.EXCEPTION_MESSAGE else value),
        Gate(denied_keys=[semconv.EXCEPTION_MESSAGE]),
        Gate(denied_keys=["message"]),
        Gate(redact=lambda key, value: None),
    ]
    for gate in gates:
        lines = [
            line
            for value in told(error, gate).values()
            for line in str(value).splitlines()
            if "raised(lambda" not in line  # the source line is not the message
        ]
        assert "swordfish" not in "".join(lines)
    stackless = told(error, Gate(denied_keys=[semconv.EXCEPTION_STACKTRACE]))
    assert stackless[semconv.EXCEPTION_STACKTRACE] == "[redacted]"


def test_exception_without_readable_frames_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loader that fails to give source lines costs the frames only."""

    def fail(*_: Any, **__: Any) -> Any:
        raise ValueError

    monkeypatch.setattr(traceback, "format_tb", fail)
    found = told(raised(lambda: ValueError("bad")))
    assert found[semconv.EXCEPTION_STACKTRACE] == "ValueError: bad\n"
    assert found[semconv.TRUNCATED] == (semconv.EXCEPTION_STACKTRACE,)
    monkeypatch.setattr("otelbridge._exception._Teller", fail)
    found = told(raised(lambda: ValueError("bad")))
    assert found == {
        semconv.EXCEPTION_TYPE: "ValueError",
        semconv.EXCEPTION_MESSAGE: "bad",
        semconv.EXCEPTION_STACKTRACE: "[unreadable]",
        semconv.EXCEPTION_ESCAPED: "False",
        semconv.TRUNCATED: (semconv.EXCEPTION_STACKTRACE,),
    }


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_exception_of_any_base_is_told(error: BaseException) -> None:
    """What is no ``Exception`` is told like one."""
    assert told(error)[semconv.EXCEPTION_TYPE] == type(error).__name__


def test_exception_with_odd_arguments_is_told() -> None:
    """Whatever an exception carries, it is told."""
    for value in odd_values.odd_values():
        told(ValueError(value))
