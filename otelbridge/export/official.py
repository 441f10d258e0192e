"""The official OTLP exporters, made for a target: the one place that knows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace.export import SpanExporter

from otelbridge.errors import ConfigurationError
from otelbridge.export.otlp import HTTP, Target


def exporter(target: Target) -> SpanExporter:
    """Return the official exporter for a target. It connects when it first sends.

    Raises:
        ConfigurationError: its package is not installed, or it refuses its settings.
    """
    try:
        return _http(target) if target.protocol == HTTP else _grpc(target)
    except ImportError as error:
        package = f"opentelemetry-exporter-otlp-proto-{target.protocol.partition('/')[0]}"
        raise ConfigurationError(
            f"protocol {target.protocol!r} needs a package that is not installed "
            f"({error}): pip install {package}"
        ) from error
    except Exception as error:
        raise ConfigurationError(
            f"the OTLP exporter for {target.where} refuses its settings ({error}): correct the "
            "OTEL_EXPORTER_OTLP_* variables"
        ) from error


# Imported when needed, because a program uses one of the two protocols and pays for no other.


def _http(target: Target) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(
        endpoint=target.url,
        headers=target.headers,
        certificate_file=target.certificate,
        session=_session(target.certificate) if target.certificate else None,
    )


def _session(certificate: str) -> Any:
    """Return an HTTP session in which REQUESTS_CA_BUNDLE does not go before ``certificate``.

    Relied on in requests: ``Session.merge_environment_settings`` prefers the variable to the
    session's own ``verify``, which is all that the exporter sets.
    """
    from requests import Session

    class CheckedByOneFile(Session):
        def merge_environment_settings(self, *args: Any, **kwargs: Any) -> Any:
            return {**super().merge_environment_settings(*args, **kwargs), "verify": certificate}

    return CheckedByOneFile()


def _grpc(target: Target) -> SpanExporter:
    import grpc
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    compressions = {"gzip": grpc.Compression.Gzip, "deflate": grpc.Compression.Deflate}
    credentials: Any = None  # the exporter reads the variables itself
    if target.certificate:
        files = (target.certificate, *target.client_files)
        credentials = grpc.ssl_channel_credentials(
            *(Path(file).read_bytes() if file else None for file in files)
        )
    return OTLPSpanExporter(
        endpoint=target.url,
        headers=target.headers,
        insecure=target.insecure,
        credentials=credentials,
        # Said here, because the exporter does not know the specification's word "none".
        compression=compressions.get(target.compression, grpc.Compression.NoCompression),
    )
