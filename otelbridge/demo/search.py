"""A word index over passages, ranked by BM25, and an answer made of sentences found in them.

BM25: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009).
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from .corpus import Passage

_WORD = re.compile(r"[^\W\d_]{2,}")
_SENTENCE_END = re.compile(r"(?<=[.!?:])\s+(?=[A-Z\"'`(])")
_STOP_WORDS = """
a about after all also an and any are as at be been before but by can do does for from get gets had
has have how if in into is it its may more no not of on one only or other our out said say says
should so some such than that the their them then there these they this to up use used was we were
what when where which who why will with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())
_CODE = (
    "assert ",
    "class ",
    "def ",
    "for ",
    "from ",
    "if ",
    "import ",
    "raise ",
    "return ",
    "self.",
)
_K1, _B = 1.2, 0.75
_WORTH_SAYING = 0.7  # of the best sentence's score


def words(text: str) -> list[str]:
    """The stems of the words of ``text`` that carry meaning, in order."""
    return [stem for word in _WORD.findall(text.lower()) if (stem := _stem(word))]


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    """Cut the usual English endings, so that ``cancelled`` meets ``cancel``; "" for a stop word."""
    if word in _STOP:
        return ""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    word = word[:-1] if len(word) > 3 and word[-1] == word[-2] else word
    return word[:-1] if len(word) > 4 and word[-1] == "e" else word


@dataclass(slots=True)
class Index:
    """Which passage holds which word how often. Parts of one text are built apart, then joined.

    Attributes:
        passages: of the whole text; a passage's place is its number.
        lengths: words of each passage that is indexed, by its number.
        postings: for each word, the numbers of the passages that hold it, and how often.
    """

    passages: Sequence[Passage]
    lengths: dict[int, int] = field(default_factory=dict)
    postings: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, number: int) -> None:
        """Index one of the passages."""
        counts = Counter(words("\n".join(self.passages[number].lines)))
        self.lengths[number] = sum(counts.values())
        for word, count in counts.items():
            self.postings[word].append((number, count))

    @classmethod
    def join(cls, parts: Sequence[Index]) -> Index:
        """One index of what the parts hold."""
        whole = cls(parts[0].passages)
        for part in parts:
            whole.lengths.update(part.lengths)
            for word, places in part.postings.items():
                whole.postings[word] += places
        return whole

    def weight(self, word: str) -> float:
        """How telling a word is (its inverse document frequency); 0 for an unknown one."""
        held = len(self.postings.get(word, ()))
        return math.log(1 + (len(self.passages) - held + 0.5) / (held + 0.5)) if held else 0.0

    def best(self, question: str, count: int = 12) -> list[Passage]:
        """The passages that answer ``question`` best, best first."""
        mean = sum(self.lengths.values()) / max(1, len(self.lengths)) or 1.0
        scores: dict[int, float] = defaultdict(float)
        for word in dict.fromkeys(words(question)):
            weight = self.weight(word)
            for number, times in self.postings.get(word, ()):
                long = 1 - _B + _B * self.lengths[number] / mean
                scores[number] += weight * times * (_K1 + 1) / (times + _K1 * long)
        best = sorted(scores, key=lambda number: (-scores[number], number))[:count]
        return [self.passages[number] for number in best]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a passage and the line where it starts."""

    text: str
    name: str
    line: int
    score: float


def answer(
    index: Index, question: str, passages: Sequence[Passage], count: int = 4
) -> list[Sentence]:
    """The sentences of ``passages`` that say most about ``question``, each from another file."""
    asked = {word: index.weight(word) for word in words(question)}
    found = (
        Sentence(text, passage.name, line, _score(text, asked))
        for passage in passages
        for line, text in sentences(passage)
    )
    ranked = sorted(found, key=lambda sentence: -sentence.score)
    enough = ranked[0].score * _WORTH_SAYING if ranked else 0.0
    chosen: dict[str, Sentence] = {}
    for sentence in ranked:
        new = all(sentence.text != other.text for other in chosen.values())
        if new and sentence.score and sentence.score >= enough:
            chosen.setdefault(sentence.name, sentence)
    return list(chosen.values())[:count]


def telling_word(index: Index, sample: int = 500) -> str:
    """A word that sets this text apart, often in its sentences, rare in its passages; or ""."""
    said: Counter[str] = Counter()
    for passage in index.passages[:: max(1, len(index.passages) // sample)]:
        for _, text in sentences(passage):
            if _is_sentence(text):
                said.update({word for word in _WORD.findall(text.lower()) if len(word) >= 5})
    return max(
        said,
        key=lambda word: (math.log(1 + said[word]) * index.weight(_stem(word)), word),
        default="",
    )


def sentences(passage: Passage) -> Iterator[tuple[int, str]]:
    """The sentences of a passage with their lines; comment marks and quotes are taken off."""
    held, start = "", passage.line
    for line, raw in enumerate(passage.lines, start=passage.line):
        text = raw.strip().lstrip("#*").strip("\"' \t")
        if not text or not _is_prose(text):
            if held:
                yield start, held
            held = ""
            if text:
                yield line, text
            continue
        for position, piece in enumerate(_SENTENCE_END.split(text)):
            if held and (position or held[-1] in ".!?:"):
                yield start, held
                held = ""
            if not held:
                start = line
            held = f"{held} {piece}".strip()
    if held:
        yield start, held


def _is_prose(text: str) -> bool:
    """Whether a line reads like a part of a sentence rather than like code."""
    plain = sum(char.isalpha() or char in " ,.'" for char in text)
    code = "=" in text or text[-1] in "([{:" or text.startswith(_CODE)
    return text.count(" ") >= 2 and plain >= 0.9 * len(text) and not code


def _is_sentence(text: str) -> bool:
    return _is_prose(text) and text[0].isupper() and text.count(" ") >= 3


def _score(text: str, asked: dict[str, float]) -> float:
    """The weight of the question's words in ``text``: prose before code, short before long."""
    found = set(words(text))
    told = sum(weight for word, weight in asked.items() if word in found)
    return told * (2.0 if _is_sentence(text) else 1.0) / math.log2(16 + len(text) / 8)
