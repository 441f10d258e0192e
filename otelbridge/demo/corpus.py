"""The text that the demo reads: which files, and the passages they are cut into."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = (
    *("asyncio", "collections", "concurrent", "ctypes", "email", "html", "http", "importlib"),
    *("json", "logging", "multiprocessing", "sqlite3", "unittest", "urllib", "wsgiref", "xml"),
)
"""What is read by default: these packages of the standard library, about 190 files and 3 MB."""

MAX_FILES = 1_000
MAX_FILE_BYTES = 1024 * 1024
MAX_BYTES = 8 * 1024 * 1024
PASSAGE_LINES = 24

_SKIPPED_FOLDERS = {"__pycache__", "node_modules", "test", "tests"}


class CorpusError(Exception):
    """The folder cannot be used; the message says why and what to give instead."""


@dataclass(frozen=True, slots=True)
class Document:
    """One decoded file. ``name`` is its path from the folder, as it is cited."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """Some lines of a document that stand together; ``line`` counts from 1."""

    name: str
    line: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Files:
    """What was found: the files to read, and how many were left because of a bound."""

    folder: Path
    paths: tuple[Path, ...]
    left_out: int = 0

    def name(self, path: Path) -> str:
        """The name that a file is cited by: its path from the folder."""
        return (
            path.relative_to(self.folder).as_posix() if self.folder in path.parents else path.name
        )


def default_folder() -> Path:
    """Where this interpreter keeps its standard library."""
    return Path(sysconfig.get_path("stdlib"))


def find_files(folder: Path | None) -> Files:
    """The text files below ``folder``; None means a part of the standard library.

    Raises:
        CorpusError: the folder is missing, is no folder, or holds no text.
    """
    root = default_folder() if folder is None else folder
    if not root.exists():
        raise CorpusError(f"there is no folder {root}. Give a folder that holds text files.")
    if not root.is_dir():
        raise CorpusError(f"{root} is not a folder. Give the folder that holds it.")
    paths = _standard_library(root) if folder is None else list(_walk(root))
    if not paths:
        raise CorpusError(f"{root} holds no files. Give a folder that holds text files.")
    texts = [(path, size) for path in paths if (size := _text_size(path))]
    if not texts:
        raise CorpusError(
            f"{root} holds {counted(len(paths), 'file')}, but no text: what is there is empty or "
            "binary. Give a folder that holds text files."
        )
    kept = tuple(_within_bounds(texts))
    if not kept:
        raise CorpusError(f"every text file of {root} is over {MAX_FILE_BYTES:,} bytes.")
    return Files(root, kept, len(texts) - len(kept))


def split(document: Document) -> list[Passage]:
    """Cut a document at its empty lines into passages of up to ``PASSAGE_LINES`` lines."""
    passages: list[Passage] = []
    start, held = 1, list[str]()
    for number, line in enumerate(document.text.splitlines(), start=1):
        full = len(held) >= PASSAGE_LINES
        if full or (not line.strip() and len(held) >= PASSAGE_LINES // 2):
            passages.append(Passage(document.name, start, tuple(held)))
            held = []
        if not held:
            if not line.strip():
                continue
            start = number
        held.append(line)
    if held:
        passages.append(Passage(document.name, start, tuple(held)))
    return passages


def _standard_library(root: Path) -> list[Path]:
    found = (path for name in PACKAGES for path in _walk(root / name))
    return [path for path in found if path.suffix == ".py"]


def _walk(root: Path) -> Iterator[Path]:
    """Files below ``root`` in a fixed order; links, hidden and generated folders are left out."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(n for n in folders if n[0] != "." and n not in _SKIPPED_FOLDERS)
        for name in sorted(files):
            path = Path(folder, name)
            if name[0] != "." and path.is_file() and not path.is_symlink():
                yield path


def _text_size(path: Path) -> int:
    """Bytes of a file that may be text; 0 for an empty, a binary or an unreadable one."""
    try:
        with path.open("rb") as file:
            return 0 if b"\0" in file.read(1024) else path.stat().st_size
    except OSError:
        return 0


def _within_bounds(texts: Iterable[tuple[Path, int]]) -> Iterator[Path]:
    """As many files as the demo reads in a few seconds."""
    files = total = 0
    for path, size in texts:
        if size <= MAX_FILE_BYTES and files < MAX_FILES and total + size <= MAX_BYTES:
            files += 1
            total += size
            yield path


def counted(number: int, noun: str) -> str:
    """``1 file``, ``1,000 files``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
