"""Set-up: what is refused, where spans go, whose provider is used, and how all is undone."""

from __future__ import annotations

import inspect
import logging
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider, sampling
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util._once import Once
from receivers import Received, grpc_receiver, http_receiver

import otelbridge
from otelbridge import ConfigurationError, _tracing, configure, start_run, traced
from otelbridge.export import Handle, environment, otlp, pipeline, sender, storing
from otelbridge.export.arguments import Arguments
from otelbridge.export.identity import Identity
from otelbridge.export.installation import plan
from otelbridge.export.outputs import outputs
from otelbridge.export.provider import OwnProvider, Relay, foreign_processors, remove
from otelbridge.export.sender import Sender
from otelbridge.export.storing import Storing
from otelbridge.store import default_path

ROOT = Path(__file__).parent.parent
Receiver = Callable[..., AbstractContextManager[Received]]
RECEIVERS = pytest.mark.parametrize(
    "receiver", [http_receiver, grpc_receiver], ids=["http", "grpc"]
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test starts without the machine's OTEL_* and OTELBRIDGE_* variables, and no spool."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for name in os.environ:
        if name.startswith(("OTEL_", "OTELBRIDGE_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """No test leaves a set-up in force, or a global provider, even when it fails."""
    before = _tracing._default
    # What another file's test in this process has left is not these tests'.
    trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = None, Once()
    yield
    current = sys.modules["otelbridge.export.configure"]._current
    if current is not None:
        current[1].shutdown()
    _tracing.set_default(before)
    left = trace._TRACER_PROVIDER
    trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = None, Once()
    assert left is None


@pytest.fixture
def provider() -> TracerProvider:
    """A provider of the application's."""
    return TracerProvider(resource=Resource({"service.name": "app"}), shutdown_on_exit=False)


def processors(provider: TracerProvider) -> tuple[SpanProcessor, ...]:
    """What is on a provider."""
    return provider._active_span_processor._span_processors


def said(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What the library has logged; threads of an earlier test's exporter may log as well."""
    return [record for record in caplog.records if record.name == "otelbridge"]


class OutOfReach(SpanExporter):
    """An exporter that never gets through."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Fail."""
        return SpanExportResult.FAILURE


# ---------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        ({"endpoint": 4318}, "pass a URL"),
        ({"endpoint": " "}, "pass a URL"),
        ({"protocol": "http"}, r"protocol='http'.*pass 'grpc' or 'http/protobuf'"),
        ({"protocol": ["grpc"]}, "pass 'grpc' or"),
        ({"headers": [("a", "b")]}, "pass a mapping"),
        ({"headers": {"a": "line\nbreak"}}, "header 'a': its value is not printable ASCII"),
        ({"headers": {"x": "y", "a b": "c"}}, "header 'a b': this is no header's name"),
        ({"headers": {"": "c"}}, "header '': this is no header's name"),
        ({"headers": {"a": 1}}, "header 'a': its value is of type int"),
        ({"insecure": "yes"}, "pass True or False"),
        ({"certificate": 1}, "pass the path of a PEM file"),
        ({"service_name": ""}, "pass a name"),
        ({"resource_attributes": {"a": None}}, "pass a mapping"),
        ({"resource_attributes": {"a": [None]}}, "pass a mapping"),
        ({"resource_attributes": "a=b"}, "pass a mapping"),
        ({"sampler": "always_on"}, "pass a Sampler"),
        ({"sampler": 1.5}, "a ratio from 0 to 1"),
        ({"sampler": True}, "a ratio from 0 to 1"),
        ({"console": "yes"}, "pass True or False"),
        ({"tracer_provider": trace.NoOpTracerProvider()}, "pass a TracerProvider"),
        ({"capture_content": 1}, "pass True or False"),
        ({"redact": "***"}, "pass a function redact"),
        ({"denied_keys": "password"}, r"such as \['password'\]|such as \[\"password\"\]"),
        ({"denied_keys": [1]}, "pass a list of key names"),
        ({"configurable_keys": {"a": 1}}, "pass a list of key names"),
        ({"max_string_bytes": "8"}, "pass a whole number"),
        ({"max_string_bytes": 0}, "max_string_bytes=0.* >= 1"),
        ({"max_event_bytes": 10}, "max_event_bytes=10.* >= 1024"),
        ({"max_event_keys": 2.5}, "pass a whole number"),
        ({"max_depth": -1}, "pass a whole number"),
    ],
)
def test_wrong_argument_is_refused_with_its_cure(arguments: dict[str, Any], cure: str) -> None:
    """A wrong type or value raises at once and says the argument and what to pass."""
    with pytest.raises(ConfigurationError, match=cure) as caught:
        configure(**arguments)
    assert next(iter(arguments)) in str(caught.value)


def test_header_values_are_never_shown() -> None:
    """Headers hold secrets: no error message and no repr repeats them."""
    with pytest.raises(ConfigurationError) as caught:
        configure(endpoint="http://localhost:4318", headers={"authorization": "s3cr\net"})
    assert "s3cr" not in str(caught.value)
    with pytest.raises(ConfigurationError) as caught:
        environment.pairs({"H": "a=b,s3cret"}, "H")
    assert "s3cret" not in str(caught.value)
    target = otlp.target(Arguments(headers={"authorization": "s3cret"}), {})
    assert "s3cret" not in repr(target)


def test_every_argument_is_kept_and_documented() -> None:
    """The signature, what is compared, and the documentation have the same arguments."""
    names = list(inspect.signature(configure).parameters)
    assert names == [field.name for field in fields(Arguments)]
    documented = re.findall(r"^ +(\w+): ", str(configure.__doc__), re.MULTILINE)
    assert documented == [*names, "ConfigurationError"]


def test_arguments_are_kept_as_they_were() -> None:
    """A dict or list that changes after the call does not change what the call was."""
    headers, keys = {"a": "b"}, ["k"]
    arguments = Arguments(headers=headers, denied_keys=keys)
    headers["c"] = "d"
    keys.append("l")
    assert arguments == Arguments(headers={"a": "b"}, denied_keys=["k"])
    assert arguments.given == ["headers", "denied_keys"]


# ---------------------------------------------------------------------------- OTLP targets

OTLP = "OTEL_EXPORTER_OTLP_"
GRPC, HTTP = "grpc", "http/protobuf"


@pytest.mark.parametrize(
    ("endpoint", "protocol", "url"),
    [
        ("http://localhost:4318", HTTP, "http://localhost:4318/v1/traces"),
        ("http://localhost:4318/", HTTP, "http://localhost:4318/v1/traces"),
        ("http://localhost:4317", GRPC, "http://localhost:4317"),
        ("https://collector.example", GRPC, "https://collector.example"),
        ("https://api.example/otlp", HTTP, "https://api.example/otlp/v1/traces"),
        ("https://api.example/v1/traces", HTTP, "https://api.example/v1/traces"),
        ("https://api.example/v1/traces/", HTTP, "https://api.example/v1/traces"),
        ("https://api.example/x?key=1", HTTP, "https://api.example/x/v1/traces?key=1"),
        ("http://[::1]:4318", HTTP, "http://[::1]:4318/v1/traces"),
        ("unix:///run/otel.sock", GRPC, "unix:///run/otel.sock"),
        ("localhost:4317", GRPC, "localhost:4317"),
    ],
)
@pytest.mark.parametrize("source", ["argument", "variable"])
def test_endpoint_decides_the_protocol(endpoint: str, protocol: str, url: str, source: str) -> None:
    """HTTP for port 4318 or a path, else gRPC; HTTP gets the path of traces where it lacks it."""
    arguments, environ = Arguments(), {OTLP + "ENDPOINT": endpoint}
    if source == "argument":
        insecure = None if endpoint.startswith("http") else True
        arguments, environ = Arguments(endpoint=endpoint, insecure=insecure), {}
    target = otlp.target(arguments, environ)
    assert (target.protocol, target.url) == (protocol, url)


@pytest.mark.parametrize(
    ("arguments", "environ", "protocol", "url"),
    [
        ({}, {}, GRPC, "http://localhost:4317"),
        ({"protocol": HTTP}, {}, HTTP, "http://localhost:4318/v1/traces"),
        ({"protocol": GRPC}, {"ENDPOINT": "http://h:4318"}, GRPC, "http://h:4318"),
        ({}, {"PROTOCOL": HTTP, "ENDPOINT": "http://h:1"}, HTTP, "http://h:1/v1/traces"),
        ({}, {"PROTOCOL": HTTP, "TRACES_PROTOCOL": GRPC}, GRPC, "http://localhost:4317"),
        ({}, {"PROTOCOL": "GRPC "}, GRPC, "http://localhost:4317"),
        ({"protocol": GRPC}, {"PROTOCOL": HTTP}, GRPC, "http://localhost:4317"),
        ({}, {"TRACES_ENDPOINT": "http://h:4318/x"}, HTTP, "http://h:4318/x"),
        ({}, {"TRACES_ENDPOINT": "http://h:4318"}, HTTP, "http://h:4318"),
        ({}, {"TRACES_ENDPOINT": "http://t:4317", "ENDPOINT": "http://h:1"}, GRPC, "http://t:4317"),
        ({}, {"ENDPOINT": "", "TRACES_ENDPOINT": " "}, GRPC, "http://localhost:4317"),
        (
            {"endpoint": "http://a:4318"},
            {"TRACES_ENDPOINT": "http://t:4317"},
            HTTP,
            "http://a:4318/v1/traces",
        ),
    ],
)
def test_arguments_go_before_variables_and_traces_before_all_signals(
    arguments: dict[str, Any], environ: dict[str, str], protocol: str, url: str
) -> None:
    """Each setting comes from its argument, its traces variable, its general one, the default."""
    variables = {OTLP + name: value for name, value in environ.items()}
    target = otlp.target(Arguments(**arguments), variables)
    assert (target.protocol, target.url) == (protocol, url)


@pytest.mark.parametrize(
    ("endpoint", "cure"),
    [
        ("http://", "write it as"),
        ("http:///v1/traces", "write it as"),
        ("http://host:port", "write it as"),
        ("http://host:70000", "write it as"),
        ("http://ho st:4318", "white space"),
        ("http://host\x00:4318", "control characters"),
        ("http://[::1:4318", "write it as"),
        ("ftp://host:4318/x", "write it as"),
        ("localhost:4318", r"http/protobuf|http://"),
        ("://x", "write it as"),
    ],
)
@pytest.mark.parametrize("protocol", [None, HTTP])
def test_malformed_endpoint_is_refused(endpoint: str, cure: str, protocol: str | None) -> None:
    """An endpoint that is no URL raises, from the argument and from the variable."""
    with pytest.raises(ConfigurationError, match=cure):
        configure(endpoint=endpoint, protocol=protocol)
    if protocol or not endpoint.startswith(("ftp", ":")):
        with pytest.raises(ConfigurationError, match="write it as"):
            otlp.target(Arguments(protocol=protocol), {OTLP + "ENDPOINT": endpoint})


def test_password_in_an_endpoint_is_not_shown() -> None:
    """Errors and log lines leave out the user and password of a URL."""
    with pytest.raises(ConfigurationError) as caught:
        configure(endpoint="http://me:s3cret@host:port")
    assert "http://***@host:port" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert otlp.target(Arguments(endpoint="http://me:s3cret@h:4318"), {}).where == (
        "http://***@h:4318/v1/traces (http/protobuf)"
    )


@pytest.mark.parametrize(
    ("arguments", "environ", "insecure"),
    [
        ({"endpoint": "http://h:4317"}, {}, True),
        ({"endpoint": "https://h:4317"}, {}, False),
        ({"endpoint": "https://h:4317"}, {"INSECURE": "true"}, False),
        ({"endpoint": "h:4317", "insecure": True}, {}, True),
        ({"endpoint": "h:4317", "insecure": False}, {"INSECURE": "true"}, False),
        ({"endpoint": "h:4317"}, {"INSECURE": "true"}, True),
        ({"endpoint": "h:4317"}, {"INSECURE": "true", "TRACES_INSECURE": "False"}, False),
        ({}, {"ENDPOINT": "h:4317"}, None),
        ({}, {"ENDPOINT": "http://h:4317", "INSECURE": "false"}, True),
    ],
)
def test_scheme_decides_on_tls_else_insecure(
    arguments: dict[str, Any], environ: dict[str, str], insecure: bool | None
) -> None:
    """http:// is plain and https:// is TLS; without a scheme, insecure says it."""
    variables = {OTLP + name: value for name, value in environ.items()}
    assert otlp.target(Arguments(**arguments), variables).insecure is insecure


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        ({"endpoint": "localhost:4317"}, "does not say whether to use TLS"),
        ({"endpoint": "https://h:4317", "insecure": True}, "leave insecure out"),
        ({"endpoint": "http://h:4317", "insecure": False}, "leave insecure out"),
        ({"endpoint": "http://h:4317", "certificate": "ca.pem"}, "write https://"),
    ],
)
def test_contradictions_about_tls_are_refused(arguments: dict[str, Any], cure: str) -> None:
    """An endpoint argument says whether it is TLS, once."""
    with pytest.raises(ConfigurationError, match=cure):
        configure(**arguments)


