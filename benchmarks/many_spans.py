"""A large store, made quickly: spans like those of a pipeline that reads files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otelbridge.encoding.units import Group, Item
from otelbridge.store._database import Database
from otelbridge.store._facts import Facts, record_facts
from otelbridge.store._index import index_step
from otelbridge.store._writing import Writer
from otelbridge.store.codec import to_record

COMMON: Final = "loaded"
RARE: Final = "unicorn"
BIG: Final = 10_000
"""Spans of the one trace that is large."""

_SPANS: Final = 20
_BATCH: Final = 5_000
_RARE_EVERY: Final = 50_000
_FAILED: Final = 0.001
_WORDS: Final = [
    start + end
    for start in "ab cd ef gh ij kl mn op qr st uv wx yz".split()
    for end in "alpha beta gamma delta lorem ipsum dolor amet file page load".split()
]


def write(path: Path, spans: int) -> str:
    """Make a store with so many spans, all indexed; return the id of its large trace."""
    random = Random(1)
    database, writer = Database(path, create=True), Writer()
    batch: list[Facts] = []
    big = (2).to_bytes(16, "big")
    for number, facts in enumerate(_traces(random, spans, big), 1):
        batch.append(facts)
        if len(batch) == _BATCH or number == spans:
            with database.writing() as connection:
                writer.write(connection, batch, None)
            batch.clear()
    while index_step(database, _BATCH):
        pass
    database.close()
    return big.hex()


def _traces(random: Random, spans: int, big: bytes) -> Iterator[Facts]:
    now = time.time_ns()
    made = trace = 0
    while made < spans:
        trace += 1
        size = min(BIG if trace == 2 else _SPANS, spans - made)
        trace_id = big if trace == 2 else random.randbytes(16)
        group = Group(_resource(f"s{trace % 5}"), "", b"", "")
        start = now - (spans - made) * 10_000_000
        for index in range(size):
            yield _facts(random, group, trace_id, index, start, made + index)
        made += size


def _facts(
    random: Random, group: Group, trace_id: bytes, index: int, start: int, number: int
) -> Facts:
    span = Span(
        trace_id=trace_id, span_id=(index + 1).to_bytes(8, "big"),
        parent_span_id=(1).to_bytes(8, "big") if index else b"",
        name=_WORDS[index % 40] if index else "pipeline", kind=1,
        start_time_unix_nano=start + 1_000 * index, end_time_unix_nano=start + 1_000_000,
    )  # fmt: skip
    if random.random() < _FAILED:
        span.status.code = 2
    run_id = f"{random.getrandbits(32):08x}-{random.getrandbits(64):016x}"
    for key, text in (
        ("otelbridge.run.id", run_id),
        ("otelbridge.run.type", "chain"),
        ("otelbridge.run.metadata.tenant", f"t{number % 100}"),
    ):
        span.attributes.add(key=key).value.string_value = text
    event = span.events.add(name=COMMON, time_unix_nano=start + 5)
    path = f"src/{random.choice(_WORDS)}/{random.choice(_WORDS)}_{index}.py"
    event.attributes.add(key="data.path").value.string_value = path
    event.attributes.add(key="data.completed").value.int_value = index
    note = " ".join(random.choices(_WORDS, k=6))
    if number % _RARE_EVERY == 3:
        note += f" {RARE}"
    event = span.events.add(name="progress", time_unix_nano=start + 6)
    event.attributes.add(key="data.note").value.string_value = note
    item = Item(group, span.SerializeToString())
    return record_facts(item, to_record(item.span, item.group))


def _resource(service: str) -> bytes:
    made = Resource()
    made.attributes.add(key="service.name").value.string_value = service
    return made.SerializeToString()
