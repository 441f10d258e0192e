"""Long outages, which run beside the other tests from the beginning: they mostly wait."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.fleet import Arrived, Fleet, all_arrive

BACKEND_AWAY_S = 45
KAFKA_AWAY_S = 30


@dataclass(frozen=True)
class Outage:
    """What came of one program during an outage.

    Attributes:
        service: the program's.
        came: what is in Jaeger of what it made.
        report: what it said at its end.
    """

    service: str
    came: Arrived
    report: dict[str, Any]


def backend_away(folder: Path) -> list[Outage]:
    """Two programs, at 20 and at 400 spans a second, while Jaeger is away.

    This Jaeger keeps on disk what it had before it was killed, and one of each span.
    """
    with Fleet(folder) as fleet:
        jaeger = fleet.jaeger("jaeger", "jaeger-badger")
        endpoint = f"http://{jaeger.address('GRPC')}"
        words = (f"--seconds={BACKEND_AWAY_S + 5}", "--flush=60")
        programs = [
            fleet.program("load", f"away-{rate}", endpoint, f"--rate={rate}", *words)
            for rate in (20, 400)
        ]
        time.sleep(3)
        jaeger.kill()
        time.sleep(BACKEND_AWAY_S)
        jaeger.start()
        reports = [program.ended() for program in programs]
        return [
            Outage(program.service, all_arrive(jaeger, program), report)
            for program, report in zip(programs, reports, strict=True)
        ]


def kafka_away(folder: Path) -> list[Outage]:
    """A program, gateway, ingest and Jaeger, while the broker between them is away."""
    with Fleet(folder) as fleet:
        kafka = fleet.kafka("kafka")
        jaeger = fleet.jaeger("jaeger")
        gateway, _ = fleet.through_kafka(kafka, jaeger, "away")
        endpoint = f"http://{gateway.address('GRPC')}"
        words = ("--rate=200", f"--seconds={KAFKA_AWAY_S + 5}")
        program = fleet.program("load", "kafka-away", endpoint, *words)
        time.sleep(3)
        kafka.kill()
        time.sleep(KAFKA_AWAY_S)
        kafka.start()
        report = program.ended()
        return [Outage(program.service, all_arrive(jaeger, program, 90), report)]