@pytest.mark.parametrize(("value", "warns"), [("10", False), ("600", False), ("10000", True)])
def test_timeout_that_is_meant_in_milliseconds_is_told(
    value: str, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The variable is read in seconds, in which ten minutes are a long time."""
    assert otlp.target(Arguments(), {OTLP + "TIMEOUT": value}).timeout_s == float(value)
    assert ("OTEL_EXPORTER_OTLP_TIMEOUT is read in seconds" in caplog.text) is warns
    assert ("a request may take 10000 s now" in caplog.text) is warns


def test_headers_are_joined_in_lower_case() -> None:
    """Those of the arguments go over those of the variable, whatever their case."""
    environ = {OTLP + "HEADERS": "Api-Key=k%20ey, Tenant = t ,", OTLP + "TRACES_HEADERS": ""}
    target = otlp.target(Arguments(headers={"TENANT": "mine"}), environ)
    assert target.headers == {"api-key": "k ey", "tenant": "mine"}


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "grpc or http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "thrift", "grpc or http/protobuf"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "1", "true or false"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "a number above 0"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1", "a number above 0"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "nan", "a number above 0"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip", "none or gzip or deflate"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "novalue", "key1=value1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "=value", "key1=value1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a%0Ab=c", "printable ASCII"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem", "path of a PEM"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/nowhere.pem", "path of a PEM"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/nowhere.pem", "path of a PEM"),
        ("OTEL_BSP_SCHEDULE_DELAY", "often", "whole number above 0"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "0", "whole number above 0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1.5", "whole number above 0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "10", "a batch must fit"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096", "a batch must fit"),
        ("OTEL_SDK_DISABLED", "1", "true or false"),
        ("OTELBRIDGE_MAX_DEPTH", "deep", "whole number"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "always_on or always_off"),
        ("OTEL_PYTHON_ID_GENERATOR", "dice", "random"),
        ("OTEL_RESOURCE_ATTRIBUTES", "novalue", "key1=value1"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "many", "a limit variable"),
    ],
)
def test_wrong_variable_is_refused_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, cure: str
) -> None:
    """A variable that the set-up needs and cannot use raises, names itself and says the cure."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=cure):
        configure(endpoint="http://localhost:4318")
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_unusable_ca_file_is_refused(tmp_path: Path, content: str | None) -> None:
    """A CA file that is missing, or holds none, raises and is named."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(ConfigurationError, match=r"ca\.pem"):
        configure(endpoint="https://localhost:4318", certificate=path)


@pytest.mark.parametrize(("protocol", "package"), [(GRPC, "grpc"), (HTTP, "http")])
def test_missing_exporter_package_is_named(
    monkeypatch: pytest.MonkeyPatch, protocol: str, package: str
) -> None:
    """Where the exporter is not installed, the error says what to install."""
    module = f"opentelemetry.exporter.otlp.proto.{package}.trace_exporter"
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=f"pip install .*-proto-{package}"):
        configure(endpoint="http://localhost:4317", protocol=protocol)


def test_exporter_that_refuses_its_settings_is_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the official exporter raises at its making comes with the target and a cure."""

    def refuse(**_: object) -> None:
        raise RuntimeError("no such provider of credentials")

    module = "opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter"
    monkeypatch.setattr(module, refuse)
    with pytest.raises(ConfigurationError, match=r"4318.*no such provider.*correct the OTEL_"):
        configure(endpoint="http://localhost:4318")


# ---------------------------------------------------------------------------- precedence

TO_A = "http://a:4318/v1/traces (http/protobuf)"
LOCAL = "http://localhost:4317 (grpc)"
TO_B = "http://b:4318/v1/traces (http/protobuf)"
A = {"endpoint": "http://a:4318"}
B = {OTLP + "ENDPOINT": "http://b:4318"}
FILE = f"{os.sep}f.db"
STORE = "store DEFAULT"  # stands for the default path, which is the test session's own
TO_FILE = f"store {FILE}"


def exporter_variable(value: str) -> dict[str, str]:
    """The variable that lists exporters."""
    return {"OTEL_TRACES_EXPORTER": value}


@pytest.mark.parametrize(
    ("arguments", "environ", "occupied", "where"),
    [
        ({}, {}, False, [STORE]),
        ({"store": True}, B, False, [TO_B, STORE]),
        ({"store": FILE}, {}, False, [TO_FILE]),
        ({"store": ":memory:"}, {}, False, ["store in memory"]),
        ({"store": False}, {}, False, None),
        ({"store": False}, {"OTELBRIDGE_STORE": FILE}, False, None),
        ({"store": False}, exporter_variable("otelbridge,otlp"), False, [LOCAL]),
        ({**A, "store": FILE, "console": True}, {}, False, [TO_A, TO_FILE, "console"]),
        ({"store": FILE}, exporter_variable("none"), False, [TO_FILE]),
        ({}, {"OTELBRIDGE_STORE": FILE}, False, [TO_FILE]),
        ({}, {"OTELBRIDGE_STORE": FILE} | B, False, [TO_B, TO_FILE]),
        ({}, {"OTELBRIDGE_STORE": "Off"}, False, None),
        ({}, {"OTELBRIDGE_STORE": "off"} | B, False, [TO_B]),
        ({}, exporter_variable("otelbridge"), False, [STORE]),
        ({}, exporter_variable("otlp,otelbridge"), False, [LOCAL, STORE]),
        ({}, {"OTELBRIDGE_STORE": FILE}, True, None),
        ({}, exporter_variable("otelbridge"), True, None),
        ({"store": True}, {"OTELBRIDGE_STORE": FILE}, True, [STORE]),
        ({"store": FILE}, {}, True, [TO_FILE]),
        (A, {}, False, [TO_A]),
        (A, B, False, [TO_A]),
        (A, exporter_variable("none"), False, [TO_A]),
        (A, exporter_variable("console"), False, [TO_A]),
        ({**A, "console": True}, {}, False, [TO_A, "console"]),
        ({"console": True}, {}, False, [STORE, "console"]),
        ({"console": True}, B, False, [TO_B, "console"]),
        ({"console": True}, exporter_variable("none"), False, ["console"]),
        ({"console": False}, exporter_variable("console"), False, []),
        ({"console": False}, exporter_variable("none"), False, []),
        ({"console": False}, {}, False, [STORE]),
        ({}, B, False, [TO_B]),
        ({}, exporter_variable("none") | B, False, []),
        ({}, exporter_variable("console") | B, False, ["console"]),
        ({}, exporter_variable("otlp"), False, [LOCAL]),
        ({}, exporter_variable(" otlp , console,otlp") | B, False, [TO_B, "console"]),
        ({}, exporter_variable("") | B, False, [TO_B]),
        (
            {},
            exporter_variable("otlp_proto_http"),
            False,
            ["http://localhost:4318/v1/traces (http/protobuf)"],
        ),
        (
            {},
            exporter_variable("otlp_proto_grpc") | B,
            False,
            ["http://b:4318 (grpc)"],
        ),
        ({}, {}, True, None),
        ({}, B, True, None),
        ({}, exporter_variable("console"), True, None),
        (A, {}, True, [TO_A]),
        ({"console": True}, B, True, ["console"]),
    ],
)
def test_outputs_follow_the_rule_of_precedence(
    arguments: dict[str, Any], environ: dict[str, str], occupied: bool, where: list[str] | None
) -> None:
    """Arguments, OTEL_TRACES_EXPORTER, an endpoint, the store; in use already, arguments alone."""
    found = outputs(Arguments(**arguments), environ, ["Theirs"] if occupied else [])
    if where is not None:
        where = [f"store {default_path()}" if place == STORE else place for place in where]
    assert where == (None if found is None else [output.where for output in found])


@pytest.mark.parametrize("value", ["on", "False", "1"])
def test_switch_is_no_path_of_a_store(value: str) -> None:
    """OTELBRIDGE_STORE is a path, ":memory:" or off: a file called ``on`` is nobody's wish."""
    with pytest.raises(ConfigurationError, match=f"OTELBRIDGE_STORE='{value}'.*or \"off\""):
        outputs(Arguments(), {"OTELBRIDGE_STORE": value}, [])


def test_bounds_of_the_store_come_from_variables() -> None:
    """Days and MiB; each must be a number above zero."""
    environ = {"OTELBRIDGE_STORE_MAX_DAYS": "0.5", "OTELBRIDGE_STORE_MAX_MIB": "64"}
    found = Storing.of(Arguments(), environ)
    assert (found.max_age_s, found.max_bytes) == (43_200, 64 << 20)
    assert Storing.of(Arguments(), {}) == Storing(None, False, default_path())
    with pytest.raises(ConfigurationError, match=r"OTELBRIDGE_STORE_MAX_MIB='0'.*above 0"):
        Storing.of(Arguments(), {"OTELBRIDGE_STORE_MAX_MIB": "0"})


def test_store_that_cannot_be_opened_is_refused_where_it_was_asked_for(tmp_path: Path) -> None:
    """The error names the file and the cure, and nothing is installed."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"store .*file.* cannot be opened.*choose a file"):
        configure(store=tmp_path / "file" / "traces.db")
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def test_store_that_nobody_asked_for_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The program goes on; one warning says why nothing is stored."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(storing, "default_path", lambda: tmp_path / "file" / "traces.db")
    with configure(tracer_provider=TracerProvider(shutdown_on_exit=False)) as handle:
        assert handle.outputs == ()
        assert handle.flush()
    (record,) = said(caplog)
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("otelbridge sends nothing: the store ")


@pytest.mark.parametrize(
    ("value", "cure"),
    [
        ("none,otlp", "none alone"),
        ("pigeon", "otlp, otelbridge, console or none"),
        ("otlp,pigeon", "pigeon"),
    ],
)
def test_wrong_list_of_exporters_is_refused(value: str, cure: str) -> None:
    """An unknown exporter, or none beside another, raises and says the known ones."""
    with pytest.raises(ConfigurationError, match=cure):
        outputs(Arguments(), exporter_variable(value), [])


class Entry:
    """What an installed package offers under a name."""

    def __init__(self, loaded: object) -> None:
        self._loaded = loaded

    def load(self) -> object:
        """The thing offered, or its error."""
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, object], None]:
    """Offer something as an installed package would."""

    def offered(group: str, name: str, thing: object) -> None:
        monkeypatch.setattr(
            environment,
            "entry_points",
            lambda **asked: [Entry(thing)] if asked == {"group": group, "name": name} else [],
        )

    return offered


def test_exporters_of_other_packages_are_used(
    offer: Callable[[str, str, object], None], provider: TracerProvider
) -> None:
    """OTEL_TRACES_EXPORTER takes what installed packages offer, as the SDK does."""
    offer("opentelemetry_traces_exporter", "zipkin", OutOfReach)
    found = outputs(Arguments(), exporter_variable("zipkin"), [])
    assert found is not None
    (output,) = found
    assert output.where == "zipkin"
    processor = output.make("service")
    assert isinstance(processor, Sender)
    processor.shutdown()


def test_plugin_that_cannot_be_loaded_is_refused(
    offer: Callable[[str, str, object], None],
) -> None:
    """A broken package is named, with the reason."""
    offer("opentelemetry_traces_exporter", "zipkin", ImportError("no thrift"))
    with pytest.raises(ConfigurationError, match=r"'zipkin'.*no thrift.*reinstall"):
        outputs(Arguments(), exporter_variable("zipkin"), [])


def test_nothing_to_send_is_said_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Without any output, one warning says what to do, and no provider is installed."""
    with configure(store=False) as handle:
        assert handle.outputs == ()
        assert handle.flush()
    (record,) = said(caplog)
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "otelbridge sends nothing: pass console=True to print traces, or endpoint= (or set "
        'OTEL_EXPORTER_OTLP_ENDPOINT) to send them, for example to "http://localhost:4318"'
    )


