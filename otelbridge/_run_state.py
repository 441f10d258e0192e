"""What a run holds. The layers above it say what is done with it, one idea each.

``RunState`` -> ``ConfiguredRun`` (the caller's config) -> ``RecordedRun`` (the span) -> ``ToldRun``
(the handlers) -> ``Run``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import Context as OwnedContext
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from opentelemetry.trace import Span, SpanKind

from otelbridge import _run_ids
from otelbridge._attributes import AttributeValue
from otelbridge._backlog import Backlog
from otelbridge._span_events import SpanEvents
from otelbridge._tracing import Tracing
from otelbridge.config import RunnableConfig
from otelbridge.handlers import Hook

if TYPE_CHECKING:
    from otelbridge.run import Run


class Describing(Protocol):
    """What a span says that is not the run's own: its name, its kind, and more attributes."""

    name: str
    span_kind: SpanKind
    attributes: dict[str, AttributeValue]


class RunState:
    """The attributes of a run, and its identity.

    Slots, because a run is made for every call, and has more attributes than an instance dict
    shares with others of its class.
    """

    __slots__ = (
        "__weakref__",
        "_above",
        "_ambient",
        "_backlogs",
        "_config",
        "_described",
        "_event_hooks",
        "_events",
        "_host",
        "_id",
        "_is_entered",
        "_kind",
        "_loop",
        "_names",
        "_parent_id",
        "_process",
        "_says_tags",
        "_shadowed",
        "_shared",
        "_text",
        "_tracing",
        "_uuid",
        "_wants_output",
        "block",
        "context",
        "ended",
        "handlers",
        "inheritable_handlers",
        "inheritable_metadata",
        "inheritable_tags",
        "metadata",
        "name",
        "recorded",
        "run_type",
        "span",
        "tags",
    )

    name: str
    run_type: str
    _kind: str
    _ambient: Run | None
    _process: object
    _id: _run_ids.Id
    _text: str  # of the id; empty until somebody needs it
    _tracing: Tracing
    span: Span
    context: OwnedContext
    handlers: list[Any]
    inheritable_handlers: list[Any]
    tags: list[str]
    inheritable_tags: list[str]
    metadata: dict[str, Any]
    inheritable_metadata: dict[str, Any]
    recorded: bool

    ended: bool
    block: object  # the with block that made this run current, if one did
    _above: Run | None  # the run that this was begun directly in, if all is inherited
    _says_tags: bool  # all inheritable tags come from configs, none from a manager
    _parent_id: UUID | None
    _uuid: UUID | None
    _is_entered: bool
    _shadowed: Run | None
    _names: frozenset[str]
    _config: Mapping[str, Any] | None
    _described: Describing | None  # what the span is, where that is more than the run's name
    _shared: RunnableConfig | None
    _events: list[SpanEvents] | None  # of one, once there is an event; None: no place for any
    _event_hooks: tuple[Hook, ...] | None
    _host: Run | None
    _loop: asyncio.AbstractEventLoop | None
    _backlogs: Sequence[Backlog]  # the list of the nearest async run: empty or of one
    _wants_output: bool | None

    def is_named(self, run_id: UUID) -> bool:
        """Return whether ``run_id`` is this run's; cheap where it is the same object."""
        return run_id is self._uuid or run_id == self._said_id()

    def _said_id(self) -> UUID:
        """Return the id for a handler, which is told of a run and begins none below it."""
        made = self._uuid
        if made is None:
            made = self._uuid = _run_ids.uuid_of(self._id)
        return made

    def _id_text(self) -> str:
        """Return the id as text, for a span."""
        text = self._text
        if not text:
            text = self._text = _run_ids.text_of(self._id)
        return text
