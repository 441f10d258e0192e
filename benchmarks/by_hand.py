"""The workloads as a careful engineer writes them with OpenTelemetry alone.

Each makes the trace that otelbridge makes: a span for each run with its run id (a random UUID),
run type, tags and metadata from the start, a span event for each custom event, and the local
handler called with name, data and run id. The values are known to be clean here, so nothing is
checked or cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any
from uuid import uuid4

from opentelemetry import trace

from benchmarks.listeners import AsyncListener, Listener
from benchmarks.workloads import (
    BATCH,
    CHUNKS,
    CHUNKS_PER_EVENT,
    EVENTS,
    STEPS,
    TEXT,
    Labels,
    Programs,
    step,
)
from otelbridge.context import Pump

RUN_ID = "otelbridge.run.id"
RUN_TYPE = "otelbridge.run.type"
RUN_TAGS = "otelbridge.run.tags"
RUN_METADATA = "otelbridge.run.metadata."
PAGE = "otelbridge.page"

EVENTS_OF_SPAN = 127
"""What the SDK keeps of one span's events (128), less one place for an exception."""
EVENTS_OF_PAGE = 128


def programs(
    tracer: trace.Tracer, labels: Labels, listener: Listener, async_listener: AsyncListener
) -> Programs:
    """The workloads by hand, with the same attributes as a run with ``labels``."""
    hand = ByHand(tracer, labels, listener, async_listener)
    return Programs(
        invoke=lambda: hand.reflect(TEXT),
        ainvoke=lambda: hand.areflect(TEXT),
        ainvoke_async_handler=lambda: hand.areflect_async_handler(TEXT),
        sequence=lambda: hand.sequence(TEXT),
        sequence_with_events=lambda: hand.sequence_with_events(TEXT),
        batch=lambda: hand.batch(BATCH),
        abatch=lambda: hand.abatch(BATCH),
        astream=lambda: hand.chunks(TEXT),
        events=lambda: hand.many(TEXT),
    )


