"""Jaeger is away while a program works: when it is back, everything comes."""

from __future__ import annotations

import time

from backends.figures import note
from backends.fleet import Fleet, all_arrive

AWAY_S = 45


def test_a_backend_away_loses_nothing(fleet: Fleet) -> None:
    """Away 45 s, at 20 and at 400 spans a second: none is lost, and all are as they were made."""
    jaeger = fleet.jaeger("jaeger", "jaeger-badger")  # one that keeps what it had before
    endpoint = f"http://{jaeger.address('GRPC')}"
    words = (f"--seconds={AWAY_S + 4}", "--flush=60")
    programs = [
        fleet.program("load", f"away-{rate}", endpoint, f"--rate={rate}", *words)
        for rate in (20, 400)
    ]
    time.sleep(2)
    jaeger.kill()
    time.sleep(AWAY_S)
    jaeger.start()
    reports = [program.ended() for program in programs]
    for program, report in zip(programs, reports, strict=True):
        came = all_arrive(jaeger, program)
        note(f"backend away {AWAY_S} s, {program.service}", came=came, flush_s=report["flush_s"])
        assert (came.lost, came.changed) == (0, [])
        assert report["flushed"] is True
