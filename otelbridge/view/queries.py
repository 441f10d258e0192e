"""What a request's query asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from otelbridge.store.records import Filter, State, Status

_TEXTS: Final = ("text", "service", "event", "name", "tag", "run_id")
_NUMBERS: Final = ("since_ns", "until_ns", "min_duration_ns")
_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "status": get_args(Status),
    "state": get_args(State),
}
WELL: Final = "well"
_LARGEST: Final = 2**63 - 1


class BadQueryError(ValueError):
    """The query cannot be answered; the message says why, and the cure."""


class NotFoundError(LookupError):
    """What a request names is not here; the message says so."""


def filter_of(query: Mapping[str, str]) -> Filter:
    """Return which traces a query wants; an empty value is none.

    Raises:
        BadQueryError: a value is not of its kind.
    """
    wanted: dict[str, Any] = {key: query[key] for key in _TEXTS if query.get(key)}
    for key in _NUMBERS:
        if query.get(key):
            wanted[key] = number(query, key, 0, 0, _LARGEST)
    for key, choices in _CHOICES.items():
        if query.get(key):
            wanted[key] = _choice(query[key], key, choices)
    if query.get("metadata"):
        name, equals, value = query["metadata"].partition("=")
        wanted["metadata"] = (name, value if equals else None)
    return Filter(**wanted)


def filters_of(query: Mapping[str, str]) -> list[Filter]:
    """Return the filters of which one must hold: ``status=well`` is ended with no error.

    Raises:
        BadQueryError: as for ``filter_of``.
    """
    if query.get("status") != WELL:
        return [filter_of(query)]
    if query.get("state") not in (None, "", "ended"):
        raise BadQueryError(f"status={WELL} is of what has ended: leave state out")
    return [filter_of({**query, "state": "ended", "status": status}) for status in ("ok", "unset")]


def number(query: Mapping[str, str], key: str, default: int, low: int, high: int) -> int:
    """Return a whole number of the query.

    Raises:
        BadQueryError: it is none, or not between low and high, both included.
    """
    text = query.get(key) or str(default)
    # Only ASCII digits, and not so many that reading them takes long.
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and low <= int(text) <= high):
        raise BadQueryError(f"{key}={text[:40]!r}: give a whole number from {low} to {high}")
    return int(text)


def _choice(text: str, key: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise BadQueryError(f"{key}={text[:40]!r}: give one of {', '.join(choices)}")
    return text
