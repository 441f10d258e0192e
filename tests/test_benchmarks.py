"""The benchmarks compare like with like: each workload leaves the trace of its hand-made twin."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.contests import RECORDING
from benchmarks.environment import in_child

NAMES = [workload.name + labels for workload in RECORDING for labels in ("", ", tags and metadata")]


@pytest.fixture(scope="module")
def twins() -> dict[str, Any]:
    """What both sides left, by workload; made in a process of its own, with its own provider."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVERAGE_PROCESS_CONFIG", "")  # many runs, which other tests measure too
        return {twin["name"]: twin for twin in in_child("benchmarks.twins")}


@pytest.mark.parametrize("name", NAMES)
def test_workload_leaves_the_spans_of_its_hand_made_twin(twins: dict[str, Any], name: str) -> None:
    """Names, parents, status, attributes, events and drop counts are equal."""
    assert twins[name]["ours"]["spans"] == twins[name]["by_hand"]["spans"]


@pytest.mark.parametrize("name", NAMES)
def test_workload_calls_its_handler_as_its_hand_made_twin(twins: dict[str, Any], name: str) -> None:
    """The handler gets the same names and data, the same number of times."""
    assert twins[name]["ours"]["calls"] == twins[name]["by_hand"]["calls"]


def test_every_twin_is_compared(twins: dict[str, Any]) -> None:
    """No workload is left out of the comparison."""
    assert list(twins) == NAMES
