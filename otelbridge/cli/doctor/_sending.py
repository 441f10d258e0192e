"""``--send``: one real span, all the way."""

from __future__ import annotations

from collections.abc import Iterator

from opentelemetry import trace

from otelbridge import dispatch_custom_event, start_run
from otelbridge.cli.doctor._check import Check, Patient, failed
from otelbridge.errors import ConfigurationError
from otelbridge.export import configure

_NAME = "test span"


def look(patient: Patient) -> Iterator[Check]:
    """Send a span where the environment says, and wait until it is acknowledged."""
    try:
        handle = configure(endpoint=patient.endpoint, service_name="otelbridge-doctor", spool=False)
    except ConfigurationError as error:
        yield failed(_NAME, error)
        return
    with handle:
        with start_run("otelbridge doctor"):
            dispatch_custom_event("test", {"completed": 1, "total": 1})
            context = trace.get_current_span().get_span_context()
        where = ", ".join(handle.outputs)
        arrived = handle.flush(timeout_s=patient.timeout_s)
        stats = handle.stats()
    shown = f"trace {context.trace_id:032x}"
    if not handle.outputs:
        yield Check(_NAME, "fail", "spans go nowhere", "see the check outputs")
    elif arrived and stats.sent and not stats.rejected:
        yield Check(_NAME, "ok", f"{shown} has arrived at {where}: look for otelbridge-doctor")
    elif not context.trace_flags.sampled:
        yield Check(_NAME, "fail", "the sampler has left it out", "see the check of the sampling")
    elif stats.rejected:
        yield Check(
            _NAME,
            "fail",
            f"{shown} was refused by {where}",
            "ask whoever runs the receiver why it refuses spans",
        )
    else:
        yield Check(
            _NAME,
            "fail",
            f"{shown} has not arrived at {where} within {patient.timeout_s:g} s",
            "see the check of the endpoint",
        )