class ByHand:
    """One method for each workload; safe to use from several threads."""

    def __init__(
        self,
        tracer: trace.Tracer,
        labels: Labels,
        listener: Listener,
        async_listener: AsyncListener,
    ) -> None:
        self._tracer = tracer
        self._listener = listener
        self._async_listener = async_listener
        # What is known before the run is computed once, as one would by hand.
        self._labels: dict[str, Any] = {
            RUN_METADATA + key: value for key, value in labels.metadata.items()
        }
        if labels.tags:
            self._labels[RUN_TAGS] = labels.tags
        self._step_labels = [
            (f"step{number}", {**self._labels, RUN_TAGS: (f"seq:step:{number}", *labels.tags)})
            for number in range(1, STEPS + 1)
        ]

    def reflect(self, value: str) -> str:
        """One run, two events (W1)."""
        run_id = uuid4()
        with self._tracer.start_as_current_span(
            "reflect", attributes={RUN_ID: str(run_id), RUN_TYPE: "chain", **self._labels}
        ) as span:
            data = {"reversed": value[::-1]}
            span.add_event("event1", {"data.reversed": data["reversed"]})
            self._listener.handle_custom_event("event1", data, run_id)
            span.add_event("event2", {"data": 5})
            self._listener.handle_custom_event("event2", 5, run_id)
            return value

    async def areflect(self, value: str) -> str:
        """One async run, two events, a sync handler (W2)."""
        run_id = uuid4()
        with self._tracer.start_as_current_span(
            "areflect", attributes={RUN_ID: str(run_id), RUN_TYPE: "chain", **self._labels}
        ) as span:
            data = {"reversed": value[::-1]}
            span.add_event("event1", {"data.reversed": data["reversed"]})
            self._listener.handle_custom_event("event1", data, run_id)
            span.add_event("event2", {"data": 5})
            self._listener.handle_custom_event("event2", 5, run_id)
            return value

    async def areflect_async_handler(self, value: str) -> str:
        """One async run, two events, an async handler (W2)."""
        run_id = uuid4()
        with self._tracer.start_as_current_span(
            "areflect", attributes={RUN_ID: str(run_id), RUN_TYPE: "chain", **self._labels}
        ) as span:
            data = {"reversed": value[::-1]}
            span.add_event("event1", {"data.reversed": data["reversed"]})
            await self._async_listener.handle_custom_event("event1", data, run_id)
            span.add_event("event2", {"data": 5})
            await self._async_listener.handle_custom_event("event2", 5, run_id)
            return value

    def sequence(self, value: str) -> str:
        """A run of five steps, each a run (W3)."""
        with self._tracer.start_as_current_span(
            "RunnableSequence",
            attributes={RUN_ID: str(uuid4()), RUN_TYPE: "chain", **self._labels},
        ):
            for name, labels in self._step_labels:
                with self._tracer.start_as_current_span(
                    name, attributes={RUN_ID: str(uuid4()), RUN_TYPE: "chain", **labels}
                ):
                    value = step(value)
            return value

    def sequence_with_events(self, value: str) -> str:
        """A run of five steps, each a run that dispatches one event (W3)."""
        with self._tracer.start_as_current_span(
            "RunnableSequence",
            attributes={RUN_ID: str(uuid4()), RUN_TYPE: "chain", **self._labels},
        ):
            for name, labels in self._step_labels:
                run_id = uuid4()
                with self._tracer.start_as_current_span(
                    name, attributes={RUN_ID: str(run_id), RUN_TYPE: "chain", **labels}
                ) as span:
                    data = {"value": value}
                    span.add_event("step", {"data.value": value})
                    self._listener.handle_custom_event("step", data, run_id)
                    value = step(value)
            return value

    def batch(self, values: tuple[str, ...]) -> list[str]:
        """A run for each value, in threads that carry the caller's context (W4)."""
        with ThreadPoolExecutor() as pool:
            futures = [pool.submit(copy_context().run, self.reflect, value) for value in values]
            return [future.result() for future in futures]

    async def abatch(self, values: tuple[str, ...]) -> list[str]:
        """A run for each value, in tasks (W4)."""
        return await asyncio.gather(*map(self.areflect, values))

    async def chunks(self, value: str) -> AsyncIterator[str]:
        """A run that yields chunks, with an event now and then (W5)."""
        run_id = uuid4()
        with self._tracer.start_as_current_span(
            "chunks", attributes={RUN_ID: str(run_id), RUN_TYPE: "chain", **self._labels}
        ) as span:
            for number in range(CHUNKS):
                if number % CHUNKS_PER_EVENT == 0:
                    data = {"chunk": number}
                    span.add_event("progress", {"data.chunk": number})
                    self._listener.handle_custom_event("progress", data, run_id)
                yield value

    def many(self, value: str) -> str:
        """A run with more events than a span holds: child spans take the rest (W6)."""
        run_id = uuid4()
        run_id_text = str(run_id)
        with self._tracer.start_as_current_span(
            "many", attributes={RUN_ID: run_id_text, RUN_TYPE: "chain", **self._labels}
        ) as span:
            page, pages, room = span, 0, EVENTS_OF_SPAN
            for number in range(EVENTS):
                if not room:
                    if pages:
                        page.end()
                    pages += 1
                    room = EVENTS_OF_PAGE
                    page = self._tracer.start_span(
                        "many events", attributes={RUN_ID: run_id_text, PAGE: pages}
                    )
                data = {"i": number}
                page.add_event("progress", {"data.i": number})
                self._listener.handle_custom_event("progress", data, run_id)
                room -= 1
            if pages:
                page.end()
            return value


class Bare:
    """The same runs with no attributes on the span, hence with no run id to make."""

    def __init__(self, tracer: trace.Tracer, listener: Listener) -> None:
        self._tracer = tracer
        self._listener = listener

    def invoke(self) -> str:
        """One run, two events (W1)."""
        return self._reflect(TEXT)

    def _reflect(self, value: str) -> str:
        with self._tracer.start_as_current_span("reflect") as span:
            data = {"reversed": value[::-1]}
            span.add_event("event1", {"data.reversed": data["reversed"]})
            self._listener.handle_custom_event("event1", data, None)
            span.add_event("event2", {"data": 5})
            self._listener.handle_custom_event("event2", 5, None)
            return value

    async def ainvoke(self) -> str:
        """One async run, two events (W2)."""
        return await self._areflect(TEXT)

    async def _areflect(self, value: str) -> str:
        with self._tracer.start_as_current_span("areflect") as span:
            data = {"reversed": value[::-1]}
            span.add_event("event1", {"data.reversed": data["reversed"]})
            self._listener.handle_custom_event("event1", data, None)
            span.add_event("event2", {"data": 5})
            self._listener.handle_custom_event("event2", 5, None)
            return value


async def generator_itself(value: str = TEXT) -> AsyncIterator[str]:
    """The chunks of W5 with no run, no span and no event."""
    for _ in range(CHUNKS):
        yield value


async def least_stream() -> AsyncIterator[str]:
    """The same with each step inside a Context of its own, by the least that was found to do it.

    Nothing here looks for waiting or for handlers, or tells a run its end.
    """
    chunks = generator_itself()
    enter = copy_context().run
    pump = Pump(chunks.__anext__(), chunks.__anext__, enter)
    send, box = pump.send, pump.box
    while True:
        try:
            enter(send, None)
        except StopAsyncIteration:
            return
        yield box[0]
