"""``otelbridge doctor``: why no traces come, or what could be better."""

from __future__ import annotations

import logging
import os
import textwrap
from collections.abc import Iterator
from typing import Annotated

import typer

from otelbridge.cli._help import foot
from otelbridge.cli._options import JsonOption, StoreOption
from otelbridge.cli._output import Output
from otelbridge.cli._traces import file_of
from otelbridge.cli._values import counted
from otelbridge.cli.doctor import (
    _clock,
    _endpoint,
    _instrumentors,
    _sending,
    _setup,
    _spool,
    _store,
    _variables,
    _versions,
)
from otelbridge.cli.doctor._check import Check, Look, Patient

FOOT = foot(
    "otelbridge doctor",
    "otelbridge doctor --endpoint http://collector:4317 --send",
    "otelbridge doctor --json | jq '.checks[] | select(.level != \"ok\")'",
    status="0 no check failed, though some may warn; 1 some failed; 2 an option cannot be used.",
)
_LOOKS: dict[str, Look] = {
    "versions": _versions.look,
    "set-up": _setup.look,
    "endpoint": _endpoint.look,
    "clock": _clock.look,
    "store": _store.look,
    "spool": _spool.look,
    "instrumentors": _instrumentors.look,
    "variables": _variables.look,
}
_MARKS = {"ok": ("event", "✓"), "warn": ("outcome", "!"), "fail": ("error", "✗")}
_WIDTH = 100
_INDENT = 24


def doctor(
    send: Annotated[
        bool, typer.Option("--send", help="Send one real span, and wait until it has arrived.")
    ] = False,
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", metavar="URL", help="Look at this one, not at the set one."),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Seconds to wait for each answer.")
    ] = 5.0,
    json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Look for what keeps traces from coming, and say the cure of each.

    It looks at versions, the tracer provider, the endpoint (by a request that holds no span), the
    clocks, the store, what waits to be sent, other instrumentors, and every variable that is set.
    """
    logging.getLogger("otelbridge").setLevel(logging.CRITICAL)  # the checks say it themselves
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    if store is not None:
        os.environ["OTELBRIDGE_STORE"] = store
    output = Output()
    patient = Patient(dict(os.environ), endpoint, file_of(store), timeout)
    checks = []
    for check in _checks(patient, send=send):
        checks.append(check)
        if not json:
            _print(output, check)
    failed = sum(check.level == "fail" for check in checks)
    warned = sum(check.level == "warn" for check in checks)
    if json:
        output.json({"well": not failed, "checks": checks}, indent=2)
    else:
        problems = f"{counted(failed, 'problem')}, {counted(warned, 'warning')}"
        output.line()
        output.line(("error" if failed else "", problems if failed or warned else "All is well."))
    raise typer.Exit(1 if failed else 0)


def _checks(patient: Patient, *, send: bool) -> Iterator[Check]:
    looks = {**_LOOKS, "test span": _sending.look} if send else _LOOKS
    for name, look in looks.items():
        try:
            yield from look(patient)
        except Exception as error:
            yield Check(
                name,
                "fail",
                f"the check itself failed ({error!r})",
                "please report it, with the output of otelbridge doctor --json",
            )


def _print(output: Output, check: Check) -> None:
    style, mark = _MARKS[check.level]
    room = (output.width or _WIDTH) - 2 - _INDENT
    found = textwrap.wrap(check.found, max(20, room), break_on_hyphens=False)
    name = f" {check.name:<{_INDENT - 2}} "
    beside = found.pop(0) if found and len(name) == _INDENT else ""
    output.line((style, mark), ("name", name), ("", beside))
    cure = textwrap.wrap(check.cure, max(20, room - 2), break_on_hyphens=False)
    for line in found:
        output.line(("", " " * (_INDENT + 1) + line))
    for at, line in enumerate(cure):
        output.line(("", " " * (_INDENT + 1)), ("outcome", ("  " if at else "→ ") + line))
