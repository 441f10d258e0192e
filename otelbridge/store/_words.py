"""Text as words: those of a span, and those that a search asks for.

A word is a run of letters and digits, without case and accents, as FTS5's ``unicode61`` has it:
what is not indexed yet is searched by the same rule here.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

_WORD: Final = re.compile(r"[^\W_]+")
_PART: Final = re.compile(r'"([^"]*)"?|(\S+)')
_BETWEEN: Final = r"[\W_]+"
_AROUND: Final = 60


class Phrase(NamedTuple):
    """Words that follow one another.

    Attributes:
        words: at least one.
        is_open: whether the last one may go on.
    """

    words: tuple[str, ...]
    is_open: bool


def words_of(text: str) -> list[str]:
    """Return a text's words."""
    if not text.isascii():
        apart = unicodedata.normalize("NFD", text)
        text = "".join([each for each in apart if not unicodedata.combining(each)])
    return _WORD.findall(text.lower())


@lru_cache(maxsize=100)
def phrases_of(query: str) -> tuple[Phrase, ...]:
    """Read what a person asks for.

    ``load "main.py" err`` are three phrases; the words of the quoted one are whole.
    """
    found = []
    for quoted, bare in _PART.findall(query):
        words = tuple(words_of(quoted or bare))
        if words:
            found.append(Phrase(words, bool(bare)))
    return tuple(found)


def match_of(phrases: tuple[Phrase, ...]) -> str:
    """Return FTS5's form of the phrases, all of which must occur."""
    return " AND ".join(
        '"' + " ".join(phrase.words) + '"' + "*" * phrase.is_open for phrase in phrases
    )


def spaced(text: str) -> str:
    """Return a text's words between single spaces, for ``occurs``."""
    return f" {' '.join(words_of(text))} "


def occurs(phrase: Phrase, text: str) -> bool:
    """Tell whether a phrase is in a text that ``spaced`` has made."""
    return f" {' '.join(phrase.words)}{'' if phrase.is_open else ' '}" in text


def excerpt(text: str, phrases: tuple[Phrase, ...]) -> str:
    """Return the text around the first phrase that is in it."""
    at = min((found for phrase in phrases if (found := _place(text, phrase)) >= 0), default=0)
    start, end = max(at - _AROUND, 0), at + 2 * _AROUND
    shown = " ".join(text[start:end].split())
    return ("…" if start else "") + shown + ("…" if end < len(text) else "")


def _place(text: str, phrase: Phrase) -> int:
    pattern = _BETWEEN.join(map(re.escape, phrase.words))
    found = re.search(rf"(?<![^\W_]){pattern}", text, re.IGNORECASE)
    return found.start() if found else -1
