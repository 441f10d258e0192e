"""What compose.yaml starts works: the trace of its program is on Jaeger's page."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from backends import jaeger_api
from backends.composed import Compose, Service, run_app
from backends.servers import CONFIGURATIONS, Kafka, Server, until

_KEYS = frozenset(
    "build cap_drop command depends_on environment image ports profiles restart stop_grace_period "
    "user volumes".split()
)
WAITS = {"DECISION_WAIT": "10s", "DECISION_WAIT_AFTER_ROOT": "1s"}


@pytest.mark.parametrize("with_kafka", [False, True], ids=["plain", "kafka"])
def test_the_trace_of_its_program_is_on_the_page(tmp_path: Path, with_kafka: bool) -> None:
    """The same commands, variables, ports and volumes, as processes."""
    settings = {"AGENT_NEXT": "http://gateway-kafka:4347"} if with_kafka else {}
    compose = Compose(tmp_path, **WAITS, **settings)
    servers: list[Server] = []
    try:
        brokers = {}
        if with_kafka:
            servers.append(Kafka(tmp_path / "kafka"))
            brokers["OTELCOL_KAFKA"] = f"[{servers[0].address('BROKER')}]"
        for name, service in compose.services.items():
            if name not in ("app", "kafka") and (with_kafka or "profiles" not in service):
                servers.append(Service(compose, name, **(brokers if "kafka" in name else {})))
        for server in servers:
            server.start()
        said = run_app(compose, sys.executable)
        trace_id = re.findall(r"trace ([0-9a-f]{32})", said)[0]
        page = f"http://127.0.0.1:{compose.port('jaeger', '16686')}"
        until(lambda: len(jaeger_api.trace(page, trace_id)) == 4, 60, "the trace is there", 0.5)
        names = {span["name"] for span in jaeger_api.trace(page, trace_id)}
        assert {"count words", "split", "count"} <= names
    finally:
        for server in reversed(servers):
            server.close()


def test_only_the_page_leaves_the_containers() -> None:
    """One port is published, and on this machine's loopback interface alone."""
    services = Compose(Path("/")).services.values()
    published = [port for service in services for port in service.get("ports", ())]
    assert published == ["127.0.0.1:16686:16686"]


def test_what_the_file_names_is_there() -> None:
    """Each key is one of the Compose specification's that is meant; what is referred to exists."""
    text = (CONFIGURATIONS / "compose.yaml").read_text()
    whole = yaml.safe_load(re.sub(r"\$\{(\w+):-([^}]*)\}", r"\2", text))
    services = whole["services"]
    assert {key for key in whole if not key.startswith("x-")} <= {"services", "volumes"}
    named = set()
    for name, service in services.items():
        assert set(service) <= _KEYS, name
        assert ("image" in service) != ("build" in service), name
        assert set(service.get("depends_on", ())) <= set(services), name
        for value in service.get("environment", {}).values():
            assert isinstance(value, (str, int)), name
        for volume in service.get("volumes", ()):
            source, target, *mode = volume.split(":")
            assert target.startswith("/"), volume
            assert mode in ([], ["ro"]), volume
            if source.startswith("."):
                assert (CONFIGURATIONS / source).is_file(), volume
            else:
                named.add(source)
    assert named == set(whole["volumes"])


def test_docker_accepts_the_file() -> None:
    """By `docker compose config`."""
    docker = shutil.which("docker")
    version = [docker or "false", "compose", "version"]
    if subprocess.run(version, capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed here")
    file = str(CONFIGURATIONS / "compose.yaml")
    words = [str(docker), "compose", "-f", file, "--profile", "kafka", "config", "--format=json"]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    assert set(json.loads(ran.stdout)["services"]) == set(Compose(Path("/")).services)
