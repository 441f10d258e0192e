"""TLS over either protocol, right and wrong: what cannot work is said with its cure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from answering import (
    HOST,
    Authority,
    free_port,
    grpc_server,
    kind,
    request,
    socket_server,
    web_server,
)

from otelbridge.export import official
from otelbridge.export.channel import Blocked, Channel, Delivered
from otelbridge.export.otlp import GRPC, HTTP, Target


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.endswith("CA_BUNDLE"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the certificates of this module."""
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=[HTTP, GRPC])
def protocol(request: pytest.FixtureRequest) -> str:
    """Each of the two."""
    return str(request.param)


@contextmanager
def served(
    protocol: str, authority: Authority | None = None, host: str = HOST, clients: bool = False
) -> Iterator[str]:
    """The endpoint of a receiver; with an authority it speaks TLS, with certificates of that."""
    if protocol == HTTP:
        with web_server(tls=authority and authority.web(host, clients)) as web:
            yield web.url
    else:
        with grpc_server(credentials=authority and authority.grpc(host, clients)) as calls:
            yield calls.url


def channel(protocol: str, endpoint: str, **settings: Any) -> Channel:
    """A channel to the traces of a receiver."""
    url = endpoint + "/v1/traces" if protocol == HTTP else endpoint
    insecure = endpoint.startswith("http://")
    return official.channel(Target(url, protocol, insecure=insecure, timeout_s=5.0, **settings))


def test_own_authority(authority: Authority, protocol: str) -> None:
    """The file is used."""
    with served(protocol, authority) as url:
        sender = channel(protocol, url, certificate=authority.file)
        assert sender.send(request()) == Delivered()
        sender.close()


def test_own_authority_goes_before_that_of_requests(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REQUESTS_CA_BUNDLE would go before a session's."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", __file__)
    with served(HTTP, authority) as url:
        assert channel(HTTP, url, certificate=authority.file).send(request()) == Delivered()


def test_mutual_tls(authority: Authority, protocol: str) -> None:
    """A receiver that wants our certificate gets it; without one, the line names the variables."""
    certificate, key = authority.signed("client.example")
    files = {"certificate": authority.file, "client_files": (key, certificate)}
    with served(protocol, authority, clients=True) as url:
        assert channel(protocol, url, **files).send(request()) == Delivered()
        unknown = channel(protocol, url, certificate=authority.file).send(request())
    assert isinstance(unknown, Blocked)
    assert "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE" in unknown.cure


@pytest.mark.parametrize(
    ("host", "trusts", "cure"),
    [
        (HOST, False, "OTEL_EXPORTER_OTLP_CERTIFICATE"),
        ("elsewhere.example", True, "host name that the certificate is for"),
    ],
)
def test_wrong_certificate(
    authority: Authority, protocol: str, host: str, trusts: bool, cure: str
) -> None:
    """One line names the cure: another authority, another host name."""
    trusted = authority.file if trusts else None
    with served(protocol, authority, host) as url:
        outcome = channel(protocol, url, certificate=trusted).send(request())
    assert isinstance(outcome, Blocked)
    assert "cannot be trusted" in outcome.reason
    assert cure in outcome.cure


def test_plain_text_to_a_tls_port(authority: Authority, protocol: str) -> None:
    """The server drops it without a word, and yet the line says https."""
    with served(protocol, authority) as url:
        outcome = channel(protocol, url.replace("https", "http")).send(request())
    assert isinstance(outcome, Blocked)
    assert "https://" in outcome.cure


def test_tls_to_a_plain_port(protocol: str) -> None:
    """The line says http."""
    with served(protocol) as url:
        outcome = channel(protocol, url.replace("http", "https")).send(request())
    assert isinstance(outcome, Blocked)
    assert "http://" in outcome.cure


def test_tls_to_a_port_that_drops_it(protocol: str) -> None:
    """As a gRPC server of Go does with TLS that it does not expect."""
    with socket_server(lambda connection: connection.recv(24) and connection.close()) as port:
        outcome = channel(protocol, f"https://{HOST}:{port}").send(request())
    assert isinstance(outcome, Blocked)
    assert "http://" in outcome.cure


def test_certificate_file_that_has_gone(
    authority: Authority, protocol: str, tmp_path: Path
) -> None:
    """A file that is deleted after the set-up blocks, and no exception comes out."""
    path = tmp_path / "gone.pem"
    path.write_bytes(Path(authority.file).read_bytes())
    sender = channel(protocol, f"https://{HOST}:{free_port()}", certificate=str(path))
    path.unlink()
    assert kind(sender.send(request())) == "Blocked"
