"""The shape of a run config.

Annotations are not deferred here: ``typing`` compiles each one of a typed dict that is, which would
take half a millisecond of every import.
"""

from typing import Any, TypedDict
from uuid import UUID

from otelbridge.manager import Callbacks


class RunnableConfig(TypedDict, total=False):
    """What may be said of an invocation; every key is optional.

    Attributes:
        tags: of this run and every run below it.
        metadata: of this run and every run below it; keys are strings.
        callbacks: handlers (see ``as_handler``) of this run and every run below it, or a manager.
        run_name: name of this run; by default the runnable's.
        max_concurrency: how many inputs of a batch, or branches, run at once; None means no limit.
        recursion_limit: how often a lambda may return a runnable to run in its place.
        configurable: values for the program's own use, inherited and never exported.
        run_id: of this run; made when left out.
    """

    tags: list[str]
    metadata: dict[str, Any]
    callbacks: Callbacks
    run_name: str
    max_concurrency: int | None
    recursion_limit: int
    configurable: dict[str, Any]
    run_id: UUID | None
