"""However a program ends, everything it made is in Jaeger once the next one of the service ran."""

from __future__ import annotations

import signal
import time

import pytest

from backends.figures import note
from backends.fleet import Fleet, Program, all_arrive
from backends.servers import Jaeger, until

DURABLE = {"OTELBRIDGE_DURABLE": "true"}
ENDS = {
    "SIGTERM": {},
    "own-handler": {},
    "sys.exit": {},
    "os._exit": DURABLE,
    "kill-9": DURABLE,
}


@pytest.fixture(scope="module")
def jaeger(fleet: Fleet) -> Jaeger:
    """Jaeger in memory; tests stop it and start it."""
    return fleet.jaeger("jaeger")


def ended(fleet: Fleet, how: str, service: str, endpoint: str) -> Program:
    """Run a program until it has ended in this way, in the middle of its work."""
    words = [f"--end={how}"] if how in ("sys.exit", "os._exit", "own-handler") else []
    seconds = "2" if how in ("sys.exit", "os._exit") else "60"
    program = fleet.program(
        "load", service, endpoint, "--rate=200", f"--seconds={seconds}", *words, **ENDS[how]
    )
    if how in ("sys.exit", "os._exit"):
        program.ended(status=3)
        return program
    until(lambda: len(program.made) > 200, 30, "the program is at work")
    if how == "kill-9":
        program.send(signal.SIGKILL)
        program.ended(status=-signal.SIGKILL)
    else:
        program.send(signal.SIGTERM)
        program.ended(status=-signal.SIGTERM if how == "SIGTERM" else 4)
    return program


@pytest.mark.parametrize("backend", ["up", "down"])
@pytest.mark.parametrize("how", ENDS)
def test_a_program_that_ends_loses_nothing(
    fleet: Fleet, jaeger: Jaeger, how: str, backend: str
) -> None:
    """With the backend there, and with the backend away until the next program runs."""
    service = f"{how}-{backend}"
    endpoint = f"http://{jaeger.address('GRPC')}"
    if backend == "down":
        jaeger.kill()
    begin = time.monotonic()
    program = ended(fleet, how, service, endpoint)
    took_s = time.monotonic() - begin
    if backend == "down":
        jaeger.start()
    if backend == "down" or how in ("os._exit", "kill-9"):
        assert fleet.program("replay", service, endpoint).ended()["flushed"] is True
    came = all_arrive(jaeger, program, 10)
    note(f"program ended by {how}, backend {backend}", came=came, took_s=took_s)
    assert (came.lost, came.changed) == (0, [])
