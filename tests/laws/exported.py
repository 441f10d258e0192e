"""What the laws of events read: exported spans, also of programs in a process of their own.

Such a program begins with ``PREAMBLE``: ``provider(...)`` and ``finished``, whose spans
``say_finished()`` prints as JSON for ``told``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits

from otelbridge import semconv

ROOT = Path(__file__).parents[2]

# Past this a program has deadlocked.
PATIENCE_S = 180

PREAMBLE = """
import json, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from otelbridge import dispatch_custom_event, start_run

finished = InMemorySpanExporter()


def provider(processor=SimpleSpanProcessor):
    made = TracerProvider()
    made.add_span_processor(processor(finished))
    trace.set_tracer_provider(made)
    return made


def shown(span):
    return {
        "name": span.name,
        "id": span.context.span_id,
        "trace": span.context.trace_id,
        "parent": span.parent and span.parent.span_id,
        "start": span.start_time,
        "end": span.end_time,
        "attributes": {k: v for k, v in span.attributes.items()},
        "events": [[e.name, dict(e.attributes), e.timestamp] for e in span.events],
        "status": span.status.status_code.name,
    }


def say_finished(**more):
    print(json.dumps({"spans": [shown(span) for span in finished.get_finished_spans()], **more}))
"""


def limits(**given: int | None) -> SpanLimits:
    """Return the standard limits but for those ``given``; None lifts one."""
    standard = {
        "max_attributes": 128,
        "max_events": 128,
        "max_links": 128,
        "max_span_attributes": 128,
        "max_event_attributes": 128,
        "max_link_attributes": 128,
        "max_attribute_length": None,
        "max_span_attribute_length": None,
    }
    unset = SpanLimits.UNSET
    chosen: dict[str, Any] = {**standard, **given}
    return SpanLimits(**{name: unset if n is None else n for name, n in chosen.items()})


def parts(spans: Iterable[ReadableSpan], name: str) -> list[ReadableSpan]:
    """Return the one span called ``name`` and its pages, in the order of their numbers."""
    spans = list(spans)
    (own,) = [span for span in spans if span.name == name]
    assert own.context is not None
    pages = [
        span
        for span in spans
        if semconv.PAGE in (span.attributes or ())
        and span.parent is not None
        and span.parent.span_id == own.context.span_id
    ]
    return [own, *sorted(pages, key=lambda span: (span.attributes or {})[semconv.PAGE])]


def events_by_time(spans: Iterable[ReadableSpan], name: str) -> list[Event]:
    """Return the events of a run as a backend shows them: those of span and pages, by time."""
    found = [event for span in parts(spans, name) for event in span.events]
    return sorted(found, key=lambda event: event.timestamp)


def data_by_time(spans: Iterable[ReadableSpan], name: str) -> list[Any]:
    """Return the data of a run's custom events, by time."""
    return [
        (event.attributes or {}).get(semconv.DATA)
        for event in events_by_time(spans, name)
        if event.name != semconv.EXCEPTION
    ]


def told(program: str, tmp_path: Path, *args: str, **environ: str) -> dict[str, Any]:
    """Run a program after ``PREAMBLE``; return the JSON of its last line."""
    path = tmp_path / "program.py"
    path.write_text(PREAMBLE + program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path), *args],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    said["stderr"] = done.stderr
    return said


def until(holds: Callable[[], bool]) -> None:
    """Wait for what a thread of otelbridge's own does; in vain, the test goes on and fails."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.001)
