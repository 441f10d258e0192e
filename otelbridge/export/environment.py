"""Environment variables read strictly: a value that cannot be used raises and says the cure.

As the OpenTelemetry specification has it, a variable that is empty counts as unset.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import unquote

from otelbridge.errors import ConfigurationError

Environ = Mapping[str, str]


def text(environ: Environ, *names: str) -> str | None:
    """Return the first of these variables that is set, stripped; None where none is."""
    return next((value for _, value in _found(environ, names)), None)


def flag(environ: Environ, *names: str) -> bool | None:
    """Read the first of these variables that is set, as true or false.

    Raises:
        ConfigurationError: it is neither.
    """
    for name, value in _found(environ, names):
        if value.lower() not in ("true", "false"):
            raise refused(name, value, "true or false")
        return value.lower() == "true"
    return None


def number(environ: Environ, *names: str, whole: bool = False) -> float | None:
    """Read the first of these variables that is set, as a number above zero.

    Raises:
        ConfigurationError: it is not.
    """
    for name, value in _found(environ, names):
        try:
            found = float(int(value)) if whole else float(value)
        except ValueError:
            found = 0.0
        if not 0 < found < float("inf"):
            raise refused(name, value, f"a {'whole ' * whole}number above 0")
        return found
    return None


def pairs(environ: Environ, *names: str) -> dict[str, str]:
    """Read the first of these variables that is set, as ``key=value`` pairs with commas between.

    Raises:
        ConfigurationError: a pair has no key or no equals sign. Values may be secrets, so the
            message does not show them.
    """
    for name, value in _found(environ, names):
        found = {}
        for at, item in enumerate(filter(None, map(str.strip, value.split(","))), 1):
            key, equals, item_value = item.partition("=")
            if not key.strip() or not equals:
                raise ConfigurationError(
                    f"{name} cannot be used: item {at} is not of the form key=value; "
                    "write key1=value1,key2=value2"
                )
            found[unquote(key).strip()] = unquote(item_value).strip()
        return found
    return {}


def choice(environ: Environ, *names: str, among: tuple[str, ...]) -> str | None:
    """Read the first of these variables that is set, as one of the given lower-case words.

    Raises:
        ConfigurationError: it is another word.
    """
    for name, value in _found(environ, names):
        if value.lower() not in among:
            raise refused(name, value, " or ".join(among))
        return value.lower()
    return None


def plugin(group: str, name: str) -> Any:
    """Load what an installed package offers under ``name`` in an entry point group, or None.

    Raises:
        ConfigurationError: it is offered but cannot be loaded.
    """
    for entry in entry_points(group=group, name=name):
        try:
            return entry.load()
        except Exception as error:
            raise ConfigurationError(
                f"{name!r} of {group} cannot be loaded ({error!r}): reinstall the package that "
                "offers it, or choose another"
            ) from error
    return None


def refused(name: str, value: str, expected: str) -> ConfigurationError:
    """Return the error for a variable whose value cannot be used."""
    return ConfigurationError(f"{name}={value!r} cannot be used: set it to {expected}, or unset it")


def _found(environ: Environ, names: tuple[str, ...]) -> list[tuple[str, str]]:
    stripped = ((name, environ.get(name, "").strip()) for name in names)
    return [(name, value) for name, value in stripped if value]
