"""What each environment variable does, in a line."""

from __future__ import annotations

_OTLP = {
    "ENDPOINT": "where traces are sent by OTLP",
    "PROTOCOL": "how they are sent: grpc or http/protobuf",
    "HEADERS": "sent with every request, for example a token",
    "TIMEOUT": "seconds for one request and its answer",
    "COMPRESSION": "of requests: none, gzip or deflate",
    "INSECURE": "whether gRPC without a scheme is plain text",
    "CERTIFICATE": "file of the CA that the receiver's certificate is checked against",
    "CLIENT_KEY": "file of this client's key, for mutual TLS",
    "CLIENT_CERTIFICATE": "file of this client's certificate, for mutual TLS",
}
_NOT_OURS = "of metrics and logs, which otelbridge leaves to the SDK"

MEANINGS = {
    **{f"OTEL_EXPORTER_OTLP_{name}": told for name, told in _OTLP.items()},
    **{
        f"OTEL_EXPORTER_OTLP_TRACES_{name}": f"{told}; goes before the one without TRACES"
        for name, told in _OTLP.items()
    },
    "OTEL_TRACES_EXPORTER": "where traces go: otlp, console, otelbridge (the store), none, or more",
    "OTEL_SDK_DISABLED": "true: nothing is recorded",
    "OTEL_SERVICE_NAME": "names the program in backends and in the viewer",
    "OTEL_RESOURCE_ATTRIBUTES": "describe the program: key=value,key=value",
    "OTEL_TRACES_SAMPLER": "which traces are recorded",
    "OTEL_TRACES_SAMPLER_ARG": "for the sampler, for example the share 0.1",
    "OTEL_PROPAGATORS": "how trace context crosses processes",
    "OTEL_LOG_LEVEL": "of the SDK's own log",
    "OTEL_CONFIG_FILE": "a configuration file, which otelbridge does not read",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "what the SDK finds out about this machine",
    "OTEL_BSP_SCHEDULE_DELAY": "milliseconds between batches",
    "OTEL_BSP_EXPORT_TIMEOUT": "milliseconds for sending a batch",
    "OTEL_BSP_MAX_QUEUE_SIZE": "spans that may wait in memory",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "spans in one request",
    "OTEL_ATTRIBUTE_COUNT_LIMIT": "attributes of a span, an event or a link",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "characters of an attribute's value",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "attributes of a span",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "characters of a span's attribute",
    "OTEL_SPAN_EVENT_COUNT_LIMIT": "events of one span; further ones go to pages, 0 for none",
    "OTEL_SPAN_LINK_COUNT_LIMIT": "links of a span",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": "attributes of an event",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": "attributes of a link",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "which version of the semantic conventions is written",
    "OTEL_METRICS_EXPORTER": _NOT_OURS,
    "OTEL_LOGS_EXPORTER": _NOT_OURS,
    "OTELBRIDGE_CONFIGURABLE_KEYS": "keys of a config's configurable that are recorded",
    "OTELBRIDGE_DENIED_KEYS": "keys whose values are never recorded",
    "OTELBRIDGE_DURABLE": "true: each span is on disk before its end returns",
    "OTELBRIDGE_MAX_DEPTH": "levels of nested data that become keys of their own",
    "OTELBRIDGE_MAX_EVENT_BYTES": "bytes of one custom event",
    "OTELBRIDGE_MAX_EVENT_KEYS": "keys of one custom event",
    "OTELBRIDGE_MAX_STRING_BYTES": "bytes of one string",
    "OTELBRIDGE_SIGTERM": "false: nothing is sent on SIGTERM",
    "OTELBRIDGE_SPOOL": "folder for what cannot be sent now, or off",
    "OTELBRIDGE_STORE": 'file of the store, ":memory:", or off',
    "OTELBRIDGE_STORE_MAX_DAYS": "older traces leave the store",
    "OTELBRIDGE_STORE_MAX_MIB": "past this size the oldest traces leave the store",
    "OTELBRIDGE_VIEW_TOKEN": "what the viewer asks of everybody",
}
"""By its whole name; a test holds it against the variables that the library reads."""

FAMILIES = {
    "OTEL_INSTRUMENTATION_GENAI_": "whether messages, arguments and results are recorded",
    "OTEL_INSTRUMENTATION_": "of an instrumentation",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "instrumentors that opentelemetry-instrument leaves",
    "OTEL_PYTHON_EXPORTER_OTLP_": "where the credentials of the endpoint come from",
    "OTEL_PYTHON_": "of the SDK for Python or of opentelemetry-instrument",
    "OTEL_EXPORTER_OTLP_METRICS_": _NOT_OURS,
    "OTEL_EXPORTER_OTLP_LOGS_": _NOT_OURS,
    "OTEL_EXPORTER_PROMETHEUS_": _NOT_OURS,
    "OTEL_EXPORTER_ZIPKIN_": "of the Zipkin exporter, where it is used",
    "OTEL_EXPORTER_JAEGER_": "of the old Jaeger exporter, where it is used",
    "OTEL_METRIC": _NOT_OURS,
    "OTEL_LOGRECORD_": _NOT_OURS,
    "OTEL_BLRP_": _NOT_OURS,
}
"""By how it begins; the first that fits."""


def is_secret(name: str) -> bool:
    """Tell whether a variable's value may hold a password or a token."""
    words = name.split("_")
    return "HEADERS" in name or "KEY" in words or "TOKEN" in words or "CREDENTIAL" in name
