"""Which outputs a set-up has: the rule of precedence, and how each is made."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter

from otelbridge.export import environment, official, otlp
from otelbridge.export.arguments import Arguments
from otelbridge.export.batching import Batching
from otelbridge.export.console import ConsoleTree
from otelbridge.export.environment import Environ
from otelbridge.export.keeping import Keeping
from otelbridge.export.otlp import Target
from otelbridge.export.pipeline import Pipeline
from otelbridge.export.sender import Sender
from otelbridge.export.storing import Storing

logger = logging.getLogger("otelbridge")

_VARIABLE = "OTEL_TRACES_EXPORTER"
_OTLP_NAMES = {"otlp": None, "otlp_proto_grpc": otlp.GRPC, "otlp_proto_http": otlp.HTTP}
_LONGEST_S = 3600.0  # a socket's limit has a limit
_CURE = (
    "pass console=True to print traces, or endpoint= (or set OTEL_EXPORTER_OTLP_ENDPOINT) "
    'to send them, for example to "http://localhost:4318"'
)
_STORE = "otelbridge"


@dataclass(frozen=True)
class Output:
    """One place that finished spans go to.

    Attributes:
        where: what a person would call it.
        make: returns its processor for a service of this name; called once, when everything else
            is known to be right. None: there is none after all, and a log line has said why.
    """

    where: str
    make: Callable[[str], SpanProcessor | None]


def outputs(arguments: Arguments, environ: Environ, foreign: list[str]) -> list[Output] | None:
    """Work out the outputs, without making them.

    Args:
        arguments: of ``configure``.
        environ: the standard variables.
        foreign: the span processors that the application's provider has already.

    Returns:
        The outputs. None: nobody has asked for any, nor for none.

    Raises:
        ConfigurationError: a name or a setting cannot be used.
    """
    names = _names(arguments, environ, foreign)
    storing = Storing.of(arguments, environ)
    if names is None and not foreign and storing.wanted is None:
        names = [_STORE]
    into_store = storing.wanted
    if into_store and foreign and not storing.by_argument:
        into_store = None
    names = _with(names, _STORE, into_store)
    names = _with(names, "console", arguments.console)
    if names is None:
        _say_why(foreign)
        return None
    return [_output(name, arguments, environ) for name in names]


def _with(names: list[str] | None, name: str, wanted: bool | None) -> list[str] | None:
    """Add a name or take it away; None for neither."""
    if wanted:
        return list(dict.fromkeys([*(names or ()), name]))
    if wanted is False and names is not None:
        return [each for each in names if each != name]
    return names


def _names(arguments: Arguments, environ: Environ, foreign: list[str]) -> list[str] | None:
    if arguments.endpoint is not None:
        return ["otlp"]
    if foreign:
        return None
    if (listed := environment.text(environ, _VARIABLE)) is not None:
        return _listed(listed)
    return ["otlp"] if otlp.endpoint_is_set(environ) else None


def _listed(value: str) -> list[str]:
    names = list(dict.fromkeys(name.strip().lower() for name in value.split(",") if name.strip()))
    if "none" in names and len(names) > 1:
        raise environment.refused(_VARIABLE, value, "none alone, or the exporters without none")
    return [] if names == ["none"] else names


def _output(name: str, arguments: Arguments, environ: Environ) -> Output:
    if name == "console":
        return Output("console", lambda service: ConsoleTree())
    if name == _STORE:
        storing = Storing.of(arguments, environ)
        return Output(storing.where, storing.sink)
    batching = Batching.of(environ)
    if name in _OTLP_NAMES:
        target = otlp.target(arguments, environ, _OTLP_NAMES[name])
        keeping = Keeping.of(arguments, environ)
        return Output(target.where, partial(_pipeline, target, keeping, batching, name))
    offered = environment.plugin("opentelemetry_traces_exporter", name)
    if offered is None:
        raise environment.refused(
            _VARIABLE,
            name,
            "otlp, otelbridge, console or none, or install the package that has this exporter",
        )
    return Output(name, partial(_sender, offered, name))


def _pipeline(
    target: Target, keeping: Keeping, batching: Batching, name: str, service: str
) -> SpanProcessor:
    # With two OTLP outputs, each has what it could not send: a service's spool is for one of them.
    kept_for = service if name == "otlp" else f"{service} {name}"
    exporter = f"otlp_{target.protocol.partition('/')[0]}_span_exporter"
    route = keeping.route(official.channel(target), kept_for, exporter)
    timeout_s = min(target.timeout_s, batching.timeout_s or target.timeout_s, _LONGEST_S)
    return Pipeline(route, replace(batching, timeout_s=timeout_s))


def _sender(exporter: Callable[[], SpanExporter], where: str, service: str) -> SpanProcessor:
    """Return the SDK's own pipeline: another package's exporter takes spans, not bytes."""
    return Sender(exporter(), where)


def _say_why(foreign: list[str]) -> None:
    if foreign:
        logger.info(
            "otelbridge adds no exporter, so that nothing is sent twice: the tracer provider has "
            "a span processor already (%s). Pass endpoint= to send to a second place",
            ", ".join(foreign),
        )
    else:
        logger.warning("otelbridge sends nothing: %s", _CURE)