def test_nothing_to_send_on_purpose_is_not_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, provider: TracerProvider
) -> None:
    """OTEL_TRACES_EXPORTER=none is no mistake."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    with configure(tracer_provider=provider):
        assert processors(provider) == ()
    assert said(caplog) == []


def test_disabled_sdk_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With OTEL_SDK_DISABLED no output is made and no provider installed."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with configure(endpoint="http://localhost:4318", console=True) as handle:
        assert handle.outputs == ()
    (record,) = said(caplog)
    assert record.getMessage() == "otelbridge sends nothing: OTEL_SDK_DISABLED is true"
    assert record.levelno == logging.WARNING


# ---------------------------------------------------------------------------- identity


@pytest.mark.parametrize(
    ("environ", "description"),
    [
        ({}, sampling.DEFAULT_ON.get_description()),
        ({"OTEL_TRACES_SAMPLER": " "}, sampling.DEFAULT_ON.get_description()),
        ({"OTEL_TRACES_SAMPLER": "Always_On"}, "AlwaysOnSampler"),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, "AlwaysOffSampler"),
        (
            {"OTEL_TRACES_SAMPLER": "parentbased_always_off"},
            sampling.DEFAULT_OFF.get_description(),
        ),
        (
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"},
            "TraceIdRatioBased{0.25}",
        ),
        ({"OTEL_TRACES_SAMPLER": "traceidratio"}, "TraceIdRatioBased{1.0}"),
        (
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
            sampling.ParentBasedTraceIdRatio(0.0).get_description(),
        ),
    ],
)
def test_sampler_is_that_of_the_standard_variables(
    environ: dict[str, str], description: str
) -> None:
    """Every sampler of the specification can be named; without a name it is the default one."""
    assert Identity.of(Arguments(), environ).sampler.get_description() == description


@pytest.mark.parametrize("ratio", ["x", "-0.1", "1.1", "nan"])
def test_wrong_sampling_ratio_is_refused(ratio: str) -> None:
    """A ratio is a number from 0 to 1."""
    environ = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": ratio}
    with pytest.raises(ConfigurationError, match=r"OTEL_TRACES_SAMPLER_ARG.*ratio from 0 to 1"):
        Identity.of(Arguments(), environ)


def test_sampler_argument_goes_before_the_variables() -> None:
    """A sampler is used as it is; a number is the share of new traces."""
    environ = {"OTEL_TRACES_SAMPLER": "always_off"}
    sampler = Identity.of(Arguments(sampler=sampling.ALWAYS_ON), environ).sampler
    assert sampler is sampling.ALWAYS_ON
    share = Identity.of(Arguments(sampler=0.5), environ).sampler
    assert share.get_description() == sampling.ParentBasedTraceIdRatio(0.5).get_description()


def test_samplers_and_id_generators_of_other_packages_are_used(
    offer: Callable[[str, str, object], None],
) -> None:
    """The variables take what installed packages offer; a sampler gets its argument."""
    given: list[object] = []
    offer("opentelemetry_traces_sampler", "mine", lambda arg: given.append(arg) or "sampler")
    environ = {"OTEL_TRACES_SAMPLER": "mine", "OTEL_TRACES_SAMPLER_ARG": "x=1"}
    assert Identity.of(Arguments(), environ).sampler == "sampler"
    assert given == ["x=1"]
    offer("opentelemetry_id_generator", "xray", lambda: "ids")
    assert Identity.of(Arguments(), {"OTEL_PYTHON_ID_GENERATOR": "xray"}).id_generator == "ids"
    assert Identity.of(Arguments(), {"OTEL_PYTHON_ID_GENERATOR": "random"}).id_generator is None


def test_resource_joins_variables_and_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments go over OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from the variable")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=a%20b,region=eu")
    by_variables = Identity.of(Arguments(), os.environ).resource.attributes
    assert by_variables["service.name"] == "from the variable"
    assert (by_variables["team"], by_variables["region"]) == ("a b", "eu")
    arguments = Arguments(service_name="mine", resource_attributes={"region": "us", "n": [1, 2]})
    by_arguments = Identity.of(arguments, os.environ).resource.attributes
    assert by_arguments["service.name"] == "mine"
    assert (by_arguments["team"], by_arguments["region"]) == ("a b", "us")
    assert by_arguments["n"] == (1, 2)


# ---------------------------------------------------------------------------- a provider of others


def test_one_processor_is_added_and_removed_again(
    provider: TracerProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the application's provider there is one processor more, until shutdown."""
    handle = configure(tracer_provider=provider, console=True)
    assert len(processors(provider)) == 1
    with start_run("shown"):
        pass
    handle.shutdown()
    assert processors(provider) == ()
    with start_run("silent"):
        pass
    shown = capsys.readouterr().err
    assert "shown [chain]" in shown
    assert "silent" not in shown


