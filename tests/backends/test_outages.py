"""A part is away while programs work: when it is back, everything comes."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from backends.figures import note
from backends.outages import BACKEND_AWAY_S, KAFKA_AWAY_S, Outage

Outages = dict[str, "Future[list[Outage]]"]


@pytest.mark.parametrize(
    ("which", "away_s"), [("backend_away", BACKEND_AWAY_S), ("kafka_away", KAFKA_AWAY_S)]
)
def test_an_outage_loses_nothing(outages: Outages, which: str, away_s: int) -> None:
    """At each rate none is lost, and all are as they were made."""
    for outage in outages[which].result():
        note(
            f"{which} {away_s} s, {outage.service}",
            came=outage.came,
            flush_s=outage.report["flush_s"],
        )
        assert (outage.came.lost, outage.came.changed) == (0, [])
        assert outage.report["flushed"] is True
