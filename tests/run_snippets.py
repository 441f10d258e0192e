"""Executes the Python snippets of a Markdown file, as one program, and checks their output.

    python tests/run_snippets.py [--alone] [FILE]          (default: README.md)

``--alone`` leaves out the blocks that begin with ```` ```python langchain ````, which need it.
A ``text`` block that follows a ``python`` block, with at most prose between, is what the snippet
must print, with the wildcards of ``expected_output``. Later snippets see earlier ones' names.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from expected_output import difference

_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Snippet:
    """One Python block: where it stands, its code, and what it must print (None: anything)."""

    line: int
    code: str
    expected: str | None
    needs: str  # a package, or nothing


def snippets(markdown: str) -> Iterator[Snippet]:
    """The Python blocks of a document, each with the text block that follows it."""
    blocks = [
        (match[1], match[2].strip(), markdown.count("\n", 0, match.start(3)) + 1, match[3])
        for match in _BLOCK.finditer(markdown)
    ]
    for (language, needs, line, code), (following, _, _, text) in zip(
        blocks, [*blocks[1:], ("", "", 0, "")], strict=True
    ):
        if language == "python":
            yield Snippet(line, code, text if following == "text" else None, needs)


def main() -> int:
    """Run the file's snippets; the exit status says whether all are right."""
    arguments = sys.argv[1:]
    alone = "--alone" in arguments
    if alone:
        arguments.remove("--alone")
    path = Path(*arguments) if arguments else Path(__file__).parent.parent / "README.md"
    path = path.absolute()
    found = [it for it in snippets(path.read_text("utf-8")) if not (alone and it.needs)]
    program = sys.modules["__main__"] = ModuleType("__main__")
    failed = 0
    with away_from_home():
        for snippet in found:
            fault = run(snippet, path, program)
            failed += bool(fault)
            print(f"{'FAILED' if fault else 'ok':<6} {path.name}:{snippet.line}")
            if fault:
                print(fault)
    print(f"{len(found) - failed} snippets as written, {failed} failed")
    return 1 if failed or not found else 0


@contextlib.contextmanager
def away_from_home() -> Iterator[None]:
    """Within, a folder that is deleted afterwards is the working folder, and the user's own."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("XDG_DATA_HOME", "XDG_STATE_HOME"):
            os.environ[name] = folder
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def run(snippet: Snippet, path: Path, program: ModuleType) -> str:
    """Execute one snippet as a part of ``program``; what is wrong, or an empty text."""
    # Empty lines before it give tracebacks the document's own line numbers.
    source = "\n" * (snippet.line - 1) + snippet.code
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            code = compile(source, str(path), "exec", dont_inherit=True)
            exec(code, program.__dict__)
        except Exception:
            return printed.getvalue() + traceback.format_exc()
    if snippet.expected is None:
        return ""
    return difference(snippet.expected, printed.getvalue())


if __name__ == "__main__":
    sys.exit(main())
