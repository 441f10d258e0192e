"""Where spans are kept on disk: as the arguments say, then OTELBRIDGE_SPOOL and _DURABLE."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from platformdirs import user_state_path

from otelbridge.errors import ConfigurationError
from otelbridge.export import environment
from otelbridge.export.arguments import Arguments
from otelbridge.export.channel import Channel
from otelbridge.export.dead_letters import DeadLetters
from otelbridge.export.environment import Environ
from otelbridge.export.route import Route
from otelbridge.export.spool import Spool

_SPOOL = "OTELBRIDGE_SPOOL"
_DURABLE = "OTELBRIDGE_DURABLE"
_SWITCHES = frozenset({"true", "false", "yes", "no", "on", "0", "1", "none", "disabled"})


@dataclass(frozen=True)
class Keeping:
    """What is kept on disk.

    Attributes:
        folder: of the spool and the dead letters; None: nothing is kept on disk.
        durable: whether each span is on disk before its end returns.
    """

    folder: Path | None
    durable: bool = False

    @classmethod
    def of(cls, arguments: Arguments, environ: Environ) -> Keeping:
        """Read it from the arguments, then the environment. No folder is made.

        Raises:
            ConfigurationError: a variable cannot be used, or one contradicts another.
        """
        durable = arguments.durable
        if durable is None:
            durable = environment.flag(environ, _DURABLE) or False
        folder = _folder(arguments, environ)
        if durable and folder is None:
            raise ConfigurationError(
                f"durable needs the spool, which is off: leave spool=False or {_SPOOL}=off out, "
                f"or durable=True or {_DURABLE}"
            )
        return cls(folder, durable)

    def route(self, channel: Channel, service: str, exporter: str) -> Route:
        """Return the way through a channel, with what this keeps for a service."""
        if self.folder is None:
            return Route(channel, exporter=exporter)
        return Route(
            channel,
            open_spool=partial(Spool.open, self.folder, service),
            dead_letters=DeadLetters(self.folder, service),
            durable=self.durable,
            exporter=exporter,
        )


def _folder(arguments: Arguments, environ: Environ) -> Path | None:
    if arguments.spool is not None:
        return None if arguments.spool is False else Path(arguments.spool).absolute()
    named = environment.text(environ, _SPOOL)
    if named is None:
        return _default_folder()
    if named.lower() in _SWITCHES:
        raise environment.refused(
            _SPOOL, named, f"off for no spool, or the path of a folder (./{named} for this one)"
        )
    return None if named.lower() == "off" else Path(named).expanduser().absolute()


def _default_folder() -> Path:
    """Return the user's own state folder; for a user without a home, as in a container, another."""
    with suppress(RuntimeError):  # newer versions of platformdirs say so, older ones return "~"
        folder = user_state_path("otelbridge", appauthor=False)
        if folder.is_absolute():
            return folder / "spool"
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"otelbridge-{user}" / "spool"
