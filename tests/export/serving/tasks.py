"""The same work as tasks of Celery, with folders as the broker."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import work
from celery import Celery, signals
from opentelemetry import context, propagate

from otelbridge import dispatch_custom_event, start_run

work.set_up("import")

QUEUE = Path(os.environ["QUEUE"])

app = Celery("tasks", broker="filesystem://", backend=f"file://{QUEUE}")
app.conf.update(
    broker_connection_retry_on_startup=False,
    broker_transport_options={
        "data_folder_in": str(QUEUE),
        "data_folder_out": str(QUEUE),
        "control_folder": str(QUEUE / "control"),
        "polling_interval": 0.05,
    },
)


@signals.worker_process_init.connect
def begin(**_: object) -> None:
    """Begin a process of the pool."""
    work.set_up("worker")


@app.task(bind=True, name="answer")
def answer(self: Any, number: int) -> str:
    """Do the work of one task; return the id of this process."""
    return work.answer(number, self.request.headers or {})


def enqueue(number: int, headers: Mapping[str, str]) -> str:
    """Have a worker do the work of one request, as part of its trace; return the task's id."""
    token = context.attach(propagate.extract(headers))
    try:
        with start_run(f"web {number}"):
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            dispatch_custom_event("queued", number)
            return str(answer.apply_async((number,), headers=carrier).id)
    finally:
        context.detach(token)
