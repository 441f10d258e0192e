"""A part is away, or is killed, while programs work: when it is back, everything comes."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from backends.figures import note
from backends.fleet import Fleet, all_arrive
from backends.outages import Outage, killed_under_load


def nothing_lost(outage: Outage) -> None:
    """Note the figures; none is lost, and all are as they were made."""
    note(outage.case, came=outage.came, flush_s=outage.report["flush_s"])
    assert (outage.came.lost, outage.came.changed) == (0, [])
    assert outage.report["flushed"] is True


def test_an_agent_killed_loses_nothing(fleet: Fleet) -> None:
    """What the agent has acknowledged is on its disk."""
    jaeger = fleet.jaeger("jaeger")
    agent = fleet.collector("agent", "agent", OTELCOL_NEXT=f"http://{jaeger.address('GRPC')}")
    nothing_lost(killed_under_load(fleet, agent, jaeger, agent))


def test_a_balancer_killed_loses_nothing(fleet: Fleet) -> None:
    """What the balancer has acknowledged is on its disk."""
    jaeger = fleet.jaeger("jaeger-2")
    balancer = fleet.collector(
        "balancer", "gateway-balancer", OTELCOL_SAMPLERS=f"[http://{jaeger.address('GRPC')}]"
    )
    agent = fleet.collector("agent-2", "agent", OTELCOL_NEXT=f"http://{balancer.address('GRPC')}")
    nothing_lost(killed_under_load(fleet, balancer, jaeger, agent))


def test_jaeger_on_disk_killed_loses_nothing(fleet: Fleet) -> None:
    """What Jaeger has acknowledged is in its files."""
    jaeger = fleet.jaeger("jaeger-badger", "jaeger-badger")
    agent = fleet.collector("agent-3", "agent", OTELCOL_NEXT=f"http://{jaeger.address('GRPC')}")
    nothing_lost(killed_under_load(fleet, jaeger, jaeger, agent))


def test_an_agent_killed_keeps_what_it_could_not_pass_on(fleet: Fleet) -> None:
    """The next hop is away the whole time; the agent is killed with a full queue."""
    jaeger = fleet.jaeger("away")
    agent = fleet.collector("agent-4", "agent", OTELCOL_NEXT=f"http://{jaeger.address('GRPC')}")
    jaeger.kill()
    endpoint = f"http://{agent.address('GRPC')}"
    program = fleet.program("load", "kept", endpoint, "--rate=400", "--seconds=3")
    report = program.ended()
    agent.kill()
    agent.start()
    jaeger.start()
    case = "agent killed with its next hop away"
    nothing_lost(Outage(case, all_arrive(jaeger, program), report))


def test_a_full_agent_leaves_spans_to_the_program(fleet: Fleet) -> None:
    """What the agent has no room for waits in the program's spool, and comes in the end."""
    jaeger = fleet.jaeger("gone")
    agent = fleet.collector(
        "small",
        "agent",
        OTELCOL_NEXT=f"http://{jaeger.address('GRPC')}",
        OTELCOL_QUEUE_BYTES="300000",
    )
    jaeger.kill()
    endpoint = f"http://{agent.address('GRPC')}"
    program = fleet.program("load", "overflow", endpoint, "--rate=800", "--seconds=4", "--flush=2")
    report = program.ended()
    stats = report["stats"]
    assert report["flushed"] is False
    assert stats["waiting"] > 0
    assert (stats["rejected"], stats["dropped"]) == (0, {})
    jaeger.start()
    runs = 0
    while stats["waiting"]:  # a program that only replays may end before the agent has room
        runs += 1
        assert runs < 20, stats
        report = fleet.program("replay", "overflow", endpoint).ended()
        print(report)
        stats = report["stats"]
    nothing_lost(
        Outage(f"agent's queue full, {runs} more runs", all_arrive(jaeger, program), report)
    )


@pytest.mark.parametrize("which", ["backend_away", "kafka"])
def test_a_long_outage_loses_nothing(
    long_outages: dict[str, Future[list[Outage]]], which: str
) -> None:
    """Jaeger away 45 s; Kafka away 30 s, its gateway killed, its ingest killed."""
    for outage in long_outages[which].result():
        nothing_lost(outage)
