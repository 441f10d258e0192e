"""Runs for code that has no runnable: a ``with`` block, or several invocations under one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from opentelemetry.context import Context

from otelbridge.config import RunnableConfig, check_labels, merge_configs
from otelbridge.context import current_run, get_otel, set_otel
from otelbridge.manager import AsyncCallbackManager, CallbackManager, Callbacks
from otelbridge.run import Run, abegin, begin

Given = TypeVar("Given")


class _Block(Generic[Given]):
    """A ``with`` or ``async with`` block that is one run, current inside of it."""

    def __init__(
        self, name: str, config: RunnableConfig | None, inputs: Any, run_type: str | None = None
    ) -> None:
        self._args = (name, config, inputs, run_type)
        self._run: Run | None = None
        self._before = Context()

    def _given(self, run: Run) -> Given:
        raise NotImplementedError

    def __enter__(self) -> Given:
        self._check()
        return self._inside(begin(*self._args))

    async def __aenter__(self) -> Given:
        self._check()
        return self._inside(await abegin(*self._args))

    def _check(self) -> None:
        if self._run is not None:
            raise RuntimeError("This block was entered before; make a new one for each run.")

    def _inside(self, run: Run) -> Given:
        self._run = run
        self._before = get_otel()
        run.block = self
        set_otel(run.enter(get_otel))
        return self._given(run)

    def _leave(self) -> Run:
        """Put back what was current before, past blocks that have ended in the meantime.

        Blocks in generators may end in any order; where another block's run is current now, that
        one stays.
        """
        run = self._run
        if run is None:
            raise RuntimeError("This block was left without having been entered; use `with`.")
        if current_run() is run:
            before = self._before
            while (outer := current_run(before)) is not None and outer.ended and outer.block:
                before = cast("_Block[Any]", outer.block)._before
            set_otel(before)
        return run

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        run = self._leave()
        if error is None:
            run.end()
        else:
            run.fail(error)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        run = self._leave()
        if error is None:
            await run.aend()
        else:
            await run.afail(error)


class start_run(_Block[Run]):
    """A block of code as one run: ``with start_run("load") as run:``, or ``async with``.

    The run is current inside of the block: events dispatched there are its events, runnables
    invoked there run below it. Call ``run.end(output)`` for an output; otherwise it is None.

    Args:
        name: of the run.
        run_type: of the run, such as ``"chain"`` or ``"tool"``.
        config: tags, metadata, callbacks and so on; by default the current run's.
        inputs: given to the handlers.
        tags: added to those of the config.
        metadata: likewise.

    Raises:
        ConfigurationError: the config holds something that cannot be used.
    """

    def __init__(
        self,
        name: str,
        *,
        run_type: str | None = None,
        config: RunnableConfig | None = None,
        inputs: Any = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        check_labels(tags, metadata)
        if tags or metadata:
            added: RunnableConfig = {"tags": list(tags), "metadata": dict(metadata or {})}
            config = merge_configs(config, added)
        super().__init__(name, config, inputs, run_type)

    def _given(self, run: Run) -> Run:
        return run


class GroupManager(CallbackManager):
    """The manager of a group: pass it on as ``callbacks`` where the context does not reach."""

    __slots__ = ("_run",)

    _run: Run

    def copy(self) -> GroupManager:
        """Return a manager with copies of the lists."""
        copied = super().copy()
        copied._run = self._run
        return copied

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        """End the group's run with its outputs."""
        self._run.end(outputs, **kwargs)

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        """End the group's run by an exception."""
        self._run.fail(error, **kwargs)


class AsyncGroupManager(AsyncCallbackManager):
    """The manager of an async group; its ends are awaited."""

    __slots__ = ("_run",)

    _run: Run

    def copy(self) -> AsyncGroupManager:
        """Return a manager with copies of the lists."""
        copied = super().copy()
        copied._run = self._run
        return copied

    async def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        """End the group's run with its outputs."""
        await self._run.aend(outputs, **kwargs)

    async def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        """End the group's run by an exception."""
        await self._run.afail(error, **kwargs)


class _Group(_Block[Given]):
    """Several invocations under one run: ``with trace_group("answer"):``.

    Gives a callback manager, for invocations in threads that the context does not reach. In async
    code: ``async with atrace_group("answer"):``.

    Args:
        group_name: of the run.
        callback_manager: handlers, or a manager of the run above.
        inputs: given to the handlers.
        run_id: of the run.
        tags: of the run and what runs below it.
        metadata: likewise.
    """

    def __init__(
        self,
        group_name: str,
        callback_manager: Callbacks = None,
        *,
        inputs: Mapping[str, Any] | None = None,
        run_id: UUID | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        config: RunnableConfig = {
            "callbacks": callback_manager,
            "run_id": run_id,
            "tags": list(tags or ()),
            "metadata": dict(metadata or {}),
        }
        super().__init__(group_name, config, dict(inputs or {}))


class trace_group(_Group[GroupManager]):
    """Several invocations under one run; see ``_Group``."""

    __doc__ = _Group.__doc__

    def _given(self, run: Run) -> GroupManager:
        manager = GroupManager.of(run.get_child())
        manager._run = run
        return manager


class atrace_group(_Group[AsyncGroupManager]):
    """Several invocations under one run, in async code; see ``_Group``."""

    __doc__ = _Group.__doc__

    def _given(self, run: Run) -> AsyncGroupManager:
        manager = AsyncGroupManager.of(run.get_child())
        manager._run = run
        return manager
