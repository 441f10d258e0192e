"""A Python program, run as the interpreter itself would run it.

Relied on: ``runpy._run_module_as_main``, which the interpreter calls for ``python -m``, and for a
folder or a zip file. It is private, and the same from Python 3.10 to 3.14.
"""

from __future__ import annotations

import builtins
import io
import os
import pkgutil
import runpy
import sys
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any


class ProgramError(Exception):
    """The program cannot be begun; the message says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """What ``python`` would be given: a script (or a folder, or a zip file), or ``-m`` a module.

    Attributes:
        target: path of the script, or name of the module.
        arguments: of the program.
        is_module: whether ``target`` names a module.
    """

    target: str
    arguments: tuple[str, ...] = ()
    is_module: bool = False

    @property
    def name(self) -> str:
        """What to call it: the script's name without its ending, or the module's."""
        if self.is_module:
            return self.target
        return os.path.splitext(os.path.basename(os.path.abspath(self.target)))[0]

    def check(self) -> None:
        """See whether there is something to run.

        Raises:
            ProgramError: the script cannot be read.
        """
        if self.is_module or os.path.isdir(self.target):
            return
        try:
            with io.open_code(os.path.abspath(self.target)):
                pass
        except OSError as error:
            raise ProgramError(
                f"can't open file {os.path.abspath(self.target)!r}: {error}"
            ) from error

    def execute(self) -> None:
        """Run it as ``__main__`` of this process; what it raises comes out.

        Its argv, ``sys.path[0]`` and ``__main__`` are those that it has without us. A traceback
        that the interpreter prints of it begins in the program.
        """
        main = sys.modules["__main__"] = ModuleType("__main__")
        vars(main)["__builtins__"] = builtins
        try:
            if self.is_module:
                _begin(["-m", *self.arguments], os.getcwd())
                _as_main(self.target, alter_argv=True)
            elif _holds_main(self.target):
                _begin([self.target, *self.arguments], None)
                sys.path.insert(0, os.path.abspath(self.target))
                _as_main("__main__", alter_argv=False)
            else:
                path = os.path.abspath(self.target)
                _begin([self.target, *self.arguments], os.path.dirname(os.path.realpath(path)))
                # 3.9 to 3.13 and later agree: __file__ is absolute, argv[0] is as it was given.
                vars(main).update(__file__=path, __loader__=SourceFileLoader("__main__", path))
                if sys.version_info < (3, 15):
                    vars(main)["__cached__"] = None
                if sys.version_info < (3, 14):
                    vars(main)["__annotations__"] = {}
                exec(_compiled(path), vars(main))
        except BaseException:
            _leave_out_our_frames()
            raise


def _begin(argv: list[str], folder: str | None) -> None:
    sys.argv = argv
    # Of the command, it is the folder that the command lies in; python -P puts none.
    if not getattr(sys.flags, "safe_path", False) and sys.path:
        if folder is None:
            del sys.path[0]
        else:
            sys.path[0] = folder


def _as_main(name: str, *, alter_argv: bool) -> None:
    run: Any = runpy._run_module_as_main  # type: ignore[attr-defined]
    run(name, alter_argv)


def _holds_main(target: str) -> bool:
    """Tell a folder or a zip file from a script."""
    return type(pkgutil.get_importer(target)).__name__ not in ("NoneType", "NullImporter")


def _compiled(path: str) -> CodeType:
    with io.open_code(path) as file:
        compiled: CodeType | None = pkgutil.read_code(file)  # of a .pyc file
    if compiled is None:
        with io.open_code(path) as file:
            compiled = compile(file.read(), path, "exec", dont_inherit=True)
    return compiled


def _leave_out_our_frames() -> None:
    """Let the interpreter print what is on its way from where the program begins."""
    hook = sys.excepthook

    def excepthook(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        theirs = _below_ours(traceback)
        hook(kind, error.with_traceback(theirs), theirs)

    sys.excepthook = excepthook


def _below_ours(traceback: TracebackType | None) -> TracebackType | None:
    """Skip what led to this module, and this module."""
    entry = traceback
    while entry is not None and not _is_ours(entry):
        entry = entry.tb_next
    while entry is not None and _is_ours(entry):
        entry = entry.tb_next
    return entry


def _is_ours(entry: TracebackType) -> bool:
    return entry.tb_frame.f_code.co_filename == __file__
