"""Compares what a program printed with what it should, where identifiers and times differ.

In the expected text ``<...>`` stands for any text within one line, ``<uuid>`` for any UUID, and
``<uuid:name>`` for one UUID that is the same wherever that name stands.
"""

from __future__ import annotations

import difflib
import re

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_WILDCARD = re.compile(r"<\.\.\.>|<uuid>|<uuid:(\w+)>")


def difference(expected: str, printed: str) -> str:
    """Say where ``printed`` is not what was expected; empty where it is.

    >>> difference("all <...> files in <...> s", "all 12 files in 3.1 s")
    ''
    """
    expected, printed = _tidy(expected), _tidy(printed)
    if _pattern(expected).fullmatch(printed):
        return ""
    wanted, got = expected.splitlines(), printed.splitlines()
    # A line that its wildcards explain is shown as expected: only real differences stand out.
    for at, (want, line) in enumerate(zip(wanted, got, strict=False)):
        if _pattern(want).fullmatch(line):
            got[at] = want
    lines = difflib.unified_diff(wanted, got, "expected", "printed", lineterm="")
    return "\n".join(lines) or "the same name stands for two different UUIDs"


def generalise(printed: str) -> str:
    """The expected text that one run's output suggests: each UUID under a name of its own."""
    names: dict[str, str] = {}

    def named(uuid: re.Match[str]) -> str:
        return f"<uuid:{names.setdefault(uuid[0], f'run{len(names) + 1}')}>"

    return re.sub(_UUID, named, _tidy(printed)) + "\n"


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def _pattern(expected: str) -> re.Pattern[str]:
    names: set[str] = set()
    parts: list[str] = []
    position = 0
    for wildcard in _WILDCARD.finditer(expected):
        parts += re.escape(expected[position : wildcard.start()]), _any(wildcard, names)
        position = wildcard.end()
    return re.compile("".join([*parts, re.escape(expected[position:])]))


def _any(wildcard: re.Match[str], names: set[str]) -> str:
    name = wildcard[1]
    if wildcard[0] == "<...>":
        return ".*"
    if name is None:
        return _UUID
    if name in names:
        return f"(?P={name})"
    names.add(name)
    return f"(?P<{name}>{_UUID})"
