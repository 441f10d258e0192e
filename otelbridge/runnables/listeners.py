"""The handlers behind ``with_listeners``: they tell functions of one run's start and end.

A listener takes ``(run)`` or ``(run, config)``, where ``run`` is a ``ListenedRun``. Of all the
runs that a handler hears of, the first is the one that was listened to; the others ran inside it.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

from otelbridge._arguments import arguments_of
from otelbridge.config import RunnableConfig

Listener = Callable[..., None]
AsyncListener = Callable[..., Awaitable[None]]
ConfigFactory = Callable[[RunnableConfig], RunnableConfig]


@dataclass(slots=True)
class ListenedRun:
    """What a listener is told of a run; how it ended, once it has.

    Attributes:
        inputs: the run's input, as ``{"input": ...}`` where it is no dict.
        outputs: the run's output, as ``{"output": ...}`` where it is no dict; empty until then,
            and when it failed.
        error: the exception's repr and traceback, when the run failed.
        start_time: UTC, like ``end_time``.
    """

    id: UUID
    name: str | None
    run_type: str
    inputs: dict[str, Any]
    start_time: datetime
    parent_run_id: UUID | None = None
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    serialized: Any = None
    outputs: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    end_time: datetime | None = None


# Each kind of run: the hook that starts it, the type it is told as, the keys that its input and
# its output go under. None: under "output", also where the output is a dict.
_KINDS: dict[str, tuple[str, str, str]] = {
    "chain": ("chain", "input", "output"),
    "tool": ("tool", "input", "output"),
    "retriever": ("retriever", "query", "documents"),
    "llm": ("llm", "prompts", "response"),
    "chat_model": ("llm", "messages", "response"),
}


class _Root:
    """What sync and async listeners share: which run is meant, and what is told of it."""

    def __init__(
        self,
        *,
        config: RunnableConfig,
        on_start: Callable[..., Any] | None = None,
        on_end: Callable[..., Any] | None = None,
        on_error: Callable[..., Any] | None = None,
    ) -> None:
        self.config = config
        self.run: ListenedRun | None = None
        self._listeners = {"start": on_start, "end": on_end, "error": on_error}

    def _notice(
        self, kind: str, phase: str, args: tuple[Any, ...], about: dict[str, Any]
    ) -> Callable[[], Any] | None:
        """Take note of a hook; return the call of the listener that waits for it, if any."""
        if phase == "start":
            if self.run is not None:
                return None
            self.run = _started(kind, *args, **about)
        elif self.run is None or self.run.id != about.get("run_id"):
            return None
        else:
            _ended(self.run, kind, phase, args[0], about)
        listener, run = self._listeners[phase], self.run
        if listener is None:
            return None
        named = arguments_of(listener).config_name
        given = {named: self.config} if named else {}
        return lambda: listener(run, **given)


class RootListeners(_Root):
    """A handler that calls plain functions."""


class AsyncRootListeners(_Root):
    """A handler that awaits coroutine functions."""


def _hook(kind: str, phase: str) -> Callable[..., None]:
    def hook(self: RootListeners, *args: Any, **about: Any) -> None:
        call = self._notice(kind, phase, args, about)
        if call is not None:
            call()

    return hook


def _ahook(kind: str, phase: str) -> Callable[..., Awaitable[None]]:
    async def hook(self: AsyncRootListeners, *args: Any, **about: Any) -> None:
        call = self._notice(kind, phase, args, about)
        if call is not None:
            await call()

    return hook


# Fourteen hooks in two forms that say the same thing: made from the table instead of written out.
for _kind in _KINDS:
    for _phase in ("start",) if _kind == "chat_model" else ("start", "end", "error"):
        setattr(RootListeners, f"on_{_kind}_{_phase}", _hook(_kind, _phase))
        setattr(AsyncRootListeners, f"on_{_kind}_{_phase}", _ahook(_kind, _phase))


def _started(
    kind: str,
    serialized: Any,
    given: Any,
    *,
    run_id: UUID,
    parent_run_id: UUID | None = None,
    tags: list[str] | None = None,
    metadata: dict[str, Any] | None = None,
    name: str | None = None,
    inputs: Any = None,
    run_type: str | None = None,
    **_about: Any,
) -> ListenedRun:
    default_type, key, _ = _KINDS[kind]
    if kind == "tool" and isinstance(inputs, dict):
        given = inputs
    if name is None and isinstance(serialized, Mapping):
        name = serialized.get("name")
    return ListenedRun(
        id=run_id,
        name=name,
        run_type=run_type or default_type,
        inputs=_under(key, given),
        start_time=datetime.now(timezone.utc),
        parent_run_id=parent_run_id,
        tags=list(tags or ()),
        metadata=dict(metadata or {}),
        serialized=serialized,
    )


def _ended(run: ListenedRun, kind: str, phase: str, result: Any, about: dict[str, Any]) -> None:
    _, key, outcome = _KINDS[kind]
    run.end_time = datetime.now(timezone.utc)
    # A stream's input is whole only when it has been read to its end.
    if about.get("inputs") is not None:
        run.inputs = _under(key, about["inputs"])
    if phase == "error":
        run.error = _described(result)
    elif kind == "tool":
        run.outputs = {outcome: result}
    else:
        run.outputs = _under(outcome, result)


def _under(key: str, value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {key: value}


def _described(error: BaseException) -> str:
    try:
        return repr(error) + "".join(traceback.format_exception(error))
    except Exception:  # a repr or str that raises must not hide that the run failed
        return type(error).__name__


def listening(
    on_start: Listener | None = None,
    on_end: Listener | None = None,
    on_error: Listener | None = None,
) -> ConfigFactory:
    """Return a config factory that gives each call a ``RootListeners`` of its own."""
    return lambda config: {
        "callbacks": [
            RootListeners(config=config, on_start=on_start, on_end=on_end, on_error=on_error)
        ]
    }


def alistening(
    on_start: AsyncListener | None = None,
    on_end: AsyncListener | None = None,
    on_error: AsyncListener | None = None,
) -> ConfigFactory:
    """Return a config factory that gives each call an ``AsyncRootListeners`` of its own."""
    return lambda config: {
        "callbacks": [
            AsyncRootListeners(config=config, on_start=on_start, on_end=on_end, on_error=on_error)
        ]
    }
