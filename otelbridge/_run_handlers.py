"""A run's handlers: who is told what, and who waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from otelbridge import _run_ids
from otelbridge._backlog import Backlog, running_loop
from otelbridge._process import process
from otelbridge._run_span import RecordedRun
from otelbridge._taps import taps_of
from otelbridge.delivery import (
    adeliver,
    adeliver_last,
    awaited,
    deliver,
    hand_over,
    is_awaitable,
)
from otelbridge.handlers import Hook, hooks_of, raises, report_failure

if TYPE_CHECKING:
    from otelbridge.run import Run


class ToldRun(RecordedRun):
    """A run that handlers are told of."""

    __slots__ = ()

    def event(self, name: str, data: Any) -> None:
        """Dispatch a custom event of this run; it never blocks an event loop.

        After the run's end handlers still get it, and it becomes a zero-length child span.
        """
        if self.recorded:
            self.record(name, data)
        hooks = self._event_hooks
        if hooks is None:
            hooks = self._hear_events()
        while hooks and (begun := self._tell_event(hooks, name, data)):
            handler, awaitable, hooks = begun
            hand_over(handler, "custom_event", self._host, awaitable)

    async def aevent(self, name: str, data: Any) -> None:
        """As ``event``; async handlers are awaited."""
        rest = self.begin_event(name, data)
        if rest is not None:
            await rest

    def begin_event(self, name: str, data: Any) -> Coroutine[Any, Any, None] | None:
        """Dispatch a custom event; return what is left to be awaited, mostly nothing."""
        if self.recorded:
            self.record(name, data)
        hooks = self._event_hooks
        if hooks is None:
            hooks = self._hear_events()
        if not hooks:
            return None
        begun = None
        if not self._backlogs or not self._backlogs[0].busy:
            left = self._tell_event(hooks, name, data)
            if left is None:
                return None
            handler, awaitable, hooks = left
            if not hooks:
                return awaited(handler, "custom_event", awaitable)
            begun = handler, awaitable
        words = {
            "run_id": self._uuid,
            "tags": self.inheritable_tags,
            "metadata": self.inheritable_metadata,
        }
        return adeliver(hooks, "custom_event", self._host, (name, data), words, begun)

    def _hear_events(self) -> tuple[Hook, ...]:
        """Find out, once, who is told of events."""
        hooks = self._event_hooks = hooks_of(self.inheritable_handlers, "custom_event")
        if hooks and self._uuid is None:
            self._uuid = _run_ids.uuid_of(self._id)
        return hooks

    def _tell_event(
        self, hooks: tuple[Hook, ...], name: str, data: Any
    ) -> tuple[Any, Awaitable[Any], tuple[Hook, ...]] | None:
        """Call the hooks up to the first that returns something to be awaited.

        That is what ``deliver`` does, spelled out for events: keywords out of a dict cost a third
        of what else an event does that is not recorded.

        Returns:
            The handler, what its hook has returned, and the hooks that are left; mostly None.
        """
        # An event is dispatched with the config of what runs below, so it has the tags of that.
        run_id, tags, metadata = self._uuid, self.inheritable_tags, self.inheritable_metadata
        done = 0
        for handler, call, ignored in hooks:
            done += 1
            if ignored is not None and getattr(handler, ignored, False):
                continue
            try:
                result = call(name, data, run_id=run_id, tags=tags, metadata=metadata)
            except Exception:
                report_failure(handler, "custom_event")
                if raises(handler):
                    raise
                continue
            if result is not None and is_awaitable(result):
                return handler, result, hooks[done:]
        return None

    def _tell(self, hook: str, args: tuple[Any, ...], extra: Mapping[str, Any]) -> None:
        name = f"{self._kind}_{hook}"
        if f"on_{name}" in self._names:
            hooks = hooks_of(self.handlers, name)
            deliver(hooks, name, self._host, args, self._said(hook, extra))

    async def _atell(self, hook: str, args: tuple[Any, ...], extra: Mapping[str, Any]) -> None:
        name = f"{self._kind}_{hook}"
        if f"on_{name}" in self._names:
            hooks = hooks_of(self.handlers, name)
            await adeliver(hooks, name, self._host, args, self._said(hook, extra))

    async def _tell_last(self, hook: str, args: tuple[Any, ...], extra: Mapping[str, Any]) -> None:
        name = f"{self._kind}_{hook}"
        if f"on_{name}" in self._names:
            hooks = hooks_of(self.handlers, name)
            await adeliver_last(hooks, name, self._host, args, self._said(hook, extra))
        if self._backlogs:
            backlog = self.backlog
            if backlog is None:
                return
            cancelled = hook == "error" and isinstance(args[0], asyncio.CancelledError)
            rounds = 0
            # A cancel may add what it has kept from a handler. A handler that ignores the cancel
            # is left to the loop.
            while backlog.busy and (cancelled or self._host is self) and rounds < 2:
                await backlog.wait(cancelled=cancelled)
                rounds += cancelled
            if not backlog.idle and not (cancelled and backlog.busy):
                await backlog.settle()

    def _said(self, hook: str, extra: Mapping[str, Any]) -> dict[str, Any]:
        said: dict[str, Any] = {
            "run_id": self._said_id(),
            "parent_run_id": self._parent_id if self._above is None else self._above._said_id(),
            "tags": self.tags,
        }
        if hook == "start":
            said["metadata"] = self.metadata
            said["name"] = self.name
        said.update(extra)
        return said

    def about(self) -> dict[str, Any]:
        """Return what the hooks for a chunk get by name."""
        return self._said("chunk", {})

    def chunk_hooks(self, *, is_async: bool = False) -> tuple[Hook, ...]:
        """Return the hooks for the chunks of a stream, and what tells them to LangChain."""
        if not self.handlers:
            return ()
        taps = taps_of(self.handlers, cast("Run", self), is_async=is_async)
        return (*hooks_of(self.handlers, "stream_chunk"), *taps)

    def wants_output(self) -> bool:
        """Return whether anybody is told what a stream's chunks add up to."""
        if self._wants_output is None:
            ends = self.handlers and hooks_of(self.handlers, f"{self._kind}_end")
            self._wants_output = bool(ends) or self._tracing.recording.capture_content
        return self._wants_output

    @property
    def backlog(self) -> Backlog | None:
        """The queue for coroutines of async handlers, of the nearest async run."""
        host = self._host
        if host is None or host.ended or host._process is not process.token:
            return None
        if not host._backlogs:
            # Two threads may come here at once: both take what the first has put.
            made = Backlog(cast("asyncio.AbstractEventLoop", host._loop))
            cast("list[Backlog]", host._backlogs).append(made)
        return host._backlogs[0]

    def _settle_host(self, here: Run | None, is_async: bool) -> None:
        host = None if here is None else here._host
        loop = running_loop()
        is_near = host is not None and not host.ended
        if is_near and (host._loop is loop or (loop is None and not is_async)):  # type: ignore[union-attr]
            self._host, self._backlogs = host, host._backlogs  # type: ignore[union-attr]
        elif is_async and loop is not None:
            self._host = self  # type: ignore[assignment]
            self._loop = loop
            self._backlogs = []

    def host_backlogs(self) -> Sequence[Backlog]:
        """Return the list that the backlog of the nearest async run comes into when it is made."""
        return self._backlogs

    def unsettled(self) -> bool:
        """Return whether async handlers have work, or a failure that is to be raised."""
        return bool(self._backlogs) and not self._backlogs[0].idle

    def behind(self) -> bool:
        """Return whether async handlers have work that nobody has awaited yet."""
        return bool(self._backlogs) and self._backlogs[0].busy

    async def settle(self) -> None:
        """Wait for what sync dispatches have left to async handlers."""
        if self.behind() and (backlog := self.backlog) is not None:
            await backlog.wait()
