"""A run's config: what it takes from its caller, and what it gives to what runs below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from otelbridge import _run_ids
from otelbridge._run_state import RunState
from otelbridge.config import (
    RunnableConfig,
    check_callbacks,
    check_labels,
    ensure_config,
    fill_config,
)
from otelbridge.errors import ConfigurationError
from otelbridge.handlers import unique
from otelbridge.manager import CallbackManager, is_manager

if TYPE_CHECKING:
    from otelbridge.run import Run

# The keys of a config that says nothing through ``configurable``, where metadata may come from.
_KEYS = frozenset(RunnableConfig.__annotations__)
_ROOT_KEYS = _KEYS - {"configurable"}


class ChildConfig(dict[str, Any]):
    """Stands for the whole config of a run directly below ``run``, which costs more than the run.

    Passed only to runnables of our own that do nothing with a config but begin with it.
    """

    __slots__ = ("run", "tag")

    def __init__(self, run: Run, tag: str | None) -> None:
        self.run = run
        self.tag = tag


class ConfiguredRun(RunState):
    """A run that has a place among the others."""

    __slots__ = ()

    @property
    def parent_run_id(self) -> UUID | None:
        """The id of the run that this one was begun in, or None."""
        return self._parent_id if self._above is None else self._above.run_id

    def _descend(self, above: Run, tag: str | None) -> None:
        """Begin directly in ``above``: what is inherited is shared with it; none of it changes."""
        self._above = above
        self._says_tags = above._says_tags
        self.handlers = self.inheritable_handlers = above.inheritable_handlers
        self.tags = self.inheritable_tags = above.inheritable_tags
        self.metadata = self.inheritable_metadata = above.inheritable_metadata
        if tag is not None:
            self.tags = [tag, *self.tags]

    def direct_config(self, tag: str) -> RunnableConfig:
        """As ``child_config``, for a runnable of our own that only begins with its config."""
        if self._says_tags:
            return cast("RunnableConfig", ChildConfig(cast("Run", self), tag))
        # Upstream puts the tag behind those that a manager was made with.
        return self.child_config(tag)

    def _take(self, config: RunnableConfig, here: Run | None) -> None:
        """Take name, id, handlers, tags and metadata from the caller's config."""
        if (run_name := config.get("run_name")) is not None:
            self.name = run_name or self.name
        if (given := config.get("run_id")) is not None:
            self._uuid = given if isinstance(given, UUID) else _uuid(given)
            self._text = str(self._uuid)
        callbacks = config.get("callbacks")
        tags, metadata = config.get("tags"), config.get("metadata")
        if (tags and type(tags) is not list) or (metadata and type(metadata) is not dict):
            check_labels(tags, metadata)
        if callbacks is None or type(callbacks) is list:
            if here is None and not config.get("configurable") and _KEYS.issuperset(config):
                self.handlers = self.inheritable_handlers = unique(callbacks) if callbacks else []
                self.tags = self.inheritable_tags = [*tags] if tags else []
                self.metadata = self.inheritable_metadata = {**metadata} if metadata else {}
                self._says_tags = True
                return
        elif isinstance(callbacks, CallbackManager):
            # What a run gives to those below it: nothing is left to be found out.
            is_whole = callbacks.parent_run_id is not None and tags == [] and metadata == {}
            if is_whole and not config.get("configurable") and _KEYS.issuperset(config):
                return self._adopt(callbacks)
        else:
            check_callbacks(callbacks)
        self._adopt(_manager(config, callbacks, here))

    def _adopt(self, manager: CallbackManager) -> None:
        handlers, heirs = manager.handlers, manager.inheritable_handlers
        self._parent_id = manager.parent_run_id
        self.handlers = unique(handlers) if handlers else []
        self.inheritable_handlers = unique(heirs) if heirs else []
        self.tags = manager.tags[:]
        self.inheritable_tags = manager.inheritable_tags[:]
        self.metadata = {**manager.metadata}
        self.inheritable_metadata = {**manager.inheritable_metadata}

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
        child = CallbackManager()
        child.parent_run_id = self.run_id
        if self.inheritable_handlers:
            child.handlers = self.inheritable_handlers[:]
            child.inheritable_handlers = self.inheritable_handlers[:]
        if self.inheritable_tags:
            child.tags = self.inheritable_tags[:]
            child.inheritable_tags = self.inheritable_tags[:]
        if self.inheritable_metadata:
            child.metadata = {**self.inheritable_metadata}
            child.inheritable_metadata = {**self.inheritable_metadata}
        if tag is not None:
            child.add_tags([tag], inherit=False)
        return child

    def child_config(self, tag: str | None = None) -> RunnableConfig:
        """Return the whole config for one run below this one."""
        shared = cast("dict[str, Any]", self._shared or self.shared_config())
        config = shared.copy()
        config["tags"] = [*shared["tags"]]
        config["metadata"] = {**shared["metadata"]}
        config["configurable"] = {**shared["configurable"]}
        config["callbacks"] = self.get_child(tag)
        return cast("RunnableConfig", config)

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
        manager = here.get_child().merge(manager)
    if tags:
        manager.add_tags(tags)
    if metadata:
        manager.add_metadata(metadata)
    return manager


def _uuid(given: Any) -> UUID:
    try:
        return UUID(given)
    except (AttributeError, TypeError, ValueError):
        raise ConfigurationError(f"run_id is {given!r}; it must be a uuid.UUID.") from None
