"""What a provider of ours is made of: who sends, what is sampled, how ids are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import sampling
from opentelemetry.sdk.trace.id_generator import IdGenerator

from otelbridge.export import environment
from otelbridge.export.arguments import Arguments
from otelbridge.export.environment import Environ

_SAMPLER = "OTEL_TRACES_SAMPLER"
_SAMPLER_ARG = "OTEL_TRACES_SAMPLER_ARG"
_SAMPLERS: dict[str, sampling.Sampler] = {
    "always_on": sampling.ALWAYS_ON,
    "always_off": sampling.ALWAYS_OFF,
    "parentbased_always_on": sampling.DEFAULT_ON,
    "parentbased_always_off": sampling.DEFAULT_OFF,
}
_RATIOS: dict[str, Callable[[float], sampling.Sampler]] = {
    "traceidratio": sampling.TraceIdRatioBased,
    "parentbased_traceidratio": sampling.ParentBasedTraceIdRatio,
}


@dataclass(frozen=True)
class Identity:
    """What a provider of ours is made of."""

    resource: Resource
    sampler: sampling.Sampler
    id_generator: IdGenerator | None

    @classmethod
    def of(cls, arguments: Arguments, environ: Environ) -> Identity:
        """Read it from the arguments, then the environment.

        Raises:
            ConfigurationError: a variable cannot be used.
        """
        return cls(
            resource=_resource(arguments, environ),
            sampler=_sampler(arguments, environ),
            id_generator=_id_generator(environ),
        )


def _resource(arguments: Arguments, environ: Environ) -> Resource:
    """Return the resource: the environment's and its detectors', then the arguments' on top."""
    environment.pairs(environ, "OTEL_RESOURCE_ATTRIBUTES")  # the SDK reads it, but not strictly
    attributes = dict(arguments.resource_attributes or {})
    if arguments.service_name is not None:
        attributes[SERVICE_NAME] = arguments.service_name
    return Resource.create(attributes)


def _sampler(arguments: Arguments, environ: Environ) -> sampling.Sampler:
    """Return the argument's sampler, else the environment's, else the SDK's default."""
    if isinstance(arguments.sampler, (int, float)):
        return sampling.ParentBasedTraceIdRatio(arguments.sampler)
    if arguments.sampler is not None:
        return arguments.sampler
    name = (environment.text(environ, _SAMPLER) or "parentbased_always_on").lower()
    if name in _SAMPLERS:
        return _SAMPLERS[name]
    if name in _RATIOS:
        return _RATIOS[name](_ratio(environ))
    factory = environment.plugin("opentelemetry_traces_sampler", name)
    if factory is None:
        raise environment.refused(_SAMPLER, name, " or ".join([*_SAMPLERS, *_RATIOS]))
    return cast("sampling.Sampler", factory(environ.get(_SAMPLER_ARG)))


def _id_generator(environ: Environ) -> IdGenerator | None:
    """Return the id generator that the environment names, or None for the SDK's own."""
    variable = "OTEL_PYTHON_ID_GENERATOR"
    name = environment.text(environ, variable)
    if name in (None, "random"):
        return None
    factory = environment.plugin("opentelemetry_id_generator", str(name))
    if factory is None:
        raise environment.refused(variable, str(name), "random, or install the package that has it")
    return cast("IdGenerator", factory())


def _ratio(environ: Environ) -> float:
    text = environment.text(environ, _SAMPLER_ARG)
    try:
        ratio = 1.0 if text is None else float(text)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise environment.refused(_SAMPLER_ARG, str(text), "a ratio from 0 to 1")
    return ratio
