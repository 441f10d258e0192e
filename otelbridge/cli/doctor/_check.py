"""One thing that the doctor looked at, and what each check is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from otelbridge.errors import OtelbridgeError

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, and what was found.

    Attributes:
        name: of the check; the same in every report.
        level: ``ok``; ``warn``: traces come through, but not as they could; ``fail``: they do not.
        found: in words.
        cure: what to do; empty where all is well.
    """

    name: str
    level: Level
    found: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at.

    Attributes:
        environ: the environment variables.
        endpoint: to look at in place of the one that the variables name.
        store: the store's file.
        timeout_s: for each answer from the network.
    """

    environ: Mapping[str, str]
    endpoint: str | None
    store: Path
    timeout_s: float


Look = Callable[[Patient], Iterator[Check]]


def failed(name: str, error: OtelbridgeError) -> Check:
    """Make a check of an error, whose message is what happened, a colon, and the cure."""
    found, colon, cure = str(error).rpartition(": ")
    if not colon:
        found, cure = str(error), ""
    elif "; " in cure:
        more, _, cure = cure.partition("; ")
        found = f"{found}: {more}"
    return Check(name, "fail", found, cure)
