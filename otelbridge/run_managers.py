"""Runs begun and ended by hand through a callback manager, in langchain-core's form.

A subclass of ``Runnable`` that manages its run itself does, in sync code::

    manager = get_callback_manager_for_config(ensure_config(config))
    run = manager.on_chain_start(None, input, name="mine")
    ...
    run.on_chain_end(output)

A ``Run`` is its own run manager; only the async form, whose ends are awaited, needs a class.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from otelbridge.config import RunnableConfig
from otelbridge.manager import CallbackManager, runs
from otelbridge.run import Run, abegin, begin


class AsyncRunManager:
    """A run whose ends are awaited; all else is the run's own.

    Args:
        run: begun in async code.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)

    def get_sync(self) -> Run:
        """Return the run itself, for sync code."""
        return self._run

    async def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        """End the run with its outputs."""
        await self._run.aend(outputs, **kwargs)

    async def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        """End the run by an exception."""
        await self._run.afail(error, **kwargs)

    on_tool_end = on_retriever_end = on_chain_end
    on_tool_error = on_retriever_error = on_chain_error


def _begin(manager: CallbackManager, kind: str, said: dict[str, Any]) -> Run:
    said = _arguments(manager, kind, said)
    return begin(said.pop("name"), said.pop("config"), said.pop("inputs"), **said)


async def _abegin(manager: CallbackManager, kind: str, said: dict[str, Any]) -> AsyncRunManager:
    said = _arguments(manager, kind, said)
    run = await abegin(said.pop("name"), said.pop("config"), said.pop("inputs"), **said)
    return AsyncRunManager(run)


def _arguments(manager: CallbackManager, kind: str, said: dict[str, Any]) -> dict[str, Any]:
    serialized = said.pop("serialized") or {}
    run_id: UUID | None = said.pop("run_id", None)
    config: RunnableConfig = {"callbacks": manager, "run_id": run_id, "tags": [], "metadata": {}}
    if said.get("parent_run_id") is not None:
        above = manager.copy()
        above.parent_run_id = said["parent_run_id"]
        config["callbacks"] = above
    said.pop("parent_run_id", None)
    name = said.pop("name", None) or serialized.get("name") or kind
    return {**said, "name": name, "config": config, "serialized": serialized or None, "kind": kind}


runs.begin = _begin
runs.abegin = _abegin
