"""A run's config: what it takes from its caller, and what it gives to what runs below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from otelbridge import _run_ids
from otelbridge._run_state import RunState
from otelbridge.config import RunnableConfig, ensure_config, fill_config
from otelbridge.errors import ConfigurationError
from otelbridge.handlers import unique
from otelbridge.manager import CallbackManager, is_manager

if TYPE_CHECKING:
    from otelbridge.run import Run

# The keys of a config that says nothing through ``configurable``, where metadata may come from.
_ROOT_KEYS = frozenset(RunnableConfig.__annotations__) - {"configurable"}


class ConfiguredRun(RunState):
    """A run that has a place among the others."""

    __slots__ = ()

    def _take(self, config: RunnableConfig, here: Run | None) -> None:
        """Take name, id, handlers, tags and metadata from the caller's config."""
        if (run_name := config.get("run_name")) is not None:
            self.name = run_name or self.name
        if (given := config.get("run_id")) is not None:
            self._uuid = given if isinstance(given, UUID) else _uuid(given)
            self._text = str(self._uuid)
        callbacks = config.get("callbacks")
        is_list = callbacks is None or type(callbacks) is list
        if not is_list:
            _check_callbacks(callbacks)
        if here is None and is_list and _ROOT_KEYS.issuperset(config):
            self.handlers = self.inheritable_handlers = (
                unique(cast("list[Any]", callbacks)) if callbacks else []
            )
            self.tags = self.inheritable_tags = list(config.get("tags") or ())
            self.metadata = self.inheritable_metadata = dict(config.get("metadata") or ())
        else:
            self._adopt(_manager(config, callbacks, here))

    def _adopt(self, manager: CallbackManager) -> None:
        self.parent_run_id = manager.parent_run_id
        self.handlers = manager.handlers
        self.inheritable_handlers = manager.inheritable_handlers
        self.tags = manager.tags
        self.inheritable_tags = manager.inheritable_tags
        self.metadata = manager.metadata
        self.inheritable_metadata = manager.inheritable_metadata

    @property
    def run_id(self) -> UUID:
        """The run's id. A config that names it, made by whatever means, finds this run."""
        if not self._is_entered and not self.ended:
            self._is_entered = True
            self._shadowed = _run_ids.enter(self, self._said_id().int)
        return self._said_id()

    @property
    def id(self) -> UUID:
        """The run's id, under the name that listeners know."""
        return self.run_id

    def get_child(self, tag: str | None = None) -> CallbackManager:
        """Return the manager that a run below this one begins with; ``tag`` is only for that."""
        child = inherited(self)
        if tag is not None:
            child.add_tags([tag], inherit=False)
        return child

    def child_config(self, tag: str | None = None) -> RunnableConfig:
        """Return the whole config for one run below this one."""
        config = fill_config(None, self.shared_config())
        if tag is not None:
            config["callbacks"] = self.get_child(tag)
        return config

    def shared_config(self) -> RunnableConfig:
        """Return the config of what runs below, to be read and never changed."""
        if self._shared is None:
            ambient = self._ambient
            config = fill_config(
                cast("Any", self._config), None if ambient is None else ambient.shared_config()
            )
            config.pop("run_name", None)
            config.pop("run_id", None)
            config["callbacks"] = self.get_child()
            self._shared = config
        return self._shared


def inherited(run: ConfiguredRun) -> CallbackManager:
    """Return the manager for a run below ``run``."""
    return CallbackManager(
        run.inheritable_handlers,
        run.inheritable_handlers,
        run.run_id,
        tags=run.inheritable_tags,
        inheritable_tags=run.inheritable_tags,
        metadata=run.inheritable_metadata,
        inheritable_metadata=run.inheritable_metadata,
    )


def _manager(config: RunnableConfig, callbacks: Any, here: Run | None) -> CallbackManager:
    """Return what a run with ``config`` begins with, inside ``here``."""
    tags, metadata = config.get("tags"), config.get("metadata")
    is_whole = tags is not None and metadata is not None and is_manager(callbacks)
    if not is_whole or not _ROOT_KEYS.issuperset(config):
        full = ensure_config(config)
        tags, metadata = full.get("tags"), full.get("metadata")
        callbacks = full.get("callbacks")
    manager = CallbackManager.of(callbacks)
    if manager.parent_run_id is None and here is not None:
        # Handlers that are passed on add to what is inherited; they never cut it off.
        manager = inherited(here).merge(manager)
    if tags:
        manager.add_tags(tags)
    if metadata:
        manager.add_metadata(metadata)
    return manager


def _check_callbacks(callbacks: Any) -> None:
    if callbacks is None or is_manager(callbacks):
        return
    if isinstance(callbacks, Sequence) and not isinstance(callbacks, (str, bytes)):
        return
    raise ConfigurationError(
        f"callbacks is {callbacks!r}; it must be a list of handlers, as in "
        f"{{'callbacks': [handler]}}, or a callback manager."
    )


def _uuid(given: Any) -> UUID:
    try:
        return UUID(given)
    except (AttributeError, TypeError, ValueError):
        raise ConfigurationError(f"run_id is {given!r}; it must be a uuid.UUID.") from None
