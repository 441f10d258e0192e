"""TLS and a token between a program, an agent and a gateway; and what goes wrong without them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from backends import jaeger_api
from backends.figures import note
from backends.fleet import Fleet, all_arrive
from backends.servers import Collector, Jaeger, until

TOKEN = "Bearer right"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that is its own authority, its key, and a file with the token."""
    folder = tmp_path_factory.mktemp("keys")
    openssl = shutil.which("openssl")
    assert openssl, "openssl must be installed"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run([openssl, *words], check=True, capture_output=True)
    (folder / "token").write_text("right")
    return folder


@pytest.fixture(scope="module")
def jaeger(fleet: Fleet) -> Jaeger:
    """Jaeger in memory."""
    return fleet.jaeger("jaeger")


@pytest.fixture(scope="module")
def gateway(fleet: Fleet, jaeger: Jaeger, keys: Path) -> Collector:
    """An agent that strangers may reach."""
    return fleet.collector(
        "gateway",
        "agent",
        "secure",
        OTELCOL_NEXT=f"http://{jaeger.address('GRPC')}",
        OTELCOL_CERT=str(keys / "cert.pem"),
        OTELCOL_KEY=str(keys / "key.pem"),
        OTELCOL_TOKEN_FILE=str(keys / "token"),
    )


@pytest.mark.parametrize(("port", "protocol"), [("GRPC", "grpc"), ("HTTP", "http/protobuf")])
def test_a_program_with_certificate_and_token_is_let_in(
    fleet: Fleet, jaeger: Jaeger, gateway: Collector, keys: Path, port: str, protocol: str
) -> None:
    """Both protocols."""
    program = fleet.program(
        "load",
        f"secure-{port}",
        f"https://{gateway.address(port)}",
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_EXPORTER_OTLP_CERTIFICATE=str(keys / "cert.pem"),
        OTEL_EXPORTER_OTLP_HEADERS=f"authorization={TOKEN}",
    )
    assert program.ended()["flushed"] is True, program.errors
    came = all_arrive(jaeger, program)
    assert (came.lost, came.changed) == (0, [])


@pytest.mark.parametrize(("port", "protocol"), [("GRPC", "grpc"), ("HTTP", "http/protobuf")])
@pytest.mark.parametrize("wrong", ["token", "certificate", "plain text"])
def test_what_is_wrong_is_said_once_and_nothing_is_lost(
    fleet: Fleet,
    jaeger: Jaeger,
    gateway: Collector,
    keys: Path,
    port: str,
    protocol: str,
    wrong: str,
) -> None:
    """The spans wait on disk, and come when the next program of the service has it right."""
    right = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(keys / "cert.pem"),
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={TOKEN}",
    }
    faulty = dict(right)
    scheme = "http" if wrong == "plain text" else "https"
    if wrong == "token":
        faulty["OTEL_EXPORTER_OTLP_HEADERS"] = "authorization=Bearer wrong"
    if wrong in ("certificate", "plain text"):
        del faulty["OTEL_EXPORTER_OTLP_CERTIFICATE"]
    service = f"wrong-{wrong.replace(' ', '-')}-{port}"
    address = gateway.address(port)
    program = fleet.program("load", service, f"{scheme}://{address}", "--flush=1", **faulty)
    assert program.ended()["flushed"] is False
    lines = [line for line in program.errors.splitlines() if "cannot" in line]
    note(f"{protocol}, wrong {wrong}", says=repr(lines[0][:400]) if lines else "nothing")
    assert len(lines) == 1, program.errors
    replay = fleet.program("replay", service, f"https://{address}", **right)
    assert replay.ended()["flushed"] is True
    came = all_arrive(jaeger, program)
    assert (came.lost, came.changed) == (0, [])


def test_an_agent_sends_to_a_secured_gateway(
    fleet: Fleet, jaeger: Jaeger, gateway: Collector, keys: Path
) -> None:
    """https, the CA and the token from its environment; with a wrong token the spans wait."""
    agent = fleet.collector(
        "agent",
        "agent",
        OTELCOL_NEXT=f"https://{gateway.address('GRPC')}",
        OTELCOL_NEXT_CA=str(keys / "cert.pem"),
        OTELCOL_NEXT_AUTHORIZATION=TOKEN,
    )
    program = fleet.program("load", "by-agent", f"http://{agent.address('GRPC')}")
    assert program.ended()["flushed"] is True
    until(lambda: jaeger_api.traces(jaeger.page, "by-agent"), 30, "its spans are there", 0.5)
    came = all_arrive(jaeger, program)
    assert (came.lost, came.changed) == (0, [])
