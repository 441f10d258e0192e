"""Whether traces are taken at the endpoint: an export request that holds none is sent there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from otelbridge.cli.doctor import _clock
from otelbridge.cli.doctor._check import Check, Patient, failed
from otelbridge.errors import ConfigurationError
from otelbridge.export import environment, official, otlp
from otelbridge.export.arguments import Arguments
from otelbridge.export.channel import Blocked, Delivered, Outcome, Refused
from otelbridge.export.otlp import GRPC, HTTP, Target
from otelbridge.export.tree import duration

_EMPTY = b""  # an ExportTraceServiceRequest without a span
_PORTS = {GRPC: 4317, HTTP: 4318}
_NAMES = {GRPC: "endpoint over gRPC", HTTP: "endpoint over HTTP"}


def look(patient: Patient) -> Iterator[Check]:
    """Ask the endpoint by its protocol, and its host by the other one; then compare the clocks."""
    if not _is_wanted(patient):
        yield Check("endpoint", "ok", "none is set, so traces stay on this machine")
        return
    try:
        target = otlp.target(Arguments(endpoint=patient.endpoint), patient.environ)
        answer, took_ns = _ask(target, patient)
    except ConfigurationError as error:
        yield failed("endpoint", error)
        return
    other = _other(target)
    try:
        second, _ = _ask(other, patient)
    except ConfigurationError as error:
        second = Refused(str(error))
    yield _asked(target, answer, took_ns, other, second)
    yield _beside(other, second)
    if target.protocol == HTTP:
        yield _clock.compare(target, patient.timeout_s)
    elif isinstance(second, Delivered):
        yield _clock.compare(other, patient.timeout_s)


def _is_wanted(patient: Patient) -> bool:
    listed = environment.text(patient.environ, "OTEL_TRACES_EXPORTER")
    if patient.endpoint is not None:
        return True
    return "otlp" in listed if listed else otlp.endpoint_is_set(patient.environ)


def _ask(target: Target, patient: Patient) -> tuple[Outcome, int]:
    channel = official.channel(replace(target, timeout_s=patient.timeout_s))
    before = time.perf_counter_ns()
    try:
        return channel.send(_EMPTY), time.perf_counter_ns() - before
    finally:
        channel.close()


def _asked(target: Target, answer: Outcome, took_ns: int, other: Target, second: Outcome) -> Check:
    name = _NAMES[target.protocol]
    if isinstance(answer, Delivered):
        return Check(name, "ok", f"{target.where} takes traces ({duration(took_ns)})")
    if isinstance(second, Delivered):
        cure = (
            f"the same host takes traces over {other.protocol}: set OTEL_EXPORTER_OTLP_ENDPOINT="
            f"{_base(other)} and OTEL_EXPORTER_OTLP_PROTOCOL={other.protocol}"
        )
    elif isinstance(answer, Blocked):
        cure = answer.cure
    elif isinstance(answer, Refused):
        cure = "ask whoever runs the receiver; it answers, but takes not even an empty request"
    else:
        cure = (
            "start a Collector, Jaeger or `otelbridge view` there, or correct the endpoint, or "
            "unset OTEL_EXPORTER_OTLP_ENDPOINT to keep traces in the store"
        )
    return Check(name, "fail", f"{target.where} takes no traces: {answer.reason}", cure)


def _beside(other: Target, answer: Outcome) -> Check:
    """Say of the other protocol; it is not needed, so whatever is found is well."""
    takes = "takes traces too" if isinstance(answer, Delivered) else "takes none; none is needed"
    return Check(_NAMES[other.protocol], "ok", f"{_base(other)} {takes}")


def _other(target: Target) -> Target:
    """Return the same receiver by the other protocol, at that one's usual port."""
    protocol = GRPC if target.protocol == HTTP else HTTP
    is_url = "://" in target.url
    parts = urlsplit(target.url if is_url else f"//{target.url}")
    scheme = parts.scheme if is_url else "http" if target.insecure else "https"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or "localhost"
    # A port of one's own may serve either protocol; of the usual ones each has its other.
    port = _PORTS[protocol] if parts.port in (None, *_PORTS.values()) else parts.port
    path = "/v1/traces" if protocol == HTTP else ""
    url = urlunsplit((scheme, f"{host}:{port}", path, "", ""))
    return replace(target, url=url, protocol=protocol, insecure=scheme == "http")


def _base(target: Target) -> str:
    return target.url.removesuffix("/v1/traces")
