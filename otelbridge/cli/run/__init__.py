"""``otelbridge run``: a program as ``python`` runs it, with its traces in the store."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from otelbridge.cli._help import foot
from otelbridge.cli._options import StoreOption
from otelbridge.cli._program import Program, ProgramError
from otelbridge.errors import OtelbridgeError

FOOT = foot(
    "otelbridge run app.py --port 8000",
    "otelbridge run -m uvicorn app:api",
    "otelbridge run --quiet -- app.py < questions.txt > answers.txt",
    status="that of the program; 2 where it could not be begun.",
)
SETTINGS = {"ignore_unknown_options": False, "allow_interspersed_args": False}


def run(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(metavar="[--] SCRIPT|MODULE [ARGUMENTS]...", help="What to run."),
    ],
    is_module: Annotated[
        bool, typer.Option("-m", help="It is the name of a module, as for python -m.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Draw no live tree on the terminal.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Run a Python program, and write its traces to the store.

    LangChain and LangGraph are traced where they are installed. The program keeps its arguments,
    standard input and output, signals and exit status; what it runs is drawn on standard error,
    where that is a terminal.
    """
    from otelbridge.cli.run._observe import observe

    program = Program(words[0], tuple(words[1:]), is_module)
    try:
        program.check()
        observe(program.name, store, live=not quiet)
    except (ProgramError, OtelbridgeError) as error:
        print(f"otelbridge run: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    context.find_root().obj.append(program)
