"""The callback manager: what links a config to its run.

It has the attributes of langchain-core's managers, so that both libraries read each other's, and
nothing else: the run itself is found by ``parent_run_id``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast, runtime_checkable
from uuid import UUID

from otelbridge._elsewhere import base_of_managers
from otelbridge.handlers import as_handler, is_among, is_same, unique

M = TypeVar("M", bound="CallbackManager")


@runtime_checkable
class ManagerLike(Protocol):
    """Any callback manager, ours or langchain-core's."""

    handlers: list[Any]
    inheritable_handlers: list[Any]
    parent_run_id: UUID | None
    tags: list[str]
    inheritable_tags: list[str]
    metadata: dict[str, Any]
    inheritable_metadata: dict[str, Any]


Callbacks = Sequence[Any] | ManagerLike | None


def is_manager(callbacks: object) -> bool:
    """Return whether ``callbacks`` is a callback manager rather than a list of handlers."""
    return isinstance(callbacks, CallbackManager) or (
        hasattr(callbacks, "inheritable_handlers") and hasattr(callbacks, "parent_run_id")
    )


class _Runs:
    """How a manager begins a run; ``otelbridge.run_managers``, which knows runs, fills it in."""

    begin: Any
    abegin: Any


runs = _Runs()


class CallbackManager:
    """Handlers, tags and metadata that the runs below a run begin with.

    Args:
        handlers: called for a run that begins with this manager.
        inheritable_handlers: of these, the ones that its child runs get too.
        parent_run_id: the run that such a run is a child of.
        tags: tags of such a run; ``inheritable_tags`` are its children's too.
        metadata: metadata likewise.
    """

    __slots__ = (
        "handlers",
        "inheritable_handlers",
        "inheritable_metadata",
        "inheritable_tags",
        "metadata",
        "parent_run_id",
        "tags",
    )

    def __init__(
        self,
        handlers: Sequence[Any] = (),
        inheritable_handlers: Sequence[Any] | None = None,
        parent_run_id: UUID | None = None,
        *,
        tags: Sequence[str] | None = None,
        inheritable_tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        inheritable_metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.handlers: list[Any] = unique(handlers) if handlers else []
        self.inheritable_handlers: list[Any] = (
            unique(inheritable_handlers) if inheritable_handlers else []
        )
        self.parent_run_id = parent_run_id
        self.tags: list[str] = [*tags] if tags else []
        self.inheritable_tags: list[str] = [*inheritable_tags] if inheritable_tags else []
        self.metadata: dict[str, Any] = {**metadata} if metadata else {}
        self.inheritable_metadata: dict[str, Any] = (
            {**inheritable_metadata} if inheritable_metadata else {}
        )

    @classmethod
    def configure(
        cls: type[M],
        inheritable_callbacks: Callbacks = None,
        local_callbacks: Callbacks = None,
        verbose: bool = False,
        inheritable_tags: Sequence[str] | None = None,
        local_tags: Sequence[str] | None = None,
        inheritable_metadata: Mapping[str, Any] | None = None,
        local_metadata: Mapping[str, Any] | None = None,
    ) -> M:
        """Return a manager made of inherited and local callbacks, tags and metadata.

        ``verbose`` is accepted for compatibility and does nothing.
        """
        manager = cls.of(inheritable_callbacks)
        for handler in cls.of(local_callbacks).handlers:
            manager.add_handler(handler, inherit=False)
        manager.add_tags(inheritable_tags or [])
        manager.add_tags(local_tags or [], inherit=False)
        manager.add_metadata(inheritable_metadata or {})
        manager.add_metadata(local_metadata or {}, inherit=False)
        return manager

    @classmethod
    def of(cls: type[M], callbacks: Callbacks) -> M:
        """Return a manager with what ``callbacks`` holds: a list, any manager, or nothing."""
        if not is_manager(callbacks):
            handlers = unique(cast("Sequence[Any]", callbacks or ()))
            return cls(handlers, handlers)
        other = cast("ManagerLike", callbacks)
        return cls(
            unique(other.handlers),
            unique(other.inheritable_handlers),
            other.parent_run_id,
            tags=other.tags,
            inheritable_tags=other.inheritable_tags,
            metadata=other.metadata,
            inheritable_metadata=other.inheritable_metadata,
        )

    @property  # type: ignore[misc]
    def __class__(self) -> type[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The class that ``isinstance`` finds beside the real one: LangGraph asks for theirs."""
        return base_of_managers() or type(self)

    def __reduce__(self) -> tuple[Any, ...]:
        slots = [name for kind in type(self).__mro__ for name in getattr(kind, "__slots__", ())]
        return _restored, (type(self), {name: getattr(self, name) for name in slots})

    @property
    def is_async(self) -> bool:
        """Whether this is the async form."""
        return False

    def on_chain_start(
        self, serialized: Any, inputs: Any, run_id: UUID | None = None, **kwargs: Any
    ) -> Any:
        """Begin a run by hand; end it by its ``on_chain_end`` or ``on_chain_error``.

        Args:
            serialized: given to the handlers; its ``name`` is the run's where none is given.
            inputs: given to the handlers.
            run_id: of the run; made when left out.
            kwargs: ``name`` and ``run_type`` of the run; more is given to the handlers.
        """
        return self._begin("chain", serialized=serialized, inputs=inputs, run_id=run_id, **kwargs)

    def on_tool_start(
        self, serialized: Any, input_str: str, run_id: UUID | None = None, **kwargs: Any
    ) -> Any:
        """Begin a tool's run by hand; otherwise as ``on_chain_start``."""
        if "inputs" in kwargs:
            kwargs["tool_inputs"] = kwargs.pop("inputs")
        return self._begin("tool", serialized=serialized, inputs=input_str, run_id=run_id, **kwargs)

    def on_retriever_start(
        self, serialized: Any, query: str, run_id: UUID | None = None, **kwargs: Any
    ) -> Any:
        """Begin a retriever's run by hand; otherwise as ``on_chain_start``."""
        return self._begin(
            "retriever", serialized=serialized, inputs=query, run_id=run_id, **kwargs
        )

    def _begin(self, kind: str, **said: Any) -> Any:
        return runs.begin(self, kind, said)

    def copy(self: M) -> M:
        """Return a manager with copies of the lists."""
        return type(self)(
            self.handlers,
            self.inheritable_handlers,
            self.parent_run_id,
            tags=self.tags,
            inheritable_tags=self.inheritable_tags,
            metadata=self.metadata,
            inheritable_metadata=self.inheritable_metadata,
        )

    def merge(self: M, other: ManagerLike) -> M:
        """Return a manager with what both hold, each handler and tag once, this one's first."""
        merged = self.copy()
        merged.parent_run_id = self.parent_run_id or other.parent_run_id
        merged.handlers = unique([*self.handlers, *other.handlers])
        merged.inheritable_handlers = unique(
            [*self.inheritable_handlers, *other.inheritable_handlers]
        )
        merged.tags = _once([*self.tags, *other.tags])
        merged.inheritable_tags = _once([*self.inheritable_tags, *other.inheritable_tags])
        merged.metadata.update(other.metadata)
        merged.inheritable_metadata.update(other.inheritable_metadata)
        return merged

    def add_handler(self, handler: Any, inherit: bool = True) -> None:
        """Add a handler, once; with ``inherit`` the child runs get it too."""
        handler = as_handler(handler)
        if not is_among(handler, self.handlers):
            self.handlers.append(handler)
        if inherit and not is_among(handler, self.inheritable_handlers):
            self.inheritable_handlers.append(handler)

    def remove_handler(self, handler: Any) -> None:
        """Remove a handler, if it is there."""
        handler = as_handler(handler)
        self.handlers = [h for h in self.handlers if not is_same(h, handler)]
        self.inheritable_handlers = [
            h for h in self.inheritable_handlers if not is_same(h, handler)
        ]

    def set_handlers(self, handlers: Iterable[Any], inherit: bool = True) -> None:
        """Replace all handlers."""
        self.handlers = []
        self.inheritable_handlers = []
        for handler in handlers:
            self.add_handler(handler, inherit)

    def set_handler(self, handler: Any, inherit: bool = True) -> None:
        """Replace all handlers by one."""
        self.set_handlers([handler], inherit)

    def add_tags(self, tags: Sequence[str], inherit: bool = True) -> None:
        """Add tags; one that is there already moves to the end."""
        if not tags:
            return
        self.remove_tags([tag for tag in tags if tag in self.tags])
        self.tags.extend(tags)
        if inherit:
            self.inheritable_tags.extend(tags)

    def remove_tags(self, tags: Sequence[str]) -> None:
        """Remove tags, here and for the child runs."""
        for tag in tags:
            if tag in self.tags:
                self.tags.remove(tag)
            if tag in self.inheritable_tags:
                self.inheritable_tags.remove(tag)

    def add_metadata(self, metadata: Mapping[str, Any], inherit: bool = True) -> None:
        """Add metadata; a key that is there already is replaced."""
        if metadata:
            self.metadata = {**self.metadata, **metadata}
            if inherit:
                self.inheritable_metadata = {**self.inheritable_metadata, **metadata}

    def remove_metadata(self, keys: Iterable[str]) -> None:
        """Remove metadata keys, here and for the child runs."""
        for key in keys:
            self.metadata.pop(key, None)
            self.inheritable_metadata.pop(key, None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(parent_run_id={self.parent_run_id}, tags={self.tags})"


class AsyncCallbackManager(CallbackManager):
    """The async form: its ``on_chain_start`` and the ends of that run are awaited."""

    __slots__ = ()

    def _begin(self, kind: str, **said: Any) -> Any:
        return runs.abegin(self, kind, said)

    @property
    def is_async(self) -> bool:
        """Whether this is the async form."""
        return True


def _once(tags: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(tags))


def _restored(kind: type[M], held: Mapping[str, Any]) -> M:
    manager = kind()
    for name, value in held.items():
        setattr(manager, name, value)
    return manager
