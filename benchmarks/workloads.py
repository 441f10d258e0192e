"""The workloads by name, their sizes, and what a side (ours, by hand, upstream) must offer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

TEXT: Final = "hello world"
STEPS: Final = 5
BATCH: Final = tuple(f"{TEXT} {number}" for number in range(100))
CHUNKS: Final = 1_000
CHUNKS_PER_EVENT: Final = 100
EVENTS: Final = 10_000


@dataclass(frozen=True)
class Labels:
    """The tags and metadata that a run is given."""

    tags: tuple[str, ...] = ()
    metadata: MappingProxyType[str, Any] = field(default_factory=lambda: MappingProxyType({}))


PLAIN: Final = Labels()
LABELLED: Final = Labels(
    ("bench", "nightly"), MappingProxyType({"tenant": "acme", "attempt": 1, "dry": False})
)


@dataclass(frozen=True)
class Programs:
    """One side's form of each workload; each call runs it once, from start to end."""

    invoke: Callable[[], Any]
    ainvoke: Callable[[], Awaitable[Any]]
    ainvoke_async_handler: Callable[[], Awaitable[Any]]
    sequence: Callable[[], Any]
    sequence_with_events: Callable[[], Any]
    batch: Callable[[], Any]
    abatch: Callable[[], Awaitable[Any]]
    astream: Callable[[], AsyncIterator[Any]]
    events: Callable[[], Any]


def step(value: str) -> str:
    """What each step of a sequence computes."""
    return value
