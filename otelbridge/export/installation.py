"""What one set-up changes in the process, and how that is undone."""

from __future__ import annotations

import atexit
import logging
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor

from otelbridge import _tracing
from otelbridge._bounds import ARGUMENTS
from otelbridge.errors import ConfigurationError
from otelbridge.export import environment, stop
from otelbridge.export.arguments import Arguments
from otelbridge.export.environment import Environ
from otelbridge.export.handle import Handle
from otelbridge.export.identity import Identity
from otelbridge.export.outputs import Output, outputs
from otelbridge.export.pipeline import Pipeline
from otelbridge.export.provider import (
    OwnProvider,
    Relay,
    add,
    foreign_processors,
    global_provider,
    remove,
    takes_processors,
)
from otelbridge.store.sink import StoreSink

logger = logging.getLogger("otelbridge")

_OF_OTLP = ("protocol", "headers", "insecure", "certificate", "durable", "spool")
_OF_A_PROVIDER = ("service_name", "resource_attributes", "sampler")


@dataclass(frozen=True)
class Installation:
    """One set-up, worked out and made, but not yet in force.

    Attributes:
        recording: what runs record.
        provider: the application's, or ours; None where there is none and none is needed.
        identity: what a provider of ours is renewed with.
        outputs: where spans go, in words.
        processors: what takes them there.
        sigterm: whether SIGTERM may be taken.
    """

    recording: _tracing.Recording
    provider: trace.TracerProvider | None
    identity: Identity | None
    outputs: tuple[str, ...]
    processors: tuple[SpanProcessor, ...]
    sigterm: bool

    def install(self) -> Handle:
        """Put the set-up in force."""
        relay = self._relay()
        relay.targets = self.processors
        tracing = _tracing.Tracing(self.provider, self.recording)
        previous = _tracing.set_default(tracing)
        accounted = tuple(it for it in self.processors if isinstance(it, (Pipeline, StoreSink)))
        unwatch = stop.watch(accounted, sigterm=self.sigterm)

        def undo() -> None:
            if _tracing.default() is tracing:
                _tracing.set_default(previous)
            relay.shutdown()
            if not isinstance(self.provider, OwnProvider):
                remove(self.provider, relay)
            unwatch()
            atexit.unregister(handle.shutdown)

        handle = Handle(relay, self.outputs, undo, accounted)
        atexit.register(handle.shutdown)
        return handle

    def _relay(self) -> Relay:
        if isinstance(self.provider, OwnProvider):
            if self.identity is not None:
                self.provider.renew(self.identity)
            if global_provider() is None:
                trace.set_tracer_provider(self.provider)
            return self.provider.relay
        relay = Relay()
        if self.processors:
            add(self.provider, relay)
        return relay


def plan(arguments: Arguments, environ: Environ) -> Installation:
    """Check everything that a set-up needs, and make its parts.

    Raises:
        ConfigurationError: an argument or a variable cannot be used.
    """
    recording = _recording(arguments, environ)
    provider = arguments.tracer_provider or global_provider()
    identity = None
    if provider is None or isinstance(provider, OwnProvider):
        identity = Identity.of(arguments, environ)
        wanted = _outputs(arguments, environ, [])
        if provider is None and wanted is not None:
            provider = OwnProvider(identity)
    else:
        wanted = _outputs_beside(provider, arguments, environ)
    sigterm = _stops_on_sigterm(arguments, environ)
    service = _service(provider, identity)
    made = [(output.where, output.make(service)) for output in wanted or ()]
    return Installation(
        recording=recording,
        provider=provider,
        identity=identity,
        outputs=tuple(where for where, processor in made if processor is not None),
        processors=tuple(processor for _, processor in made if processor is not None),
        sigterm=sigterm,
    )


def _service(provider: trace.TracerProvider | None, identity: Identity | None) -> str:
    """Return the name under which spans wait on disk for the next process."""
    resource = identity.resource if identity else getattr(provider, "resource", None)
    found = resource.attributes.get(SERVICE_NAME) if isinstance(resource, Resource) else None
    return str(found or "unknown_service")


def _stops_on_sigterm(arguments: Arguments, environ: Environ) -> bool:
    if arguments.stop_on_sigterm is not None:
        return arguments.stop_on_sigterm
    return environment.flag(environ, "OTELBRIDGE_SIGTERM") is not False


def _outputs(arguments: Arguments, environ: Environ, foreign: list[str]) -> list[Output] | None:
    if environment.flag(environ, "OTEL_SDK_DISABLED"):
        logger.warning("otelbridge sends nothing: OTEL_SDK_DISABLED is true")
        return None
    return outputs(arguments, environ, foreign)


def _outputs_beside(
    provider: trace.TracerProvider, arguments: Arguments, environ: Environ
) -> list[Output] | None:
    """Return what to add to a provider of the application's."""
    if unused := [name for name in _OF_A_PROVIDER if name in arguments.given]:
        logger.warning(
            "otelbridge.configure leaves %s aside: the application has installed its own tracer "
            "provider. Set them where it is made",
            ", ".join(unused),
        )
    wanted = _outputs(arguments, environ, foreign_processors(provider))
    if wanted is None and (idle := [name for name in _OF_OTLP if name in arguments.given]):
        logger.warning(
            "otelbridge.configure adds no exporter to the application's tracer provider, so %s "
            "changes nothing: pass endpoint= to send through otelbridge",
            ", ".join(idle),
        )
    if wanted and not takes_processors(provider):
        raise ConfigurationError(
            f"the installed tracer provider ({type(provider).__name__}) takes no span processors: "
            "leave out endpoint and console, or pass tracer_provider="
        )
    return wanted


def _recording(arguments: Arguments, environ: Environ) -> _tracing.Recording:
    rules = _tracing.Recording.from_env(environ)
    names = ("capture_content", "redact", "denied_keys", "configurable_keys")
    given = {name: getattr(arguments, name) for name in names if name in arguments.given}
    bounds = {name: getattr(arguments, name) for name in ARGUMENTS}
    return rules.replaced(bounds=rules.bounds.with_arguments("configure", bounds), **given)
