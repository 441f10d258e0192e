"""LangChain's own seams, and whoever else instruments it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from importlib.util import find_spec

from otelbridge.cli.doctor._check import Check, Patient, failed
from otelbridge.errors import ConfigurationError
from otelbridge.export import environment

_GROUP = "opentelemetry_instrumentor"
_DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_LIBRARIES = ("langchain", "langgraph")
_LANGSMITH = ("LANGSMITH_OTEL_ENABLED", "LANGCHAIN_OTEL_ENABLED")


def look(patient: Patient) -> Iterator[Check]:
    """Look at LangChain as it is installed, and at the other instrumentors."""
    yield _langchain()
    yield from _others(patient)
    yield from _langsmith(patient)


def _langchain() -> Check:
    if find_spec("langchain_core") is None:
        return Check("langchain", "ok", "not installed, so there is nothing to trace of it")
    told = f"langchain-core {version('langchain-core')}"
    with suppress(PackageNotFoundError):
        told += f", langgraph {version('langgraph')}"
    heard = _Heard()
    try:
        _enter(heard)
    except ConfigurationError as error:
        return failed("langchain", error)
    except Exception as error:
        return Check(
            "langchain",
            "fail",
            f"{told} cannot be imported ({error!r})",
            "set right what that names, else reinstall langchain-core",
        )
    if heard.said:
        return Check(
            "langchain",
            "warn",
            f"{told}: {heard.said[0]}",
            "upgrade otelbridge, or pin the version of langchain-core that it was made for",
        )
    return Check("langchain", "ok", f"{told}, entered where otelbridge enters it")


def _enter(heard: logging.Handler) -> None:
    """Instrument, import what is instrumented, and undo it."""
    from otelbridge import langchain

    logger = logging.getLogger("otelbridge")
    passes_on, logger.propagate = logger.propagate, False
    logger.addHandler(heard)
    try:
        with langchain.instrumented():
            for name in ("langchain_core.runnables", "langchain_core.tools"):
                import_module(name)
    finally:
        logger.removeHandler(heard)
        logger.propagate = passes_on


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def _others(patient: Patient) -> Iterator[Check]:
    disabled = (environment.text(patient.environ, _DISABLED) or "").replace(" ", "").split(",")
    found = [it for it in entry_points(group=_GROUP) if not it.value.startswith("otelbridge.")]
    rivals = [it for it in found if _is_rival(it) and not {it.name, "*"} & set(disabled)]
    rest = sorted({it.name for it in found} - {it.name for it in rivals})
    for it in rivals:
        package = it.dist.name if it.dist is not None else it.value
        yield Check(
            "other instrumentors",
            "warn",
            f"{package} traces LangChain too: where both are active, every run has two spans",
            f"{_DISABLED}={it.name} (for opentelemetry-instrument), or do not call its "
            f"instrument(), or pip uninstall {package}",
        )
    told = f"left alone: {', '.join(rest)}" if rest else "none is installed"
    yield Check("other instrumentors", "ok", told)


def _is_rival(entry: EntryPoint) -> bool:
    return any(library in f"{entry.name} {entry.value}".lower() for library in _LIBRARIES)


def _langsmith(patient: Patient) -> Iterator[Check]:
    for name in _LANGSMITH:
        if (patient.environ.get(name) or "").lower() in ("true", "1"):
            yield Check(
                "langsmith",
                "warn",
                f"{name} is on: LangSmith makes OpenTelemetry spans of every run too",
                f"unset {name} to have each run once",
            )
