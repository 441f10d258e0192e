"""What goes wrong with a server while programs send to it, and what came of the programs' spans.

The long cases run beside the other tests from the beginning: they mostly wait.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.fleet import Arrived, Fleet, Program, all_arrive
from backends.servers import Jaeger, Server

BACKEND_AWAY_S = 45
KAFKA_AWAY_S = 30


@dataclass(frozen=True)
class Outage:
    """What came of one program.

    Attributes:
        case: what happened.
        came: what is in Jaeger of what it made.
        report: what it said at its end.
    """

    case: str
    came: Arrived
    report: dict[str, Any]


def killed_under_load(fleet: Fleet, server: Server, jaeger: Jaeger, first: Server) -> Outage:
    """Kill a server three times by kill -9 while a program sends to the first one of its way."""
    words = ("--rate=300", "--seconds=8", "--flush=60")
    endpoint = f"http://{first.address('GRPC')}"
    program = fleet.program("load", f"{server.name}-killed", endpoint, *words)
    for _ in range(3):
        time.sleep(2)
        server.kill()
        server.start()
    return _outcome(f"{server.name} killed three times", jaeger, program)


def backend_away(folder: Path) -> Iterator[Outage]:
    """Two programs, at 20 and at 400 spans a second, while Jaeger is away.

    This Jaeger keeps on disk what it had before it was killed, and one of each span.
    """
    with Fleet(folder) as fleet:
        jaeger = fleet.jaeger("jaeger", "jaeger-badger")
        endpoint = f"http://{jaeger.address('GRPC')}"
        words = (f"--seconds={BACKEND_AWAY_S + 5}", "--flush=60")
        programs = {
            rate: fleet.program("load", f"away-{rate}", endpoint, f"--rate={rate}", *words)
            for rate in (20, 400)
        }
        time.sleep(3)
        jaeger.kill()
        time.sleep(BACKEND_AWAY_S)
        jaeger.start()
        for rate, program in programs.items():
            case = f"backend away {BACKEND_AWAY_S} s, {rate} spans a second"
            yield _outcome(case, jaeger, program)


def kafka(folder: Path) -> Iterator[Outage]:
    """Program, gateway, Kafka, ingest, Jaeger: as it is, Kafka away, either side killed."""
    with Fleet(folder) as fleet:
        broker = fleet.kafka("kafka")
        jaeger = fleet.jaeger("jaeger")
        gateway, ingest = fleet.through_kafka(broker, jaeger, "kafka")
        endpoint = f"http://{gateway.address('GRPC')}"
        tour = fleet.program("tour", "tour-kafka", endpoint, "--events=10000")
        yield _outcome("gateway, Kafka, ingest, Jaeger", jaeger, tour)
        words = ("--rate=200", f"--seconds={KAFKA_AWAY_S + 5}")
        program = fleet.program("load", "kafka-away", endpoint, *words)
        time.sleep(3)
        broker.kill()
        time.sleep(KAFKA_AWAY_S)
        broker.start()
        yield _outcome(f"Kafka away {KAFKA_AWAY_S} s", jaeger, program)
        yield killed_under_load(fleet, gateway, jaeger, gateway)
        yield killed_under_load(fleet, ingest, jaeger, gateway)


def _outcome(case: str, jaeger: Jaeger, program: Program) -> Outage:
    report = program.ended()
    return Outage(case, all_arrive(jaeger, program, 90), report)
