"""The command ``otelbridge``.

One module for each command. They need what the extra ``view`` installs, so nothing of them is
imported by the library.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

_NEEDED = ("rich", "typer")
_CURE = "otelbridge: the command needs more than the library: pip install 'otelbridge[view]'"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: the arguments after the command's name; those of this process when left out.

    Returns:
        The exit status; ``otelbridge --help`` says what each one means. Of a program that
        ``otelbridge run`` runs, what it raises comes out of here, SystemExit included.
    """
    try:
        from otelbridge.cli._app import call
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        print(_CURE, file=sys.stderr)
        return 2
    status, program = call(sys.argv[1:] if argv is None else argv)
    if program is not None:
        # Only now, so that none of the command's own frames stand between it and the program.
        program.execute()
    return status
