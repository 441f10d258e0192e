"""Options that several commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from otelbridge.cli._values import duration_ns, moment_ns
from otelbridge.store.records import Filter

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="FILE",
        envvar="OTELBRIDGE_STORE",
        help="File of the store; without it, the one in the user's data folder.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]

_STATUSES = ("unset", "ok", "error")
_STATES = ("running", "ended", "lost")


def _word(*among: str) -> Callable[[str | None], str | None]:
    def check(value: str | None) -> str | None:
        if value is not None and value not in among:
            raise typer.BadParameter(f"{value!r} is none of {', '.join(among)}")
        return value

    return check


def _option(flag: str, metavar: str, told: str, **more: Any) -> Any:
    return Annotated[str | None, typer.Option(flag, metavar=metavar, help=told, **more)]


_FILTERS: dict[str, Any] = {
    "service": _option("--service", "NAME", "Of this service."),
    "status": _option("--status", "STATUS", "unset, ok or error.", callback=_word(*_STATUSES)),
    "state": _option("--state", "STATE", "running, ended or lost.", callback=_word(*_STATES)),
    "name": _option("--name", "NAME", "With a span of this name."),
    "event": _option("--event", "NAME", "With an event of this name."),
    "tag": _option("--tag", "TAG", "With a run of this tag."),
    "metadata": _option("--metadata", "KEY[=VALUE]", "With a run of this metadata."),
    "run_id": _option("--run-id", "ID", "With this run."),
    "since": _option("--since", "TIME", "Begun since: 10m (ago), or 2026-11-23T12:30."),
    "until": _option("--until", "TIME", "Begun before."),
    "min_duration": _option("--min-duration", "TIME", "That took so long: 250ms, 2s."),
}


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a ``Filter``, and it the filter as ``filter``."""
    # Not get_type_hints: for Python 3.10 a default of None hides what is annotated.
    signature = inspect.signature(command, eval_str=True)
    own = [it for name, it in signature.parameters.items() if name != "filter"]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in _FILTERS.items()
    ]

    @wraps(command)
    def with_filter(**given: Any) -> None:
        wanted = _filter(**{name: given.pop(name) for name in _FILTERS})
        command(filter=wanted, **given)

    parameters = [it.replace(kind=inspect.Parameter.KEYWORD_ONLY) for it in own] + options
    # This is what typer reads.
    seen: Any = with_filter
    seen.__signature__ = signature.replace(parameters=parameters)
    seen.__annotations__ = {it.name: it.annotation for it in parameters} | {"return": None}
    del seen.__wrapped__
    return with_filter


def _filter(
    *,
    since: str | None,
    until: str | None,
    min_duration: str | None,
    metadata: str | None,
    **given: Any,
) -> Filter:
    key, equals, value = (metadata or "").partition("=")
    return Filter(
        **given,
        metadata=(key, value if equals else None) if key else None,
        since_ns=None if since is None else moment_ns(since),
        until_ns=None if until is None else moment_ns(until),
        min_duration_ns=None if min_duration is None else duration_ns(min_duration),
    )
