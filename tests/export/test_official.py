"""The seam to the official exporters: with the same variables the same arrives.

The official exporter is made without arguments and sends one span; the channel is made from the
same variables and sends one request. What the receiver got is compared.
"""

from __future__ import annotations

import gzip
import os
import socket
import sys
import zlib
from collections.abc import Callable
from importlib import metadata
from typing import Any

import grpc
import pytest
import requests
from answering import (
    HOST,
    Authority,
    grpc_server,
    kind,
    reply,
    request,
    socket_server,
    web_server,
)
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otelbridge.errors import ConfigurationError
from otelbridge.export import environment, official, otlp
from otelbridge.export.arguments import Arguments
from otelbridge.export.channel import Channel, Delivered

VERSION = tuple(map(int, metadata.version("opentelemetry-sdk").split(".")[:2]))
Environ = dict[str, str]
OTLP = "OTEL_EXPORTER_OTLP_"
TRACES = OTLP + "TRACES_"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.endswith("CA_BUNDLE"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the certificates of this module."""
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def setenv(monkeypatch: pytest.MonkeyPatch) -> Callable[[Environ, str], None]:
    """Sets variables, with the receiver's URL and address filled in."""

    def put(environ: Environ, url: str) -> None:
        for name, value in environ.items():
            monkeypatch.setenv(name, value.format(url=url, address=url.partition("//")[2]))

    return put


def ours(protocol: str) -> Channel:
    """The channel that the variables say."""
    return official.channel(otlp.target(Arguments(protocol=protocol), os.environ))


def send_both(exporter: Callable[[], SpanExporter], protocol: str) -> None:
    """Send one span by the official exporter, then one request by the channel."""
    with TracerProvider().get_tracer("test").start_as_current_span("a") as span:
        pass
    theirs = exporter()
    assert theirs.export([span]) is SpanExportResult.SUCCESS  # type: ignore[list-item]
    theirs.shutdown()
    sender = ours(protocol)
    assert sender.send(request()) == Delivered()
    sender.close()


# ---------------------------------------------------------------------------- HTTP

HTTP_TABLE: dict[str, Environ] = {
    "ENDPOINT": {OTLP + "ENDPOINT": "{url}"},
    "ENDPOINT with a slash": {OTLP + "ENDPOINT": "{url}/"},
    "ENDPOINT with a path": {OTLP + "ENDPOINT": "{url}/otlp"},
    "TRACES_ENDPOINT": {OTLP + "ENDPOINT": "http://no", TRACES + "ENDPOINT": "{url}/exact"},
    "HEADERS": {OTLP + "ENDPOINT": "{url}", OTLP + "HEADERS": "X-Key=a%20b,y=1=2"},
    "TRACES_HEADERS": {
        OTLP + "ENDPOINT": "{url}",
        OTLP + "HEADERS": "x=1",
        TRACES + "HEADERS": "authorization=Bearer%20t",
    },
    "COMPRESSION none": {OTLP + "ENDPOINT": "{url}", OTLP + "COMPRESSION": "none"},
    "COMPRESSION gzip": {OTLP + "ENDPOINT": "{url}", OTLP + "COMPRESSION": "gzip"},
    "COMPRESSION deflate": {OTLP + "ENDPOINT": "{url}", OTLP + "COMPRESSION": "deflate"},
    "TRACES_COMPRESSION": {
        OTLP + "ENDPOINT": "{url}",
        OTLP + "COMPRESSION": "deflate",
        TRACES + "COMPRESSION": "gzip",
    },
    "TIMEOUT": {OTLP + "ENDPOINT": "{url}", OTLP + "TIMEOUT": "3"},
}
_DECODE = {"gzip": gzip.decompress, "deflate": zlib.decompress, "none": bytes}


@pytest.mark.parametrize("environ", HTTP_TABLE.values(), ids=HTTP_TABLE.keys())
def test_http_parity(environ: Environ, setenv: Callable[[Environ, str], None]) -> None:
    """Path, headers and encoding are those of the official exporter."""
    with web_server() as web:
        setenv(environ, web.url)
        send_both(HttpExporter, otlp.HTTP)
    assert web.paths[0] == web.paths[1]
    theirs, mine = (dict(headers) for headers in web.headers)
    encoding = mine.get("content-encoding", "none")
    assert _DECODE[encoding](web.bodies[1]) == request()
    del theirs["content-length"], mine["content-length"]
    assert mine == theirs


@pytest.mark.parametrize("prefix", [OTLP, TRACES])
def test_http_tls_parity(
    prefix: str, authority: Authority, setenv: Callable[[Environ, str], None]
) -> None:
    """CERTIFICATE, CLIENT_KEY and CLIENT_CERTIFICATE open a receiver that wants them."""
    certificate, key = authority.signed("client.example")
    files = {"CERTIFICATE": authority.file, "CLIENT_KEY": key, "CLIENT_CERTIFICATE": certificate}
    with web_server(tls=authority.web(clients=True)) as web:
        setenv({OTLP + "ENDPOINT": "{url}"} | {prefix + k: v for k, v in files.items()}, web.url)
        send_both(HttpExporter, otlp.HTTP)
    assert len(web.bodies) == 2


@pytest.mark.parametrize(("exempt", "through"), [("", 2), (HOST, 0)])
def test_http_proxy_parity(
    exempt: str, through: int, setenv: Callable[[Environ, str], None]
) -> None:
    """HTTP_PROXY and NO_PROXY lead both the same way."""
    with web_server() as proxy, web_server() as web:
        setenv({"http_proxy": proxy.url, "no_proxy": exempt, OTLP + "ENDPOINT": "{url}"}, web.url)
        send_both(HttpExporter, otlp.HTTP)
    assert (len(proxy.paths), len(web.paths)) == (through, 2 - through)


# ---------------------------------------------------------------------------- gRPC

GRPC_TABLE: dict[str, Environ] = {
    "ENDPOINT": {OTLP + "ENDPOINT": "{url}"},
    "TRACES_ENDPOINT": {OTLP + "ENDPOINT": "http://no:1", TRACES + "ENDPOINT": "{url}"},
    "HEADERS": {OTLP + "ENDPOINT": "{url}", OTLP + "HEADERS": "X-Key=a%20b,y=1=2"},
    "TRACES_HEADERS": {
        OTLP + "ENDPOINT": "{url}",
        OTLP + "HEADERS": "x=1",
        TRACES + "HEADERS": "authorization=Bearer%20t",
    },
    "COMPRESSION gzip": {OTLP + "ENDPOINT": "{url}", OTLP + "COMPRESSION": "gzip"},
    "TRACES_COMPRESSION": {OTLP + "ENDPOINT": "{url}", TRACES + "COMPRESSION": "gzip"},
    "TIMEOUT": {OTLP + "ENDPOINT": "{url}", OTLP + "TIMEOUT": "3"},
    "INSECURE": {OTLP + "ENDPOINT": "{address}", OTLP + "INSECURE": "true"},
    "TRACES_INSECURE": {OTLP + "ENDPOINT": "{address}", TRACES + "INSECURE": "true"},
}


@pytest.mark.parametrize("environ", GRPC_TABLE.values(), ids=GRPC_TABLE.keys())
def test_grpc_parity(environ: Environ, setenv: Callable[[Environ, str], None]) -> None:
    """Metadata are those of the official exporter."""
    with grpc_server() as calls:
        setenv(environ, calls.url)
        send_both(GrpcExporter, otlp.GRPC)
    theirs, mine = calls.metadata
    assert calls.messages[1] == request()
    # Before 1.36 it was sent as metadata, which gRPC replaces by its own User-Agent.
    named = f"OTel-OTLP-Exporter-Python/{metadata.version('opentelemetry-sdk')} "
    assert mine.pop("user-agent").startswith(named)
    assert theirs.pop("user-agent").startswith(named) or VERSION < (1, 36)
    assert mine == theirs


@pytest.mark.parametrize("prefix", [OTLP, TRACES])
def test_grpc_tls_parity(
    prefix: str, authority: Authority, setenv: Callable[[Environ, str], None]
) -> None:
    """CERTIFICATE, CLIENT_KEY and CLIENT_CERTIFICATE open a receiver that wants them."""
    certificate, key = authority.signed("client.example")
    files = {"CERTIFICATE": authority.file, "CLIENT_KEY": key, "CLIENT_CERTIFICATE": certificate}
    with grpc_server(credentials=authority.grpc(clients=True)) as calls:
        setenv({OTLP + "ENDPOINT": "{url}"} | {prefix + k: v for k, v in files.items()}, calls.url)
        send_both(GrpcExporter, otlp.GRPC)
    assert len(calls.messages) == 2


def test_grpc_compression_none_is_taken(setenv: Callable[[Environ, str], None]) -> None:
    """The specification's word, which the official exporter refuses."""
    with grpc_server() as calls:
        setenv({OTLP + "ENDPOINT": "{url}", OTLP + "COMPRESSION": "none"}, calls.url)
        assert ours(otlp.GRPC).send(request()) == Delivered()


def test_grpc_goes_through_a_proxy(setenv: Callable[[Environ, str], None]) -> None:
    """gRPC itself reads the proxy variables: it asks for a tunnel."""
    asked: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        asked.append(connection.recv(65536))
        connection.close()

    with socket_server(talk) as port:
        environ = {
            "http_proxy": f"http://{HOST}:{port}",
            OTLP + "ENDPOINT": "http://a.invalid:4317",
        }
        setenv(environ, "")
        assert kind(ours(otlp.GRPC).send(request())) == "TryAgain"
    assert asked[0].startswith(b"CONNECT a.invalid:4317 ")


# ---------------------------------------------------------------------------- both


@pytest.mark.parametrize("name", [OTLP + "TIMEOUT", TRACES + "TIMEOUT"])
@pytest.mark.parametrize("protocol", [otlp.HTTP, otlp.GRPC])
def test_timeout_is_in_seconds(
    name: str, protocol: str, setenv: Callable[[Environ, str], None]
) -> None:
    """As with the official exporters; a fraction is taken too, which they refuse before 1.35."""
    with socket_server(lambda connection: connection.recv(1) and connection.recv(1)) as port:
        setenv({name: "0.3", OTLP + "ENDPOINT": f"http://{HOST}:{port}"}, "")
        outcome = ours(protocol).send(request())
    assert "0.3 s" in outcome.reason  # type: ignore[union-attr]


@pytest.mark.parametrize("protocol", [otlp.HTTP, otlp.GRPC])
@pytest.mark.parametrize("name", [OTLP + "PROTOCOL", TRACES + "PROTOCOL"])
def test_protocol_variable_chooses(
    name: str, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel is of that protocol."""
    monkeypatch.setenv(name, protocol)
    monkeypatch.setenv(OTLP + "ENDPOINT", "http://a:1")
    channel = official.channel(otlp.target(Arguments(), os.environ))
    assert channel.where.endswith(f"({protocol})")
    channel.close()


@pytest.mark.parametrize(("protocol", "package"), [(otlp.GRPC, "grpc"), (otlp.HTTP, "http")])
def test_missing_package_is_named(
    protocol: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the exporter is not installed, the error says what to install."""
    module = f"opentelemetry.exporter.otlp.proto.{package}.trace_exporter"
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=f"pip install .*-proto-{package}"):
        ours(protocol)


def test_exporter_that_refuses_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it raises at its making comes with the target and a cure."""

    def refuse(**_: object) -> None:
        raise RuntimeError("not like this")

    module = "opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter"
    monkeypatch.setattr(module, refuse)
    with pytest.raises(ConfigurationError, match=r"4318.*not like this.*correct the OTEL_"):
        ours(otlp.HTTP)


def test_exporter_with_other_arguments_is_done_without(
    monkeypatch: pytest.MonkeyPatch, setenv: Callable[[Environ, str], None]
) -> None:
    """A version whose arguments have changed, or that names no User-Agent, sends all the same."""

    def changed(*, target: str) -> None:
        raise AssertionError("not reached")

    package = "opentelemetry.exporter.otlp.proto.http"
    monkeypatch.setattr(f"{package}.trace_exporter.OTLPSpanExporter", changed)
    monkeypatch.delattr(f"{package}._OTLP_HTTP_HEADERS")
    with web_server() as web:
        setenv({OTLP + "ENDPOINT": "{url}", OTLP + "COMPRESSION": "gzip"}, web.url)
        assert ours(otlp.HTTP).send(request()) == Delivered()
    assert web.headers[0]["user-agent"].startswith("OTel-OTLP-Exporter-Python/1.")
    assert web.headers[0]["content-encoding"] == "gzip"


# ---------------------------------------------------------------------------- credential providers


class Signed(requests.Session):
    """What a provider of HTTP credentials gives."""

    def request(self, *args: Any, **kwargs: Any) -> Any:
        self.headers["x-signed"] = "yes"
        return super().request(*args, **kwargs)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Offers something under the name "mine" in the entry point group of the providers."""

    def offer(found: Any) -> None:
        def plugin(group: str, name: str) -> Any:
            wanted = (group, name) == ("opentelemetry_otlp_credential_provider", "mine")
            return found if wanted else None

        monkeypatch.setattr(environment, "plugin", plugin)

    return offer


@pytest.mark.parametrize("name", ["HTTP", "HTTP_TRACES"])
def test_http_credential_provider(
    name: str,
    provider: Callable[[Any], None],
    setenv: Callable[[Environ, str], None],
) -> None:
    """Its session is used."""
    provider(Signed)
    with web_server(reply(200)) as web:
        environ = {f"OTEL_PYTHON_EXPORTER_OTLP_{name}_CREDENTIAL_PROVIDER": "mine"}
        setenv(environ | {OTLP + "ENDPOINT": "{url}"}, web.url)
        assert ours(otlp.HTTP).send(request()) == Delivered()
    assert web.headers[0]["x-signed"] == "yes"


@pytest.mark.parametrize("name", ["GRPC", "GRPC_TRACES"])
def test_grpc_credential_provider(
    name: str,
    provider: Callable[[Any], None],
    setenv: Callable[[Environ, str], None],
    authority: Authority,
) -> None:
    """Its credentials are used."""
    with open(authority.file, "rb") as file:
        known = file.read()
    provider(lambda: grpc.ssl_channel_credentials(known))
    with grpc_server(credentials=authority.grpc()) as calls:
        environ = {f"OTEL_PYTHON_EXPORTER_OTLP_{name}_CREDENTIAL_PROVIDER": "mine"}
        setenv(environ | {OTLP + "ENDPOINT": "{url}"}, calls.url)
        assert ours(otlp.GRPC).send(request()) == Delivered()


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_unknown_credential_provider_is_refused(
    protocol: str, setenv: Callable[[Environ, str], None]
) -> None:
    """At set-up, with the name."""
    word = protocol.partition("/")[0].upper()
    environ = {f"OTEL_PYTHON_EXPORTER_OTLP_{word}_CREDENTIAL_PROVIDER": "nobody"}
    setenv(environ | {OTLP + "ENDPOINT": "https://a:1"}, "")
    with pytest.raises(ConfigurationError, match="nobody"):
        ours(protocol)


def test_credential_provider_of_the_wrong_kind(
    provider: Callable[[Any], None], setenv: Callable[[Environ, str], None]
) -> None:
    """HTTP says so at set-up; gRPC, which makes nothing before the first request, with that."""
    provider(dict)
    setenv(
        {
            "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER": "mine",
            "OTEL_PYTHON_EXPORTER_OTLP_GRPC_CREDENTIAL_PROVIDER": "mine",
            OTLP + "ENDPOINT": f"https://{HOST}:1",
        },
        "",
    )
    with pytest.raises(ConfigurationError, match=r"returned a dict.*requests\.Session"):
        ours(otlp.HTTP)
    outcome = ours(otlp.GRPC).send(request())
    assert kind(outcome) == "Blocked"
    assert "grpc.ChannelCredentials" in outcome.reason  # type: ignore[union-attr]
