"""The commands that there are, and how an argument list reaches one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from otelbridge._version import __version__
from otelbridge.cli import (
    demo,
    doctor,
    export,
    import_,
    list,
    prune,
    run,
    search,
    show,
    tail,
    view,
)
from otelbridge.cli._help import foot, prose
from otelbridge.cli._program import Program
from otelbridge.errors import ConfigurationError, OtelbridgeError

app = typer.Typer(
    name="otelbridge",
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add(name: str, command: Callable[..., None], epilog: str, **more: Any) -> None:
    app.command(name, help=prose(command), epilog=epilog, **more)(command)


_add("demo", demo.demo, demo.FOOT)
_add("run", run.run, run.FOOT, context_settings=run.SETTINGS)
_add("list", list.list_, list.FOOT)
_add("show", show.show, show.FOOT)
_add("tail", tail.tail, tail.FOOT)
_add("search", search.search, search.FOOT)
_add("view", view.view, view.FOOT)
_add("export", export.export, export.FOOT)
_add("import", import_.import_, import_.FOOT)
_add("prune", prune.prune, prune.FOOT)
_add("doctor", doctor.doctor, doctor.FOOT)


def _say_version(asked: bool) -> None:
    if asked:
        print(f"otelbridge {__version__}")
        raise typer.Exit


@app.callback(
    invoke_without_command=True,
    epilog=foot(
        "otelbridge run app.py --port 8000",
        "otelbridge show last",
        "otelbridge view --open",
        "otelbridge doctor",
        status="0 all is well; 1 what was asked for is not there, or failed, or is not well; "
        "2 the command line or a setting cannot be used; 130 interrupted. "
        "otelbridge run ends with the status of the program that it runs.",
    ),
)
def otelbridge(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Make traces of runs and custom events, watch them, and look at them."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def call(argv: Sequence[str]) -> tuple[int, Program | None]:
    """Do what an argument list says.

    Returns:
        The exit status, and the program that is to be run now, if any.
    """
    programs: Sequence[Program] = []  # what a command leaves for when it is off the stack
    try:
        typer.main.get_command(app).main([*argv], prog_name="otelbridge", obj=programs)
    except SystemExit as left:
        return _status(left.code), programs[0] if programs and not left.code else None
    except OtelbridgeError as error:
        print(f"otelbridge: {error}", file=sys.stderr)
        return (2 if isinstance(error, ConfigurationError) else 1), None
    return 0, None  # not reached: typer leaves by SystemExit


def _status(code: object) -> int:
    return code if isinstance(code, int) else 0 if code is None else 1
