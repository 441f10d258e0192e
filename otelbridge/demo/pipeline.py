"""The demo's two pipelines: one indexes files, the other answers a question.

Every step is a runnable, so every step is a run with a span. The steps tell their progress by
custom events and know nothing of who listens.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from otelbridge import (
    Runnable,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    dispatch_custom_event,
)

from . import corpus, search
from .corpus import CorpusError, Document, Files, Passage
from .search import Index

PARTS = 4
REPORTS = 4  # progress events of a step, or of one part of it, at most

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Found:
    """The passages that a search found for a question."""

    index: Index
    question: str
    passages: Sequence[Passage]


def index_files() -> Runnable[Files, Index]:
    """Read files, split them into passages and index these in parallel parts."""
    parts = {f"part_{number}": _index_part(number) for number in range(1, PARTS + 1)}
    read: RunnableLambda[Files, list[Document]] = RunnableLambda(load)
    whole: RunnableLambda[dict[str, Index], Index] = RunnableLambda(join)
    indexed = RunnableParallel[list[Passage]](parts).with_config(run_name="index")
    return (read | split | indexed | whole).with_config(run_name="index_files")


def load(files: Files) -> list[Document]:
    """Read every file; one that cannot be decoded is skipped, and an event says so."""
    documents = []
    for path in reporting("load", files.paths, len(files.paths)):
        try:
            documents.append(_read(path, files.name(path)))
        except UnicodeDecodeError as error:
            skipped = {"file": files.name(path), "reason": str(error)}
            dispatch_custom_event("file_skipped", skipped)
    if not documents:
        raise CorpusError(f"no file of {files.folder} is UTF-8 text.")
    return documents


def _read(path: Path, name: str) -> Document:
    data = path.read_bytes()
    try:
        return Document(name, data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        # A run for each of hundreds of files would bury the trace. A file that fails is decoded
        # again as a run of its own: its span holds the error, which the caller handles.
        return Document(name, decode.invoke(data))


def _decode(data: bytes) -> str:
    return data.decode("utf-8-sig")


decode: RunnableLambda[bytes, str] = RunnableLambda(_decode, name="decode")


def split(documents: list[Document]) -> list[Passage]:
    """Cut every document into passages."""
    reported = reporting("split", documents, len(documents))
    return [passage for document in reported for passage in corpus.split(document)]


def _index_part(number: int) -> RunnableLambda[list[Passage], Index]:
    """Index every ``PARTS``-th passage, beginning with the one at ``number - 1``."""

    def part(passages: list[Passage]) -> Index:
        index = Index(passages)
        mine = range(number - 1, len(passages), PARTS)
        for place in reporting("index", mine, len(passages)):
            index.add(place)
        return index

    return RunnableLambda(part, name=f"part_{number}")


def join(parts: dict[str, Index]) -> Index:
    """Make one index of the parts."""
    index = Index.join(list(parts.values()))
    dispatch_custom_event(
        "indexed", {"passages": len(index.passages), "words": len(index.postings)}
    )
    return index


def search_index(index: Index) -> Runnable[str, Found]:
    """Search ``index``; the first attempt fails on purpose, so that a retry can be watched."""
    attempts = itertools.count(1)

    def attempt_search(question: str) -> Found:
        attempt = next(attempts)
        if attempt == 1:
            failure = ConnectionError("fails on purpose, to show a retry")
            dispatch_custom_event("attempt_failed", {"number": attempt, "reason": str(failure)})
            raise failure
        passages = index.best(question)
        dispatch_custom_event("passages_found", {"attempt": attempt, "count": len(passages)})
        return Found(index, question, passages)

    searching: RunnableLambda[str, Found] = RunnableLambda(attempt_search, name="search")
    return searching.with_retry(
        retry_if_exception_type=(ConnectionError,),
        wait_exponential_jitter=False,
        stop_after_attempt=2,
    )


def answer() -> Runnable[Found, str]:
    """Stream the answer: the best sentences word by word, each with the line where it stands."""
    return RunnableGenerator(_answer, name="answer")


def _answer(found: Iterator[Found]) -> Iterator[str]:
    for one in found:
        sentences = search.answer(one.index, one.question, one.passages)
        for sentence in sentences:
            source = f"{sentence.name}:{sentence.line}"
            yield from (f" {word}" for word in sentence.text.split())
            yield f"\n    ({source})\n"
            dispatch_custom_event("cited", {"source": source, "score": round(sentence.score, 2)})
        if not sentences:
            yield " Nothing in this text holds a word of the question.\n"


def reporting(step: str, items: Sequence[Item], total: int) -> Iterator[Item]:
    """Yield ``items`` and dispatch ``progress`` events on the way.

    ``total`` is the size of the whole step, of which ``items`` may be one part of several.
    """
    every = math.ceil(len(items) / REPORTS) or 1
    for start in range(0, len(items), every):
        some = items[start : start + every]
        yield from some
        dispatch_custom_event("progress", {"step": step, "advance": len(some), "total": total})
