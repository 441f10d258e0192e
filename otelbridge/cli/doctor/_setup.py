"""What ``otelbridge.configure()`` makes of the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator

from opentelemetry import trace

from otelbridge._tracing import Recording
from otelbridge.cli.doctor._check import Check, Patient, failed
from otelbridge.errors import ConfigurationError
from otelbridge.export import environment
from otelbridge.export.arguments import Arguments
from otelbridge.export.identity import Identity
from otelbridge.export.outputs import outputs
from otelbridge.export.provider import foreign_processors, global_provider

_SAMPLER = "OTEL_TRACES_SAMPLER"
_SILENT = re.compile(r"(ParentBased\{root:)?(AlwaysOffSampler|TraceIdRatioBased\{0(\.0)?\})")


def look(patient: Patient) -> Iterator[Check]:
    """Look at the provider, at what is sampled, and at where spans go."""
    provider = _provider()
    yield provider
    if provider.level != "fail":
        yield _sampling(patient)
        yield _outputs(patient)


def _provider() -> Check:
    # Under opentelemetry-instrument, or with OTEL_PYTHON_TRACER_PROVIDER, there is one by now.
    try:
        found = global_provider()
    except Exception as error:
        return Check(
            "provider",
            "fail",
            f"the provider that OTEL_PYTHON_TRACER_PROVIDER names cannot be made ({error!r})",
            "unset OTEL_PYTHON_TRACER_PROVIDER, or install the package that has this provider",
        )
    if found is None:
        return Check("provider", "ok", "none yet: otelbridge.configure() makes one")
    others = [] if isinstance(found, trace.NoOpTracerProvider) else foreign_processors(found)
    kind = f"{type(found).__module__}.{type(found).__qualname__}"
    if others:
        return Check(
            "provider",
            "warn",
            f"{kind} is there already, with {', '.join(others)}: configure() adds no exporter, so "
            "that nothing is sent twice",
            "pass endpoint= or store= to configure() if traces are to go there too",
        )
    return Check("provider", "ok", f"{kind} is there already; configure() uses it")


def _sampling(patient: Patient) -> Check:
    try:
        if environment.flag(patient.environ, "OTEL_SDK_DISABLED"):
            return Check(
                "sampling", "fail", "OTEL_SDK_DISABLED is true: nothing is recorded", "unset it"
            )
        identity = Identity.of(Arguments(), patient.environ)
        Recording.from_env(patient.environ)
    except ConfigurationError as error:
        return failed("sampling", error)
    told = environment.text(patient.environ, _SAMPLER) or "every trace is recorded"
    described = identity.sampler.get_description()
    if _SILENT.match(described):
        return Check(
            "sampling",
            "fail",
            f"the sampler {described} records no trace that begins here",
            "unset OTEL_TRACES_SAMPLER, or set it to parentbased_always_on",
        )
    if identity.resource.attributes.get("service.name") in (None, "", "unknown_service"):
        return Check(
            "sampling",
            "ok",
            f"{told}; no service name is set: give configure(service_name=) or OTEL_SERVICE_NAME",
        )
    return Check("sampling", "ok", told)


def _outputs(patient: Patient) -> Check:
    try:
        found = outputs(Arguments(endpoint=patient.endpoint), patient.environ, [])
    except ConfigurationError as error:
        return failed("outputs", error)
    if not found:
        return Check(
            "outputs",
            "fail",
            "spans go nowhere: OTEL_TRACES_EXPORTER or OTELBRIDGE_STORE says so",
            "unset OTEL_TRACES_EXPORTER and OTELBRIDGE_STORE",
        )
    return Check("outputs", "ok", "spans go to " + ", and to ".join(it.where for it in found))