def test_provider_that_exports_already_gets_no_second_exporter(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is sent twice: variables add nothing there, which one line says."""
    caplog.set_level(logging.INFO)
    kept = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
    with configure(tracer_provider=provider) as handle:
        assert handle.outputs == ()
        assert len(processors(provider)) == 1
        with start_run("run"):
            pass
        assert configure() is handle
    assert [span.name for span in kept.get_finished_spans()] == ["run"]
    (record,) = said(caplog)
    assert "SimpleSpanProcessor" in record.getMessage()
    assert "Pass endpoint=" in record.getMessage()


def test_provider_that_exports_already_gets_an_endpoint_that_is_passed(
    provider: TracerProvider,
) -> None:
    """An endpoint argument is a wish for a second place."""
    provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    with configure(tracer_provider=provider, endpoint="http://localhost:4318"):
        assert len(processors(provider)) == 2
    assert len(processors(provider)) == 1


def test_what_a_provider_already_is_cannot_be_changed(
    provider: TracerProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """Service name, resource and sampler belong to the application's provider, and that is said."""
    with configure(tracer_provider=provider, service_name="mine", sampler=0.5, console=True):
        assert provider.resource.attributes["service.name"] == "app"
    (record,) = said(caplog)
    assert "leaves service_name, sampler aside" in record.getMessage()


def test_settings_of_an_exporter_that_is_not_added_are_told(
    provider: TracerProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """Beside an exporter of the application's there is none of ours that could be durable."""
    provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    with configure(tracer_provider=provider, durable=True, headers={"a": "b"}) as handle:
        assert handle.outputs == ()
    (record,) = [record for record in said(caplog) if record.levelname == "WARNING"]
    assert "headers, durable changes nothing: pass endpoint=" in record.getMessage()


class Foreign:
    """A tracer provider that is not the SDK's."""

    def get_tracer(self, *args: object, **kwargs: object) -> trace.Tracer:
        """A tracer that does nothing."""
        return trace.NoOpTracer()


def test_provider_that_takes_no_processors_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A foreign global provider is never replaced: a wish for output is refused, variables wait."""
    caplog.set_level(logging.INFO)
    foreign = Foreign()
    monkeypatch.setattr("otelbridge.export.installation.global_provider", lambda: foreign)
    with pytest.raises(ConfigurationError, match=r"\(Foreign\) takes no span processors"):
        configure(console=True)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
    with configure() as handle:
        assert handle.outputs == ()
    assert "adds no exporter" in caplog.text


class Hidden(TracerProvider):
    """A provider whose parts are not those that are known."""

    def __init__(self) -> None:
        super().__init__(shutdown_on_exit=False)
        self.added: list[SpanProcessor] = []
        self._active_span_processor = SpanProcessor()  # type: ignore[assignment]

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Keep it."""
        self.added.append(span_processor)


def test_provider_with_unknown_parts_counts_as_one_that_exports(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where processors cannot be seen or removed, ours stays and does nothing after shutdown."""
    hidden = Hidden()
    assert foreign_processors(hidden) == ["some that cannot be seen"]
    with configure(tracer_provider=hidden, console=True):
        (relay,) = hidden.added
        assert isinstance(relay, Relay)
        assert len(relay.targets) == 1
    assert hidden.added == [relay]
    assert relay.targets == ()
    relay.on_end(ReadableSpan("after", resource=Resource({})))
    assert capsys.readouterr().err == ""


def test_shutdown_of_the_provider_shuts_our_outputs_down(
    provider: TracerProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """The application may shut its provider down first; the handle then has nothing to do."""
    with configure(tracer_provider=provider, console=True) as handle:
        span = provider.get_tracer("t").start_span("open")
        provider.get_tracer("t").start_span("child", trace.set_span_in_context(span)).end()
        provider.shutdown()
        assert "child" in capsys.readouterr().err
        assert handle.flush()
    assert processors(provider) == ()


def test_output_that_fails_to_stop_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each output is shut down, and a failure is logged."""
    stopped = []

    class Fails(SpanProcessor):
        def shutdown(self) -> None:
            raise OSError("gone")

    class Stops(SpanProcessor):
        def shutdown(self) -> None:
            stopped.append(self)

    relay = Relay()
    relay.targets = (Fails(), Stops())
    relay.shutdown()
    assert len(stopped) == 1
    assert "could not shut down an output" in caplog.text


def test_relay_flushes_all_even_when_one_fails() -> None:
    """A flush is complete only when every output's is, and every output is asked."""
    asked = []

    class Flushes(SpanProcessor):
        def __init__(self, result: bool) -> None:
            self._result = result

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            asked.append(timeout_millis)
            return self._result

    relay = Relay()
    relay.targets = (Flushes(False), Flushes(True))
    assert relay.force_flush(7) is False
    assert asked == [7, 7]


# ---------------------------------------------------------------------------- again, and undone


def test_same_arguments_give_the_same_handle(provider: TracerProvider) -> None:
    """Called again with the same arguments or none, it returns the handle in force."""
    handle = configure(tracer_provider=provider, console=True, denied_keys=["a", "b"])
    assert configure(tracer_provider=provider, console=True, denied_keys=("b", "a")) is handle
    assert configure() is handle
    assert len(processors(provider)) == 1
    handle.shutdown()


def test_other_arguments_replace_the_set_up(provider: TracerProvider) -> None:
    """Called with other arguments, the earlier handle is shut down and the new set-up holds."""
    first = configure(tracer_provider=provider, console=True)
    second = configure(tracer_provider=provider, console=True, capture_content=True)
    assert second is not first
    assert not first.is_open
    assert len(processors(provider)) == 1
    assert _tracing.current().recording.capture_content
    first.shutdown()
    assert second.is_open
    second.shutdown()


def test_refused_set_up_changes_nothing(provider: TracerProvider) -> None:
    """After a mistake the handle in force is still in force."""
    handle = configure(tracer_provider=provider, console=True)
    with pytest.raises(ConfigurationError):
        configure(tracer_provider=provider, endpoint="nonsense://")
    assert handle.is_open
    assert configure() is handle
    assert len(processors(provider)) == 1
    handle.shutdown()


def test_set_up_after_shutdown_begins_anew(provider: TracerProvider) -> None:
    """A handle that was shut down is not given out again, and shutting down twice is nothing."""
    first = configure(tracer_provider=provider, console=True)
    first.shutdown()
    first.shutdown()
    second = configure(tracer_provider=provider, console=True)
    assert second is not first
    assert (first.is_open, second.is_open) == (False, True)
    second.shutdown()


def test_recording_is_set_and_restored(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is recorded comes from the arguments, then the variables, and is undone."""
    monkeypatch.setenv("OTELBRIDGE_MAX_EVENT_KEYS", "7")
    monkeypatch.setenv("OTELBRIDGE_MAX_DEPTH", "3")
    before = _tracing._default

    def redact(key: str, value: Any) -> Any:
        return value

    with configure(
        tracer_provider=provider,
        console=True,
        capture_content=True,
        redact=redact,
        denied_keys=["password"],
        configurable_keys=["user_id"],
        max_string_bytes=100,
        max_event_bytes=2000,
        max_depth=2,
    ):
        rules = _tracing.current().recording
        assert (rules.capture_content, rules.redact) == (True, redact)
        assert set(rules.denied_keys) == {"password"}
        assert rules.configurable_keys == {"user_id"}
        bounds = rules.bounds
        assert (bounds.string, bounds.event, bounds.keys, bounds.depth) == (100, 2000, 7, 2)
    assert _tracing._default is before


def test_recording_that_someone_else_has_set_is_kept(provider: TracerProvider) -> None:
    """Shutdown restores the recording only where ours is still in force."""
    before = _tracing._default
    handle = configure(tracer_provider=provider, console=True)
    other = _tracing.Tracing(provider)
    _tracing.set_default(other)
    handle.shutdown()
    assert _tracing.set_default(before) is other


def test_handle_says_what_it_is(provider: TracerProvider) -> None:
    """Its repr names the outputs, or that it is shut down."""
    with configure(tracer_provider=provider, console=True, **A) as handle:  # type: ignore[arg-type]
        assert isinstance(handle, Handle)
        assert repr(handle) == f"<otelbridge.Handle: {TO_A}, console>"
    assert repr(handle) == "<otelbridge.Handle: shut down>"


def test_threads_that_set_up_at_once_share_one_handle(provider: TracerProvider) -> None:
    """Many threads calling it with the same arguments make one set-up."""
    handles: list[Handle] = []
    together = threading.Barrier(8)

    def work() -> None:
        together.wait(10)
        handles.append(configure(tracer_provider=provider, console=True))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, handles))) == 1
    assert len(processors(provider)) == 1
    handles[0].shutdown()


# ---------------------------------------------------------------------------- real receivers


@traced
def work(name: str) -> str:
    """A run with an event."""
    otelbridge.dispatch_custom_event("progress", {"name": name})
    return name


@RECEIVERS
def test_runs_arrive_with_their_events(receiver: Receiver, provider: TracerProvider) -> None:
    """Over HTTP and gRPC: the span, its event and its data, the headers and the service."""
    protocol = HTTP if receiver is http_receiver else GRPC
    with (
        receiver() as received,
        configure(
            tracer_provider=provider,
            endpoint=received.url,
            protocol=protocol,
            headers={"X-Tenant": "t1"},
        ) as handle,
    ):
        work("a")
        assert handle.flush(20)
    (span,) = received.spans
    assert span.name == "work"
    (event,) = span.events
    assert event.name == "progress"
    assert [(a.key, a.value.string_value) for a in event.attributes] == [("data.name", "a")]
    assert received.services == ["app"]
    assert received.headers[0]["x-tenant"] == "t1"
    assert received.paths == ["/v1/traces" if protocol == HTTP else ""]


@RECEIVERS
def test_shutdown_sends_what_is_waiting(receiver: Receiver, provider: TracerProvider) -> None:
    """Leaving the block loses nothing that has ended."""
    protocol = HTTP if receiver is http_receiver else GRPC
    with receiver() as received:
        with configure(tracer_provider=provider, endpoint=received.url, protocol=protocol):
            for number in range(1_200):  # more than two batches
                work(str(number))
        assert len(received.spans) == 1_200


@RECEIVERS
def test_standard_variables_alone_are_enough(
    receiver: Receiver, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endpoint, protocol, headers, compression and timeout can all come from the environment."""
    with receiver() as received:
        monkeypatch.setenv(OTLP + "ENDPOINT", received.url)
        monkeypatch.setenv(OTLP + "PROTOCOL", HTTP if receiver is http_receiver else GRPC)
        monkeypatch.setenv(OTLP + "HEADERS", "x-tenant=t%202")
        monkeypatch.setenv(OTLP + "COMPRESSION", "gzip")
        monkeypatch.setenv(OTLP + "TIMEOUT", "5")
        with configure(tracer_provider=provider):
            work("a")
        assert received.names == ["work"]
        assert received.headers[0]["x-tenant"] == "t 2"


@RECEIVERS
def test_compression_none_is_a_value_like_others(
    receiver: Receiver, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The specification's word none is understood by both protocols."""
    with receiver() as received:
        monkeypatch.setenv(OTLP + "COMPRESSION", "none")
        protocol = HTTP if receiver is http_receiver else GRPC
        with configure(tracer_provider=provider, endpoint=received.url, protocol=protocol):
            work("a")
        assert received.names == ["work"]


def test_two_outputs_get_the_same(
    provider: TracerProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """An endpoint and the console show the same run."""
    with http_receiver() as received:
        with configure(
            tracer_provider=provider, endpoint=received.url, protocol=HTTP, console=True
        ):
            work("a")
        assert received.names == ["work"]
    assert "work [chain]" in capsys.readouterr().err


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the program openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    pem, key = folder / "cert.pem", folder / "key.pem"
    options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split()
    subject = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(pem)]
    subprocess.run([openssl, *options, *subject, *files], check=True, capture_output=True)
    return pem, key


@RECEIVERS
@pytest.mark.parametrize("source", ["argument", "variable"])
def test_ca_file_is_used(
    receiver: Receiver,
    source: str,
    provider: TracerProvider,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TLS with one's own CA works, by argument and by variable, also where clients show theirs."""
    arguments: dict[str, Any] = {"protocol": HTTP if receiver is http_receiver else GRPC}
    monkeypatch.setenv(OTLP + "CLIENT_CERTIFICATE", str(certificate[0]))
    monkeypatch.setenv(OTLP + "CLIENT_KEY", str(certificate[1]))
    if source == "argument":
        # The HTTP exporter's client would prefer this one.
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ssl.get_default_verify_paths().cafile or "")
        arguments["certificate"] = certificate[0]
    else:
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
        monkeypatch.setenv(OTLP + "CERTIFICATE", str(certificate[0]))
    with receiver(certificate) as received:
        with configure(tracer_provider=provider, endpoint=received.url, **arguments):
            work("a")
        assert received.names == ["work"]


# ---------------------------------------------------------------------------- unreachable


@pytest.mark.parametrize("protocol", [HTTP, GRPC])
@pytest.mark.parametrize("endpoint", ["refused", "silent"])
def test_unreachable_endpoint_costs_the_program_nothing(
    protocol: str,
    endpoint: str,
    provider: TracerProvider,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No error, no wait in runs; flush and shutdown keep to their limits and say what waits."""
    monkeypatch.setattr(pipeline, "STOP_S", 0.4)
    monkeypatch.setenv(OTLP + "TIMEOUT", "60")
    url = request.getfixturevalue(endpoint)
    handle = configure(tracer_provider=provider, endpoint=url, protocol=protocol)
    began = time.perf_counter()
    for _ in range(100):
        assert work("a") == "a"
    ran = time.perf_counter()
    assert handle.flush(0.3) is False
    flushed = time.perf_counter()
    work("last")
    handle.shutdown()
    stopped = time.perf_counter()
    # Far above the limits given, for machines that are busy; far below one request's.
    assert ran - began < 20
    assert flushed - ran < 20
    assert stopped - flushed < 20
    assert handle.flush() is False
    assert f"has not sent 101 spans to {url}" in caplog.text
    assert "they wait on disk for the next process" in caplog.text
    stats = handle.stats()
    assert (stats.ended, stats.sent, stats.waiting, dict(stats.dropped)) == (101, 0, 101, {})


def test_flush_tells_that_a_batch_was_refused(provider: TracerProvider) -> None:
    """A flush after which something was not taken is not complete."""
    target = Sender(OutOfReach(), "nowhere")
    provider.add_span_processor(target)
    assert target.force_flush() is True
    provider.get_tracer("t").start_span("a").end()
    assert target.force_flush(1_000) is False
    target.shutdown()
    assert target.force_flush() is False


def test_exporter_that_raises_is_a_failed_flush(
    provider: TracerProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """An exporter's exception stays in its thread and makes the flush fail."""

    class Raises(OutOfReach):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            raise OSError("disk full")

        def shutdown(self) -> None:
            raise OSError("cannot stop")

    target = Sender(Raises(), "nowhere")
    provider.add_span_processor(target)
    provider.get_tracer("t").start_span("a").end()
    assert target.force_flush() is False
    target.shutdown()
    assert "could not send spans" in caplog.text


def test_exporter_is_shut_down_once() -> None:
    """Whoever comes first, the limit or the batch processor, stops the exporter."""
    stops = []

    class Counts(OutOfReach):
        def shutdown(self) -> None:
            stops.append(1)

    target = Sender(Counts(), "nowhere")
    target._once.shutdown()
    target.shutdown()
    target.shutdown()
    assert stops == [1]
    assert target.force_flush() is False


def test_calls_have_no_limit_where_no_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forked child that exits cannot start the helper's thread: its calls run in place."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    helper = sender._Helper()
    helper.stop()
    helper._pid = -1
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert helper.run(lambda: "done", 1) == "done"


# ---------------------------------------------------------------------------- the global provider


def run_python(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own, because OTel's global provider can be set only once."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran


def test_provider_is_installed_where_there_is_none() -> None:
    """Tracers made before and after the set-up are the provider's; the tree goes to stderr."""
    ran = run_python(
        """
from opentelemetry import trace
early = trace.get_tracer("early")
from otelbridge import configure, start_run
with configure(console=True, service_name="shop"):
    with early.start_as_current_span("request") as span, start_run("run"):
        print(span.resource.attributes["service.name"])
print(type(trace.get_tracer_provider()).__name__)
"""
    )
    assert ran.stdout.split() == ["shop", "OwnProvider"]
    assert [line.split()[-1] for line in ran.stderr.splitlines()[1:3]] == ["request", "[chain]"]


def test_provider_of_the_application_is_never_replaced() -> None:
    """A global provider that is there first stays, gets our output and loses it again."""
    ran = run_python(
        """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
mine = TracerProvider()
trace.set_tracer_provider(mine)
from otelbridge import configure, start_run
with configure(console=True):
    with start_run("run"):
        pass
    print(trace.get_tracer_provider() is mine)
print(mine._active_span_processor._span_processors)
"""
    )
    assert ran.stdout == "True\n()\n"
    assert "run [chain]" in ran.stderr


def test_set_up_works_again_after_shutdown() -> None:
    """The provider stays global; a later set-up renews its sampler, its name and its outputs."""
    ran = run_python(
        """
from opentelemetry import trace
from otelbridge import configure, start_run
tracer = trace.get_tracer("mine")

def show(name):
    with start_run(name) as run:
        with tracer.start_as_current_span(name + " inside") as inside:
            pass
    if run.span.is_recording() or hasattr(run.span, "resource"):
        names = {s.resource.attributes["service.name"] for s in (run.span, inside)}
        print(name, *names)
    else:
        print(name, "not recorded")

with configure(console=True, service_name="one"):
    show("first")
first = trace.get_tracer_provider()
show("between")
with configure(console=True, service_name="two"):
    show("second")
with configure(console=True, sampler=0.0):
    show("third")
with configure(console=True, service_name="four"):
    show("fourth")
print(trace.get_tracer_provider() is first)
"""
    )
    assert ran.stdout.splitlines() == [
        "first one",
        "between one",
        "second two",
        "third not recorded",
        "fourth four",
        "True",
    ]
    shown = [line.split()[4] for line in ran.stderr.splitlines() if "[chain]" in line]
    assert shown == ["first", "second", "fourth"]


def test_processors_that_the_application_adds_stay() -> None:
    """What the application adds to our provider is not ours to remove or to restart."""
    ran = run_python(
        """
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from otelbridge import configure, start_run
kept = InMemorySpanExporter()
with configure(console=True) as handle:
    trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(kept))
    with start_run("a"):
        pass
with start_run("b"):
    pass
with configure(console=True):
    with start_run("c"):
        pass
print([span.name for span in kept.get_finished_spans()])
"""
    )
    assert ran.stdout == "['a', 'b', 'c']\n"
    assert "b [chain]" not in ran.stderr


def test_spans_are_sent_at_exit() -> None:
    """A program that ends without a word has sent what ended before."""
    with http_receiver() as received:
        run_python(
            "from otelbridge import configure, start_run\n"
            f"configure(endpoint={received.url!r}, protocol='http/protobuf')\n"
            "with start_run('last'): pass\n"
        )
    assert received.names == ["last"]


def test_exit_is_not_held_up_by_an_unreachable_endpoint(refused: str) -> None:
    """At exit too, sending has a limit; the spans wait on disk."""
    began = time.perf_counter()
    ran = run_python(
        "from otelbridge import configure, start_run\n"
        "from otelbridge.export import pipeline\n"
        "pipeline.STOP_S = 0.5\n"
        f"configure(endpoint={refused!r}, protocol='http/protobuf')\n"
        "with start_run('last'): pass\n"
    )
    assert time.perf_counter() - began < 15
    assert "has not sent 1 span to" in ran.stderr
    assert "it waits on disk" in ran.stderr


def test_program_without_set_up_reads_the_variables_of_recording() -> None:
    """Nothing is installed by an import or a run alone."""
    ran = run_python(
        "import otelbridge\n"
        "from opentelemetry import trace\n"
        "with otelbridge.start_run('run') as run: print(run.span.is_recording())\n"
        "print(type(trace.get_tracer_provider()).__name__)\n"
    )
    assert ran.stdout.split() == ["False", "ProxyTracerProvider"]
    assert ran.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_child_sends_its_own_runs_alone() -> None:
    """What waits at a fork is the parent's to send; the child sends what it ends itself."""
    with http_receiver() as received:
        run_python(
            f"""
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on fork beside threads
from otelbridge import configure, start_run
handle = configure(endpoint={received.url!r}, protocol="http/protobuf")
with start_run("before"):
    pass
pid = os.fork()
with start_run("child" if pid == 0 else "parent"):
    pass
if pid == 0:
    ok = handle.flush()
    os._exit(0 if ok else 1)
assert os.waitpid(pid, 0)[1] == 0
"""
        )
    assert sorted(received.names) == ["before", "child", "parent"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_child_can_set_up_while_another_thread_did(provider: TracerProvider) -> None:
    """A lock that was held at the fork does not hold the child up."""
    ran = run_python(
        """
import os, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from otelbridge import configure
import sys
module = sys.modules["otelbridge.export.configure"]
held, done = threading.Event(), threading.Event()
def hold():
    with module._lock:
        held.set()
        done.wait(30)
threading.Thread(target=hold).start()
held.wait()
pid = os.fork()
if pid == 0:
    configure(console=True)
    os._exit(0)
status = os.waitpid(pid, 0)[1]
done.set()
print(status)
"""
    )
    assert ran.stdout == "0\n"


# ---------------------------------------------------------------------------- parts


def test_removing_from_a_provider_with_unknown_parts_is_nothing() -> None:
    """Neither a provider without the SDK's parts nor None is touched."""
    remove(None, Relay())
    remove(Foreign(), Relay())


def test_plan_makes_nothing_global(monkeypatch: pytest.MonkeyPatch) -> None:
    """Working a set-up out leaves OTel's global provider and the recording alone."""
    before = _tracing._default
    planned = plan(Arguments(console=True, store=False), {})
    assert isinstance(planned.provider, OwnProvider)
    assert planned.outputs == ("console",)
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert _tracing._default is before
    planned.provider.shutdown()


def test_own_processors_are_not_foreign(provider: TracerProvider) -> None:
    """Only the application's processors count as its outputs."""
    batch = BatchSpanProcessor(InMemorySpanExporter())
    provider.add_span_processor(Relay())
    provider.add_span_processor(batch)
    assert foreign_processors(provider) == ["BatchSpanProcessor"]
    batch.shutdown()


def test_first_variable_that_is_set_counts() -> None:
    """Empty variables are unset; the others are stripped."""
    environ: Mapping[str, str] = {"A": "", "B": "  ", "C": " x ", "D": "y"}
    assert environment.text(environ, "A", "B", "C", "D") == "x"
    assert environment.text(environ, "A", "B", "E") is None
    assert environment.flag({"A": "TRUE"}, "B", "A") is True
    assert environment.number({"A": "2.5"}, "A") == 2.5
    assert environment.number({"A": "3"}, "A", whole=True) == 3
