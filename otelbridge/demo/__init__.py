"""A pipeline over real text, to watch: ``make demo``, or ``otelbridge demo [FOLDER]``.

It indexes a folder of text and answers a question about it, with no model and no network.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from otelbridge import RunnableConfig, start_run
from otelbridge.export.terminal import showable, wants_colour, width_of
from otelbridge.export.tree import render
from otelbridge.testing import capture_runs

from .corpus import CorpusError, Files, counted, default_folder, find_files
from .pipeline import answer, index_files, search_index
from .progress import ProgressBar
from .search import Index, telling_word

__all__ = ["run"]

QUESTION = "What happens when a future is cancelled?"
_NOT_UTF8 = b"The demo makes this file. Its last word is not UTF-8: caf\xe9\n"
_CHECKOUT = Path(__file__).parents[2]


def run(folder: str | None = None, question: str | None = None) -> int:
    """Index the text of ``folder``, answer a question about it and print the trace.

    Args:
        folder: where to find text; None means the standard library's sources.
        question: None means one that is chosen for the text.

    Returns:
        The exit code: 0, or 2 where the folder cannot be used.
    """
    try:
        files = find_files(None if folder is None else Path(folder))
        _watch(files, question, sys.stdout)
    except CorpusError as error:
        print(f"otelbridge demo: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader has seen enough, as in `otelbridge demo | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _watch(files: Files, question: str | None, out: TextIO) -> None:
    """Run both pipelines as one run, with a progress bar as its handler."""
    print(
        f"{counted(len(files.paths), 'text file')} in {files.folder}{_left_out(files)}\n", file=out
    )
    config: RunnableConfig = {"callbacks": [ProgressBar(out)]}
    with tempfile.TemporaryDirectory() as made, capture_runs() as runs:
        broken = Path(made, "not-utf8.txt")
        broken.write_bytes(_NOT_UTF8)
        with start_run("demo", config=config):
            index = index_files().invoke(replace(files, paths=(*files.paths, broken)))
            asked = question or _question(files, index)
            found = search_index(index).invoke(asked)
            print(f"\nQuestion: {asked}\nAnswer:", file=out)
            for piece in answer().stream(found):
                print(piece, end="", file=out, flush=True)
    print("\nThe trace, with each custom event on the run that dispatched it:\n", file=out)
    tree = render(runs.spans, colour=wants_colour(out), width=width_of(out))
    print(f"{showable(tree, out)}\nNext:", file=out)
    for command, what in _next_steps():
        print(f"  {command:<52}  {what}", file=out)


def _left_out(files: Files) -> str:
    return f" ({files.left_out:,} more are left out: the demo reads a few MB)" * bool(
        files.left_out
    )


def _question(files: Files, index: Index) -> str:
    if files.folder == default_folder():
        return QUESTION
    return f"What is said about {telling_word(index)}?"


def _next_steps() -> list[tuple[str, str]]:
    """What to try, as commands that work from where the demo was started."""
    if not (_CHECKOUT / "examples" / "guide_handler.py").exists():
        return [("otelbridge demo FOLDER", "the same over text of your own")]
    here = Path.cwd() == _CHECKOUT
    python = Path(sys.executable)
    # The interpreter of `make demo` lies in the checkout: a path from there is short.
    shown = python.relative_to(_CHECKOUT) if here and _CHECKOUT in python.parents else python
    example = Path("examples", "guide_handler.py")
    return [
        ("make demo FOLDER=...", "the same over text of your own"),
        (f"{shown} {example if here else _CHECKOUT / example}", "a program of 20 lines"),
        ("README.md", "how to send traces to Jaeger or another backend"),
    ]
