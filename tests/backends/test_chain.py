"""Programs, agent, balancer, two samplers, Jaeger: nothing is lost, traces stay whole."""

from __future__ import annotations

import urllib.request
from typing import NamedTuple

import pytest

from backends import jaeger_api
from backends.figures import note
from backends.fleet import Fleet, all_arrive
from backends.servers import Collector, Jaeger, until


class Chain(NamedTuple):
    """All of it."""

    agent: Collector
    balancer: Collector
    samplers: list[Collector]
    jaegers: list[Jaeger]


@pytest.fixture(scope="module")
def chain(fleet: Fleet) -> Chain:
    """A Jaeger behind each sampler, so that it can be seen which sampler had a trace."""
    jaegers = [fleet.jaeger(f"jaeger-{number}") for number in (1, 2)]
    samplers = [
        fleet.collector(
            f"sampler-{number}",
            "gateway-sampler",
            OTELCOL_NEXT=f"http://{jaeger.address('GRPC')}",
            OTELCOL_KEEP_PERCENT="100",
            OTELCOL_DECISION_WAIT="20s",
            OTELCOL_DECISION_WAIT_AFTER_ROOT="1s",
            OTELCOL_METRICS_INTERVAL="1s",
        )
        for number, jaeger in enumerate(jaegers, 1)
    ]
    addresses = ",".join(f"http://{sampler.address('GRPC')}" for sampler in samplers)
    balancer = fleet.collector("balancer", "gateway-balancer", OTELCOL_SAMPLERS=f"[{addresses}]")
    agent = fleet.collector("agent", "agent", OTELCOL_NEXT=f"http://{balancer.address('GRPC')}")
    return Chain(agent, balancer, samplers, jaegers)


def test_each_trace_is_whole_on_one_sampler(fleet: Fleet, chain: Chain) -> None:
    """Two programs at once: every span arrives, each trace's spans by one of the two ways."""
    endpoint = f"http://{chain.agent.address('GRPC')}"
    programs = [
        fleet.program("load", f"fleet-{number}", endpoint, "--rate=400", "--seconds=5")
        for number in (1, 2)
    ]
    for program in programs:
        assert program.ended()["flushed"] is True
        made = {(span["trace_id"], span["span_id"]) for span in program.made}

        def there(service: str = program.service) -> list[set[tuple[str, str]]]:
            return [
                {(s["trace_id"], s["span_id"]) for s in jaeger_api.traces(it.page, service)}
                for it in chain.jaegers
            ]

        took = until(lambda: made <= set().union(*there()), 60, "all spans are there", 1)  # noqa: B023
        ways = there()
        traces = [{trace_id for trace_id, _ in way} for way in ways]
        assert not traces[0] & traces[1], "a trace was split between two samplers"
        assert all(traces), "one sampler got nothing"
        note(
            f"agent, balancer, two samplers, {program.service}",
            spans=len(made),
            lost=len(made - ways[0] - ways[1]),
            traces=[len(way) for way in traces],
            wait_s=took,
        )


def test_everything_arrives_as_it_was_made(fleet: Fleet, chain: Chain) -> None:
    """The whole way changes nothing: 10,000 events, every attribute, every time."""
    endpoint = f"http://{chain.agent.address('HTTP')}"
    http = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    program = fleet.program("tour", "tour-chain", endpoint, "--events=10000", **http)
    assert program.ended()["flushed"] is True
    ids = {span["trace_id"] for span in program.made}
    until(lambda: ids <= {s["trace_id"] for it in chain.jaegers for s in _all(it)}, 60, "traces", 1)
    came = [all_arrive(jaeger, program, 3) for jaeger in chain.jaegers]
    assert sum(each.made - each.lost for each in came) == came[0].made
    assert [each.changed for each in came] == [[], []]
    assert sum(each.duplicates for each in came) == 0


def _all(jaeger: Jaeger) -> list[jaeger_api.Span]:
    return jaeger_api.traces(jaeger.page, "tour-chain")


def test_secrets_are_masked(fleet: Fleet, chain: Chain) -> None:
    """What looks like a secret is masked in spans and in events before it leaves the host."""
    endpoint = f"http://{chain.agent.address('GRPC')}"
    program = fleet.program("secrets", "secrets", endpoint)
    program.ended()

    def spans() -> list[jaeger_api.Span]:
        return [s for it in chain.jaegers for s in jaeger_api.traces(it.page, "secrets")]

    until(spans, 60, "the trace is there", 1)
    text = str(spans())
    assert "sk-" not in text
    assert "hunter2" not in text
    assert "harmless" in text


def test_runs_and_events_are_counted(chain: Chain, fleet: Fleet) -> None:
    """The samplers count spans by name and custom events by name, before sampling."""
    endpoint = f"http://{chain.agent.address('GRPC')}"
    program = fleet.program("load", "counted", endpoint, "--rate=100", "--seconds=2")
    program.ended()
    made = program.made
    expected = sum(event[1] == "stepping" for span in made for event in span["events"])

    def counted() -> tuple[float, float]:
        return (
            _metric(chain, "otelbridge_events_total", 'event_name="stepping"'),
            _metric(chain, "traces_span_metrics_calls_total", 'span_name="step 1"'),
        )

    until(lambda: counted()[0] >= expected, 90, f"{expected} events are counted", 1)
    steps = sum(span["name"] == "step 1" for span in made)
    assert counted() == (expected, steps)


def _metric(chain: Chain, name: str, label: str) -> float:
    """The sum of one counter over both samplers, for the service of the test above."""
    total = 0.0
    for sampler in chain.samplers:
        with urllib.request.urlopen(f"http://{sampler.address('METRICS')}/metrics") as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f"{name}{{") and label in line and '"counted"' in line:
                    total += float(line.rpartition(" ")[2])
    return total
