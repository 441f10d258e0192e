"""A Collector or Jaeger is killed with kill -9 under load and started again: nothing is lost."""

from __future__ import annotations

import time

import pytest

from backends.figures import note
from backends.fleet import Fleet, all_arrive
from backends.servers import Jaeger, Kafka, Server

LOAD = ("--rate=300", "--seconds=8")


def killed_under_load(fleet: Fleet, server: Server, jaeger: Jaeger, first: Server) -> None:
    """Kill it three times while a program sends, and compare what comes with what was made."""
    case = f"{server.name} killed three times"
    program = fleet.program(
        "load", case.replace(" ", "-"), f"http://{first.address('GRPC')}", *LOAD, "--flush=60"
    )
    for _ in range(3):
        time.sleep(2)
        server.kill()
        server.start()
    report = program.ended()
    came = all_arrive(jaeger, program)
    note(case, came=came)
    assert (came.lost, came.changed) == (0, [])
    assert report["flushed"] is True


def test_an_agent_killed_loses_nothing(fleet: Fleet) -> None:
    """What the agent has acknowledged is on its disk."""
    jaeger = fleet.jaeger("jaeger")
    agent = fleet.collector("agent", "agent", OTELCOL_NEXT=f"http://{jaeger.address('GRPC')}")
    killed_under_load(fleet, agent, jaeger, agent)


def test_a_balancer_killed_loses_nothing(fleet: Fleet) -> None:
    """What the balancer has acknowledged is on its disk."""
    jaeger = fleet.jaeger("jaeger-2")
    balancer = fleet.collector(
        "balancer", "gateway-balancer", OTELCOL_SAMPLERS=f"[http://{jaeger.address('GRPC')}]"
    )
    agent = fleet.collector("agent-2", "agent", OTELCOL_NEXT=f"http://{balancer.address('GRPC')}")
    killed_under_load(fleet, balancer, jaeger, agent)


def test_jaeger_on_disk_killed_loses_nothing(fleet: Fleet) -> None:
    """What Jaeger has acknowledged is in its files."""
    jaeger = fleet.jaeger("badger", "jaeger-badger")
    agent = fleet.collector("agent-3", "agent", OTELCOL_NEXT=f"http://{jaeger.address('GRPC')}")
    killed_under_load(fleet, jaeger, jaeger, agent)


def test_an_agent_killed_keeps_what_it_could_not_pass_on(fleet: Fleet) -> None:
    """The next hop is away the whole time; the agent is killed with a full queue."""
    jaeger = fleet.jaeger("away")
    agent = fleet.collector("agent-4", "agent", OTELCOL_NEXT=f"http://{jaeger.address('GRPC')}")
    jaeger.kill()
    program = fleet.program(
        "load", "kept", f"http://{agent.address('GRPC')}", "--rate=400", "--seconds=3"
    )
    assert program.ended()["flushed"] is True
    agent.kill()
    agent.start()
    jaeger.start()
    came = all_arrive(jaeger, program)
    note("agent killed with its next hop away", came=came)
    assert (came.lost, came.changed) == (0, [])


@pytest.fixture(scope="module")
def kafka(fleet: Fleet) -> Kafka:
    """One broker."""
    return fleet.kafka("kafka")


def test_everything_arrives_through_kafka(fleet: Fleet, kafka: Kafka) -> None:
    """The way through Kafka changes nothing: 10,000 events, every attribute, every time."""
    jaeger = fleet.jaeger("jaeger-tour")
    gateway, _ = fleet.through_kafka(kafka, jaeger, "tour")
    endpoint = f"http://{gateway.address('GRPC')}"
    program = fleet.program("tour", "tour-kafka", endpoint, "--events=10000")
    assert program.ended()["flushed"] is True
    came = all_arrive(jaeger, program)
    note("gateway, Kafka, ingest, Jaeger", came=came)
    assert (came.lost, came.duplicates, came.changed) == (0, 0, [])


@pytest.mark.parametrize("which", ["gateway", "ingest"])
def test_a_side_of_kafka_killed_loses_nothing(fleet: Fleet, kafka: Kafka, which: str) -> None:
    """The gateway, then the ingest."""
    jaeger = fleet.jaeger(f"jaeger-{which}")
    gateway, ingest = fleet.through_kafka(kafka, jaeger, which)
    victim = gateway if which == "gateway" else ingest
    killed_under_load(fleet, victim, jaeger, gateway)
