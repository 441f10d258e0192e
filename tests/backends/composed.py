"""compose.yaml as processes: the same commands, variables, ports and volumes, without containers.

What a service calls ``agent:4317`` is a free port of this machine here, the same one everywhere it
is spoken of; each volume is a folder, and each file that a container would see is the file itself.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from backends.servers import CONFIGURATIONS, Server, answers, binary, free_ports

PROGRAMS = {"opentelemetry-collector-contrib": ("collector", "otelcol"), "jaeger": ("jaeger",) * 2}
# What the files default to: a container has its own loopback interface, processes share one.
HIDDEN = {
    "OTELCOL_HEALTH": "127.0.0.1:1",
    "OTELCOL_METRICS": "127.0.0.1:2",
    "OTELCOL_SELF_PORT": "3",
    "JAEGER_HEALTH": "127.0.0.1:1",
    "JAEGER_QUERY_GRPC": "127.0.0.1:2",
    "JAEGER_SELF_PORT": "3",
}


class Compose:
    """The file, with its variables filled in.

    Args:
        folder: for the volumes.
        settings: variables of whoever calls ``docker compose``.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        text = (CONFIGURATIONS / "compose.yaml").read_text()
        filled = re.sub(
            r"\$\{(\w+):-([^}]*)\}", lambda found: settings.get(found[1], found[2]), text
        )
        self.services: dict[str, Any] = yaml.safe_load(filled)["services"]
        self._ports: dict[tuple[str, str], int] = {}

    def port(self, service: str, port: str) -> int:
        """The port of this machine that stands for a service's port."""
        key = (service, port)
        if key not in self._ports:
            self._ports[key] = free_ports("one")["one"]
        return self._ports[key]

    def variables(self, service: str) -> dict[str, str]:
        """The service's environment, with addresses and folders of this machine."""
        given = {**HIDDEN, **self.services[service].get("environment", {})}
        return {name: self._here(service, str(value)) for name, value in given.items()}

    def _here(self, service: str, value: str) -> str:
        if value.isdecimal() and int(value) < 10:
            return str(self.port(service, value))
        names = "|".join(map(re.escape, self.services))
        value = re.sub(
            rf"\b({names}|0\.0\.0\.0|127\.0\.0\.1):(\d+)",
            lambda found: f"127.0.0.1:{self.port(self._owner(service, found[1]), found[2])}",
            value,
        )
        return self.path(service, value)

    def _owner(self, service: str, host: str) -> str:
        return host if host in self.services else service

    def path(self, service: str, text: str) -> str:
        """A text in which the container's paths are this machine's."""
        for volume in self.services[service].get("volumes", ()):
            source, target = volume.split(":")[:2]
            here = CONFIGURATIONS / source if source.startswith(".") else self.folder / source
            text = text.replace(target, str(here))
        return text.replace("/src/", f"{CONFIGURATIONS.parent}/")

    def command(self, service: str) -> list[str]:
        """The service's command line."""
        return [self.path(service, word) for word in self.services[service]["command"]]


class Service(Server):
    """One service that its image's binary runs."""

    def __init__(self, compose: Compose, name: str, **changed: str) -> None:
        super().__init__(name, compose.folder / f"{name}-log")
        self._compose = compose
        image = compose.services[name]["image"].split("/")[-1].split(":")[0]
        self._binary = binary(*PROGRAMS[image])
        self._variables = compose.variables(name) | changed
        health = self._variables[
            "OTELCOL_HEALTH" if "otelcol" in self._binary.name else "JAEGER_HEALTH"
        ]
        self._health = f"http://{health}/" + ("status" if "jaeger" in self._binary.name else "")

    def command(self) -> Sequence[str]:
        return [str(self._binary), *self._compose.command(self.name)]

    def variables(self) -> Mapping[str, str]:
        return self._variables

    def ready(self) -> bool:
        return answers(self._health)


def run_app(compose: Compose, python: str) -> str:
    """Run the example program as its service would; what it prints."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(compose.folder),
        "PYTHONPATH": str(CONFIGURATIONS.parent),
        **compose.variables("app"),
    }
    words = [python, *compose.command("app")[1:]]
    ran = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
