"""The command ``otelbridge``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from otelbridge._version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: the arguments after the command's name; those of this process when left out.

    Returns:
        The exit status. Wrong arguments leave by SystemExit, as argparse does.
    """
    options = _parser().parse_args(argv)
    if options.command == "demo":
        # Only now: the other commands need neither the demo nor the OpenTelemetry SDK.
        from otelbridge import demo

        return demo.run(options.folder)
    _parser().print_help()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="otelbridge", description="Runs and custom events as OpenTelemetry traces."
    )
    parser.add_argument("--version", action="version", version=f"otelbridge {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser(
        "demo", help="index and search a folder of text, and print the trace"
    )
    demo.add_argument(
        "folder", nargs="?", help="folder of text files (default: Python's own standard library)"
    )
    return parser
