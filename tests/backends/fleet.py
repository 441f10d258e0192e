"""Servers and programs of one test module, and the comparison of what was made with what came."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from backends import jaeger_api, ledger
from backends.jaeger_api import Span
from backends.servers import Collector, Jaeger, Kafka, Server, until

ROOT = Path(__file__).parents[2]


class Fleet:
    """Makes and ends servers and programs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: list[Server] = []
        self._programs: list[Program] = []

    def jaeger(self, name: str, configuration: str = "jaeger", **settings: str) -> Jaeger:
        """Start Jaeger."""
        return self._started(Jaeger(configuration, self._folder / name, **settings))

    def collector(self, name: str, *configuration: str, **settings: str) -> Collector:
        """Start a Collector."""
        return self._started(Collector(self._folder / name, *configuration, **settings))

    def kafka(self, name: str) -> Kafka:
        """Start Kafka."""
        return self._started(Kafka(self._folder / name))

    def through_kafka(self, kafka: Kafka, jaeger: Jaeger, name: str) -> tuple[Collector, Collector]:
        """Start a gateway and an ingest, with a topic and a group of their own."""
        own = {
            "OTELCOL_KAFKA": f"[{kafka.address('BROKER')}]",
            "OTELCOL_KAFKA_TOPIC": f"spans-{name}",
            "OTELCOL_KAFKA_GROUP": f"group-{name}",
        }
        next_hop = f"http://{jaeger.address('GRPC')}"
        gateway = self.collector(f"gateway-{name}", "gateway-kafka", **own)
        ingest = self.collector(f"ingest-{name}", "ingest-kafka", OTELCOL_NEXT=next_hop, **own)
        return gateway, ingest

    def _started(self, server: Any) -> Any:
        self._servers.append(server)
        server.start()
        return server

    def program(self, work: str, service: str, endpoint: str, *words: str, **env: str) -> Program:
        """Start a program that makes spans."""
        program = Program(self._folder / "programs", work, service, endpoint, words, env)
        self._programs.append(program)
        return program

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for program in self._programs:
            program.kill()
        for server in reversed(self._servers):
            server.close()


class Program:
    """One run of ``program.py``; a second one of the same service goes on with its ledger."""

    def __init__(
        self,
        folder: Path,
        work: str,
        service: str,
        endpoint: str,
        words: tuple[str, ...],
        environment: dict[str, str],
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.service = service
        self.ledger = folder / f"{service}.jsonl"
        self._errors = folder / f"{service}.err"
        settings = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder / "state"),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
            "OTEL_SERVICE_NAME": service,
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_SPAN_EVENT_COUNT_LIMIT": "128",
        }
        command = [sys.executable, "-m", "backends.program", work, "--ledger", str(self.ledger)]
        with self._errors.open("a") as errors:
            self._process = subprocess.Popen(
                [*command, *words],
                cwd=folder,
                env=settings | environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    @property
    def made(self) -> list[Span]:
        """Every span that has ended so far."""
        return ledger.read(self.ledger)

    @property
    def errors(self) -> str:
        """What it wrote to standard error."""
        return self._errors.read_text()

    def ended(self, timeout_s: float = 180, status: int = 0) -> dict[str, Any]:
        """Wait for its end; its report."""
        output, _ = self._process.communicate(timeout=timeout_s)
        assert self._process.returncode == status, (self._process.returncode, self.errors)
        return json.loads(output) if output.strip() else {}

    def send(self, signal_number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(signal_number)

    def kill(self) -> None:
        """End it by kill -9."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.communicate()


@dataclass(frozen=True)
class Arrived:
    """What of a program's spans is in Jaeger."""

    made: int
    lost: int
    duplicates: int
    changed: list[str]

    def __str__(self) -> str:
        return f"{self.made} spans, {self.lost} lost, {self.duplicates} twice"


def arrived(jaeger: Jaeger, program: Program) -> Arrived:
    """Compare every span that a program has made with what Jaeger stores, in every part."""
    stored = ledger.by_id(jaeger_api.traces(jaeger.page, program.service))
    made = program.made
    found = {(span["trace_id"], span["span_id"]): span for span in made}
    return Arrived(
        made=len(found),
        lost=len(found.keys() - stored.keys()),
        duplicates=sum(len(stored[key]) - 1 for key in found.keys() & stored.keys()),
        changed=[
            difference
            for key in found.keys() & stored.keys()
            for difference in differences(found[key], stored[key][0])
        ],
    )


def all_arrive(jaeger: Jaeger, program: Program, timeout_s: float = 60) -> Arrived:
    """Wait until everything that a program has made is there; what is there when time is up."""
    with suppress(AssertionError):
        until(lambda: arrived(jaeger, program).lost == 0, timeout_s, "everything is there", 1)
    return arrived(jaeger, program)


def differences(made: Span, stored: Span) -> list[str]:
    """Say in which parts a stored span differs."""
    return [
        f"{made['name']}: {part} was {made[part]!r:.2000}, is {stored[part]!r:.2000}"
        for part in made
        if made[part] != stored[part]
    ]
